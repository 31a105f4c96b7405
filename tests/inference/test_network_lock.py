"""A predictor in other processes: pickled into them, and in forked ones, which have one thread."""

import multiprocessing
import os
import pickle
import queue
import threading
import time

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch

from rexdense.engine.config.load import set_scale
from rexdense.inference import Predictor, network_lock
from rexdense.inference.network_lock import NetworkLock
from tests import untrained

needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='Windows has no fork')


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A model of images that are large enough for several threads, also where they are packed."""
    path = tmp_path_factory.mktemp('large') / 'labels.pth'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(untrained, 'set_scale', lambda config, _: set_scale(config, (512, 512)))
        return untrained.write_untrained(path, *untrained.MODELS_OF_EACH_KIND['labels'])


@pytest.fixture(scope='module')
def predictor(checkpoint):
    return Predictor(checkpoint, 'cpu')


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
        return results.get(timeout=20)
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
def test_a_forked_process_computes_in_one_thread(predictor, checkpoint, two_threads, own):
    """The parent has computed in two before, and all the same the child does not hang."""
    expected = predictor(IMAGE)[0].labels
    labels, threads, messages = in_a_fork(predicted, None if own else predictor, checkpoint)
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


@needs_fork
def test_another_thread_of_a_forked_process_may_be_the_first(predictor, two_threads):
    predictor(IMAGE)

    def threads_of_the_main_thread():
        first = threading.Thread(target=predictor, args=(IMAGE,))
        first.start()
        first.join()
        predictor(IMAGE)
        return torch.get_num_threads()

    assert in_a_fork(threads_of_the_main_thread) == 1


@needs_fork
def test_threads_of_a_forked_process_take_turns_from_the_first_time(two_threads):
    lock = NetworkLock()

    def most_at_once():
        within, counts, errors = [], [], []
        start = threading.Barrier(4)

        def use():
            start.wait()
            try:
                with lock:
                    within.append(None)
                    counts.append(len(within))
                    time.sleep(0.02)
                    within.pop()
            except RuntimeError as error:
                errors.append(str(error))

        users = [threading.Thread(target=use) for _ in range(4)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        return max(counts), errors

    assert [in_a_fork(most_at_once) for _ in range(3)] == 3 * [(1, [])]
