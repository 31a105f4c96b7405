"""Faults of a config that show while it is built: one line, with the closest name."""

import pytest

pytest.importorskip('mmdet')

from mmengine.dataset import Compose
from mmengine.registry import MODELS
from mmengine.runner import Runner

from rexdense.engine.config.checks.faults import config_faults
from rexdense.errors import InvalidArgument, UnknownName

import mmdet.models  # noqa: F401  # isort: skip


@pytest.mark.parametrize(
    ('section', 'kind', 'message'),
    [
        (dict(type='mmdet.FPM'), UnknownName, "no model is called 'mmdet.FPM': did you mean"),
        (
            dict(type='mmdet.FPN', in_channels=[8], out_chanels=8, num_outs=1),
            InvalidArgument,
            "in the config: FPN.__init__.. got an unexpected keyword argument 'out_chanels'; "
            "did you mean 'out_channels'",
        ),
        (
            dict(type='mmdet.FPN', in_channels=[8]),
            InvalidArgument,
            'in the config: FPN.__init__.. missing 2 required positional arguments',
        ),
        # The class hands it on to the one below, which takes no such argument.
        (
            dict(type='mmdet.RPNHead', in_channels=8, feat_chanels=8),
            InvalidArgument,
            "AnchorHead.__init__.. got an unexpected keyword argument 'feat_chanels'; "
            "did you mean 'feat_channels'",
        ),
    ],
)
def test_the_fault_is_told(section, kind, message):
    with pytest.raises(kind, match=message), config_faults():
        MODELS.build(section)


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: Compose([1]), 'in the config: transform must be a callable object or dict, but'),
        (
            lambda: Runner.register_hook(None, 'x'),
            'in the config: hook should be an instance of Hook or dict, but got x',
        ),
        (
            lambda: Runner._check_scheduler_cfg(None, [1]),
            'in the config: `param_scheduler` should be a `_ParamScheduler`, `dict`, list',
        ),
    ],
)
def test_values_in_the_place_of_sections(build, message):
    with pytest.raises(InvalidArgument, match=message), config_faults():
        build()


class NotRegistered:
    def __init__(self) -> None:
        pass


@pytest.mark.parametrize('fault', [lambda: NotRegistered(size=1), lambda: len(1)])
def test_other_mistakes_stay_as_they_are(fault):
    with pytest.raises(TypeError), config_faults():
        fault()
