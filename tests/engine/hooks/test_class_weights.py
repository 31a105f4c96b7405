"""Classes are weighed by their share of the training pixels, in losses without weights."""

import re
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('mmseg')

from mmengine.dataset import ConcatDataset
from mmseg.models.losses import CrossEntropyLoss as MMSegCrossEntropyLoss
from torch import nn

from rexdense.cli import train
from rexdense.datasets.segmentation.dataset import SegmentationDataset
from rexdense.datasets.segmentation.label_counts import count_labels
from rexdense.engine.hooks import class_weights
from rexdense.engine.hooks.class_weights import WeighRareClasses, rarity_weights
from rexdense.errors import InvalidArgument
from rexdense.models.losses.cross_entropy import CrossEntropyLoss
from tests.small_segmentation import CLASSES, write_labels, write_segmentation
from tests.tiny_run import NARROW, SHALLOW


@pytest.mark.parametrize('pixels', [[3, 5, 7], [1000, 10, 1]])
def test_weights_follow_the_shares(pixels):
    shares = np.array(pixels) / sum(pixels)
    weights = np.array(rarity_weights(pixels, 0.5, 1e6))
    np.testing.assert_allclose((weights * shares).sum(), 1)
    np.testing.assert_allclose(weights[0] / weights[1], (pixels[1] / pixels[0]) ** 0.5)
    np.testing.assert_allclose(rarity_weights(pixels, 1, 1e6) * shares, 1 / len(pixels))
    assert rarity_weights(pixels, 0, 20) == (1, 1, 1)


@pytest.mark.filterwarnings('error')
def test_weights_have_a_limit():
    assert rarity_weights([10**6, 1, 0], 0.5, 20)[1:] == (20, 20)


def test_a_class_that_the_counted_maps_do_not_show_is_no_common_one():
    *_, rare, unseen = rarity_weights([900, 99, 1, 0], 0.5, 1e6)
    assert unseen == rare
    assert rarity_weights([900, 100, 0], 0, 20) == (1, 1, 1)
    assert rarity_weights([0, 0], 0.5, 20) == (1, 1)


def train_with(root, work_dir, *settings):
    options = ['--data-root', root, '--work-dir', work_dir, '--device', 'cpu', '--scale', '64,64']
    options += ['--batch-size', '2', '--workers', '0', '--epochs', '1', '--seed', '0', '--dry-run']
    options += ['--cfg-options', NARROW, SHALLOW, *settings]
    train.main(['unet/unet_rexnet-1.0_custom', *map(str, options)])


def test_a_training_counts_its_labels(tmp_path, capsys):
    root = write_segmentation(tmp_path / 'set')
    labels = np.zeros((40, 50), np.uint8)
    labels[:4, :5] = 1
    labels[-1] = 255
    for path in (root / 'labels/train').iterdir():
        write_labels(path, labels)
    for path in (root / 'images/train').iterdir():
        write_labels(path, labels)
    train_with(root, tmp_path / 'run')
    shown = re.search('by their rarity: (.*)', capsys.readouterr().out)[1]
    expected = rarity_weights([1930, 20, *(0 for _ in CLASSES[2:])], 0.5, 20)
    assert shown == ', '.join(
        f'{name} {weight:.2f}' for name, weight in zip(CLASSES, expected, strict=True)
    )


@pytest.mark.parametrize(
    'settings',
    [
        [f'loss_decode.class_weight=[{",".join("1" for _ in CLASSES)}]'],
        ['loss_decode._delete_=True', 'loss_decode.type=rexdense.DiceLoss'],
    ],
)
def test_weights_that_are_given_and_other_losses_stay(tmp_path, capsys, settings):
    settings = [f'model.decode_head.{setting}' for setting in settings]
    train_with(write_segmentation(tmp_path / 'set'), tmp_path / 'run', *settings)
    assert 'by their rarity' not in capsys.readouterr().out


def labelled(root, label, **arguments):
    root = write_segmentation(root)
    for path in (root / 'labels/train').iterdir():
        write_labels(path, np.full((4, 4), label, np.uint8))
    prefix = dict(img_path='images/train', seg_map_path='labels/train')
    return SegmentationDataset(str(root), prefix, **arguments)


def hooked(dataset, loss):
    """Return what the hook says of a model with one loss."""
    said = []
    runner = SimpleNamespace(
        model=nn.ModuleList([loss]),
        train_dataloader=SimpleNamespace(dataset=dataset),
        logger=SimpleNamespace(info=said.append),
    )
    WeighRareClasses().before_train(runner)
    return said


def test_data_sets_count_by_their_size(tmp_path, monkeypatch):
    """Of each as many maps are read, here one."""
    monkeypatch.setattr(class_weights, 'count_labels', partial(count_labels, most=1))
    many, few = labelled(tmp_path / 'a', 0), labelled(tmp_path / 'b', 1, indices=1)
    loss = CrossEntropyLoss()
    hooked(ConcatDataset([many, few]), loss)
    assert len(many) > 1
    pixels = [16 * len(many), 16, *(0 for _ in CLASSES[2:])]
    expected = rarity_weights(pixels, 0.5, 20)
    np.testing.assert_allclose(loss.class_weight, expected)


def test_a_loss_that_is_not_weighed_is_told():
    loss = MMSegCrossEntropyLoss()
    (said,) = hooked(None, loss)
    assert 'no rexdense.CrossEntropyLoss' in said and loss.class_weight is None


@pytest.mark.parametrize('arguments', [dict(power=1.5), dict(power='x'), dict(most=0.5)])
def test_arguments(arguments):
    (name,) = arguments
    with pytest.raises(InvalidArgument, match=f'{name}='):
        WeighRareClasses(**arguments)
