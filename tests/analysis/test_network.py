"""Networks with their weights, and images as they take them."""

import cv2
import numpy as np
import pytest
import torch

from rexdense import create_classifier
from rexdense.analysis.network import (
    image_batches,
    load_classifier,
    load_network,
    network_input,
    resized,
)
from rexdense.analysis.rank import blocks_of
from rexdense.checkpoint.preprocessing import IMAGENET_RGB, Preprocessing
from rexdense.errors import CheckpointMismatch, DataError


def test_weights_of_any_number_of_classes_are_loaded(tmp_path):
    pytest.importorskip('mmengine')
    trained = create_classifier('rexnet_lite_1.0', num_classes=7).eval()
    torch.save(trained.state_dict(), tmp_path / 'a.pth')
    found, preprocessing = load_classifier('rexnet_lite_1.0', tmp_path / 'a.pth')
    assert not found.training and preprocessing.channel_order == 'RGB'
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(found(image), trained(image))


@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnetx_200mf'])
def test_weights_without_a_head_are_of_a_backbone(name, tmp_path):
    """A detector's have none."""
    pytest.importorskip('mmengine')
    torch.manual_seed(1)
    trained = create_classifier(name).eval().backbone
    state = {f'backbone.{key}': tensor for key, tensor in trained.state_dict().items()}
    torch.save({'state_dict': state | {'neck.a.weight': torch.ones(1)}}, tmp_path / 'a.pth')
    found, _ = load_network(name, tmp_path / 'a.pth')
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(found(image)[0], trained(image)[0])
    assert next(iter(blocks_of(found))) == 'stem'
    with pytest.raises(CheckpointMismatch, match=r'a\.pth holds no classification head.*: give'):
        load_classifier(name, tmp_path / 'a.pth')


def test_other_weights_are_refused(tmp_path):
    pytest.importorskip('mmengine')
    torch.save(create_classifier('regnetx_200mf').state_dict(), tmp_path / 'a.pth')
    with pytest.raises(CheckpointMismatch):
        load_classifier('rexnet_lite_1.0', tmp_path / 'a.pth')


def test_random_weights_are_the_same_each_time_and_leave_the_seed_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    one, two = (load_classifier('rexnet_lite_1.0')[0] for _ in range(2))
    assert torch.equal(torch.rand(3), wanted)
    assert all(map(torch.equal, one.parameters(), two.parameters()))


@pytest.mark.parametrize('size', [(40, 100), (100, 40), (50, 50), (3, 7)])
def test_images_keep_their_proportions_or_become_squares(size):
    image = np.zeros((*size, 3), np.uint8)
    found = resized(image, 20)
    assert min(found.shape[:2]) == 20
    assert found.shape[0] / found.shape[1] == pytest.approx(size[0] / size[1], rel=0.05)
    assert resized(image, 20, square=True).shape == (20, 20, 3)


def test_channels_are_normalised_in_the_order_of_the_weights():
    image = np.zeros((2, 2, 3), np.uint8) + np.array([10, 20, 30], np.uint8)
    rgb = network_input([image], Preprocessing('RGB', (1, 2, 3), (1, 2, 3)))
    bgr = network_input([image], Preprocessing('BGR', (3, 2, 1), (3, 2, 1)))
    assert rgb[0, :, 0, 0].tolist() == [9, 9, 9] and bgr[0, :, 0, 0].tolist() == [9, 9, 9]


def test_a_network_sees_images_of_16_bits_as_in_training_and_not_as_in_pictures(tmp_path):
    image = np.full((8, 8), 4095, np.uint16)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    (batch,) = image_batches([tmp_path / 'a.png'], Preprocessing('RGB', (0, 0, 0), (1, 1, 1)), 8)
    assert (batch == 16).all()


def test_no_images_are_refused():
    with pytest.raises(DataError, match='no images'):
        next(image_batches([], IMAGENET_RGB, 8))
