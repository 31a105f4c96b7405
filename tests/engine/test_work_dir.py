"""Choice of the checkpoint of a work directory that a run goes on from."""

import os

import pytest

pytest.importorskip('mmengine')

import torch

from rexdense.engine.work_dir import find_checkpoint, newest_checkpoint, run_meta
from rexdense.errors import CheckpointUnreadable


def write(path, number=1, **more):
    content = dict(meta=dict(epoch=number, iter=3 * number), state_dict={'a': torch.ones(5000)})
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


def test_names_without_a_number_go_by_their_time(tmp_path):
    for name, time in (('best_old', 1), ('best_new', 2)):
        write(tmp_path / f'{name}.pth')
        os.utime(tmp_path / f'{name}.pth', (time, time))
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
