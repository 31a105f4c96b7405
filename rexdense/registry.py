"""The registries of scope ``rexdense``, which mmengine imports when the scope is first used."""

from importlib.util import find_spec

from rexdense.mmengine_bases import Registry, parent_registry


def _child(name: str, parent: str, *locations: str, **adapters: str) -> Registry:
    """Return a child of mmengine's registry, for the classes in the modules ``locations``.

    Args:
        parent: The name of mmengine's registry.
        adapters: Further modules, by the package that they need. They are left out if it is not
            installed, so that users of mmseg do not need mmdet, and vice versa.
    """
    above = parent_registry(parent)
    # A registry that has no classes yet is false.
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
