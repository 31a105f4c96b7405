"""How processes find each other in a store that has outlived others."""

import threading
import time
from datetime import timedelta

import pytest
from torch import distributed

from rexdense.device.rendezvous import _prefix_of_round


@pytest.mark.parametrize('first_comes', ['first', 'last'])
def test_entries_of_an_earlier_start_are_not_taken(first_comes):
    store = distributed.HashStore()
    store.set_timeout(timedelta(seconds=20))
    ranks = [0, 1, 2, 3] if first_comes == 'first' else [3, 2, 1, 0]
    found = {}

    def join(rank, start):
        found[start, rank] = _prefix_of_round(store, rank, 4, 20)

    for start in range(3):
        threads = [threading.Thread(target=join, args=(rank, start)) for rank in ranks]
        for thread in threads:
            thread.start()
            time.sleep(0.1)
        for thread in threads:
            thread.join()
    rounds = [{found[start, rank] for rank in range(4)} for start in range(3)]
    assert [len(names) for names in rounds] == [1, 1, 1] and len(set.union(*rounds)) == 3


def test_a_first_process_that_does_not_come():
    store = distributed.HashStore()
    store.set('rexdense/round', 'old')
    with pytest.raises(
        distributed.DistNetworkError, match=r'process 0 was not there within 0\.2 s'
    ):
        _prefix_of_round(store, 1, 2, 0.2)
