"""A predictor in other processes: pickled into them, and in forked ones, which have one thread."""

import multiprocessing
import os
import pickle
import queue

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch

from rexdense.inference import Predictor, network_lock
from rexdense.inference.network_lock import NetworkLock

needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='Windows has no fork')


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def predictor(untrained_models):
    return Predictor(untrained_models['labels'], 'cpu')


IMAGE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)


def test_a_pickled_predictor_predicts_the_same(predictor):
    copied = pickle.loads(pickle.dumps(predictor))
    (found,), (expected,) = copied(IMAGE), predictor(IMAGE)
    assert (found.labels == expected.labels).all() and found.classes == expected.classes


def in_a_fork(function, *arguments):
    """Return the result of a function in a forked process; fail if there is none in a minute."""
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    process = context.Process(target=lambda: results.put(function(*arguments)))
    process.start()
    try:
        return results.get(timeout=60)
    except queue.Empty:
        pytest.fail('the forked process does not return')
    finally:
        process.kill()
        process.join()


def predicted(predictor, checkpoint):
    """Return the labels of the second prediction, the threads of torch, and all messages."""
    messages = []
    network_lock.print_log = lambda message, *_: messages.append(message)
    predictor = predictor or Predictor(checkpoint, 'cpu')
    predictor(IMAGE)
    return predictor(IMAGE)[0].labels, torch.get_num_threads(), messages


@needs_fork
@pytest.mark.parametrize('own', [False, True], ids=['inherited', 'made there'])
def test_a_forked_process_computes_in_one_thread(predictor, untrained_models, two_threads, own):
    """The parent has computed in two before, and all the same the child does not hang."""
    expected = predictor(IMAGE)[0].labels
    labels, threads, messages = in_a_fork(
        predicted, None if own else predictor, untrained_models['labels']
    )
    assert (labels == expected).all() and threads == 1
    (message,) = messages
    assert message.startswith('torch computes in one thread')


@needs_fork
def test_the_user_may_set_other_threads_in_a_forked_process(two_threads):
    def threads():
        with NetworkLock():
            pass
        torch.set_num_threads(2)
        with NetworkLock():
            return torch.get_num_threads()

    assert in_a_fork(threads) == 2


@needs_fork
def test_a_lock_held_in_the_parent_is_free_in_a_forked_process():
    lock = NetworkLock()

    def taken():
        with lock:
            return True

    with lock:
        assert in_a_fork(taken)
