"""Times measured in turns, and their statistics."""

import json
import time

import pytest
import torch

from rexdense.benchmark import measurement
from rexdense.benchmark.machine import BUSY, Ceilings, busy_share, measure_ceilings
from rexdense.benchmark.measurement import Benchmark, measure_networks
from rexdense.benchmark.networks import timm_name
from rexdense.benchmark.processes import Turns
from rexdense.benchmark.report import (
    WIDEST,
    doubts,
    figures_of,
    losses,
    read_json,
    require_same,
    table_of,
)
from rexdense.benchmark.rounds import ratio, spread, take_turns
from rexdense.errors import InvalidArgument


class Counter:
    def __init__(self, log, name):
        self.log, self.name = log, name

    def run(self):
        self.log.append(self.name)
        return float(len(self.log))


def test_each_runs_once_a_round_after_the_warm_up():
    log = []
    times = take_turns({name: Counter(log, name) for name in 'ab'}, rounds=3, warm_up=2)
    assert log == ['a', 'b'] * 5
    assert times == dict(a=[5.0, 7.0, 9.0], b=[6.0, 8.0, 10.0])


# Ranks of the interval of a median (Conover 1999, table A3): of 9 values, the second and eighth.
@pytest.mark.parametrize(
    ('count', 'first', 'confidence'),
    [
        (1, 1, 0.0),
        (3, 1, 0.75),
        (5, 1, 0.9375),
        (6, 1, 0.96875),
        (8, 1, 0.992),
        (9, 2, 0.961),
        (12, 3, 0.961),
        (15, 4, 0.965),
        (20, 6, 0.959),
    ],
)
def test_the_interval_is_that_of_the_median(count, first, confidence):
    *found, likely = ratio(range(1, count + 1), [1] * count)
    assert found == [(count + 1) / 2, first, count + 1 - first]
    assert likely == pytest.approx(confidence, abs=5e-4)


def test_a_slow_round_slows_both():
    assert ratio([2, 20, 2], [1, 10, 1]).value == 2


def test_spread_is_between_the_quartiles():
    assert spread([1]) == 0
    assert spread([8, 9, 10, 11, 12]) == 0.2


def test_busy_machines_and_scattered_times_are_no_result():
    figures = figures_of({'a': [10, 10, 11], 'b': [1, 2, 3]}, {'a': {}, 'b': {}}, 'a')
    assert doubts(figures, [0.0, BUSY + 0.05]) == [
        'others took 15% of the processors, more than 10%; repeat this on an idle machine',
        f'the times of b spread by 50%, more than {WIDEST:.0%}; repeat this on an idle machine',
    ]
    assert doubts({'a': figures['a']}, [0.0, None]) == []


def test_others_are_seen():
    import multiprocessing

    idle = busy_share(0.3)
    if idle is None:
        pytest.skip('the system does not tell')
    with multiprocessing.get_context('fork').Pool(1) as pool:
        spinning = pool.apply_async(_spin, (0.6,))
        assert busy_share(0.4) > 0.5 / multiprocessing.cpu_count()
        spinning.wait()


def _spin(seconds):
    import time

    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_the_table_has_what_is_known():
    facts = {'a': dict(resident=3e6, kept=None), 'b': dict(resident=5e6, kept=None)}
    figures = figures_of({'a': [10.0] * 3, 'b': [5.0] * 3}, facts, 'a', 10**9, dict(a=1e12, b=1e12))
    lines = table_of(figures, 'a').splitlines()
    assert lines[0].split() == ['ms', 'spread', 'x', 'a', '75', '%', 'resident', 'MB', 'of',
                                'ceiling']  # fmt: skip
    assert lines[2].split()[:6] == ['b', '5.0', '0%', '2.00', '2.00-2.00', '5']


def test_each_type_has_a_ceiling():
    ceilings = measure_ceilings('cpu', ('float32', 'bfloat16'), times=1)
    assert list(ceilings.multiplications) == ['float32', 'bfloat16']
    assert min(*ceilings.multiplications.values(), ceilings.copied) > 1e6


def test_the_ceiling_is_that_of_the_faster_library(monkeypatch):
    monkeypatch.setattr(torch, 'mm', lambda *_, **__: time.sleep(0.5))
    assert measure_ceilings(times=2).multiplications['float32'] > 1024**3 / 0.5


MOST = Ceilings(dict(float32=1e9, bfloat16=4e9), 1e9)


def one_turn(tasks, *_):
    return Turns({name: [1.0] for name in tasks}, {name: {} for name in tasks}, [0.0])


def test_shares_are_of_the_ceiling_of_the_type_and_the_device(monkeypatch):
    asked = []
    monkeypatch.setattr(measurement, 'measure_ceilings', lambda *given: asked.append(given) or MOST)
    monkeypatch.setattr(measurement, 'require_bfloat16', lambda device: None)
    monkeypatch.setattr(measurement, 'run_in_turns', one_turn)
    found = measure_networks(
        Benchmark('backbone', 'rexnet_1.0', (1, 3, 33, 33), dtype='bfloat16', device='cuda:1')
    )
    assert [(device, *dtypes) for device, dtypes in asked] == [('cuda:1', 'float32', 'bfloat16')]
    plain, optimised, *_ = (own['share_of_ceiling'] for own in found['figures'].values())
    assert plain == pytest.approx(4 * optimised)


def test_work_of_another_network_has_no_share(monkeypatch):
    monkeypatch.setattr(measurement, 'measure_ceilings', lambda *_: MOST)
    monkeypatch.setattr(measurement, 'run_in_turns', one_turn)
    found = measure_networks(
        Benchmark('segmentor', 'unet_rexnet_1.0', (1, 3, 33, 33), ('smp',), allocators=('default',))
    )['figures']
    assert [name for name, own in found.items() if 'share_of_ceiling' in own] == [
        'rexdense',
        'rexdense, optimised',
    ]
    assert table_of(found, 'smp').splitlines()[0].endswith('of ceiling')


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('rexnet_2.0', 'rexnet_200'),
        ('rexnetr_1.3', 'rexnetr_130'),
        ('regnetx_200mf', 'regnetx_002'),
        ('regnety_16gf', 'regnety_160'),
        ('resnext50_32x4d', 'resnext50_32x4d'),
    ],
)
def test_names_of_timm(name, expected):
    assert timm_name(name) == expected


def test_a_network_that_timm_lacks():
    with pytest.raises(InvalidArgument, match=r'timm has no rexnet_lite_1\.0: leave --against'):
        timm_name('rexnet_lite_1.0')


def test_fewer_than_six_rounds_are_not_called_95_percent():
    for rounds, sure in ((1, '0 %'), (5, '93 %'), (6, '96 %'), (9, '96 %')):
        figures = figures_of({'a': [10.0] * rounds}, {'a': {}}, 'a')
        assert sure in table_of(figures, 'a').splitlines()[0]


def kept(speed):
    figures = {'a': dict(speed=1.0), 'b': dict(speed=speed)}
    return dict(benchmark=dict(name='n'), reference='a', figures=figures)


@pytest.mark.parametrize(('speed', 'lost'), [(2.0, 0), (1.71, 0), (1.69, 1)])
def test_a_ratio_that_drops_by_more_than_15_percent_is_told(speed, lost):
    lines = losses(kept(speed), kept(2.0))
    assert len(lines) == lost
    assert not lines or lines == ['b is 1.69 times as fast as a; it was 2.00 times']


def test_figures_of_another_benchmark_are_not_compared():
    def check(contestants='ab', reference='a', **benchmark):
        require_same(kept(2.0), benchmark, reference, contestants)

    check(name='n')
    require_same(None, {}, 'a', 'ab')
    with pytest.raises(InvalidArgument, match="benchmark: name is 'n' there and 'm' here;"):
        check(name='m')
    with pytest.raises(InvalidArgument, match='shape is None there and'):
        check(name='n', shape=(1, 3, 33, 33))
    for other in (dict(reference='b'), dict(contestants='ac')):
        with pytest.raises(InvalidArgument, match='of other contestants, a, b, beside a: write'):
            check(name='n', **other)


def test_figures_that_were_kept_before_there_was_an_option_are_compared():
    require_same(kept(2.0), dict(name='n', objects=None), 'a', 'ab')
    with pytest.raises(InvalidArgument, match='objects is None there and 5 here'):
        require_same(kept(2.0), dict(name='n', objects=5), 'a', 'ab')


@pytest.mark.parametrize('figures', [[], {'a': 2.0}, {'a': {}}, {'a': dict(speed='fast')}])
def test_damaged_figures_are_told(tmp_path, figures):
    path = tmp_path / 'kept.json'
    path.write_text(json.dumps(kept(2.0) | dict(figures=figures)))
    with pytest.raises(InvalidArgument, match=r'kept\.json is no file of figures'):
        read_json(path)
