"""What makes long runs bearable: trying out first, ending early, other evaluators, trackers."""

import importlib.util
import re

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import test, train
from rexdense.errors import MissingDependency
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.small_classification import classification_arguments
from tests.tiny_run import CONFIG, ROOT, run_arguments, train_arguments


def contents(folder):
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob('*')}


def classifier(folder, work_dir, *more):
    train.main(
        [str(ROOT / CLASSIFICATION_CONFIG), *classification_arguments(folder, work_dir, *more)]
    )


@pytest.mark.parametrize(
    ('more', 'steps'), [((), 2), (('--overwrite',), 2), (('--accumulate', '2'), 3)]
)
def test_a_dry_run_tells_time_and_memory_and_keeps_nothing(
    more, steps, image_folder, classified, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    monkeypatch.setattr('tempfile.tempdir', None)
    before = contents(classified.work_dir)
    classifier(image_folder, classified.work_dir, '--epochs', '7', '--dry-run', *more)
    lines = capsys.readouterr().out.splitlines()
    # Of 12 images, 4 a step, in each of 7 epochs.
    assert lines[-4] == f'Dry run: {steps} of 21 steps of 4 images, cpu; nothing is kept'
    assert re.match(
        r'time     \d+\.\d\d s and .*\d+\.\d\d s a step, \d\.\d\d s of the last wait', lines[-3]
    )
    assert re.match(r'memory   \d+\.\d GiB of the process', lines[-2])
    assert re.match(r'in all   about .* for 21 steps; validation', lines[-1])
    assert contents(classified.work_dir) == before and not list(tmp_path.iterdir())


def test_a_dry_run_of_a_run_that_has_ended(image_folder, classified, capsys):
    before = contents(classified.work_dir)
    classifier(image_folder, classified.work_dir, '--epochs', '2', '--dry-run', '--resume')
    said = 'Dry run: the training has ended, no step is left; nothing is kept'
    assert capsys.readouterr().out.splitlines()[-1] == said
    assert contents(classified.work_dir) == before


def test_a_run_that_gains_nothing_ends_early(image_folder, tmp_path, capsys):
    options = ('--epochs', '6', '--lr', '1e-12', '--early-stop', '1', '--seed', '0')
    classifier(image_folder, tmp_path / 'run', *options)
    names = sorted(path.name for path in (tmp_path / 'run').glob('*.pth'))
    assert names == ['best_classification_top1_epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth']
    assert re.match(
        r'Done: top1 \d\.\d+.*; 2 epochs in \d+\.\d s; ', capsys.readouterr().out.splitlines()[-1]
    )


@pytest.mark.parametrize(
    ('run', 'best', 'figure'),
    [
        ('trained', 'best_coco_bbox_mAP_epoch_1.pth', 'bbox_mAP'),
        ('segmented', 'best_segmentation_mIoU_epoch_[12].pth', 'mIoU'),
        ('classified', 'best_classification_top1_epoch_[12].pth', 'top1'),
    ],
)
def test_each_task_keeps_its_best_and_closes_with_its_figure(run, best, figure, request):
    finished = request.getfixturevalue(run)
    (path,) = finished.work_dir.glob('best_*.pth')
    assert re.fullmatch(best, path.name)
    lines = finished.output.splitlines()
    assert f'best        {path}' in lines
    assert re.fullmatch(
        rf'Done: {figure} \d\.\d{{3}}, (the )?best.*; [12] epochs? in .* s; {finished.work_dir}',
        lines[-1],
    )


def test_measuring_draws_precision_confusion_and_errors(trained, shapes, tmp_path, capsys):
    options = run_arguments(shapes, tmp_path / 'run', '--coco-backend', 'pycocotools')
    test.main([str(ROOT / CONFIG), str(trained.checkpoint), *options])
    printed = capsys.readouterr().out
    (folder,) = (path for path in (tmp_path / 'run').iterdir() if path.is_dir())
    names = [
        'confusion_matrix_bbox.csv',
        'confusion_matrix_bbox.png',
        'pr_bbox.png',
        'errors_bbox.png',
    ]
    assert printed.splitlines()[-4:] == [str(folder / name) for name in names]
    assert re.search(r'^error +AP50 lost +number +of score >= 0.3', printed, flags=re.M)
    table = (folder / 'confusion_matrix_bbox.csv').read_text().splitlines()
    assert table[0].endswith(',cross,(nothing)') and len(table) == 1 + 6 + 1


@pytest.mark.parametrize('options', [('--tensorboard',), ('--wandb', 'cells')])
def test_trackers_that_are_missing(options, shapes, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    absent = ('tensorboard', 'wandb')
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name, *rest: None if name in absent else find_spec(name, *rest),
    )
    with pytest.raises(MissingDependency, match=f'{options[0]} needs the package'):
        train.main([*train_arguments(shapes, tmp_path / 'run'), *options])
    assert not (tmp_path / 'run').exists()
