"""The learning rate follows the images of a step."""

import math

import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.config import Config

from rexdense.engine.config.learning_rate import set_learning_rate
from rexdense.errors import InvalidArgument


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


@pytest.mark.parametrize(
    ('scheduler', 'scaled'),
    [
        (dict(type='CosineAnnealingLR', eta_min=1e-3), dict(eta_min=5e-4)),
        (dict(type='PolyLR', eta_min=1e-3, power=0.9), dict(eta_min=5e-4)),
        (dict(type='OneCycleLR', eta_max=0.02), dict(eta_max=0.01)),
        (dict(type='ReduceOnPlateauLR', min_value=[1e-3, 0]), dict(min_value=[5e-4, 0])),
        (dict(type='CosineAnnealingLR', eta_min_ratio=0.1), {}),
        (dict(type='CosineAnnealingMomentum', eta_min=0.8), {}),
    ],
)
def test_rates_of_the_schedule_keep_their_share(scheduler, scaled):
    config = config_of()
    config.param_scheduler = [dict(type='LinearLR', start_factor=0.1), dict(scheduler)]
    set_learning_rate(config, 0.01)
    assert config.param_scheduler[1] == scheduler | scaled
    assert config.param_scheduler[0] == dict(type='LinearLR', start_factor=0.1)


def test_a_schedule_that_would_raise_the_rate_is_refused():
    config = config_of()
    config.param_scheduler = [dict(type='PolyLR', eta_min=0.03)]
    with pytest.raises(InvalidArgument, match=r'eta_min=0\.03 of PolyLR .* rate 0\.02'):
        set_learning_rate(config, 0.02)


def test_classes_and_optimizers_that_state_no_rate():
    config = config_of(torch.optim.AdamW, batch=4)
    assert 'for 4 images a step, AdamW: ' in set_learning_rate(config, None)
    assert math.isclose(config.optim_wrapper.optimizer.lr, 0.02 / 2)
    config = config_of('Adadelta')
    del config.optim_wrapper.optimizer.lr
    said = 'Learning rate as Adadelta has it, 2 images a step: the config states none'
    assert set_learning_rate(config, None) == said
    # Adadelta's own rate is 1.
    config.param_scheduler = [dict(type='PolyLR', eta_min=1.5)]
    with pytest.raises(InvalidArgument, match=r'eta_min=1\.5 of PolyLR .* rate 1, which'):
        set_learning_rate(config, None)
    config.pop('param_scheduler')
    assert (
        set_learning_rate(config, 0.1)
        == 'Learning rate 0.1 for 2 images a step, Adadelta: as given'
    )
    config.optim_wrapper = dict(constructor='mmdet.LearningRateDecayOptimizerConstructor')
    with pytest.raises(InvalidArgument, match='optim_wrapper of the config has no section'):
        set_learning_rate(config, None)


def test_a_rate_that_is_no_number_is_refused():
    config = config_of()
    config.optim_wrapper.optimizer.lr = '0.1'
    with pytest.raises(InvalidArgument, match=r"optimizer\.lr='0\.1': give a number"):
        set_learning_rate(config, None)
