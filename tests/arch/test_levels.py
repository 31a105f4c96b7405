"""Feature levels and output strides, without networks."""

import dataclasses

import pytest

from rexdense.arch import architecture, feature_levels, list_backbones, resolve_out_indices
from rexdense.errors import InvalidArgument


@pytest.mark.parametrize(
    ('given', 'resolved'),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ([4, 0], (4, 0)),
        ((-1, -5), (4, 0)),
        (range(5), (0, 1, 2, 3, 4)),
    ],
)
def test_out_indices_keep_their_order(given, resolved):
    assert resolve_out_indices(given) == resolved


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ((), 'give a .*list, such as'),
        (3, 'give a .*list, such as'),
        ((0, 5), '5 is no level; allowed are 0 to 4'),
        ((-6,), '-6 is no level'),
        ((1.0,), '1.0 is no level'),
        (('c2',), "'c2' is no level"),
        ((4, -1), 'a level is named twice'),
    ],
)
def test_bad_out_indices_are_refused(given, message):
    with pytest.raises(InvalidArgument, match=message):
        resolve_out_indices(given)


@pytest.mark.parametrize('output_stride', [8, 16, 32])
@pytest.mark.parametrize('name', list_backbones())
def test_output_stride_replaces_strides_by_dilation(name, output_stride):
    plain = architecture(name)
    network = plain.with_output_stride(output_stride)
    assert [level.stride for level in network.levels] == [
        min(level.stride, output_stride) for level in plain.levels
    ]
    assert [level.channels for level in network.levels] == [lv.channels for lv in plain.levels]
    assert feature_levels(name, output_stride=output_stride) == network.levels
    for before, after in zip(plain.stages, network.stages, strict=True):
        for block, dilated in zip(before, after, strict=True):
            same = dict(stride=block.stride, dilation=block.dilation)
            assert dataclasses.replace(dilated, **same) == block
    # Dilation starts one block late: a stage's first block still reads the stage before.
    strides = [2, *(level.stride for level in plain.levels)]
    for stage, before, after in zip(network.stages, strides[:-1], strides[1:], strict=True):
        expected = [max(1, before // output_stride)] + [max(1, after // output_stride)] * 99
        assert [block.dilation for block in stage] == expected[: len(stage)]


@pytest.mark.parametrize('output_stride', [0, 4, 64, 24, '16', None])
def test_other_output_strides_are_refused(output_stride):
    with pytest.raises(InvalidArgument, match='allowed are 8, 16 and 32'):
        architecture('rexnet_1.0').with_output_stride(output_stride)
