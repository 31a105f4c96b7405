"""Reading a config and stretching it to other epochs, sizes and classes."""

import errno
import os
import re
import sys

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config

from rexdense import arch
from rexdense.engine.config.load import (
    class_heads,
    innermost_dataset,
    load_config,
    set_epochs,
    set_num_classes,
    set_scale,
)
from rexdense.errors import InvalidArgument, MissingDependency, UnknownName, UnwritableFile
from tests.tiny_run import CONFIG, ROOT


def test_reading():
    assert load_config(ROOT / CONFIG).model.backbone.arch == 'rexnet_1.0'


def test_a_full_disk_of_temporary_files_is_no_fault_of_the_config(tmp_path, monkeypatch):
    """mmengine copies the file there."""

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr('tempfile.gettempdir', lambda: str(tmp_path))
    monkeypatch.setattr(Config, '_file2dict', refuse)
    with pytest.raises(UnwritableFile, match=rf'^{tmp_path} cannot be written \(No space left'):
        load_config(ROOT / CONFIG)


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('faster-rcnn_rexnet_fpn_custom_coco', 'faster-rcnn_rexnet-1.0_fpn_custom_coco'),
        ('faster-rcnn_rexnet-1.0_fpn_1x', 'faster-rcnn_rexnet-1.0_fpn_1x_coco'),
    ],
)
def test_unknown_config(name, expected):
    path = ROOT / f'configs/rexnet/{name}.py'
    with pytest.raises(
        UnknownName, match=re.escape(f"no config file {path}: did you mean '{expected}'")
    ):
        load_config(path)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('a = (', 'SyntaxError'),
        ("_base_ = ['./not_there.py']", 'FileNotFoundError'),
        ('a = b', 'NameError'),
        ('_base_ = []\nimport math\na = math.no_such_thing', 'AttributeError'),
        ('_base_ = []\nfrom rexdense.arch import no_such_thing', 'ImportError'),
        ('from rexdense.arch import channels\n_base_ = []', 'ConfigParsingError'),
        ('a = [1][5]', 'IndexError'),
        ('assert 1 == 2', 'AssertionError'),
        ('a = 1 / 0', 'ZeroDivisionError'),
    ],
)
def test_faulty_config(tmp_path, text, expected):
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(
        InvalidArgument, match=rf'config file .*config\.py cannot be read: {expected}: '
    ):
        load_config(path)


def test_config_that_meets_a_bug_of_ours_keeps_its_traceback(tmp_path, monkeypatch):
    functions = {}
    exec(compile('def channels(name):\n    1 / 0', arch.__file__, 'exec'), functions)
    monkeypatch.setattr(arch, 'channels', functions['channels'])
    path = tmp_path / 'config.py'
    path.write_text("_base_ = []\nfrom rexdense.arch import channels\na = channels('rexnet_1.0')")
    with pytest.raises(ZeroDivisionError):
        load_config(path)


@pytest.mark.parametrize(
    ('name', 'text', 'said'),
    [
        ('config.yaml', 'a: [1, 2\n', 'cannot be read: ParserError: '),
        ('config.json', '{"a": ', 'cannot be read: JSONDecodeError: '),
        ('config.py', 'model = 5', r'says model=5: give a section, model = dict\(\.\.\.\)$'),
    ],
)
def test_config_of_another_form(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidArgument, match=f'^config file .*{name} {said}'):
        load_config(tmp_path / name)


def test_config_with_an_unknown_backbone(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("_base_ = []\nfrom rexdense.arch import channels\na = channels('rexnet_1.1')")
    with pytest.raises(UnknownName, match=r"no backbone is called 'rexnet_1\.1': did you mean"):
        load_config(path)


def test_config_that_needs_a_missing_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    path = tmp_path / 'config.py'
    path.write_text('_base_ = []\nimport onnxscript')
    with pytest.raises(ImportError) as caught:
        load_config(path)
    assert not isinstance(caught.value, (InvalidArgument, MissingDependency))


@pytest.fixture
def config():
    return load_config(ROOT / CONFIG)


@pytest.mark.parametrize('epochs', [1, 3, 40])
def test_schedule_stretches_with_the_epochs(config, epochs):
    warm_up = config.param_scheduler[0].to_dict()
    set_epochs(config, epochs)
    assert config.train_cfg.max_epochs == epochs
    assert config.train_cfg.val_interval == min(epochs, 4)
    cosine = config.param_scheduler[1]
    assert (cosine.begin, cosine.end, cosine.T_max) == (0, epochs, epochs)
    # Counted in iterations, whatever the epochs.
    assert config.param_scheduler[0].to_dict() == warm_up


@pytest.mark.parametrize(
    ('epochs', 'begin', 'length'),
    [(1, 0, 1), (20, 0, 20), (100, 1, 99), (200, 2, 198), (800, 10, 790)],
)
def test_a_cosine_after_a_warm_up_stretches_with_the_epochs(epochs, begin, length):
    config = Config(
        dict(
            train_cfg=dict(max_epochs=400),
            param_scheduler=[
                dict(type='LinearLR', start_factor=1e-6, begin=0, end=5),
                dict(type='CosineAnnealingLR', T_max=395, begin=5, end=400),
            ],
        )
    )
    set_epochs(config, epochs)
    warm_up, cosine = config.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, max(1, round(epochs / 80)))
    assert (cosine.begin, cosine.end, cosine.T_max) == (begin, epochs, length)


def test_milestones_stretch_with_the_epochs():
    config = load_config(ROOT / 'configs/rexnet/faster-rcnn_rexnet-1.0_fpn_1x_coco.py')
    set_epochs(config, 24)
    assert config.param_scheduler[1].milestones == [16, 22]
    assert config.param_scheduler[1].end == 24


def test_epochs_of_a_run_by_iterations():
    config = Config(dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=100)))
    with pytest.raises(InvalidArgument, match=r'--cfg-options train_cfg\.max_iters=N'):
        set_epochs(config, 3)


def test_scale_reaches_all_resizing(config):
    set_scale(config, (320, 240))
    for name in ('train', 'val', 'test'):
        steps = config[f'{name}_dataloader'].dataset.pipeline
        assert [step.scale for step in steps if step.type == 'mmdet.Resize'] == [(320, 240)]


def test_scale_of_a_choice_of_scales():
    steps = [dict(type='mmdet.RandomChoiceResize', scales=[(1, 2), (3, 4)])]
    config = Config(dict(train_dataloader=dict(dataset=dict(pipeline=steps))))
    set_scale(config, (320, 240))
    assert config.train_dataloader.dataset.pipeline[0].scales == [(320, 240)]


def test_scale_of_a_range_of_scales():
    transforms = pytest.importorskip('mmcv.transforms')
    steps = [dict(type='RandomResize', scale=[(1333, 640), (1333, 800)])]
    config = Config(dict(train_dataloader=dict(dataset=dict(pipeline=steps))))
    set_scale(config, (320, 240))
    scale = config.train_dataloader.dataset.pipeline[0].scale
    assert transforms.RandomResize(scale)._random_scale() == (320, 240)


def test_scale_without_resizing():
    config = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='Pad')]))))
    with pytest.raises(InvalidArgument, match='--scale: no transform of this config resizes'):
        set_scale(config, (320, 240))


def test_number_of_classes_reaches_all_heads(config):
    config.model.auxiliary_head = [dict(num_classes=80), dict(num_classes=80)]
    set_num_classes(config, 3)
    assert config.model.roi_head.bbox_head.num_classes == 3
    assert [head.num_classes for head in config.model.auxiliary_head] == [3, 3]


@pytest.mark.parametrize('kind', ['mmdet.FCOSHead', 'mmdet.RPNHead', 'mmdet.GARPNHead'])
def test_region_proposal_heads_keep_one_class(config, kind):
    """A single-stage head may stand in the place of an RPN."""
    config.model.rpn_head = dict(type=kind, num_classes=1)
    set_num_classes(config, 3)
    assert config.model.rpn_head.num_classes == 1
    assert [head.num_classes for head in class_heads(config.model)] == [3]


def test_a_single_stage_detector_tells_classes_apart():
    config = Config(
        dict(model=dict(type='mmdet.FCOS', bbox_head=dict(type='mmdet.FCOSHead', num_classes=80)))
    )
    set_num_classes(config, 3)
    assert config.model.bbox_head.num_classes == 3


def test_number_of_classes_of_things_and_stuff():
    """As MaskFormer and Mask2Former count them, for COCO's 80 classes."""
    weights = [1.0] * 80 + [0.1]
    counts = dict(num_things_classes=80, num_stuff_classes=0)
    head = dict(counts, loss_cls=dict(type='CrossEntropyLoss', class_weight=weights))
    config = Config(dict(model=dict(panoptic_head=head, panoptic_fusion_head=counts)))
    set_num_classes(config, 2)
    expected = dict(num_things_classes=2, num_stuff_classes=0)
    assert config.model.panoptic_fusion_head == expected
    assert config.model.panoptic_head.pop('loss_cls').class_weight == [1.0, 1.0, 0.1]
    assert config.model.panoptic_head == expected


def masks_of(counts, weights):
    loss = dict(type='CrossEntropyLoss', class_weight=weights)
    return Config(dict(model=dict(head=dict(counts, type='Mask2FormerHead', loss_cls=loss))))


@pytest.mark.parametrize(
    'counts', [dict(num_things_classes=2, num_stuff_classes=1), dict(num_classes=3)]
)
def test_weights_of_classes_in_mask2former(counts):
    """mmseg's head has ``num_classes``; the last weight is that of no object."""
    config = masks_of(counts, [2.0, 1.0, 1.0, 0.1])
    set_num_classes(config, 3)
    assert config.model.head.loss_cls.class_weight == [2.0, 1.0, 1.0, 0.1]
    with pytest.raises(InvalidArgument, match='has weights of 3 classes, the data 2 classes: give'):
        set_num_classes(masks_of(counts, [2.0, 1.0, 1.0, 0.1]), 2)
    config = masks_of(counts, [1.0, 1.0, 1.0, 0.1])
    set_num_classes(config, 5)
    assert config.model.head.loss_cls.class_weight == [1.0] * 5 + [0.1]


@pytest.mark.parametrize(
    ('epochs', 'switch', 'last', 'begin', 'interval', 'validations'),
    [
        (300, 280, 15, 30, 50, [(280, 1)]),
        (30, 28, 2, 3, 30, [(28, 1)]),
        (600, 560, 30, 60, 50, [(560, 1)]),
        (10, 9, 1, 1, 10, [(9, 1)]),
        (1, 0, 0, 0, 1, [(1, 1)]),
    ],
)
def test_hooks_stretch_with_the_epochs(epochs, switch, last, begin, interval, validations):
    config = Config(
        dict(
            train_cfg=dict(
                max_epochs=300, val_interval=10, val_begin=200, dynamic_intervals=[(280, 1)]
            ),
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=50), timer=None),
            custom_hooks=[
                dict(type='mmdet.PipelineSwitchHook', switch_epoch=280, switch_pipeline=[]),
                dict(type='mmdet.YOLOXModeSwitchHook', num_last_epochs=15),
                dict(type='EMAHook', begin_epoch=30),
                dict(type='EMAHook', begin_iter=300),
                dict(type='CheckpointHook', by_epoch=False, interval=5000),
            ],
        )
    )
    set_epochs(config, epochs)
    hooks = config.custom_hooks
    assert (hooks[0].switch_epoch, hooks[1].num_last_epochs) == (switch, last)
    assert (hooks[2].begin_epoch, hooks[3].begin_iter) == (begin, epochs)
    assert config.default_hooks.checkpoint.interval == interval
    assert hooks[4].interval == 5000
    assert config.train_cfg.dynamic_intervals == validations
    assert config.train_cfg.val_interval == min(10, epochs)
    assert config.train_cfg.val_begin == max(1, round(200 * epochs / 300))


def test_data_set_below_others():
    data = dict(type='A', dataset=dict(type='B', dataset=dict(type='C')))
    config = Config(dict(train_dataloader=dict(dataset=data)))
    assert innermost_dataset(config.train_dataloader).type == 'C'
