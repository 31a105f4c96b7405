"""The max-pooling before ResNeXt's first block, with both kinds of padding."""

import math

import pytest
import torch
import torch.nn.functional as F

import rexdense
from rexdense.errors import InvalidArgument
from rexdense.models.layers.convolution import MaxPool
from tests.models.networks import image


@pytest.mark.parametrize('size', [(8, 8), (8, 9), (9, 8), (9, 9), (1, 1), (2, 3)])
def test_same_padding_is_below_and_right_on_even_sizes(size):
    x = image(2, 3, *size) - 10  # all negative: padding with 0 would win
    # 1 above and on the left only if the size is odd: MindSpore's pad_mode='same'
    padded = torch.full((2, 3, size[0] + 2, size[1] + 2), -math.inf)
    top, left = size[0] % 2, size[1] % 2
    padded[:, :, top : top + size[0], left : left + size[1]] = x
    height, width = (-(-value // 2) for value in size)
    expected = torch.stack(
        [
            padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3].amax((2, 3))
            for row in range(height)
            for column in range(width)
        ],
        dim=-1,
    ).unflatten(-1, (height, width))
    assert torch.equal(MaxPool('same')(x), expected)


@pytest.mark.parametrize('size', [(8, 8), (9, 9), (8, 9)])
def test_symmetric_padding_is_torch_s(size):
    x = image(2, 3, *size)
    assert torch.equal(MaxPool('symmetric')(x), F.max_pool2d(x, 3, stride=2, padding=1))
    assert torch.equal(MaxPool('same')(x), MaxPool()(x)) == (size == (9, 9))


def test_channels_last_is_kept():
    x = image(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert MaxPool('same')(x).is_contiguous(memory_format=torch.channels_last)


def test_the_padding_is_an_argument_and_can_be_changed_afterwards():
    with torch.device('meta'):
        backbone = rexdense.create_backbone('resnext50_32x4d', pool_padding='same')
        other = rexdense.create_backbone('resnext50_32x4d', out_indices=(0,))
    assert backbone.pool_padding == backbone.stages[1][0].padding == 'same'
    backbone.pool_padding = 'symmetric'
    assert backbone.stages[1][0].padding == backbone.architecture.stages[1][0].padding
    assert backbone.pool_padding == 'symmetric'
    other.pool_padding = 'same'  # also if the pooling is not built
    assert other.pool_padding == 'same'
    with pytest.raises(InvalidArgument, match='allowed are same, symmetric'):
        backbone.pool_padding = 'valid'
    assert backbone.pool_padding == 'symmetric'
