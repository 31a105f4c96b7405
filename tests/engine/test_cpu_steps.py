"""Steps on a CPU: the fused optimizers, and the memory layouts of all that they touch."""

import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModel
from torch import nn

from rexdense.engine.cpu_steps import keep_layouts, with_fused_optimizer
from tests.runner_of_images import runner_of_images

OPTIMIZERS = {
    'SGD': dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.01),
    'Adam': dict(type='Adam', lr=0.1),
    'AdamW': dict(type='AdamW', lr=0.1, weight_decay=0.1),
}


def weight(layout=torch.channels_last):
    torch.manual_seed(0)
    return nn.Parameter(torch.randn(8, 4, 3, 3).to(memory_format=layout))


def made(kind, parameter, **more):
    settings = {key: value for key, value in OPTIMIZERS[kind].items() if key != 'type'}
    return getattr(torch.optim, kind)([parameter], **settings, **more)


def steps(optimizer, parameter, layout, seed=0):
    torch.manual_seed(seed)
    for _ in range(3):
        parameter.grad = torch.randn(8, 4, 3, 3).to(memory_format=layout)
        optimizer.step()


@pytest.mark.parametrize('kind', OPTIMIZERS)
@pytest.mark.parametrize('gradients', [torch.channels_last, torch.contiguous_format])
def test_gradients_of_another_layout_are_not_mixed_up(kind, gradients):
    fused, plain = weight(), weight(torch.contiguous_format)
    optimizer = made(kind, fused, fused=True)
    keep_layouts(optimizer)
    steps(optimizer, fused, gradients)
    steps(made(kind, plain), plain, torch.contiguous_format)
    torch.testing.assert_close(fused, plain)
    assert fused.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('kind', OPTIMIZERS)
def test_loaded_moments_of_another_layout_are_not_mixed_up(kind):
    plain, fused = weight(torch.contiguous_format), weight()
    first = made(kind, plain)
    steps(first, plain, torch.contiguous_format)
    fused.data.copy_(plain.data)
    second = made(kind, fused, fused=True)
    keep_layouts(second)
    stored = copy.deepcopy(first.state_dict())
    second.load_state_dict({**stored, 'param_groups': second.state_dict()['param_groups']})
    steps(first, plain, torch.contiguous_format, seed=1)
    steps(second, fused, torch.channels_last, seed=1)
    torch.testing.assert_close(fused, plain)


@pytest.mark.parametrize(
    'settings',
    [
        dict(type='OptimWrapper', optimizer=dict(type='LBFGS')),
        dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1, fused=False)),
        dict(type='OptimWrapper', optimizer=dict(type='AdamW', foreach=True)),
        dict(generator=dict(optimizer=dict(type='SGD', lr=1)), constructor='Own'),
        None,
    ],
)
def test_stated_optimizers_and_those_without_fused_form_stay(settings):
    before = copy.deepcopy(settings)
    assert with_fused_optimizer(settings) == before == settings


@pytest.mark.parametrize('kind', OPTIMIZERS)
def test_the_optimizers_of_the_configs_are_fused(kind):
    given = ConfigDict(type='OptimWrapper', optimizer=OPTIMIZERS[kind], clip_grad=dict(max_norm=1))
    fused = with_fused_optimizer(given)
    assert fused['optimizer'] == OPTIMIZERS[kind] | dict(fused=True)
    assert fused['clip_grad'] == given.clip_grad and 'fused' not in given.optimizer


class Small(BaseModel):
    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        maps = self.convs(torch.stack(list(inputs)))
        return dict(loss=maps.square().mean()) if mode == 'loss' else maps


def test_a_run_computes_in_channels_last_and_saves_the_usual_layout(tmp_path):
    torch.manual_seed(0)
    images = [dict(inputs=torch.randn(3, 8, 8)) for _ in range(8)]
    model = Small()
    plain = copy.deepcopy(model)
    runner = runner_of_images(
        model,
        images,
        tmp_path,
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        custom_hooks=[dict(type='EMAHook')],
    )
    runner.train()
    last = model.convs[2].weight
    assert last.is_contiguous(memory_format=torch.channels_last) and not last.is_contiguous()
    assert runner.optim_wrapper.optimizer.defaults['fused']
    optimizer = torch.optim.AdamW(plain.parameters(), lr=0.1, foreach=False, fused=False)
    for _ in range(2):
        for batch in (images[:4], images[4:]):
            optimizer.zero_grad()
            plain([image['inputs'] for image in batch], mode='loss')['loss'].backward()
            optimizer.step()
    torch.testing.assert_close(model.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-5)
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    moments = [value for state in saved['optimizer']['state'].values() for value in state.values()]
    tensors = [*saved['state_dict'].values(), *saved['ema_state_dict'].values(), *moments]
    assert len(tensors) > 20 and all(tensor.is_contiguous() for tensor in tensors)
    assert saved['state_dict']._metadata


@pytest.mark.parametrize('kind', ['SGD', 'SparseAdam'])
def test_sparse_gradients_have_no_layout(kind):
    embedding = nn.Embedding(5, 3, sparse=True)
    before = embedding.weight.detach().clone()
    optimizer = getattr(torch.optim, kind)(embedding.parameters(), lr=0.1)
    keep_layouts(optimizer)
    embedding(torch.tensor([1, 2])).sum().backward()
    optimizer.step()
    assert (embedding.weight != before).any(dim=1).tolist() == [False, True, True, False, False]
