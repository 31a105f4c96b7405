"""Choice of the checkpoint that a run goes on from."""

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

import torch

from rexdense.engine.resume import choice
from rexdense.engine.resume.checkpoints import find_checkpoint, newest_checkpoint, run_meta
from rexdense.engine.resume.saving import KeepCheckpoints
from rexdense.errors import CheckpointUnreadable, InvalidArgument


def write(path, number=1, meta=(), **more):
    facts = dict(epoch=number, iter=3 * number, seed=0) | dict(meta)
    content = dict(meta=facts, state_dict={'a': torch.ones(5000)})
    torch.save(content | more, path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-500])


def spoil(path):
    """Overwrite the middle with zeros, as a file system may after a power failure."""
    content = bytearray(path.read_bytes())
    content[9000:11000] = bytes(2000)
    path.write_bytes(content)


@pytest.fixture
def folder(tmp_path):
    """Three whole checkpoints, and the pointer to the last of them."""
    for number in (9, 10, 11):
        write(tmp_path / f'epoch_{number}.pth', number)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_11.pth'))
    return tmp_path


@pytest.mark.parametrize(
    ('pointer', 'said'),
    [
        ('epoch_11.pth', ''),
        ('/elsewhere/epoch_11.pth\n', ''),
        ('', 'last_checkpoint is empty; the newest whole checkpoint is epoch_11.pth'),
        (' \n', 'last_checkpoint is empty; the newest whole checkpoint is epoch_11.pth'),
        (None, 'last_checkpoint is missing; the newest whole checkpoint is epoch_11.pth'),
        ('epoch_9.pth', 'last_checkpoint names epoch_9.pth; the newest whole checkpoint is epoch_'),
        (
            'epoch_12.pth',
            'last_checkpoint names epoch_12.pth; the newest whole checkpoint is epoch_',
        ),
        (
            'notes.txt',
            'last_checkpoint names notes.txt; the newest whole checkpoint is epoch_11.pth',
        ),
        ('weights.pth', 'last_checkpoint names weights.pth; the newest whole checkpoint is epoch_'),
        ('\x00\xff', 'last_checkpoint names '),
        ('x' * 10_000, 'last_checkpoint names xxx'),
    ],
)
def test_pointers(folder, pointer, said):
    (folder / 'notes.txt').write_text('mine')
    torch.save({'a': torch.ones(1)}, folder / 'weights.pth')
    if pointer is None:
        (folder / 'last_checkpoint').unlink()
    else:
        (folder / 'last_checkpoint').write_bytes(pointer.encode('latin-1'))
    found, faults = find_checkpoint(folder)
    assert found.path == newest_checkpoint(folder) == folder / 'epoch_11.pth'
    assert found.said.startswith(said) and bool(found.said) == bool(said)
    assert found.meta['epoch'] == 11 and not faults


@pytest.mark.parametrize('damage', [cut, spoil, lambda path: path.write_bytes(b'')])
def test_damaged_files_are_passed_over(folder, damage):
    damage(folder / 'epoch_11.pth')
    found, faults = find_checkpoint(folder)
    assert found.path == folder / 'epoch_10.pth'
    assert found.said == (
        'last_checkpoint names epoch_11.pth; the newest whole checkpoint is epoch_10.pth'
    )
    assert len(faults) == 1 and 'epoch_11.pth' in faults[0]
    for number in (9, 10):
        damage(folder / f'epoch_{number}.pth')
    found, faults = find_checkpoint(folder)
    assert found is None and len(faults) == 3


def test_a_file_that_stays_as_it_is_is_read_once(folder, monkeypatch):
    read, load = [], torch.load

    def watched(file, **options):
        read.append(file.name)
        return load(file, **options)

    monkeypatch.setattr(torch, 'load', watched)
    time.sleep(0.15)
    for _ in range(2):
        assert find_checkpoint(folder)[0].meta['epoch'] == 11
        assert sorted(read) == ['epoch_10.pth', 'epoch_11.pth', 'epoch_9.pth']
    # Replaced, and then damaged in its place, where its size stays.
    write(folder / 'epoch_11.pth', 12)
    assert find_checkpoint(folder)[0].meta['epoch'] == 12
    spoil(folder / 'epoch_11.pth')
    assert find_checkpoint(folder)[0].meta['epoch'] == 10


def test_files_that_a_run_deletes_meanwhile(folder, monkeypatch):
    load = torch.load

    def deleting(file, **options):
        for number in (9, 11):
            (folder / f'epoch_{number}.pth').unlink(missing_ok=True)
        return load(file, **options)

    monkeypatch.setattr(torch, 'load', deleting)
    found, faults = find_checkpoint(folder)
    assert found.path == folder / 'epoch_10.pth' and faults == []


@pytest.mark.skipif(os.geteuid() != 0, reason='root alone can become another user')
def test_what_another_user_keeps_to_himself(folder):
    assert find_checkpoint(folder)[0].path.name == 'epoch_11.pth'
    with tempfile.TemporaryDirectory() as place:
        for path in folder.iterdir():
            shutil.copy(path, place)
        for name in ('last_checkpoint', 'epoch_11.pth'):
            Path(place, name).chmod(0o600)
        os.chmod(place, 0o755)
        os.seteuid(65534)
        try:
            found, faults = find_checkpoint(place)
        finally:
            os.seteuid(0)
    assert found.path.name == 'epoch_10.pth'
    said = f'{place}/last_checkpoint cannot be read (Permission denied): check its permissions; the'
    assert found.said == f'{said} newest whole checkpoint is epoch_10.pth'
    said = f'{place}/epoch_11.pth cannot be read (Permission denied): check its permissions and'
    assert faults == [f'{said} its disk']


def test_names_without_a_number_go_by_their_time(tmp_path):
    for name, saved in (('best_old', 1), ('best_new', 2)):
        write(tmp_path / f'{name}.pth')
        os.utime(tmp_path / f'{name}.pth', (saved, saved))
    assert newest_checkpoint(tmp_path).name == 'best_new.pth'


def test_the_best_of_a_run_comes_last(folder):
    """mmengine saves it without the optimizer."""
    write(folder / 'best_coco_bbox_mAP_epoch_12.pth', 12)
    assert newest_checkpoint(folder).name == 'epoch_11.pth'


def test_no_checkpoint(tmp_path):
    assert find_checkpoint(tmp_path) == (None, [])


@pytest.mark.parametrize('content', [{'a': torch.ones(1)}, [1], {'meta': {'epoch': 1}}])
def test_weights_alone_are_no_run(tmp_path, content):
    torch.save(content, tmp_path / 'weights.pth')
    with pytest.raises(
        CheckpointUnreadable, match=r'weights\.pth holds weights alone, no run to go'
    ):
        run_meta(tmp_path / 'weights.pth')


@pytest.mark.parametrize(
    ('older', 'newer'),
    [
        (('iter_3.pth', 0, 3), ('epoch_2.pth', 2, 8)),
        (('epoch_9.pth', 9, 90), ('iter_95.pth', 9, 95)),
        (('iter_95.pth', 9, 95), ('epoch_10.pth', 10, 100)),
        (('iter_400.pth', 0, 400), ('iter_3000.pth', 0, 3000)),
        (('epoch_3.pth', 3, 300), ('epoch_4.pth', 4, 40)),  # of larger batches
    ],
)
@pytest.mark.parametrize('saved_first', [0, 1])
def test_the_newest_is_that_of_the_most_epochs_and_steps(tmp_path, older, newer, saved_first):
    """Whatever the numbers in the names count."""
    for index in (saved_first, 1 - saved_first):
        name, epoch, step = (older, newer)[index]
        write(tmp_path / name, meta=dict(epoch=epoch, iter=step))
    (tmp_path / 'last_checkpoint').write_text(newer[0])
    found, faults = find_checkpoint(tmp_path)
    assert (found.path.name, found.meta['iter'], found.said, faults) == (newer[0], newer[2], '', [])


def test_links_to_nothing_are_passed_over(folder):
    (folder / 'epoch_12.pth').symlink_to(folder / 'gone.pth')
    found, faults = find_checkpoint(folder)
    assert found.path.name == 'epoch_11.pth' and 'epoch_12.pth is not there' in faults[0]


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        *(('epoch', value) for value in (-3, True, 1.5, '1', None, 2**63)),
        *(('iter', value) for value in (-9, [3], {})),
        *(('seed', value) for value in ('0', -1, 2**32, 0.5, False, [0], 'x' * 10_000)),
    ],
)
def test_facts_that_no_run_has(folder, key, value):
    write(folder / 'epoch_12.pth', 12, {key: value})
    with pytest.raises(
        CheckpointUnreadable, match=rf'12\.pth says {key} .{{1,70}}, which is no'
    ) as e:
        run_meta(folder / 'epoch_12.pth')
    assert len(str(e.value)) < 400 + len(str(folder))
    found, faults = find_checkpoint(folder)
    assert found.path.name == 'epoch_11.pth' and len(faults) == 1


@pytest.mark.parametrize('seed', [0, 2**32 - 1, None])
def test_facts_that_a_run_has(tmp_path, seed):
    write(tmp_path / 'epoch_1.pth', meta=dict(seed=seed))
    assert run_meta(tmp_path / 'epoch_1.pth')['seed'] == seed


def test_all_processes_take_the_checkpoint_of_the_first(folder, monkeypatch):
    """Which may be newer than what others see, on a disk that they may have elsewhere."""
    own, newer = str(folder / 'epoch_9.pth'), str(folder / 'epoch_11.pth')
    for sent, expected in (
        (own, own),
        (newer, newer),
        ('/mounted/elsewhere/epoch_11.pth', newer),
        ('/mounted/elsewhere/epoch_9.pth', own),
    ):

        def receive(found, sent=sent):
            found[0] = sent

        monkeypatch.setattr(choice, 'broadcast_object_list', receive)
        assert choice.first_process_checkpoint(own) == expected


def runner_in(work_dir):
    return SimpleNamespace(
        work_dir=str(work_dir), logger=logging.getLogger('run'), disk=SimpleNamespace()
    )


@pytest.mark.parametrize(
    ('setting', 'value'), [('out_dir', 'elsewhere'), ('filename_tmpl', 'model_{}.pth')]
)
def test_checkpoints_where_no_run_looks_for_them(setting, value, tmp_path):
    """Which --resume would pass over for an older one, and a second run replace unasked; a run
    that measures has the hook, too, and saves none."""
    hook = KeepCheckpoints(interval=1, **{setting: value})
    with pytest.raises(InvalidArgument, match=rf"^default_hooks\.checkpoint\.{setting}='{value}'"):
        hook.before_train(runner_in(tmp_path))


@pytest.mark.parametrize('folder', ['.', 'run'])
def test_checkpoints_whose_stated_folder_is_the_work_directory(folder, tmp_path):
    """mmengine makes a folder of the run's name in another one than that."""
    work_dir = tmp_path / 'run'
    hook = KeepCheckpoints(interval=1, by_epoch=False, out_dir=str(tmp_path / folder))
    hook.before_train(runner_in(work_dir))
    assert Path(hook.out_dir) == work_dir
