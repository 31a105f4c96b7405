"""The learning rate that suits the batch."""

import math

from mmengine.config import Config
from mmengine.dist import get_world_size

__all__ = ['set_learning_rate']


def set_learning_rate(config: Config, given: float | None) -> str:
    """Set the rate to the one given, else scale the config's to the images of a step; return a
    sentence that says what was chosen.

    In proportion for SGD (Goyal et al. 2017, section 2.1), by the square root for Adam's kind
    (Malladi et al. 2022, section 4.1), whose steps do not grow with the gradient. The config says
    in ``auto_scale_lr.base_batch_size`` how many images a step its rate is for.
    """
    wrapper = config.optim_wrapper
    optimizer, stated = wrapper.optimizer, wrapper.optimizer.lr
    batch = (
        config.train_dataloader.batch_size
        * get_world_size()
        * wrapper.get('accumulative_counts', 1)
    )
    scaling = config.get('auto_scale_lr') or {}
    base = scaling.get('base_batch_size') if scaling.get('enable', True) else None
    # mmengine would scale once more.
    config.pop('auto_scale_lr', None)
    if given:
        optimizer.lr = given
        how = 'as given'
    elif base and base != batch:
        is_adam = 'Adam' in optimizer.type
        optimizer.lr = stated * (math.sqrt(batch / base) if is_adam else batch / base)
        how = (
            f"the config's {stated:g} for {base} images a step, scaled "
            f'{"by the square root" if is_adam else "in proportion"}'
        )
    else:
        how = 'as in the config'
    return f'Learning rate {optimizer.lr:.3g} for {batch} images a step, {optimizer.type}: {how}'
