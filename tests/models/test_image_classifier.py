"""The image classifier: names, torch's losses, mixed batches, refused labels."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from rexdense import create_classifier, load_weights
from rexdense.errors import DataError, InvalidArgument
from rexdense.models import BatchMix

pytest.importorskip('mmengine')

from mmengine.structures import BaseDataElement

from rexdense.models.image_classifier import ImageClassifier

BACKBONE = dict(type='rexdense.ReXNet', arch='rexnet_1.0', width_mult=0.5)


def samples(*labels):
    return [
        BaseDataElement(gt_label=label, metainfo=dict(img_path=f'{label}.jpg')) for label in labels
    ]


def small(**arguments):
    torch.manual_seed(0)
    return ImageClassifier(BACKBONE, num_classes=4, **arguments).eval()


def test_names_are_those_of_a_classifier_and_weights_move_both_ways():
    images = torch.rand(2, 3, 64, 64)
    model = small()
    plain = create_classifier('rexnet_1.0', num_classes=4, width_mult=0.5).eval()
    assert list(model.state_dict()) == list(plain.state_dict())
    load_weights(plain, model.state_dict())
    assert torch.equal(plain(images), model(images))
    load_weights(model, plain.state_dict())


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_cross_entropy_is_torchs(smoothing):
    model, images = small(label_smoothing=smoothing), torch.rand(3, 3, 64, 64)
    wanted = functional.cross_entropy(
        model(images), torch.tensor([1, 0, 3]), label_smoothing=smoothing
    )
    found = model(images, samples(1, 0, 3), mode='loss')['loss']
    assert torch.allclose(found, wanted, rtol=1e-6)


def test_binary_cross_entropy_sums_over_classes():
    model, images = small(loss='bce'), torch.rand(3, 3, 64, 64)
    targets = functional.one_hot(torch.tensor([1, 0, 3]), 4).float()
    each = functional.binary_cross_entropy_with_logits(model(images), targets, reduction='none')
    found = model(images, samples(1, 0, 3), mode='loss')['loss']
    assert torch.allclose(found, each.sum(1).mean(), rtol=1e-6)


def test_predictions_are_probabilities_with_the_likeliest_class():
    model, images = small(), torch.rand(2, 3, 64, 64)
    found = model(images, samples(0, 1), mode='predict')
    for sample, logits in zip(found, model(images), strict=True):
        assert torch.allclose(sample.scores, logits.softmax(0))
        assert sample.pred_label == int(logits.argmax())


@pytest.mark.parametrize('label', [4, -1])
def test_a_label_that_is_no_class_is_told_with_its_image(label):
    with pytest.raises(DataError, match=rf'{label}\.jpg has the label {label}'):
        small()(torch.rand(2, 3, 64, 64), samples(0, label), mode='loss')


@pytest.mark.parametrize('arguments', [dict(loss='mse'), dict(label_smoothing=1.5)])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgument):
        small(**arguments)


def constant_images():
    """Return images of which all pixels of image i, and its target class, are i."""
    images = torch.arange(4.0)[:, None, None, None].expand(4, 3, 16, 16)
    return images, torch.eye(4)


def test_mixup_mixes_pixels_and_targets_by_the_same_share():
    np.random.seed(0)
    images, targets = constant_images()
    mixed, soft = BatchMix(mixup=0.8)(images, targets)
    assert torch.allclose(soft.sum(1), torch.ones(4))
    for index in range(4):
        share = soft[index, index]
        assert torch.allclose(mixed[index], share * index + (1 - share) * (3 - index), atol=1e-6)
    assert torch.equal(images, constant_images()[0])


def test_cutmix_gives_targets_the_areas_that_were_pasted():
    np.random.seed(0)
    mix, cut = BatchMix(cutmix=1.0), 0
    for _ in range(30):
        images, targets = constant_images()
        mixed, soft = mix(images, targets)
        for index in range(4):
            own = (mixed[index] == index).float().mean()
            assert torch.allclose(soft[index, index], own, atol=1e-6)
            assert set(mixed[index].unique().tolist()) <= {float(index), float(3 - index)}
        cut += bool((soft < 1).all())
    assert cut


def test_of_mixup_and_cutmix_each_gets_its_share():
    np.random.seed(0)
    mix, images = BatchMix(mixup=1.0, cutmix=1.0, probability=0.5), constant_images()
    kinds = []
    for _ in range(400):
        mixed, _ = mix(*images)
        whole = torch.equal(mixed, images[0])
        pasted = set(mixed.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
        kinds.append(0 if whole else 1 if pasted else 2)
    assert np.bincount(kinds) / 400 == pytest.approx([0.5, 0.25, 0.25], abs=0.08)


def test_one_image_is_left_as_it_is():
    images, targets = torch.rand(1, 3, 8, 8), torch.eye(1)
    assert BatchMix(mixup=1.0)(images, targets) == (images, targets)


@pytest.mark.parametrize(
    'arguments', [{}, dict(mixup=-1), dict(mixup=1, probability=2), dict(cutmix=True)]
)
def test_wrong_mixes_are_refused(arguments):
    with pytest.raises(InvalidArgument):
        BatchMix(**arguments)
