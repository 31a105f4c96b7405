"""What makes long runs bearable: trying out first, ending early, other evaluators, trackers."""

import importlib.util
import re

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import demo, test, train
from rexdense.errors import InvalidArgument, MissingDependency
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


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (['--accumulate', '0'], "argument --accumulate: '0': give a whole number above 0"),
        (['--accumulate', '1.5'], "argument --accumulate: '1.5': give a whole number above 0"),
        (['--early-stop', '0'], "argument --early-stop: '0': give a whole number above 0"),
        (['--early-stop', 'never'], "argument --early-stop: 'never': give a whole number above"),
        (['--coco-backend', 'fast'], "argument --coco-backend: invalid choice: 'fast'"),
        (['--wandb', 'a/b'], "--wandb 'a/b': give the name of a project, without /"),
        (['--wandb', ''], "--wandb '': give the name of a project"),
        (['--dry-run', '--data-root', 'nowhere'], 'data root nowhere is not there'),
    ],
)
def test_bad_options(options, expected, shapes, tmp_path):
    with pytest.raises(Exception, match=re.escape(expected)) as caught:
        train.main([*train_arguments(shapes, tmp_path / 'run'), *options])
    assert '\n' not in str(caught.value) and not (tmp_path / 'run').exists()


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


def test_another_evaluator_of_what_is_no_detector(image_folder, tmp_path):
    with pytest.raises(InvalidArgument, match=r'measures by no rexdense\.CocoMetric; leave it out'):
        classifier(image_folder, tmp_path / 'run', '--coco-backend', 'faster')


def test_early_stop_without_a_validation(shapes, tmp_path):
    arguments = train_arguments(shapes, tmp_path / 'run', '--early-stop', '2')
    none = [f'{key}=None' for key in ('val_cfg', 'val_dataloader', 'val_evaluator')]
    with pytest.raises(InvalidArgument, match='--early-stop 2: the config validates by none of'):
        train.main([*arguments, *none])


def test_the_demo_of_pretraining_compares_equal_steps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match='--early-stop would end its runs at different steps'):
        demo.main(['pretrain', '--early-stop', '2'])
    assert not list(tmp_path.iterdir())
