"""The learning rate follows the images of a step."""

import math

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config

from rexdense.engine.config.learning_rate import set_learning_rate


def config_of(kind='SGD', batch=2, base=16, enable=True, **wrapper) -> Config:
    return Config(
        dict(
            train_dataloader=dict(batch_size=batch),
            optim_wrapper=dict(optimizer=dict(type=kind, lr=0.02), **wrapper),
            auto_scale_lr=dict(enable=enable, base_batch_size=base),
        )
    )


@pytest.mark.parametrize(
    ('config', 'given', 'rate', 'said'),
    [
        (
            config_of(),
            None,
            0.02 / 8,
            "0.0025 for 2 images a step, SGD: the config's 0.02 for 16 images a step, scaled in "
            'proportion',
        ),
        (
            config_of('AdamW', batch=4),
            None,
            0.02 / 2,
            "0.01 for 4 images a step, AdamW: the config's 0.02 for 16 images a step, scaled by "
            'the square root',
        ),
        (config_of(), 0.1, 0.1, '0.1 for 2 images a step, SGD: as given'),
        (config_of(batch=16), None, 0.02, '0.02 for 16 images a step, SGD: as in the config'),
        (config_of(base=None), None, 0.02, '0.02 for 2 images a step, SGD: as in the config'),
        (config_of(enable=False), None, 0.02, '0.02 for 2 images a step, SGD: as in the config'),
        # Gradients of eight batches are added up before a step.
        (
            config_of(accumulative_counts=8),
            None,
            0.02,
            '0.02 for 16 images a step, SGD: as in the config',
        ),
    ],
)
def test_rate(config, given, rate, said):
    assert set_learning_rate(config, given) == f'Learning rate {said}'
    assert math.isclose(config.optim_wrapper.optimizer.lr, rate)
    # Else mmengine would scale again.
    assert 'auto_scale_lr' not in config
