"""Ranks of features: known matrices, known networks, sampled places."""

import math

import pytest
import torch
from torch import nn

from rexdense import create_backbone, create_classifier
from rexdense.analysis.random_layers import LAYERS, NONLINEARITIES, random_layer_ranks
from rexdense.analysis.rank import blocks_of, feature_matrices, feature_ranks, rank_of
from rexdense.errors import InvalidArgument


def of_rank(rank, rows=200, width=30):
    random = torch.Generator().manual_seed(rank)
    return torch.randn(rows, rank, generator=random) @ torch.randn(rank, width, generator=random)


@pytest.mark.parametrize('rank', [1, 7, 29, 30])
def test_the_rank_of_a_product_is_its_inner_size(rank):
    found = rank_of(of_rank(rank), 'a')
    assert found[:4] == ('a', 200, 30, rank) and found.ratio == rank / 30
    assert found.effective <= rank + 1e-3


def test_the_effective_rank_counts_equal_directions():
    basis = torch.linalg.qr(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)))[0]
    assert rank_of(basis).effective == pytest.approx(8, abs=1e-6)
    assert rank_of(basis * torch.tensor([1.0] + [1e-12] * 7)).effective == pytest.approx(
        1, abs=1e-6
    )
    # Two directions of which one is half as strong: shares of 2/3 and 1/3.
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    found = rank_of(basis[:, :2] * torch.tensor([1.0, 0.5]))
    assert found.effective == pytest.approx(math.exp(entropy), abs=1e-6)


def test_features_that_are_nothing_have_no_rank():
    assert rank_of(torch.zeros(5, 3))[3:] == (0, 0.0)


@pytest.mark.parametrize(
    'features', [torch.zeros(3), torch.zeros(0, 3), torch.tensor([[1.0, math.nan]])]
)
def test_arrays_that_are_no_matrix_are_refused(features):
    with pytest.raises(InvalidArgument, match='rows'):
        rank_of(features)


def test_any_network_can_be_looked_at():
    """The channels of the second convolution are twice those of the first, so half its width."""
    first, second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 12, 1, bias=False)
    with torch.no_grad():
        second.weight.copy_(torch.eye(6).repeat(2, 1)[..., None, None])
    network = nn.Sequential(first, second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 2))
    batches = [torch.randn(4, 3, 16, 16), torch.randn(2, 3, 16, 16)]
    network.train()
    matrices = feature_matrices(network, dict(a=first, b=second), batches, rows=300, images=6)
    assert network.training and not first._forward_hooks
    assert [(row.name, row.rows, row.width, row.rank) for row in feature_ranks(matrices)] == [
        ('a', 300, 6, 6),
        ('b', 300, 12, 6),
    ]
    # The same places of both images, and rows that are places of the map.
    places = first(batches[0]).permute(0, 2, 3, 1).flatten(0, 2)
    assert torch.isclose(matrices['a'][0], places, atol=1e-6).all(1).any()


def test_places_follow_from_the_seed_and_come_from_all_images():
    layer = nn.Identity()
    batch = torch.arange(3.0).view(3, 1, 1, 1) * 100 + torch.arange(64.0).view(1, 1, 8, 8)

    def sampled(seed):
        return feature_matrices(layer, dict(a=layer), [batch], rows=30, seed=seed)['a'][:, 0]

    assert torch.equal(sampled(1), sampled(1)) and not torch.equal(sampled(1), sampled(2))
    assert torch.bincount((sampled(1) // 100).long()).tolist() == [10, 10, 10]
    assert len(set(sampled(1).tolist())) == 30


@pytest.mark.parametrize(
    ('images', 'rows', 'counts'),
    [
        (6, 12, {2}),
        (6, 8, {1, 2}),
        (6, 11, {1, 2}),
        (6, 4, {0, 1}),
        # Maps of 4 places.
        (6, 100, {4}),
    ],
)
def test_each_image_gives_as_many_places_as_the_next(images, rows, counts):
    layer = nn.Identity()
    pictures = torch.arange(float(images)).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    batches = pictures.split(4)
    found = feature_matrices(layer, dict(a=layer), batches, rows=rows, images=images)['a']
    shares = torch.bincount(found[:, 0].long(), minlength=images).tolist()
    assert set(shares) == counts and sum(shares) == min(rows, 4 * images)


def test_blocks_are_those_that_an_image_passes():
    classifier = create_classifier('rexnet_lite_1.0', num_classes=3)
    blocks = blocks_of(classifier)
    ranks = feature_ranks(feature_matrices(classifier, blocks, [torch.randn(2, 3, 64, 64)], 64))
    widths = {row.name: row.width for row in ranks}
    for level in classifier.backbone.feature_info:
        index = int(level.name[1]) - 1
        last = f'backbone.stages.{index}.{len(classifier.backbone.stages[index]) - 1}'
        assert widths[last] == level.channels
    assert [row.name for row in ranks] == list(blocks) and 'head.final' in widths
    # A backbone alone has the same ones, without the head.
    alone = blocks_of(create_backbone('rexnet_lite_1.0'))
    assert [f'backbone.{name}' for name in alone] == list(blocks)[:-1]


def test_a_foreign_network_names_its_layers():
    with pytest.raises(InvalidArgument, match='name its layers'):
        blocks_of(nn.Conv2d(3, 3, 1))
    layer = nn.Conv2d(3, 3, 1)
    with pytest.raises(InvalidArgument, match='passed by any image'):
        feature_matrices(nn.Identity(), dict(a=layer), [torch.zeros(1, 3, 4, 4)])


def test_a_linear_layer_has_the_rank_of_its_input():
    for point in random_layer_ranks(['conv 1x1'], ['none'], [0.25, 0.5, 1.0], networks=3):
        assert point.rank == pytest.approx(point.ratio, abs=0.02)


@pytest.mark.parametrize('layer', ['bottleneck, 3x3', 'bottleneck, depthwise 3x3'])
def test_a_bottleneck_has_at_most_the_rank_of_its_expansion(layer):
    for point in random_layer_ranks([layer], ['none', 'SiLU'], [0.1, 1.0], networks=3):
        assert point.rank <= min(1, 6 * point.ratio) + 0.07
        assert 0 < point.effective <= point.rank + 1e-6


def test_a_nonlinearity_lifts_the_rank_of_a_widening_layer():
    points = random_layer_ranks(['conv 1x1'], list(NONLINEARITIES), [0.2], networks=3)
    linear, *others = points
    assert all(point.rank == 1 and point.effective > 2 * linear.effective for point in others)
    again = random_layer_ranks(['conv 1x1'], list(NONLINEARITIES), [0.2], networks=3)
    assert again == points


@pytest.mark.parametrize(
    'arguments',
    [
        dict(layers=['conv 5x5']),
        dict(nonlinearities=['silu']),
        dict(ratios=[0]),
        dict(ratios=[1.5]),
        dict(networks=0),
    ],
)
def test_other_studies_are_refused(arguments):
    with pytest.raises(InvalidArgument):
        random_layer_ranks(**dict(layers=list(LAYERS)[:1], networks=1) | arguments)
