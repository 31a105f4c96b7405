"""Classes that the config in a checkpoint may name: registered ones, each where its kind belongs.

mmengine imports a ``type`` that none of its registries has, and calls what it gets
(``registry/registry.py``, ``Registry.get``). A config that came with a file must not reach that.
"""

import contextlib
import functools
import importlib
import importlib.util
import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry
from mmengine.registry import registry as registry_module

from rexdense.errors import CheckpointUnreadable

__all__ = [
    'MODEL',
    'TRANSFORM',
    'Kind',
    'registered_classes_only',
    'require_known_scope',
    'require_known_types',
]

SCOPES = ('mmengine', 'rexdense', 'mmdet', 'mmseg')
LONGEST_SHOWN = 60


class Kind(NamedTuple):
    """Meaning of a ``type``.

    Attributes:
        title: What messages call it.
        registry: The name of its registry in :mod:`mmengine.registry`; None where the code that
            reads the section has a table of its own.
        homes: Modules whose classes may be built, or the names in that table.
        left_out: Modules and classes below ``homes`` that open files or run text by what they are.
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
        # Models of videos, which no program here reads.
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
TRANSFORM = Kind(
    'transform',
    'TRANSFORMS',
    (
        'rexdense.datasets',
        'mmcv.transforms',
        'mmdet.datasets.transforms',
        'mmseg.datasets.transforms',
    ),
    (
        # Any function of another package, by name.
        'mmdet.datasets.transforms.instaboost',
        'mmdet.datasets.transforms.transforms.Albu',
        'mmseg.datasets.transforms.transforms.Albu',
        # Tokenizers by name, and pickles.
        'mmdet.datasets.transforms.text_transformers',
        'mmseg.datasets.transforms.loading.LoadBiomedicalAnnotation',
        'mmseg.datasets.transforms.loading.LoadBiomedicalData',
        'mmseg.datasets.transforms.loading.LoadBiomedicalImageFromFile',
    ),
)
# mmcv evaluates this name as Python text (ops/nms.py, batched_nms).
_SUPPRESSION = Kind('function of non-maximum suppression', None, ('nms', 'soft_nms'))
# mmdet takes this attribute of mmcv.ops (roi_extractors/base_roi_extractor.py).
_ROI_LAYER = Kind(
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

# The kind by the key under which a section of a model stands.
_SLOTS = (
    (re.compile('nms|nms_cfg|dqs_cfg'), _SUPPRESSION),
    (re.compile('roi_layer'), _ROI_LAYER),
    (re.compile(r'(\w+_)?(assigner|sampler|coder|generator|calculator|costs?)'), TASK_UTIL),
)
# 'bilinear', 'rexnet_1.0', 'regnetx_3.2gf'; no separators, no file's ending, no address.
_PLAIN_WORD = re.compile(r'[\w+ -]*(\.\d[\w+-]*)*')
_KEY_OF_A_FILE = re.compile(
    r'(\w+_)?(file|path|dir|root|prefix|url|uri|checkpoint|ckpt|pretrained|class_weight)'
)


def require_known_types(section: Any, where: str, kind: Kind, scope: str, source: str) -> None:
    """Check that a section of a stored config names nothing but classes that may be built from it.

    Every ``type``, at any depth, must be the name of a class in the table of the registry that it
    is used as, and the class must be one of the packages that ``kind`` lists. Other texts must be
    plain words, which name no file and no address.

    Args:
        section: A tree of dictionaries, lists and values.
        where: Its place in the config, for messages.
        kind: What its own ``type`` stands for.
        scope: In which names without a scope are looked up, a known one.
        source: What messages call the file.

    Raises:
        CheckpointUnreadable: it is not so; the message names the first fault and its place.
    """
    _Check(source).node(section, where, kind, scope)


def require_known_scope(scope: Any, source: str) -> None:
    """Check that mmengine may import the package of this name for its registries.

    Raises:
        CheckpointUnreadable: it is none of the packages that rexdense stands on, or not installed.
    """
    _Check(source).scope(scope, 'default_scope')


class _Check(NamedTuple):
    """A walk through what was taken of the config in a file.

    Attributes:
        source: What messages call the file.
    """

    source: str

    def node(self, node: Any, where: str, kind: Kind, scope: str, key: Any = None) -> None:
        if isinstance(node, dict):
            if '_scope_' in node:
                scope = node['_scope_']
                self.scope(scope, f'{where}._scope_')
            for name, value in node.items():
                place = f'{where}.{name}'
                if name == 'type':
                    self.type(value, place, kind, scope)
                elif name != '_scope_':
                    self.node(value, place, _kind_below(kind, name), scope, name)
        elif isinstance(node, list | tuple | set):
            for index, value in enumerate(node):
                self.node(value, f'{where}[{index}]', kind, scope, key)
        elif isinstance(node, str | bytes):
            self.text(node, where, key)

    def type(self, value: Any, where: str, kind: Kind, scope: str) -> None:
        if not isinstance(value, str) or not _may_be_built(value, kind, scope):
            self.refuse(
                value,
                where,
                f'which is no registered {kind.title} that a stored config may build',
            )

    def scope(self, value: Any, where: str) -> None:
        if not _is_scope(value):
            self.refuse(value, where, f'which is not one of the installed {", ".join(SCOPES)}')

    def text(self, value: str | bytes, where: str, key: Any) -> None:
        plain = isinstance(value, str) and _PLAIN_WORD.fullmatch(value)
        if not plain or _KEY_OF_A_FILE.fullmatch(str(key)):
            self.refuse(value, where, 'which could be a file, an address or code')

    def refuse(self, value: Any, where: str, fault: str) -> None:
        shown = repr(value)
        if len(shown) > LONGEST_SHOWN:
            shown = f'{shown[:LONGEST_SHOWN]}...'
        # Keys are foreign text, too.
        place = where if where.isprintable() and len(where) < 200 else repr(where[:200])
        raise CheckpointUnreadable(
            f'the config in {self.source} says {shown} at {place}, {fault}; nothing was built: if '
            'you trust its maker with this machine, add --trust-config (trust_config=True in '
            'Python)'
        )


def _kind_below(kind: Kind, key: Any) -> Kind:
    """Return the kind of a section that stands under ``key`` in one of another kind."""
    if kind is TRANSFORM:
        return TRANSFORM
    return next((slot for names, slot in _SLOTS if names.fullmatch(str(key))), MODEL)


def _is_scope(value: Any) -> bool:
    return isinstance(value, str) and value in SCOPES and bool(importlib.util.find_spec(value))


def _may_be_built(name: str, kind: Kind, scope: str) -> bool:
    if kind.registry is None:
        return name in kind.homes
    prefix, dot, rest = name.partition('.')
    if dot:
        scope, name = prefix, rest
    if not _is_scope(scope):
        return False
    tables = _tables(kind.registry, scope)
    found = next((table[name] for table in tables if name in table), None)
    if not isinstance(found, type):
        return False
    home = f'{found.__module__}.{found.__qualname__}.'
    return any(home.startswith(f'{module}.') for module in kind.homes) and not any(
        home.startswith(f'{module}.') for module in kind.left_out
    )


@functools.cache
def _import_classes(kind: str, scope: str) -> None:
    """Fill the tables of a scope as mmengine would, without what the packages print."""
    with contextlib.redirect_stdout(io.StringIO()):
        importlib.import_module(f'{scope}.registry')
        for package in ('mmcv.cnn', 'mmcv.transforms'):
            importlib.import_module(package)
        for registry in _registries(kind, scope):
            registry.import_from_location()


def _registries(kind: str, scope: str) -> Iterator[Registry]:
    """Yield the registries in which mmengine looks for a name of a scope, in its order."""
    root = getattr(mmengine_registry, kind)
    if scope in root.children:
        yield root.children[scope]
    yield root


def _tables(kind: str, scope: str) -> list[dict[str, type]]:
    _import_classes(kind, scope)
    return [registry.module_dict for registry in _registries(kind, scope)]


@contextlib.contextmanager
def registered_classes_only() -> Iterator[None]:
    """Keep mmengine's registries from importing a name that none of them has."""
    importer = registry_module.get_object_from_string
    registry_module.get_object_from_string = lambda name: None
    try:
        yield
    finally:
        registry_module.get_object_from_string = importer
