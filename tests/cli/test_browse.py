"""rexdense browse, as a user calls it."""

import numpy as np
import pytest

pytest.importorskip('mmdet')

from PIL import Image

from rexdense.cli import browse
from rexdense.errors import DataError, InvalidArgument, RexdenseError, UnknownName, UnwritableFile
from tests.tiny_run import CONFIG, ROOT


def test_the_picture(shapes, tmp_path, monkeypatch, capsys):
    """A row a sample, a column a stage; told of, and not replaced unasked."""
    monkeypatch.chdir(tmp_path)
    command = [str(ROOT / CONFIG), '--data-root', str(shapes), '--samples', '2', '--scale', '64,64']
    browse.main(command)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == 'browse_faster-rcnn_rexnet-1.0_fpn_custom_coco_train.png'
    stages = 'LoadImage > LoadAnnotations > Resize > RandomFlip > PackDetInputs > network input'
    assert [line.partition('.png: ')[2] for line in lines[-3:-1]] == [stages] * 2
    picture = np.asarray(Image.open(lines[-1]))
    assert picture.shape[1] > 5 * 300
    with pytest.raises(UnwritableFile, match='exists'):
        browse.main(command)
    browse.main([*command, '--overwrite', '--split', 'val', '-o', lines[-1], '--seed', '5'])
    assert not np.array_equal(picture, np.asarray(Image.open(lines[-1])))


@pytest.mark.parametrize(
    ('more', 'error', 'message'),
    [
        (['--split', 'valid'], InvalidArgument, "invalid choice: 'valid'"),
        (['--samples', '0'], InvalidArgument, 'a whole number above 0'),
        (['-o', 'a.gif'], InvalidArgument, r'a\.gif: a picture ends in one of'),
        (['-o', 'a.png/b.png', '--data-root', 'no'], RexdenseError, 'no'),
        (['--data-root', 'no-such-folder'], DataError, 'no-such-folder'),
        (['--cfg-options', 'train_dataloder.batch_size=2'], UnknownName, 'train_dataloader'),
        (['--with', '4x'], UnknownName, '4x'),
        (['--classes', 'cat'], InvalidArgument, '--classes goes with --data-root'),
    ],
)
def test_mistakes(more, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        browse.main([str(ROOT / CONFIG), *more])
    assert list(tmp_path.iterdir()) == []


def test_no_such_config():
    with pytest.raises(UnknownName, match='did you mean'):
        browse.main(['faster-rcnn_rexnet-1.0_fpn_custom'])
