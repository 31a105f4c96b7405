"""Expected speed and memory on many cards, from figures of one."""

import dataclasses
import math

import pytest

from rexdense.benchmark.scaling import (
    Cluster,
    Training,
    exchange_seconds,
    expect,
    state_bytes,
)
from rexdense.errors import InvalidArgument

TRAINING = Training(images=4, step_seconds=0.5, parameters=25_000_000)
LINK = Cluster(1, per_machine=4, inside=1e9, between=1e8, latency=1e-3, cores_per_card=2)


def of(cards, **changes):
    return dataclasses.replace(LINK, cards=cards, **changes)


@pytest.mark.parametrize(
    ('cards', 'seconds'),
    [
        (1, 0.0),
        # Each card sends half of the sums and half of the results: 100 MB at 1 GB/s.
        (2, 0.1 + 2e-3),
        (4, 0.15 + 6e-3),
        # With several machines, the connection between them sets the speed.
        (8, 1.75 + 14e-3),
    ],
)
def test_a_ring_of_cards(cards, seconds):
    assert exchange_seconds(100e6, of(cards)) == pytest.approx(seconds)


def test_rates_lie_between_none_and_all_hidden():
    alone = expect(TRAINING, of(1))
    assert alone.lowest == alone.highest == 8
    two = expect(TRAINING, of(2))
    assert two.lowest == pytest.approx(8 / 0.602) and two.highest == 16
    eight = expect(TRAINING, of(8))
    # The sum takes longer than the step.
    assert eight.highest == pytest.approx(32 / 1.764) and not eight.by_loader
    assert eight.seconds_for(1000) == pytest.approx((1000 * 1.764 / 32, 1000 * 2.264 / 32))


def test_processes_that_share_cores_take_turns():
    shared = expect(TRAINING, of(4, at_once=2, inside=math.inf, latency=0))
    assert shared.lowest == shared.highest == 16 / 1.0


def test_no_card_is_faster_than_its_loader():
    slow = dataclasses.replace(TRAINING, loader_rate=3)
    assert expect(slow, of(2))[:2] == (12, 12)
    assert expect(slow, of(2)).by_loader and not expect(slow, of(2, cores_per_card=3)).by_loader


# From `python benchmarks/scaling.py measure` on two cores (AMD EPYC, torch 2.13): seconds of a step
# of 8 images with RegNetY-200MF at 128 pixels, by the number of processes.
STEPS = {1: 0.22470, 2: 0.21631, 4: 0.48552}
SUM_OF_TWO, PARAMETERS, CORES = 0.013760, 3_162_996, 2


@pytest.mark.parametrize('processes', STEPS)
def test_what_was_measured_is_near(processes):
    """Within a tenth of the range, the noise of the machine."""
    training = Training(images=8, step_seconds=STEPS[1], parameters=PARAMETERS)
    link = 4 * PARAMETERS / SUM_OF_TWO
    cluster = Cluster(processes, inside=link, latency=0, per_machine=4, at_once=CORES)
    expected = expect(training, cluster)
    rate = 8 * processes / STEPS[processes]
    assert 0.9 * expected.lowest <= rate <= 1.1 * expected.highest


@pytest.mark.parametrize(
    ('optimizer', 'zero', 'cards', 'copies'),
    [
        ('SGD', False, 1, 3),
        ('AdamW', False, 1, 4),
        ('SGD', False, 8, 4),
        ('AdamW', False, 8, 5),
        ('AdamW', True, 8, 3.25),
    ],
)
def test_memory(optimizer, zero, cards, copies):
    training = dataclasses.replace(TRAINING, optimizer=optimizer, zero=zero, activation_bytes=1e6)
    assert state_bytes(training, cards) == copies * 100e6
    assert expect(training, of(cards)).card_bytes == copies * 100e6 + 4e6


@pytest.mark.parametrize(
    ('changes', 'cards'),
    [(dict(images=0), 1), (dict(step_seconds=0), 1), (dict(parameters=-1), 1), ({}, 0)],
)
def test_figures_that_are_none(changes, cards):
    with pytest.raises(InvalidArgument, match='are above 0'):
        expect(dataclasses.replace(TRAINING, **changes), of(cards))


@pytest.mark.parametrize(
    'changes',
    [
        dict(cores_per_card=0),
        dict(per_machine=0),
        dict(inside=0),
        dict(between=float('nan')),
        dict(at_once=-1),
    ],
)
def test_clusters_that_are_none(changes):
    """No cores must not mean a loader that is always fast enough."""
    with pytest.raises(InvalidArgument, match='above 0, and'):
        expect(dataclasses.replace(TRAINING, loader_rate=3), of(2, **changes))


@pytest.mark.parametrize('name', ['loader_rate', 'activation_bytes'])
def test_less_than_nothing(name):
    with pytest.raises(InvalidArgument, match=f'{name} is at least 0'):
        expect(dataclasses.replace(TRAINING, **{name: -1}), of(2))


def test_an_optimizer_whose_moments_are_not_known():
    with pytest.raises(InvalidArgument, match="optimizer 'LBFGS': allowed are SGD, Adam, AdamW"):
        expect(dataclasses.replace(TRAINING, optimizer='LBFGS'), of(1))
