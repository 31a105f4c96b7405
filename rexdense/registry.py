"""The registries of scope ``rexdense``, which mmengine imports at the first use of that scope."""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

__all__ = [
    'DATASETS',
    'HOOKS',
    'METRICS',
    'MODELS',
    'OPTIM_WRAPPERS',
    'TRANSFORMS',
    'WEIGHT_INITIALIZERS',
]


def _child(name: str, parent: Registry, *locations: str) -> Registry:
    """Return a registry below mmengine's whose classes lie in the modules ``locations``."""
    return Registry(name, parent=parent, scope='rexdense', locations=list(locations))


MODELS = _child('model', mmengine_registry.MODELS, 'rexdense.models')
WEIGHT_INITIALIZERS = _child(
    'weight initializer', mmengine_registry.WEIGHT_INITIALIZERS, 'rexdense.checkpoint'
)
DATASETS = _child(
    'dataset',
    mmengine_registry.DATASETS,
    'rexdense.datasets.coco_dataset',
    'rexdense.datasets.segmentation_dataset',
)
TRANSFORMS = _child(
    'transform',
    mmengine_registry.TRANSFORMS,
    'rexdense.datasets.loading',
    'rexdense.datasets.label_loading',
)
METRICS = _child('metric', mmengine_registry.METRICS, 'rexdense.evaluation.coco_metric')
HOOKS = _child('hook', mmengine_registry.HOOKS, 'rexdense.engine.hooks')
OPTIM_WRAPPERS = _child(
    'optimizer wrapper', mmengine_registry.OPTIM_WRAPPERS, 'rexdense.engine.optimizer_wrappers'
)
