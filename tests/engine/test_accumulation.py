"""Gradients of several batches, added up before a step."""

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from rexdense.cli import train
from rexdense.engine.config.apply import apply_training_options
from tests.tiny_run import train_arguments

IMAGES, STEPS = 12, 3


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(384, 2)
    )
    layers[1].running_mean.uniform_(-0.2, 0.2)
    layers[1].running_var.uniform_(0.5, 2)
    # Statistics of a batch would depend on its size.
    return layers.eval()


def trained(accumulate, tmp_path):
    """The weights after three steps of twelve images each, in so many batches."""
    options = ['--accumulate', str(accumulate), '--lr', '0.1']
    options = train.parser().parse_args([*train_arguments(tmp_path, tmp_path), *options])
    config = Config(
        dict(
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01)),
            train_dataloader=dict(batch_size=IMAGES // accumulate),
            train_cfg=dict(max_epochs=1),
            model=dict(),
        )
    )
    options.epochs = None
    apply_training_options(config, options, 'cpu')
    model = network()
    wrapper = build_optim_wrapper(model, dict(config.optim_wrapper, type='OptimWrapper'))
    wrapper.initialize_count_status(model, 0, STEPS * accumulate)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(STEPS, IMAGES, 3, 8, 8, generator=generator)
    labels = torch.randint(0, 2, (STEPS, IMAGES), generator=generator)
    for step in range(STEPS):
        for batch, truth in zip(
            images[step].chunk(accumulate), labels[step].chunk(accumulate), strict=True
        ):
            with wrapper.optim_context(model):
                loss = nn.functional.cross_entropy(model(batch), truth)
            wrapper.update_params(loss)
    return model.state_dict()


@pytest.mark.parametrize('accumulate', [2, 3, 12])
def test_batches_added_up_are_one_large_batch(accumulate, tmp_path, capsys):
    whole, parts = trained(1, tmp_path), trained(accumulate, tmp_path)
    moved = network().state_dict()
    for name, tensor in whole.items():
        assert torch.allclose(parts[name], tensor, rtol=1e-5, atol=1e-6), name
        if name.endswith(('0.weight', '4.weight')):
            assert (tensor - moved[name]).abs().max() > 0.01
    # The rate is that of the whole batch, however it is divided.
    assert capsys.readouterr().out.count(f'for {IMAGES} images a step') == 2
