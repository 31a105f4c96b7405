"""Classification recipes: each network builds, and each schedule is that of its source."""

import math
import re
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.registry import PARAM_SCHEDULERS

from rexdense.engine.config.load import load_config
from rexdense.engine.schedule import replay
from rexdense.engine.scope import import_scope
from rexdense.registry import MODELS
from rexdense.zoo import load_measured
from rexdense.zoo.weights import load_published_weights

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'configs/classification'
CONFIGS = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob('*.py'))
EPOCH = 10
"""Steps per epoch in these tests."""


def recipe_of(config: str) -> str | None:
    found = re.search(r"_base_/recipes/(\w+)\.py'", (FOLDER / config).read_text())
    return found and found[1]


RECIPES = {config: recipe_of(config) for config in CONFIGS}


def cosine(place: float, length: float, rate: float, least: float = 0.0) -> float:
    return least + (rate - least) * (1 + math.cos(math.pi * place / length)) / 2


def clovaai(epoch: float) -> float:
    """timm's CosineLRScheduler of 2020, per epoch; its cosine includes the warm-up."""
    epoch = int(epoch)
    if epoch < 3:
        return 1e-4 + (0.5 - 1e-4) * epoch / 3
    return cosine(epoch, 400, 0.5, 1e-5) if epoch < 400 else 1e-5


def mindcv(rate, warm_up, epochs, least=0.0, factor=0.0, by_epoch=False):
    """MindCV's ``cosine_decay`` after a linear warm-up, per step unless lr_epoch_stair is on."""

    def schedule(epoch: float) -> float:
        epoch = int(epoch) if by_epoch else epoch
        if epoch < warm_up:
            return rate * (factor + (1 - factor) * epoch / warm_up)
        return cosine(epoch - warm_up, epochs - warm_up, rate, least)

    return schedule


def pycls(rate, warm_up):
    """pycls' ``get_epoch_lr``."""

    def schedule(epoch: float) -> float:
        epoch = int(epoch)
        factor = 0.1 + 0.9 * epoch / warm_up if epoch < warm_up else 1
        return cosine(epoch, 100, rate) * factor

    return schedule


# Schedule, epochs, images per step, weight decay, Nesterov, label smoothing, decay of norms.
SOURCES = {
    'clovaai': (clovaai, 410, 4 * 128, 1e-5, True, 0.1, False),
    'mindcv_rexnet': (mindcv(0.5, 5, 400, 1e-6), 400, 8 * 64, 1e-5, True, 0.1, False),
    'mindcv_rexnet_wide': (mindcv(0.5, 30, 400, 1e-6), 400, 8 * 64, 1e-5, True, 0.1, False),
    'mindcv_regnet': (mindcv(0.1, 5, 150, factor=0.01), 150, 8 * 64, 5e-5, False, 0.1, False),
    'mindcv_regnet_800mf': (
        mindcv(0.1, 5, 200, factor=0.01, by_epoch=True),
        *(200, 8 * 64, 1e-4, False, 0.1, False),
    ),
    'mindcv_regnety_16gf': (
        mindcv(0.2, 5, 350, factor=0.01),
        *(350, 8 * 64, 4e-5, False, 0.1, False),
    ),
    'mindcv_resnext': (mindcv(0.1, 0, 150), 150, 8 * 32, 1e-4, False, 0.1, False),
    'pycls': (pycls(0.8, 5), 100, 8 * 128, 5e-5, True, 0.0, True),
    'pycls_resnext': (pycls(0.2, 0), 100, 8 * 32, 5e-5, True, 0.0, True),
    'fine_grained': (mindcv(0.01, 2, 100, factor=0.01), 100, 64, 1e-4, True, 0.1, False),
}


def test_every_recipe_has_its_source():
    assert set(RECIPES.values()) - {None} == set(SOURCES)


@pytest.mark.parametrize('recipe', SOURCES)
def test_the_schedule_is_that_of_the_source(recipe):
    config = load_config(ROOT / f'configs/_base_/recipes/{recipe}.py')
    expected, epochs, batch, decay, nesterov, smoothing, norms_decay = SOURCES[recipe]
    optimizer = config.optim_wrapper.optimizer
    assert config.train_cfg.max_epochs == epochs
    assert config.auto_scale_lr.base_batch_size == batch
    assert (optimizer.weight_decay, optimizer.nesterov) == (decay, nesterov)
    assert (optimizer.type, optimizer.momentum) == ('SGD', 0.9)
    assert config.model.label_smoothing == smoothing
    paramwise = config.optim_wrapper.get('paramwise_cfg') or {}
    assert paramwise.get('norm_decay_mult', 1.0) == float(norms_decay)
    assert paramwise.get('bias_decay_mult', 1.0) == float(norms_decay)

    parameter = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([parameter], lr=optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(section), default_args=dict(optimizer=sgd, epoch_length=EPOCH))
        for section in config.param_scheduler
    ]
    (by_epoch,) = {scheduler.by_epoch for scheduler in schedulers}
    warm_up = next((each for each in schedulers if hasattr(each, 'start_factor')), None)
    for step in range(epochs * EPOCH):
        # mmengine's warm-up reaches the same end one step earlier; the configs that warm up by
        # epoch compensate for it. A warm-up that continues while the cosine falls multiplies the
        # two, which differs from timm by less than a thousandth.
        warming = warm_up and not by_epoch and step < warm_up.end
        slack = 1.01 * optimizer.lr / warm_up.end if warming else 0
        wanted = expected(step / EPOCH)
        assert sgd.param_groups[0]['lr'] == pytest.approx(wanted, rel=2e-3, abs=slack), step
        replay_step(schedulers, by_epoch, step)


@pytest.mark.parametrize('recipe', [name for name in SOURCES if name.startswith('mindcv')])
def test_mindcv_evaluates_as_it_crops(recipe):
    """The key ``interpolation`` of its yaml files applies to both."""
    config = load_config(ROOT / f'configs/_base_/recipes/{recipe}.py')
    expected = 'bilinear' if recipe in ('mindcv_regnet_800mf', 'mindcv_resnext') else 'bicubic'
    for part in ('train', 'val', 'test'):
        pipeline = config[f'{part}_dataloader'].dataset.pipeline
        found = [step.interpolation for step in pipeline if 'interpolation' in step]
        assert found == [expected], part


@pytest.mark.parametrize('path', [path for path in CONFIGS if path.endswith('_imagenet.py')])
def test_published_weights_are_evaluated_as_their_recipe_does(path):
    config = load_config(FOLDER / path)
    arch, publisher = config.model.backbone.get('arch'), path.split('_')[-2]
    pipeline = config.test_dataloader.dataset.pipeline
    (crop,) = (step for step in pipeline if step.type == 'rexdense.ResizeCenterCrop')
    for row in load_published_weights():
        if (row.network, row.publisher) == (arch, publisher):
            found = (row.size, row.crop, row.interpolation)
            assert found == (crop.size, crop.crop, crop.interpolation), row.name


@pytest.mark.parametrize('path', [path for path in CONFIGS if RECIPES[path] == 'clovaai'])
def test_clovaai_drops_a_fifth(path):
    """``--drop 0.2`` in the README's command, for every network."""
    assert load_config(FOLDER / path).model.dropout == 0.2


def replay_step(schedulers, by_epoch, step):
    if not by_epoch:
        replay(schedulers, 1)
    elif (step + 1) % EPOCH == 0:
        replay(schedulers, 1, epochs=1, epoch_length=1)


@pytest.mark.parametrize('path', [path for path in CONFIGS if RECIPES[path]])
def test_the_network_is_built(path):
    config = load_config(FOLDER / path)
    import_scope(config)
    foreign = str(config.model.backbone.type).startswith('mmdet.')
    # mmdet's networks read tensor values during construction.
    with torch.device('cpu' if foreign else 'meta'):
        model = MODELS.build({**config.model, 'data_preprocessor': None})
    arch = config.model.backbone.get('arch')
    if arch in load_measured() and model.num_classes == 1000:
        found = sum(tensor.numel() for tensor in model.parameters())
        assert found == load_measured()[arch].parameters
    # The command determines the number of processes.
    command = (FOLDER / path).read_text()
    processes = re.search(r'--nproc-per-node (\d+)', command)
    batch = config.train_dataloader.batch_size * int(processes[1] if processes else 1)
    base, rate = config.auto_scale_lr.base_batch_size, config.optim_wrapper.optimizer.lr
    if RECIPES[path] == 'pycls':
        assert rate * batch / base == pytest.approx(0.1 * batch / 128)
        sizes = {f'{arch[:8]}{size}' for size in ('16gf', '32gf')} - {'regnetx_16gf'}
        medium = {'3.2gf', '4.0gf', '6.4gf', '8.0gf', '12gf', '16gf'}
        expected = 256 if arch in sizes else 512 if arch[8:] in medium else 1024
        assert batch == expected
    else:
        assert batch == base


def test_rates_that_differ_by_width():
    drop_paths = {
        path: load_config(FOLDER / path).model.backbone.get('drop_path_rate', 0)
        for path in CONFIGS
        if path.endswith('mindcv_imagenet.py') and path.startswith('rexnet/')
    }
    assert {
        path.split('_')[0].removeprefix('rexnet/rexnet-'): rate for path, rate in drop_paths.items()
    } == {
        '0.9': 0,
        '1.0': 0,
        '1.3': 0,
        '1.5': 0.1,
        '2.0': 0.1,
    }
