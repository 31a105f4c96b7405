"""Repeated augmentation: which images an epoch shows, and how often."""

from collections import Counter

import pytest

pytest.importorskip('mmengine')

from rexdense.datasets.classification import sampler
from rexdense.datasets.classification.sampler import RepeatedSampler
from rexdense.errors import InvalidArgument


def of_processes(monkeypatch, number, **arguments):
    """What each of several processes is given."""
    given = []
    for rank in range(number):
        monkeypatch.setattr(sampler, 'get_dist_info', lambda rank=rank: (rank, number))
        given.append(list(RepeatedSampler(range(10), seed=0, **arguments)))
    return given


def test_an_epoch_has_copies_of_a_share_of_the_images():
    (places,) = (list(RepeatedSampler(range(12), repeats=3, seed=0)),)
    assert len(places) == 12
    assert Counter(Counter(places).values()) == {3: 4}
    assert places[0] == places[1] == places[2]


def test_processes_share_the_copies(monkeypatch):
    first, second = of_processes(monkeypatch, 2, repeats=2)
    assert len(first) == len(second) == 5
    # The two copies of an image lie in different processes.
    assert first == second


def test_an_uneven_share_is_filled_up(monkeypatch):
    given = of_processes(monkeypatch, 3, repeats=3, shuffle=False)
    assert given == [[0, 1, 2, 3]] * 3


def test_each_epoch_has_its_order():
    made = RepeatedSampler(range(30), seed=0)
    first = list(made)
    made.set_epoch(1)
    assert list(made) != first
    made.set_epoch(0)
    assert list(made) == first


@pytest.mark.parametrize('repeats', [0, True, 1.5])
def test_wrong_numbers_are_refused(repeats):
    with pytest.raises(InvalidArgument, match='repeats='):
        RepeatedSampler(range(3), repeats=repeats)
