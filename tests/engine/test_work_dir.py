"""The folder of a run: what earlier runs left there, and what is nobody's to replace."""

from pathlib import Path

import pytest

pytest.importorskip('mmengine')

from rexdense.engine.work_dir import (
    left_by_runs,
    prepare_work_dir,
    remove_earlier_runs,
    remove_unfinished,
    take_run_folder,
    written_names,
)
from rexdense.errors import InvalidArgument, UnwritableFile

RUN, NOW = '20230101_010101', '20240101_000000'


def lay(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if not path.is_dir()}


OF_A_RUN = (
    f'{RUN}/{RUN}.log',
    f'{RUN}/{RUN}_host_device0_rank1.log',
    f'{RUN}/{RUN}.json',
    f'{RUN}/confusion_matrix.png',
    f'{RUN}/vis_data/{RUN}.json',
    f'{RUN}/vis_data/config.py',
    f'{RUN}/vis_data/vis_image/a_3.png',
)


CHECKPOINTS = ('epoch_9.pth', 'epoch_10.pth', 'best_mIoU_iter_3.pth', 'last_checkpoint')


def test_files_of_earlier_runs_are_deleted(tmp_path):
    lay(tmp_path, *CHECKPOINTS, *OF_A_RUN, f'{NOW}/{NOW}.log', 'notes.txt', 'mine.pth')
    (tmp_path / 'epoch_7.pth').mkdir()
    remove_earlier_runs(tmp_path, NOW)
    assert files(tmp_path) == {f'{NOW}/{NOW}.log', 'notes.txt', 'mine.pth'}
    assert not (tmp_path / RUN).exists() and (tmp_path / 'epoch_7.pth').is_dir()


DATA = (
    f'{RUN}/val_007.png',  # a folder of images that a camera named
    f'{RUN}/vis_data/a.png',
    '20220101_010101/deep/a.png',
    '20220101_010101/20230101_010101.log',
    'annotations/train.json',
)


def test_folders_of_data_are_no_runs(tmp_path):
    lay(tmp_path, *DATA)
    assert left_by_runs(tmp_path) == []
    remove_earlier_runs(tmp_path, NOW)
    assert files(tmp_path) == set(DATA)


def test_of_a_run_s_folder_only_what_the_run_wrote(tmp_path):
    mine = {f'{RUN}/good.pth', f'{RUN}/images/a.png', f'{RUN}/notes.json'}
    lay(tmp_path, *OF_A_RUN, *mine)
    remove_earlier_runs(tmp_path, NOW)
    assert files(tmp_path) == mine


def test_links_go_and_what_they_lead_to_stays(tmp_path):
    elsewhere, folder = tmp_path / 'elsewhere', tmp_path / 'run'
    lay(elsewhere, *OF_A_RUN, 'images/a.png', 'epoch_1.pth')
    lay(folder, '20230202_020202/20230202_020202.log')
    before = files(elsewhere)
    (folder / RUN).symlink_to(elsewhere / RUN)
    (folder / '20230303_030303').symlink_to(elsewhere / 'images')
    (folder / '20230202_020202/vis_data').symlink_to(elsewhere / 'images')
    (folder / 'epoch_1.pth').symlink_to(elsewhere / 'epoch_1.pth')
    (folder / 'epoch_2.pth').symlink_to(elsewhere / 'gone')
    remove_earlier_runs(folder, NOW)
    assert files(elsewhere) == before
    assert {path.name for path in folder.iterdir()} == {'20230303_030303', '20230202_020202'}
    assert [path.name for path in (folder / '20230202_020202').iterdir()] == ['vis_data']


def test_files_that_cannot_be_deleted_are_told_in_one_line(tmp_path, monkeypatch):
    lay(tmp_path, *CHECKPOINTS)

    def refuse(path, missing_ok=False):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(type(tmp_path), 'unlink', refuse)
    with pytest.raises(UnwritableFile, match=r'best_mIoU_iter_3\.pth .*Permission denied'):
        remove_earlier_runs(tmp_path, NOW)


@pytest.mark.parametrize('overwrite', [False, True])
@pytest.mark.parametrize('name', ['curves.png', 'predictions.png', 'last_checkpoint', 'mine.py'])
def test_files_of_no_run_are_not_replaced(tmp_path, name, overwrite):
    lay(tmp_path, name)
    with pytest.raises(InvalidArgument, match=f'holds {name}, which this run would replace and no'):
        prepare_work_dir(tmp_path, overwrite, written_names('configs/mine.py'))
    lay(tmp_path, *OF_A_RUN)
    assert prepare_work_dir(tmp_path, True, written_names('configs/mine.py')) == tmp_path


@pytest.mark.parametrize('name', ['curves.png', 'predictions.png', 'last_checkpoint'])
def test_results_of_a_run_without_checkpoints_are_not_replaced_unasked(tmp_path, name):
    # The hash of a first checkpoint that a kill kept from its name.
    lay(tmp_path, *OF_A_RUN, 'mine.py', 'checkpoints.sha256')
    names = written_names('configs/mine.py')
    assert prepare_work_dir(tmp_path, False, names) == tmp_path
    lay(tmp_path, name)
    with pytest.raises(InvalidArgument, match=f'holds results of an earlier run .{name}.: replace'):
        prepare_work_dir(tmp_path, False, names)


def test_runs_of_one_second_have_a_folder_each(tmp_path):
    """Over midnight, too."""
    found = [take_run_folder(tmp_path / 'run', '20261231_235959') for _ in range(3)]
    assert found == ['20261231_235959', '20270101_000000', '20270101_000001']
    assert sorted(path.name for path in (tmp_path / 'run').iterdir()) == found


@pytest.mark.parametrize('name', ['curves.png', 'last_checkpoint', 'mine.py', 'epoch_3.pth'])
@pytest.mark.parametrize('make', [Path.mkdir, lambda path: path.symlink_to('/nowhere/gone')])
def test_files_that_cannot_be_replaced_are_told_before_a_run_trains(tmp_path, name, make):
    lay(tmp_path, *OF_A_RUN)
    make(tmp_path / name)
    with pytest.raises(UnwritableFile, match=rf'{name} is a (folder|link to .*gone.*), and a run'):
        prepare_work_dir(tmp_path, True, written_names('configs/mine.py'))


def test_the_folder_of_a_run_comes_after_those_of_all_runs_before(tmp_path):
    """Whatever the clock says; digits that are no second, or no run's, count for nothing."""
    for stamp in (RUN, '20261025_025959', '20269999_010101'):
        lay(tmp_path, f'{stamp}/{stamp}.log')
    lay(tmp_path, '20280101_000000/a.png', '99991231_235959/99991231_235959.log')
    assert take_run_folder(tmp_path, '20261025_020000') == '20261025_030000'
    assert take_run_folder(tmp_path, '20261025_040000') == '20261025_040000'


def test_what_a_run_was_writing_when_it_was_killed_is_deleted(tmp_path):
    token = '0123456789abcdef'
    torn = [f'.{name}.{token}.part' for name in (*CHECKPOINTS, 'mine.py', 'curves.png')]
    kept = ['.mine.py', f'.other.py.{token}.part', f'.mine.py.{token}.old', 'mine.py']
    lay(tmp_path, *torn, *kept)
    left = remove_unfinished(tmp_path, written_names('configs/mine.py'))
    assert {path.name for path in left} == set(torn) and files(tmp_path) == set(kept)


@pytest.mark.parametrize('name', written_names('config.py'))
def test_a_link_that_leads_out_of_the_folder(tmp_path, name):
    """A run would replace the file that it points to."""
    work_dir = tmp_path / 'run'
    lay(work_dir, f'{RUN}/{RUN}.log')
    lay(tmp_path, 'theirs')
    (work_dir / name).symlink_to('../theirs')
    with pytest.raises(InvalidArgument, match=rf'{name} leads out of .*theirs: take the link away'):
        prepare_work_dir(work_dir, True, written_names('config.py'))
