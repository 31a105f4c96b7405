"""Classes that may be built from the config in a checkpoint, and how mmengine resolves names.

mmengine imports the package that a name begins with. If no registry has a ``type``, it imports the
whole name and calls the result (``registry/registry.py``, ``Registry.get``). A config from a file
must not be able to do this.
"""

import contextlib
import functools
import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry
from mmengine.registry import registry as registry_module

from rexdense.engine.scope import nothing_printed
from rexdense.errors import CheckpointUnreadable

SCOPES = ('mmengine', 'rexdense', 'mmdet', 'mmseg')
TRUST = 'if you trust its maker with this machine, add --trust-config (trust_config=True in Python)'
"""End of the messages that refuse a config in a checkpoint."""


class Kind(NamedTuple):
    """The meaning of a ``type``.

    Attributes:
        title: Name in messages.
        registry: The name of its registry in :mod:`mmengine.registry`; None if the code that reads
            the section has its own table.
        homes: Classes that may be built, or modules with such classes, or the names in that table.
        left_out: Modules and classes below ``homes`` that by their nature open files or execute
            text.
    """

    title: str
    registry: str | None
    homes: tuple[str, ...]
    left_out: tuple[str, ...] = ()


MODEL = Kind(
    'model',
    'MODELS',
    (
        'rexdense.models',
        'torch.nn',
        'mmengine.model',
        'mmengine.utils.dl_utils.parrots_wrapper',
        'mmcv.cnn.bricks',
        'mmcv.ops',
        'mmdet.models',
        'mmseg.models',
    ),
    (
        # They fetch a second network, or a tokenizer, by a name in the config.
        'mmdet.models.dense_heads.atss_vlfusion_head',
        'mmdet.models.detectors.d2_wrapper',
        'mmdet.models.detectors.glip',
        'mmdet.models.detectors.grounding_dino',
        'mmdet.models.detectors.kd_one_stage',
        'mmdet.models.detectors.lad',
        'mmdet.models.language_models',
        'mmseg.models.backbones.timm_backbone',
        'mmseg.models.backbones.vpd',
        'mmseg.models.decode_heads.san_head',
        'mmseg.models.text_encoder',
        # Video models, which no program here reads.
        'mmdet.models.mot',
        'mmdet.models.reid',
        'mmdet.models.trackers',
        'mmdet.models.tracking_heads',
        'mmdet.models.vis',
    ),
)
TASK_UTIL = Kind(
    'task util',
    'TASK_UTILS',
    ('mmdet.models.task_modules', 'mmseg.models.assigners', 'mmseg.structures.sampler'),
    ('mmdet.models.task_modules.tracking',),
)
# Steps from an image to the input of a model. Each of them was reviewed: it opens only the image
# whose path it is given, writes nothing, and takes no function name. Other steps of the packages
# do.
TRANSFORM = Kind(
    'transform',
    'TRANSFORMS',
    (
        'rexdense.datasets.images.loading.LoadImage',
        'rexdense.datasets.transforms.crop.ResizeCenterCrop',
        'rexdense.datasets.transforms.packing.PackClassification',
        'mmcv.transforms.formatting.ImageToTensor',
        'mmcv.transforms.formatting.ToTensor',
        'mmcv.transforms.loading.LoadImageFromFile',
        'mmcv.transforms.processing.CenterCrop',
        'mmcv.transforms.processing.MultiScaleFlipAug',
        'mmcv.transforms.processing.Normalize',
        'mmcv.transforms.processing.Pad',
        'mmcv.transforms.processing.RandomChoiceResize',
        'mmcv.transforms.processing.RandomFlip',
        'mmcv.transforms.processing.RandomGrayscale',
        'mmcv.transforms.processing.RandomResize',
        'mmcv.transforms.processing.Resize',
        'mmcv.transforms.processing.TestTimeAug',
        'mmcv.transforms.wrappers.Compose',
        'mmcv.transforms.wrappers.RandomApply',
        'mmcv.transforms.wrappers.RandomChoice',
        'mmdet.datasets.transforms.formatting.ImageToTensor',
        'mmdet.datasets.transforms.formatting.PackDetInputs',
        'mmdet.datasets.transforms.formatting.ToTensor',
        'mmdet.datasets.transforms.formatting.Transpose',
        'mmdet.datasets.transforms.formatting.WrapFieldsToLists',
        'mmdet.datasets.transforms.transforms.FixScaleResize',
        'mmdet.datasets.transforms.transforms.FixShapeResize',
        'mmdet.datasets.transforms.transforms.Pad',
        'mmdet.datasets.transforms.transforms.RandomFlip',
        'mmdet.datasets.transforms.transforms.Resize',
        'mmdet.datasets.transforms.transforms.ResizeShortestEdge',
        'mmseg.datasets.transforms.formatting.PackSegInputs',
        'mmseg.datasets.transforms.transforms.AdjustGamma',
        'mmseg.datasets.transforms.transforms.CLAHE',
        'mmseg.datasets.transforms.transforms.RGB2Gray',
        'mmseg.datasets.transforms.transforms.RandomCrop',
        'mmseg.datasets.transforms.transforms.RandomFlip',
        'mmseg.datasets.transforms.transforms.Rerange',
        'mmseg.datasets.transforms.transforms.Resize',
        'mmseg.datasets.transforms.transforms.ResizeShortestEdge',
        'mmseg.datasets.transforms.transforms.ResizeToMultiple',
    ),
)
# The same with the steps that read annotations. Data sets open files that the config names, to read
# them. Metrics write no files after ``outfile`` is removed.
TRUTH = TRANSFORM._replace(
    homes=(
        *TRANSFORM.homes,
        'rexdense.datasets.depth.loading.LoadDepth',
        'rexdense.datasets.segmentation.loading.LoadSegmentationAnnotations',
        'mmdet.datasets.transforms.loading.LoadAnnotations',
        'mmseg.datasets.transforms.loading.LoadAnnotations',
    )
)
DATASET = Kind(
    'data set',
    'DATASETS',
    (
        'rexdense.datasets.coco.dataset.CocoDataset',
        'rexdense.datasets.classification',
        'rexdense.datasets.depth.dataset.DepthDataset',
        'rexdense.datasets.segmentation.dataset.SegmentationDataset',
    ),
)
METRIC = Kind(
    'metric',
    'METRICS',
    (
        'rexdense.evaluation.classification_metric.ClassificationMetric',
        'rexdense.evaluation.coco_metric.CocoMetric',
        'rexdense.evaluation.depth_metric.DepthMetric',
        'rexdense.evaluation.segmentation_metric.SegmentationMetric',
    ),
)
# mmcv evaluates this name as Python code (ops/nms.py, batched_nms).
SUPPRESSION = Kind('function of non-maximum suppression', None, ('nms', 'soft_nms'))
# mmdet takes this attribute of mmcv.ops (roi_extractors/base_roi_extractor.py).
ROI_LAYER = Kind(
    'layer for regions',
    None,
    (
        'RoIAlign',
        'RoIPool',
        'SimpleRoIAlign',
        'DeformRoIPoolPack',
        'ModulatedDeformRoIPoolPack',
        'PrRoIPool',
    ),
)
_BY_REGISTRY = {kind.registry: kind for kind in (MODEL, TASK_UTIL, TRANSFORM)}


def is_scope(value: Any) -> bool:
    """Return whether a value is the name of an installed package whose classes may be built."""
    return isinstance(value, str) and value in SCOPES and bool(importlib.util.find_spec(value))


def may_be_built(name: str, kind: Kind, scope: str) -> bool:
    """Return whether mmengine resolves a ``type`` in a scope to a class that may be built."""
    if kind.registry is None:
        return name in kind.homes
    if not is_scope(scope):
        return False
    _import_classes(kind.registry, scope)
    root = getattr(mmengine_registry, kind.registry)
    with _nothing_imported(), root.switch_scope_and_registry(scope) as registry:
        return _is_allowed(registry.get(name), kind)


def _is_allowed(found: Any, kind: Kind) -> bool:
    if not isinstance(found, type):
        return False
    home = f'{found.__module__}.{found.__qualname__}.'
    return any(home.startswith(f'{module}.') for module in kind.homes) and not any(
        home.startswith(f'{module}.') for module in kind.left_out
    )


@functools.cache
def _import_classes(kind: str, scope: str) -> None:
    """Fill the registries of a scope as mmengine would, and discard what the packages print."""
    with nothing_printed():
        importlib.import_module(f'{scope}.registry')
        for package in ('mmcv.cnn', 'mmcv.transforms'):
            importlib.import_module(package)
        root = getattr(mmengine_registry, kind)
        for registry in (root.children.get(scope, root), root):
            registry.import_from_location()


@contextlib.contextmanager
def _nothing_imported() -> Iterator[None]:
    """Prevent mmengine's registries from importing names that none of them has."""
    importer, get = registry_module.get_object_from_string, Registry.get

    def get_registered(registry: Registry, name: str) -> Any:
        scope, dot, rest = name.partition('.')
        # The registry imports ``NAME.registry`` for each name before a dot.
        if dot and ('.' in rest or not is_scope(scope)):
            return None
        return get(registry, name)

    registry_module.get_object_from_string = lambda name: None
    Registry.get = get_registered
    try:
        yield
    finally:
        registry_module.get_object_from_string, Registry.get = importer, get


@contextlib.contextmanager
def buildable_classes_only(source: str, kinds: Sequence[Kind] = ()) -> Iterator[None]:
    """Make mmengine's registries raise CheckpointUnreadable for a class that may not be built from
    a stored config, under any key, and import nothing.

    Args:
        source: Name of the file in messages.
        kinds: What may be built besides models and transforms, or in place of these.
    """
    allowed = _BY_REGISTRY | {kind.registry: kind for kind in kinds}
    with _nothing_imported():
        get = Registry.get

        def get_allowed(registry: Registry, name: str) -> Any:
            found, kind = get(registry, name), _kind_of(registry, allowed)
            if found is not None and not (kind and _is_allowed(found, kind)):
                raise CheckpointUnreadable(
                    f'the config in {source} asks for {name!r}, which is no {registry.name} that a '
                    f'stored config may build: {TRUST}'
                )
            return found

        Registry.get = get_allowed
        try:
            yield
        finally:
            Registry.get = get


def _kind_of(registry: Registry, kinds: Mapping[str | None, Kind]) -> Kind | None:
    """Return the kind of the classes in a registry; None if none of them may be built."""
    for name, kind in kinds.items():
        if registry.root is getattr(mmengine_registry, name):
            return kind
    return None
