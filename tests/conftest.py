"""Fixtures that tests in several folders use."""

import contextlib
import dataclasses
import functools
import gc
import hashlib
import http.server
import io
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rexdense.datasets import make_shapes
from tests import durations
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.small_classification import classification_arguments, write_classification
from tests.small_segmentation import write_segmentation
from tests.tiny_run import (
    ROOT,
    SEGMENTATION_CONFIG,
    segmentation_arguments,
    train_arguments,
)

SLOW_FIXTURES = {
    ('trained', 'tests'),
    ('segmented', 'tests'),
    ('classified', 'tests'),
}
"""Fixtures that take seconds, by name and by the folder or file that defines them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs more than one config of each kind."""
    parser.addoption(
        '--every-config',
        action='store_true',
        help='every config makes a step and is read back, which takes minutes',
    )
    parser.addoption(
        '--every-network',
        action='store_true',
        help='networks that differ from others in widths and depths alone are computed, too',
    )
    parser.addoption(
        '--write-durations',
        action='store_true',
        help='write down what each test takes, by which make test-fast chooses',
    )


def pytest_configure(config: pytest.Config) -> None:
    """Record durations if requested; workers report them to the main process."""
    if config.getoption('--write-durations') and not hasattr(config, 'workerinput'):
        config.pluginmanager.register(durations.Recorder())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as slow by their recorded time, and tests that need a training run."""
    for item in items:
        found = item._fixtureinfo.name2fixturedefs.items()
        if any((name, each[-1].baseid) in SLOW_FIXTURES for name, each in found):
            item.add_marker(pytest.mark.slow)
    durations.mark_slow(items)
    durations.longest_first(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Disable the garbage collector during the collection, which keeps nearly all its objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Exclude the objects of the imports from garbage collection. mmengine collects for each data
    set, which would take a quarter of a second."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Collect after each file, and exclude the remaining objects, too."""
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_sessionfinish() -> None:
    """End the forked processes that failed tests left."""
    forked = sys.modules.get('tests.forked')
    for each in list(forked.RUNNING) if forked else ():
        each.kill()


@pytest.fixture(scope='session')
def shapes(tmp_path_factory) -> Path:
    """The Shapes dataset with 6 training and 4 validation images of 64 x 64 pixels."""
    pytest.importorskip('pycocotools')
    return make_shapes(tmp_path_factory.mktemp('data') / 'shapes', train=6, val=4, size=(64, 64))


@pytest.fixture(scope='session')
def quick_configs():
    """Skip yapf's formatting of mmengine's config texts, and read mmdet's model index only once.
    Both take half the time of a tiny run. The value is yapf's own function."""
    pytest.importorskip('mmengine')
    from mmengine.config import utils
    from yapf.yapflib import yapf_api

    format_code = yapf_api.FormatCode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', lambda text, **_: (text, True))
        patch.setattr(utils, 'load', functools.cache(utils.load))
        yield format_code


@pytest.fixture
def fresh_mmengine(quick_configs):
    """Remove mmengine's global objects afterwards: loggers, message hubs, scopes."""
    pytest.importorskip('mmengine')
    from mmengine.logging import MessageHub, MMLogger
    from mmengine.registry import DefaultScope
    from mmengine.visualization import Visualizer

    yield
    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            if getattr(handler, 'baseFilename', None):
                handler.close()
        logger.handlers.clear()
    for kind in (MMLogger, MessageHub, DefaultScope, Visualizer, *Visualizer.__subclasses__()):
        kind._instance_dict.clear()


class Finished(NamedTuple):
    """A run of tools/train.py."""

    work_dir: Path
    checkpoint: Path
    output: str


@pytest.fixture(scope='session')
def trained(shapes, tmp_path_factory, quick_configs) -> Finished:
    """One epoch on Shapes, read-only for tests."""
    pytest.importorskip('mmdet')
    from rexdense.cli import train

    work_dir = tmp_path_factory.mktemp('runs') / 'trained'
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train.main(train_arguments(shapes, work_dir))
    return Finished(work_dir, work_dir / 'epoch_1.pth', output.getvalue())


@pytest.fixture(scope='session')
def label_maps(tmp_path_factory) -> Path:
    """A folder of label maps, with four training and two validation images."""
    return write_segmentation(tmp_path_factory.mktemp('label_maps') / 'set')


@pytest.fixture(scope='session')
def segmented(label_maps, tmp_path_factory, quick_configs) -> Finished:
    """Two epochs of a U-Net on label maps, read-only for tests."""
    pytest.importorskip('mmseg')
    from rexdense.cli import train

    work_dir = tmp_path_factory.mktemp('runs') / 'segmented'
    output = io.StringIO()
    options = segmentation_arguments(label_maps, work_dir, '--epochs', '2', '--seed', '0')
    with contextlib.redirect_stdout(output):
        train.main([str(ROOT / SEGMENTATION_CONFIG), *options])
    return Finished(work_dir, work_dir / 'epoch_2.pth', output.getvalue())


@pytest.fixture(scope='session')
def image_folder(tmp_path_factory) -> Path:
    """A folder of three classes, with four training and two validation images each."""
    return write_classification(tmp_path_factory.mktemp('image_folder') / 'set')


@pytest.fixture(scope='session')
def classified(image_folder, tmp_path_factory) -> Finished:
    """Two epochs of a classifier on images of three colours, read-only for tests."""
    pytest.importorskip('mmdet')
    from rexdense.cli import train

    work_dir = tmp_path_factory.mktemp('runs') / 'classified'
    output = io.StringIO()
    options = classification_arguments(image_folder, work_dir, '--epochs', '2', '--seed', '0')
    with contextlib.redirect_stdout(output):
        train.main([str(ROOT / CLASSIFICATION_CONFIG), *options])
    return Finished(work_dir, work_dir / 'epoch_2.pth', output.getvalue())


@pytest.fixture(scope='session')
def untrained_models(tmp_path_factory) -> dict[str, Path]:
    """Checkpoints of untrained models: boxes, masks, labels, depth, class."""
    pytest.importorskip('mmdet')
    pytest.importorskip('mmseg')
    from tests.untrained import write_untrained_models

    return write_untrained_models(tmp_path_factory.mktemp('untrained'))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the terminal clean."""


@pytest.fixture
def serve_weights(tmp_path, monkeypatch) -> Iterator[Callable]:
    """A function that serves a state dict from this machine as the file of a row in the table of
    published weights, with an empty cache, and returns that row.

    Its arguments are the network, the choice among its rows, the state dict, and replacements of
    the row's fields; with ``alone`` there is no other row.
    """
    torch = pytest.importorskip('torch')
    from rexdense.zoo import weights as table

    folder = tmp_path / 'served'
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    # The poll interval determines how long the shutdown takes.
    ends_soon = dict(poll_interval=0.01)
    threading.Thread(target=server.serve_forever, kwargs=ends_soon, daemon=True).start()
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path / 'cache'))

    def serve(network, choice, state, alone=False, **changes):
        file = folder / 'weights-12345678.pth'
        torch.save(state, file)
        known = table.find_pretrained(network, choice)
        address = f'http://127.0.0.1:{server.server_port}/{file.name}'
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        row = dataclasses.replace(known, **dict(address=address, sha256=digest) | changes)
        others = [] if alone else [each for each in table.load_published_weights() if each != known]
        monkeypatch.setattr(table, 'load_published_weights', lambda: (row, *others))
        return row

    yield serve
    server.shutdown()
    server.server_close()
