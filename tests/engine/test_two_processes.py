"""Two and four processes compute what one does with the same images a step."""

import json
import math
import os
import shutil

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from torch import distributed

from rexdense.checkpoint import read_checkpoint
from rexdense.cli import test as test_program
from rexdense.cli import train
from tests.forked import rexdense, run_together
from tests.small_classification import CONFIG as CLASSIFICATION
from tests.tiny_run import CONFIG, ROOT

# Without what a process draws or counts for itself: augmentation, dropout, sampled regions, and
# statistics of a batch.
COMMON = """
optim_wrapper = dict(
    _delete_=True, type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9)
)
param_scheduler = []
custom_hooks = []
"""
# A RegNet, of five blocks: the head of a ReXNet has a batch normalisation of its own.
CLASSIFIER = f"""
_base_ = ['{ROOT / CLASSIFICATION}']
{COMMON}
model = dict(
    backbone=dict(
        _delete_=True,
        type='rexdense.RegNet',
        **dict(w_0=24, w_a=60.0, w_m=2.5, depth=5, group_width=8, se_ratio=0.25),
        norm_eval=True,
    ),
    dropout=0.0,
)
pipeline = [
    dict(type='rexdense.LoadImage', background=255),
    dict(type='rexdense.ResizeCenterCrop', size=32, crop=1.0),
    dict(type='rexdense.PackClassification'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
"""
# Every anchor and 20 proposals an image count, so that the means of two halves have the same
# weight.
DETECTOR = f"""
_base_ = ['{ROOT / CONFIG}']
{COMMON}
from rexdense.arch import channels
small = dict(width_mult=0.3, depth_mult=0.1)
all_of_them = dict(num=10**6, add_gt_as_proposals=False)
model = dict(
    backbone=dict(norm_eval=True, **small),
    neck=dict(norm_cfg=None, in_channels=channels('rexnet_1.0', **small), out_channels=32),
    rpn_head=dict(in_channels=32, feat_channels=32),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=32),
        bbox_head=dict(in_channels=32, fc_out_channels=32),
    ),
    train_cfg=dict(
        rpn=dict(
            assigner=dict(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5), sampler=all_of_them
        ),
        rpn_proposal=dict(nms_pre=20, max_per_img=20, nms=dict(type='nms', iou_threshold=1.0)),
        rcnn=dict(sampler=all_of_them),
    ),
)
pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.Resize', scale=(64, 64), keep_ratio=True),
    dict(type='mmdet.PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
"""
# Each with a number of images to measure that two processes do not share evenly.
KINDS = {'classifier': (CLASSIFIER, 4), 'detector': (DETECTOR, 2)}
VALIDATION_IMAGES = 3


def run_programs(calls: list) -> None:
    """Run programs one after another in the process group that the first of them makes."""
    for main, arguments in calls:
        main([*arguments, '--launcher', 'pytorch'])
    distributed.destroy_process_group()


def together(calls: list, processes: int = 2) -> None:
    """Run programs in several processes."""
    group = run_together(run_programs, calls, processes=processes)
    for each in group:
        assert each.returncode == 0, each.stdout[-3000:] + each.stderr[-3000:]


@pytest.fixture(scope='module')
def folders(tmp_path_factory, shapes, image_folder, quick_configs):
    """What one process and two leave: folders 1 and 2, a folder a kind in each; and runs of two
    whose moments are shared out, one from its beginning and one from the other's checkpoint."""
    root = tmp_path_factory.mktemp('together')
    calls = {1: [], 2: []}
    for kind, (text, batch) in KINDS.items():
        config = root / f'{kind}.py'
        config.write_text(text)
        data = dict(classifier=image_folder, detector=shapes)[kind]
        for processes in calls:
            work_dir = root / str(processes) / kind
            common = common_options(config, kind, data)
            images = batch // processes
            calls[processes] += [
                [train.main, train_options(common, work_dir, images)],
                [
                    test_program.main,
                    [
                        # Of one process's weights, which are those of both but for rounding.
                        *(common[0], str(root / '1' / kind / 'epoch_2.pth'), *common[1:]),
                        *('--work-dir', str(work_dir / 'test'), '--batch-size', '1'),
                        *('--out', str(work_dir / 'test/out.json'), '--cfg-options'),
                        f'test_dataloader.dataset.indices={VALIDATION_IMAGES}',
                    ],
                ],
            ]
    for main, arguments in calls[1]:
        main(arguments)
    common = common_options(root / 'classifier.py', 'classifier', image_folder)
    zero, resumed = root / 'zero', root / 'zero_resumed'
    calls[2].append([train.main, [*train_options(common, zero, 2), '--zero']])
    resumed.mkdir()
    shutil.copy(root / '1/classifier/epoch_1.pth', resumed)
    calls[2].append([train.main, [*train_options(common, resumed, 2), '--zero', '--resume']])
    together(calls[2])
    return root


def common_options(config, kind: str, data) -> list[str]:
    size = '32,32' if kind == 'classifier' else '64,64'
    return [
        *(str(config), '--data-root', str(data), '--device', 'cpu', '--scale', size),
        *('--workers', '0'),
    ]


def train_options(common: list[str], work_dir, images: int) -> list[str]:
    """A run of two epochs with so many images on each device."""
    return [
        *(*common, '--work-dir', str(work_dir), '--batch-size', str(images)),
        *('--epochs', '2', '--seed', '0', '--lr', '0.02'),
    ]


def furthest(first, second) -> float:
    """The largest difference of the weights of two checkpoints, as a share of a tensor's norm."""
    one, two = (read_checkpoint(file).content['state_dict'] for file in (first, second))
    assert one.keys() == two.keys()
    return max(
        float((one[name] - two[name]).double().norm() / one[name].double().norm().clamp(min=1e-6))
        for name in one
        if one[name].is_floating_point()
    )


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_the_weights_are_those_of_one_process(kind, folders):
    """After six steps, to a hundred-thousandth."""
    files = [folders / n / kind / 'epoch_2.pth' for n in ('1', '2')]
    assert [read_checkpoint(file).content['meta']['iter'] for file in files] == [6, 6]
    assert furthest(*files) < 1e-5


@pytest.mark.slow
def test_shared_out_moments_are_those_of_one_process(folders, image_folder, tmp_path):
    """Whole in the checkpoint, from which a run goes on with and without ``--zero``."""
    whole = folders / '1/classifier/epoch_2.pth'
    assert furthest(whole, folders / 'zero/epoch_2.pth') < 1e-5
    assert furthest(whole, folders / 'zero_resumed/epoch_2.pth') < 1e-5
    moments, shared = (
        read_checkpoint(file).content['optimizer']['state']
        for file in (whole, folders / 'zero/epoch_2.pth')
    )
    assert moments.keys() == shared.keys()
    for place, state in moments.items():
        (buffer,), (of_two,) = state.values(), shared[place].values()
        assert torch.allclose(buffer, of_two, rtol=1e-3, atol=1e-5)
    shutil.copy(folders / 'zero/epoch_1.pth', tmp_path)
    common = common_options(folders / 'classifier.py', 'classifier', image_folder)
    train.main([*train_options(common, tmp_path, 4), '--resume'])
    assert furthest(whole, tmp_path / 'epoch_2.pth') < 1e-5


class _FilledUp(DefaultSampler):
    """The order of four processes, in which the first images fill their shares up, for one."""

    def __init__(self, *arguments, **settings) -> None:
        super().__init__(*arguments, **settings)
        self.num_samples = self.total_size = math.ceil(len(self.dataset) / 4) * 4


@pytest.mark.slow
def test_four_processes_with_a_last_step_to_fill_up(tmp_path, image_folder, shapes, monkeypatch):
    """Each image of the last step counts as much as one of the others, also one that fills up."""
    data = {'classifier': (image_folder, 10), 'detector': (shapes, 6)}
    calls = {'one': [], 'four': []}
    for kind, (folder, images) in data.items():
        config = tmp_path / f'{kind}.py'
        config.write_text(KINDS[kind][0])
        few = ('--cfg-options', f'train_dataloader.dataset.indices={images}')
        for name, batch in (('one', 4), ('four', 1)):
            options = train_options(
                common_options(config, kind, folder), tmp_path / name / kind, batch
            )
            calls[name].append([*options, *few])
    monkeypatch.setitem(DATA_SAMPLERS.module_dict, 'DefaultSampler', _FilledUp)
    for arguments in calls['one']:
        train.main(arguments)
    together([[train.main, arguments] for arguments in calls['four']], 4)
    for kind, (_, images) in data.items():
        files = [tmp_path / name / kind / 'epoch_2.pth' for name in calls]
        steps = 2 * math.ceil(images / 4)
        assert [read_checkpoint(file).content['meta']['iter'] for file in files] == [steps, steps]
        assert furthest(*files) < 1e-5, kind


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_no_image_is_lost_or_doubled_in_evaluation(kind, folders):
    one, two = (folders / number / kind / 'test' for number in ('1', '2'))
    assert json.loads((one / 'out.json').read_text()) == json.loads((two / 'out.json').read_text())
    (of_one,), (of_two,) = (list(folder.glob('2*/2*.json')) for folder in (one, two))
    metrics = [json.loads(file.read_text().splitlines()[-1]) for file in (of_one, of_two)]
    for each in metrics:
        for name in ('data_time', 'time'):
            each.pop(name, None)
    assert metrics[0] and metrics[0] == metrics[1]


DIFFERENCES = {
    'learning rate': (
        ['--lr=0.03', '--lr=0.04'],
        'process 1 has optim_wrapper.optimizer.lr=0.04 and process 0 0.03: start',
    ),
    'steps that are saved': (
        ['--checkpoint-every=2i', '--checkpoint-every=3i'],
        'process 1 has default_hooks.checkpoint.every="3i" and process 0 "2i": start',
    ),
    'images': (
        [f'--cfg-options=train_dataloader.dataset.indices={number}' for number in (11, 10)],
        'the training data of process 1 has size 10, that of process 0 11: give all machines',
    ),
}
"""Options of two processes, and what is told of them."""


def differ(arguments: list[str], options: list[str]) -> None:
    """Run the command with another option in each process."""
    rexdense([*arguments, options[int(os.environ['RANK'])]])


@pytest.mark.slow
@pytest.mark.parametrize('what', DIFFERENCES)
def test_processes_that_differ_are_one_line(what, tmp_path, image_folder):
    """The first alone tells what both meet."""
    options, expected = DIFFERENCES[what]
    command = [
        *('train', str(ROOT / CLASSIFICATION), '--data-root', str(image_folder), '--workers', '0'),
        *('--work-dir', f'{tmp_path}/run', '--device', 'cpu', '--launcher', 'pytorch'),
        *('--scale', '32,32', '--batch-size', '2'),
    ]
    group = run_together(differ, command, options)
    told = [
        line
        for each in group
        for line in each.stderr.splitlines()
        if line.startswith('rexdense train: error:')
    ]
    assert len(told) == 1 and told[0].startswith(f'rexdense train: error: {expected}'), told
    assert all(each.returncode for each in group)
    assert not list((tmp_path / 'run').glob('*.pth'))
