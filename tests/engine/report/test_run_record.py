"""What is read of the work directory of a run."""

import math
import os
import subprocess
import sys

import pytest

pytest.importorskip('mmengine')

from rexdense.engine.report.run_content import content_of_run
from rexdense.engine.report.run_record import read_run
from rexdense.engine.work_dir import LOCK
from rexdense.errors import InvalidArgument
from tests.engine.report.logged_run import START, training_row, write_run

VALIDATED = "val_evaluator = dict(type='rexdense.CocoMetric', metric='bbox')\n"


def test_a_run_is_read_without_running_its_config(tmp_path):
    config = f"{VALIDATED}train_cfg = dict(max_epochs=2)\nmodel = dict(type='FasterRCNN')\n"
    rows = [
        training_row(10, 1),
        {'coco/bbox_mAP': 0.5, 'step': 1},
        training_row(20, 2),
        {'coco/bbox_mAP': 0.25, 'step': 2},
    ]
    record = read_run(write_run(tmp_path / 'run', rows, config))
    assert (record.name, record.config_name, record.started) == ('run', 'mine', START)
    assert record.config['model'] == {'type': 'FasterRCNN'}
    assert record.environment == {
        'sys.platform': 'linux',
        'PyTorch': '2.13.0+cpu',
        'seed': '7',
    }
    assert (record.done, record.planned, record.unit) == (2, 2, 'epoch')
    assert record.best == {'coco/bbox_mAP': 0.5, 'step': 1}
    assert record.seconds == 10.0
    assert record.trained_by is None
    assert record.notes == [f'{record.folder} holds no whole checkpoint, so nothing is predicted.']


def test_a_config_that_is_code_is_told_and_not_run(tmp_path):
    code = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    record = read_run(write_run(tmp_path / 'run', config=code))
    assert 'more than a list of values' in record.notes[0]
    assert not (tmp_path / 'ran').exists() and record.config == {}


@pytest.mark.parametrize(
    'line',
    ['{"lr": 0.1, "step": 3', '[1, 2]', '7', '"step"', '{"lr": 0.1}', '{"step": "x"}', '[' * 9999],
)
def test_a_damaged_line_is_left_out_and_told(tmp_path, line):
    folder = write_run(tmp_path / 'run')
    path = folder / START / 'vis_data/scalars.json'
    first, second = path.read_text().splitlines()
    path.write_text(f'{first}\n{line}\n{second}\n')
    record = read_run(folder)
    assert [row['step'] for row in record.scalars.training] == [10, 20]
    assert f'{path}: line 2 is no row of values, and was left out.' in record.notes


def test_bytes_that_are_no_text_are_a_damaged_line(tmp_path):
    folder = write_run(tmp_path / 'run')
    with open(folder / START / 'vis_data/scalars.json', 'ab') as file:
        file.write(b'\xff\xfe\x00\n')
    assert 'line 3 is no row' in ' '.join(read_run(folder).notes)


@pytest.mark.parametrize(
    'name', ['vis_data/scalars.json', 'vis_data/config.py', f'{START}.log', 'confusion_matrix.png']
)
def test_a_folder_in_the_place_of_a_file_is_told(tmp_path, name):
    folder = write_run(tmp_path / 'run')
    (folder / START / name).unlink(missing_ok=True)
    (folder / START / name).mkdir()
    run = read_run(folder)
    told = f'{folder / START / name} cannot be read (Is a directory), and was left out.'
    assert (told in run.notes) == name.endswith('.json')
    assert run.metric_files == {}


def test_folders_that_are_called_as_the_files_of_a_work_dir(tmp_path):
    folder = write_run(tmp_path / 'run')
    for name in (LOCK, 'last_checkpoint', 'other.py', 'best_x.pth', 'epoch_1.pth'):
        (folder / name).mkdir()
    run = read_run(folder)
    assert run.checkpoint is None and run.trained_by is None and run.config_name == 'mine'


def test_a_run_without_validation_or_end_is_told(tmp_path):
    folder = write_run(tmp_path / 'run', config='train_cfg = dict(max_epochs=9)\n')
    notes = ' '.join(read_run(folder).notes)
    assert 'has ended after 2 of 9 epochs; rexdense train with --resume goes on' in notes
    assert 'has logged no validation' in notes and 'rexdense test measures' in notes


def test_a_run_that_goes_on_is_told(tmp_path):
    folder = write_run(tmp_path / 'run', config='train_cfg = dict(max_epochs=9)\n')
    holding = (
        'import sys; from pathlib import Path; from rexdense.files.locks import held_alone\n'
        f"with held_alone(Path({str(folder / LOCK)!r}), 'process 12 of here'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, '-c', holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        notes = ' '.join(read_run(folder).notes)
        process.stdin.close()
        process.wait(timeout=30)
    assert 'is still being trained (process 12 of here): this is how far' in notes
    assert 'has ended' not in notes
    # A lock that a killed run has left holds nobody up.
    (folder / LOCK).write_text('process 12 of here')
    assert 'has ended after 2 of 9 epochs' in ' '.join(read_run(folder).notes)
    assert (folder / LOCK).read_text() == 'process 12 of here'


def test_folders_that_are_no_work_dir_are_refused(tmp_path):
    (tmp_path / 'file').write_text('')
    (tmp_path / 'empty').mkdir()
    write_run(tmp_path / 'runs/one')
    (tmp_path / f'new/{START}').mkdir(parents=True)
    for name, message in (
        ('missing', 'is not there: give the work dir of a run'),
        ('file', 'is a file: give the work dir'),
        ('empty', 'holds no run of rexdense train'),
        ('runs', f'is no work dir but holds some: give {tmp_path / "runs/one"}'),
        ('new', 'has logged no step of training yet: wait for its first'),
    ):
        with pytest.raises(InvalidArgument, match=message):
            read_run(tmp_path / name)


@pytest.mark.parametrize(
    'config',
    [
        "model = 'x'\ntrain_cfg = 3\nval_evaluator = 'x'\n",
        'val_evaluator = [1, dict(type=2)]\n',
        '',
    ],
)
def test_a_config_of_other_shapes_has_no_metric(tmp_path, config):
    record = read_run(write_run(tmp_path / 'run', config=config))
    assert record.metric is None and record.planned is None and record.best == {}
    assert record.section('model', 'backbone') == {}


@pytest.mark.parametrize(
    'more',
    [dict(step=math.inf), dict(step=math.nan), dict(step=1e301), dict(epoch=math.nan)],
)
def test_rows_without_a_place_are_damaged(tmp_path, more):
    run = read_run(write_run(tmp_path, [training_row(10, 1), training_row(20, 2) | more]))
    assert [row['step'] for row in run.scalars.training] == [10]
    assert run.done == 1 and any('line 2 is no row of values' in note for note in run.notes)


def test_times_that_are_no_numbers_count_for_nothing(tmp_path):
    rows = [training_row(10), training_row(20, time=math.nan), training_row(30, time=math.inf)]
    assert read_run(write_run(tmp_path, rows)).seconds == 5.0


BY_ANOTHER_FIGURE = """
val_evaluator = dict(type='rexdense.CocoMetric', metric='bbox')
default_hooks = dict(checkpoint=dict(save_best={}))
"""


@pytest.mark.parametrize(
    ('save_best', 'place'),
    [
        ("'coco/bbox_mAP_50', rule='greater'", 2),
        ("'coco/bbox_mAP_50'", 2),
        ("['coco/bbox_mAP_50'], rule=['greater']", 2),
        ("'coco/bbox_mAP_50', rule='less'", 1),
        ("'auto'", 1),
        ("['coco/bbox_mAP', 'coco/bbox_mAP_50']", 1),
        ('None', 1),
        ('7', 1),
    ],
)
def test_the_best_is_what_the_run_kept(tmp_path, save_best, place):
    rows = [
        training_row(10, 1),
        {'coco/bbox_mAP': 0.5, 'coco/bbox_mAP_50': 0.6, 'step': 1},
        training_row(20, 2),
        {'coco/bbox_mAP': 0.4, 'coco/bbox_mAP_50': 0.7, 'step': 2},
    ]
    run = read_run(write_run(tmp_path, rows, BY_ANOTHER_FIGURE.format(save_best)))
    assert run.best['step'] == place


def test_a_config_of_other_values(tmp_path):
    run = read_run(write_run(tmp_path, config="val_evaluator = dict(type='CocoMetric', metric=5)"))
    assert run.metric.name == 'coco/bbox_mAP'


def test_data_that_may_not_be_looked_for(tmp_path):
    """As in a folder of somebody else's: the operating system refuses even to look."""
    config = f"train_dataloader = dict(dataset=dict(data_root='{'a' * 300}'))"
    run = read_run(write_run(tmp_path, config=config))
    assert content_of_run(run, 0, True, 'cpu').data is None
    assert run.notes[-1].startswith(f'{run.folder}: its data, aaa')


def test_the_checkpoint_is_that_by_the_metric(tmp_path):
    config = f'{VALIDATED}default_hooks = dict(checkpoint=dict(save_best={{}}))'
    names = ('best_coco_bbox_mAP_epoch_1.pth', 'best_coco_bbox_mAP_50_epoch_2.pth', 'best_x.pth')
    both = "['coco/bbox_mAP', 'coco/bbox_mAP_50']"
    for kept, expected in (
        (both, 0),
        ("'coco/bbox_mAP_50', rule='greater'", 1),
        ("'other', rule='less'", 2),
    ):
        folder = write_run(tmp_path / str(expected), config=config.format(kept))
        for age, name in enumerate(names):
            (folder / name).write_bytes(b'')
            os.utime(folder / name, (1000 + age, 1000 + age))
        assert read_run(folder).checkpoint.name == names[expected]


@pytest.mark.skipif(os.name != 'posix', reason='links need rights on Windows')
def test_files_that_have_gone_meanwhile(tmp_path):
    folder = write_run(tmp_path)
    for name in ('best_coco_bbox_mAP_epoch_1.pth', 'other.py'):
        (folder / name).symlink_to(tmp_path / 'not there')
    run = read_run(folder)
    assert run.checkpoint is None and run.config_name == 'mine'
