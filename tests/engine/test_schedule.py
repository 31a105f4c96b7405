"""The learning rate of every step, of whole and of resumed runs, against closed formulas."""

import math
from collections import Counter

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

from rexdense.engine.runner import Runner
from rexdense.engine.schedule import shorten_warm_ups
from rexdense.errors import CheckpointMismatch
from rexdense.visualization.scalars import read_scalars

EPOCH = 4
"""Steps in an epoch of the runs here."""
RATE = 0.1


class Model(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, mode):
        if mode == 'predict':
            return [self.layer(torch.stack(inputs))]
        return dict(loss=self.layer(torch.stack(inputs)).square().mean())


class Numbers(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 2 * EPOCH

    def __getitem__(self, index):
        return dict(inputs=torch.ones(1))


class Constant(BaseMetric):
    """A metric that never changes."""

    def process(self, data_batch, data_samples) -> None:
        self.results.append(1.0)

    def compute_metrics(self, results):
        return dict(constant=1.0)


@pytest.fixture
def run(tmp_path, fresh_mmengine):
    """Train for some epochs (or iterations) in one folder; a second call resumes the first."""
    runs = Counter()

    def run(
        length,
        schedulers,
        by_epoch=True,
        batch=2,
        optimizer=None,
        paramwise_cfg=None,
        validate=False,
        **options,
    ):
        runs['begun'] += 1
        collate = dict(type='pseudo_collate')
        loader = dict(dataset=Numbers(), batch_size=batch, num_workers=0, collate_fn=collate)
        shuffled = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
        checkpoints = sorted(
            (tmp_path / 'run').glob('*.pth'), key=lambda path: path.stat().st_mtime
        )
        if validate:
            options.update(
                val_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
                val_cfg=dict(),
                val_evaluator=[Constant()],
            )
        if checkpoints:
            options.update(load_from=str(checkpoints[-1]), resume=True)
        runner = Runner(
            Model(),
            str(tmp_path / 'run'),
            train_dataloader=dict(loader, sampler=dict(type=shuffled, shuffle=True)),
            train_cfg=dict(
                by_epoch=by_epoch, **{'max_epochs' if by_epoch else 'max_iters': length}
            ),
            optim_wrapper=dict(
                optimizer=optimizer or dict(type='SGD', lr=RATE, momentum=0.9),
                paramwise_cfg=paramwise_cfg,
            ),
            param_scheduler=schedulers,
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=by_epoch),
                checkpoint=dict(type='CheckpointHook', by_epoch=by_epoch, interval=1),
            ),
            log_processor=dict(by_epoch=by_epoch),
            visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
            experiment_name=f'run{runs["begun"]}',
            randomness=options.pop('randomness', dict(seed=0)),
            **options,
        )
        # The name of a run's folder is its second of start.
        runner._log_dir = str(tmp_path / 'run' / f'2026010{runs["begun"]}_000000')
        runner.train()
        return [row['lr'] for row in read_scalars(tmp_path / 'run').training]

    return run


def cosine(step, length, rate=RATE, least=0.001):
    return least + (rate - least) * (1 + math.cos(math.pi * step / length)) / 2


def steps_down(step, milestones, rate=RATE):
    return rate * 0.1 ** sum(step >= milestone for milestone in milestones)


def poly(step, length, rate=RATE):
    return 0.001 + (rate - 0.001) * (1 - step / (length - 1)) ** 0.9


def raised(step, length):
    """The share of the rate in a warm-up of that many steps; of less than two there is none."""
    return 1 if length < 2 else 0.01 + 0.99 * min(1, step / (length - 1))


COSINE = dict(type='CosineAnnealingLR', eta_min=0.001)
STEPS = dict(type='MultiStepLR', gamma=0.1)
POLY = dict(type='PolyLR', eta_min=0.001, power=0.9)
WARM_UP = dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=3)


def by_iteration(kind, length):
    return kind | dict(by_epoch=False, end=length)


SCHEDULES = {
    'cosine by epoch': (
        lambda n: [COSINE | dict(T_max=n, end=n)],
        lambda step, n: cosine(step // EPOCH, n),
    ),
    'cosine by epoch at every iteration': (
        lambda n: [COSINE | dict(T_max=n, end=n, by_epoch=True, convert_to_iter_based=True)],
        lambda step, n: cosine(step, n * EPOCH),
    ),
    'multi-step by epoch': (
        lambda n: [STEPS | dict(milestones=[n // 2, n - 1], end=n)],
        lambda step, n: steps_down(step // EPOCH, [n // 2, n - 1]),
    ),
    'poly by epoch': (
        lambda n: [POLY | dict(end=n)],
        lambda step, n: poly(step // EPOCH, n),
    ),
    'warm-up, then multi-step': (
        lambda n: [WARM_UP, STEPS | dict(milestones=[n // 2, n - 1], end=n)],
        lambda step, n: (
            raised(step, min(3, n * EPOCH // 10)) * steps_down(step // EPOCH, [n // 2, n - 1])
        ),
    ),
    'warm-up and cosine at every iteration': (
        lambda n: [
            WARM_UP,
            COSINE | dict(T_max=n, end=n, eta_min=0, by_epoch=True, convert_to_iter_based=True),
        ],
        lambda step, n: raised(step, min(3, n * EPOCH // 10)) * cosine(step, n * EPOCH, least=0),
    ),
}
ITERATION_SCHEDULES = {
    'cosine': (lambda n: [by_iteration(COSINE, n) | dict(T_max=n)], cosine),
    'multi-step': (
        lambda n: [by_iteration(STEPS, n) | dict(milestones=[n // 2, n - 2])],
        lambda step, n: steps_down(step, [n // 2, n - 2]),
    ),
    'poly': (lambda n: [by_iteration(POLY, n)], poly),
}


@pytest.mark.parametrize(
    ('name', 'rate'), [*((name, 0.03) for name in SCHEDULES), (next(iter(SCHEDULES)), RATE)]
)
def test_added_epochs_follow_the_new_schedule(run, name, rate):
    schedulers, formula = SCHEDULES[name]
    first, second = 3, 8
    before = run(first, schedulers(first))
    assert before == pytest.approx([formula(step, first) for step in range(first * EPOCH)])
    after = run(second, schedulers(second), optimizer=dict(type='SGD', lr=rate, momentum=0.9))
    assert len(after) == second * EPOCH
    least = 0 if name.startswith('warm-up') else 0.001
    scale = rate / RATE
    if 'multi-step' in name or least == 0:
        expected = [scale * formula(step, second) for step in range(second * EPOCH)]
    else:
        expected = [
            least + (formula(step, second) - least) * (rate - least) / (RATE - least)
            for step in range(second * EPOCH)
        ]
    assert after[first * EPOCH :] == pytest.approx(expected[first * EPOCH :])


@pytest.mark.parametrize('name', ITERATION_SCHEDULES)
def test_added_iterations_follow_the_new_schedule(run, name):
    schedulers, formula = ITERATION_SCHEDULES[name]
    before = run(6, schedulers(6), by_epoch=False)
    assert before == pytest.approx([formula(step, 6) for step in range(6)])
    after = run(15, schedulers(15), by_epoch=False)
    assert after[6:] == pytest.approx([formula(step, 15) for step in range(6, 15)])


@pytest.mark.parametrize(('batch', 'steps'), [(4, 2), (1, 8)])
def test_another_batch_goes_on_at_the_epoch(run, batch, steps):
    """Two of six epochs with 4 steps each, the others with other steps."""
    schedulers, _ = SCHEDULES['cosine by epoch at every iteration']
    run(2, schedulers(2))
    after = run(6, schedulers(6), batch=batch)
    expected = [cosine(step, 6 * steps) for step in range(2 * steps, 6 * steps)]
    assert after[-len(expected) :] == pytest.approx(expected)
    # The rows of the first two epochs stay.
    assert len(after) == 2 * EPOCH + len(expected)


def test_settings_of_the_optimizer_are_those_of_the_config(run, tmp_path):
    run(1, None, optimizer=dict(type='AdamW', lr=RATE, weight_decay=0.1))
    run(2, None, optimizer=dict(type='AdamW', lr=0.2, weight_decay=0.3, betas=(0.5, 0.9)))
    before, after = (
        torch.load(tmp_path / f'run/epoch_{epoch}.pth', weights_only=False)['optimizer']
        for epoch in (1, 2)
    )
    (group,) = after['param_groups']
    assert (group['lr'], group['weight_decay'], group['betas']) == (0.2, 0.3, (0.5, 0.9))
    assert [int(entry['step']) for entry in before['state'].values()] == [EPOCH] * 2
    assert [int(entry['step']) for entry in after['state'].values()] == [2 * EPOCH] * 2


@pytest.mark.parametrize(
    'other',
    [
        dict(type='AdamW', lr=RATE),
        dict(type='SGD', lr=RATE),
        dict(type='RMSprop', lr=RATE),
    ],
)
def test_moments_of_another_optimizer(run, other):
    run(1, None)
    with pytest.raises(
        CheckpointMismatch,
        match=rf'holds momentum_buffer of each parameter, the {other["type"]} of this config needs',
    ):
        run(2, None, optimizer=other)


def test_other_parameter_groups(run):
    run(1, None)
    with pytest.raises(
        CheckpointMismatch, match=r'parameters in 1 groups, the SGD .* in 2, so its'
    ):
        run(
            2,
            None,
            optimizer=dict(type='SGD', lr=RATE, momentum=0.9, weight_decay=0.1),
            paramwise_cfg=dict(bias_decay_mult=0),
        )


@pytest.mark.parametrize('rate', [RATE, 0.5])
def test_a_rate_that_metrics_reduced_stays_reduced(run, rate):
    """The metric never rises, so that the rate is halved after each validation but the first. The
    checkpoint of an epoch is saved before its validation."""
    plateau = [dict(type='ReduceOnPlateauLR', monitor='constant', factor=0.5, patience=0)]
    before = run(3, plateau, validate=True)
    assert before[::EPOCH] == pytest.approx([RATE, RATE, RATE / 2])
    after = run(5, plateau, validate=True, optimizer=dict(type='SGD', lr=rate, momentum=0.9))
    assert after[3 * EPOCH :: EPOCH] == pytest.approx([rate / 2, rate / 4])


@pytest.mark.parametrize(
    ('end', 'extra', 'length', 'epochs', 'kept', 'said'),
    [
        (100, {}, 40, 4, 4, 'warm-up of 4 steps, a tenth of the run, instead of 100'),
        (4, {}, 40, 4, 4, None),
        (5, {}, 40, 4, 4, 'warm-up of 4 steps, a tenth of the run, instead of 5'),
        (100, {}, 19, 4, None, 'no warm-up: the 100 steps of the config, a run of 19'),
        (500, {}, 88000, 12, 500, None),
        (5, dict(by_epoch=True), 400, 30, 3, 'warm-up of 3 epochs, a tenth of the run, instead'),
        (1, dict(by_epoch=True), 400, 30, None, 'no warm-up: the 1 epochs of the config, a run of'),
        (
            2,
            dict(by_epoch=True, convert_to_iter_based=True),
            40,
            4,
            4,
            'warm-up of 4 steps, a tenth of the run, instead of 20',
        ),
    ],
)
def test_warm_ups_are_at_most_a_tenth(end, extra, length, epochs, kept, said):
    section = dict(type='LinearLR', start_factor=0.01, begin=0, end=end, by_epoch=False) | extra
    sections, sentences = shorten_warm_ups([section, COSINE], length // epochs, epochs, length)
    assert sections[-1] == COSINE
    assert [each['end'] for each in sections[:-1]] == ([] if kept is None else [kept])
    assert len(sentences) == (said is not None)
    assert not said or sentences[0].startswith(said)


@pytest.mark.parametrize(
    'section',
    [
        dict(type='LinearLR', start_factor=1.0, end_factor=0.1, end=100, by_epoch=False),
        dict(type='LinearLR', start_factor=0.1, begin=50, end=100, by_epoch=False),
        dict(type='LinearMomentum', start_factor=0.1, end=100, by_epoch=False),
        dict(type='PolyLR', end=100, by_epoch=False),
    ],
)
def test_other_schedules_than_warm_ups_stay(section):
    assert shorten_warm_ups([section], 10, 4, 40) == ([section], [])


def test_the_full_rate_is_reached_in_a_short_run(run):
    """100 steps of warm-up in a run of 40."""
    rates = run(10, [WARM_UP | dict(end=100)])
    assert rates == pytest.approx([RATE * raised(step, 4) for step in range(40)])
