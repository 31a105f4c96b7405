"""The registries of scope ``rexdense``, which mmengine imports at the first use of that scope."""

from importlib.util import find_spec

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


def _child(name: str, parent: Registry, *locations: str, **adapters: str) -> Registry:
    """Return a registry below mmengine's whose classes lie in the modules ``locations``.

    Args:
        adapters: Further modules, by the package that they cannot do without; where that is not
            installed they are left out, so that users of mmseg need no mmdet, and the reverse.
    """
    usable = [module for package, module in adapters.items() if find_spec(package)]
    return Registry(name, parent=parent, scope='rexdense', locations=[*locations, *usable])


MODELS = _child('model', mmengine_registry.MODELS, 'rexdense.models')
WEIGHT_INITIALIZERS = _child(
    'weight initializer', mmengine_registry.WEIGHT_INITIALIZERS, 'rexdense.checkpoint'
)
DATASETS = _child(
    'dataset',
    mmengine_registry.DATASETS,
    'rexdense.datasets.depth.dataset',
    'rexdense.datasets.segmentation.dataset',
    mmdet='rexdense.datasets.coco.dataset',
)
TRANSFORMS = _child(
    'transform',
    mmengine_registry.TRANSFORMS,
    'rexdense.datasets.images.loading',
    'rexdense.datasets.segmentation.loading',
    'rexdense.datasets.depth.loading',
)
METRICS = _child(
    'metric',
    mmengine_registry.METRICS,
    'rexdense.evaluation.depth_metric',
    'rexdense.evaluation.segmentation_metric',
    mmdet='rexdense.evaluation.coco_metric',
)
HOOKS = _child('hook', mmengine_registry.HOOKS, 'rexdense.engine.hooks')
OPTIM_WRAPPERS = _child(
    'optimizer wrapper', mmengine_registry.OPTIM_WRAPPERS, 'rexdense.engine.optimizer_wrappers'
)
