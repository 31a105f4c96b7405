"""What tests of several folders share."""

from pathlib import Path

import pytest

from rexdense.datasets import make_shapes


@pytest.fixture(scope='session')
def shapes(tmp_path_factory) -> Path:
    """The Shapes dataset, 6 training and 4 validation pictures of 64 x 64 pixels."""
    pytest.importorskip('pycocotools')
    return make_shapes(tmp_path_factory.mktemp('data') / 'shapes', train=6, val=4, size=(64, 64))


@pytest.fixture
def fresh_mmengine():
    """Take away afterwards what mmengine keeps for the whole process: loggers, hubs, scopes."""
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
