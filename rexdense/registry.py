"""The registries of scope ``rexdense``, which mmengine imports at the first use of that scope."""

from importlib.util import find_spec

from rexdense.mmengine_bases import Registry, parent_registry


def _child(name: str, parent: str, *locations: str, **adapters: str) -> Registry:
    """Return a registry below mmengine's whose classes lie in the modules ``locations``.

    Args:
        parent: The name of mmengine's.
        adapters: Further modules, by the package that they cannot do without; where that is not
            installed they are left out, so that users of mmseg need no mmdet, and the reverse.
    """
    above = parent_registry(parent)
    # A registry without classes yet counts as false.
    usable = [
        module for package, module in adapters.items() if above is not None and find_spec(package)
    ]
    return Registry(name, parent=above, scope='rexdense', locations=[*locations, *usable])


MODELS = _child('model', 'MODELS', 'rexdense.models', 'rexdense.models.image_classifier')
WEIGHT_INITIALIZERS = _child('weight initializer', 'WEIGHT_INITIALIZERS', 'rexdense.checkpoint')
DATASETS = _child(
    'dataset',
    'DATASETS',
    'rexdense.datasets.classification.dataset',
    'rexdense.datasets.classification.published_layouts',
    'rexdense.datasets.depth.dataset',
    'rexdense.datasets.segmentation.dataset',
    mmdet='rexdense.datasets.coco.dataset',
)
DATA_SAMPLERS = _child('data sampler', 'DATA_SAMPLERS', 'rexdense.datasets.classification.sampler')
TRANSFORMS = _child(
    'transform',
    'TRANSFORMS',
    'rexdense.datasets.images.loading',
    'rexdense.datasets.segmentation.loading',
    'rexdense.datasets.depth.loading',
    'rexdense.datasets.transforms',
)
METRICS = _child(
    'metric',
    'METRICS',
    'rexdense.evaluation.classification_metric',
    'rexdense.evaluation.depth_metric',
    'rexdense.evaluation.segmentation_metric',
    mmdet='rexdense.evaluation.coco_metric',
)
HOOKS = _child(
    'hook',
    'HOOKS',
    'rexdense.engine.hooks.class_weights',
    'rexdense.engine.hooks.classes',
    'rexdense.engine.hooks.images',
    'rexdense.engine.hooks.non_finite_loss',
    'rexdense.engine.hooks.precise_batch_norm',
    'rexdense.engine.hooks.strides',
    'rexdense.engine.resume.saving',
)
OPTIMIZERS = _child('optimizer', 'OPTIMIZERS', 'rexdense.engine.zero')
OPTIM_WRAPPERS = _child('optimizer wrapper', 'OPTIM_WRAPPERS', 'rexdense.engine.optimizer_wrappers')
