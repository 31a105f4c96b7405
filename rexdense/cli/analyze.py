"""``rexdense analyze``: ranks of features, feature maps and class activation maps."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from rexdense.analysis.maps import class_activation, level_maps, strongest_channels
from rexdense.analysis.network import (
    image_batches,
    load_classifier,
    load_network,
    network_input,
    read_image,
    resized,
)
from rexdense.analysis.random_layers import LAYERS, MeanRank, random_layer_ranks
from rexdense.analysis.rank import ROWS, blocks_of, feature_matrices, feature_ranks
from rexdense.checkpoint.formats.reading import names_checkpoint
from rexdense.checkpoint.preprocessing import IMAGENET_RGB, Preprocessing
from rexdense.cli.model_options import add_device_option, chosen_device
from rexdense.cli.parser import Parser, not_empty, positive, random_seed
from rexdense.datasets.images.folders import IMAGE_ENDINGS, images_below
from rexdense.engine.trained.model import load_trained_model
from rexdense.errors import DataError, InvalidArgument
from rexdense.files.destinations import check_destination
from rexdense.models.classifier import Classifier
from rexdense.models.image_classifier import ImageClassifier
from rexdense.text_table import text_table
from rexdense.visualization.feature_maps import draw_maps, heat_over
from rexdense.visualization.picture_files import read_picture, write_picture
from rexdense.visualization.plots.ranks import plot_block_ranks, plot_random_layers
from rexdense.visualization.tiles import beside, titled


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense analyze', description='Analyse a network: three programs in one.'
    )
    programs = result.add_subparsers(dest='what', metavar='WHAT', required=True)
    rank = programs.add_parser(
        'rank', help='rank of the features of each block, compared with its width'
    )
    rank.add_argument(
        'network',
        nargs='?',
        help='a name from rexdense zoo, or a checkpoint of rexdense train',
    )
    rank.add_argument(
        '--images', type=Path, help='a folder of images, with or without class folders'
    )
    rank.add_argument(
        '--random-layers',
        action='store_true',
        help='random layers instead of a network, by ratio of widths and nonlinearity',
    )
    rank.add_argument(
        '--count', type=positive(int), default=64, metavar='N', help='images; layers per point'
    )
    rank.add_argument(
        '--rows', type=positive(int), default=ROWS, metavar='N', help='number of sampled places'
    )
    rank.add_argument('--seed', type=random_seed, default=0, metavar='N')
    features = programs.add_parser('features', help='a sheet of feature maps, one row per level')
    features.add_argument('image', type=Path, help='an image file')
    features.add_argument('--network', required=True, help='a name from rexdense zoo')
    features.add_argument(
        '--channels', type=positive(int), default=8, metavar='N', help='maps per level'
    )
    cam = programs.add_parser('cam', help='a class activation map of an image')
    cam.add_argument('image', type=Path, help='an image file')
    cam.add_argument('--network', required=True, help='a name from rexdense zoo')
    cam.add_argument(
        '--label',
        type=positive(int, or_zero=True),
        metavar='N',
        help='number of the class; default: the one with the highest score',
    )
    for program, picture in ((rank, 'plot'), (features, 'sheet'), (cam, 'picture')):
        program.add_argument(
            '--weights',
            type=not_empty,
            metavar='FILE',
            help='a checkpoint, or published weights by name',
        )
        program.add_argument(
            '--size', type=positive(int), default=224, metavar='N', help='shorter side in pixels'
        )
        program.add_argument('--out', type=Path, required=True, help=f'file of the {picture}')
        program.add_argument(
            *('--overwrite', '--force'), action='store_true', help='replace an existing file'
        )
        add_device_option(program)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Analyse a network, print the figures if there are any, and write a picture."""
    options = parser().parse_args(arguments)
    check_destination(options.out, options.overwrite)
    if options.what == 'rank' and options.random_layers:
        _random_layers(options)
        print(options.out)
        return
    options.device = chosen_device(options)
    if options.what == 'rank':
        _rank(options)
    else:
        if not options.weights:
            print('the weights are random: --weights takes a file or published ones')
        (_features if options.what == 'features' else _cam)(options)
    print(options.out)


def _rank(options: argparse.Namespace) -> None:
    if not options.network or not options.images:
        raise InvalidArgument('rank: give a network and --images, or --random-layers')
    paths = _images(options.images, options.count)
    is_trained = names_checkpoint(Path(options.network))
    network, preprocessing = (
        _trained_network(Path(options.network), options.weights)
        if is_trained
        else load_network(options.network, options.weights)
    )
    network.to(options.device)
    batches = image_batches(paths, preprocessing, options.size)
    ranks = feature_ranks(
        feature_matrices(
            network,
            blocks_of(network),
            (batch.to(options.device) for batch in batches),
            options.rows,
            len(paths),
            options.seed,
        )
    )
    header = ['layer', 'places', 'width', 'rank', 'rank/width', 'effective']
    rows = [
        [
            row.name,
            *map(str, (row.rows, row.width, row.rank)),
            f'{row.ratio:.3f}',
            f'{row.effective:.1f}',
        ]
        for row in ranks
    ]
    print(text_table([header, *rows]))
    few = [row.name for row in ranks if row.rows < row.width]
    if few:
        print(f'{few[0]} has fewer places than channels: raise --count or --rows')
    weights = '' if is_trained else f', {options.weights or "random weights"}'
    plot_block_ranks(
        options.out,
        [row.name.removeprefix('backbone.') for row in ranks],
        [row.width for row in ranks],
        [row.rank for row in ranks],
        [row.effective for row in ranks],
        f'{options.network}{weights}, {len(paths)} images',
        options.overwrite,
    )


def _trained_network(checkpoint: Path, weights: str | None) -> tuple[nn.Module, Preprocessing]:
    """Return the classifier of a training checkpoint, or the backbone of another model, and the
    preprocessing of its images."""
    if weights:
        raise InvalidArgument(f'{checkpoint} holds its own weights: leave --weights out')
    trained = load_trained_model(checkpoint, 'cpu')
    model, config = trained.model, trained.config
    network = model if isinstance(model, ImageClassifier) else getattr(model, 'backbone', None)
    if network is None:
        raise InvalidArgument(f'{checkpoint} holds a {type(model).__name__}, without a backbone')
    section = config.model.get('data_preprocessor') or {}
    # mmengine's preprocessor does not normalise if these are missing.
    images = {**section, 'mean': section.get('mean') or [0], 'std': section.get('std') or [1]}
    return network, Preprocessing.from_data_preprocessor(images, IMAGENET_RGB)


def _random_layers(options: argparse.Namespace) -> None:
    if options.network or options.images or options.weights or options.device != 'auto':
        raise InvalidArgument('--random-layers takes no network, --images, --weights or --device')
    points = random_layer_ranks(networks=options.count, seed=options.seed)
    rows = [
        [
            f'{point.layer}, {point.nonlinearity}',
            f'{point.ratio:g}',
            f'{point.rank:.3f}',
            f'{point.effective:.3f}',
        ]
        for point in points
    ]
    print(text_table([['layer', 'ratio', 'rank/width', 'effective/width'], *rows]))
    panels = {layer: _curves([p for p in points if p.layer == layer]) for layer in LAYERS}
    plot_random_layers(options.out, panels, options.overwrite)


def _curves(points: Sequence[MeanRank]) -> dict:
    """Return the two curves of each nonlinearity."""
    curves = {}
    for name in dict.fromkeys(point.nonlinearity for point in points):
        own = [point for point in points if point.nonlinearity == name]
        ratios = [point.ratio for point in own]
        curves[name] = (
            (ratios, [point.rank for point in own]),
            (ratios, [point.effective for point in own]),
        )
    return curves


def _features(options: argparse.Namespace) -> None:
    image = resized(read_picture(options.image), options.size)
    network, preprocessing = load_network(options.network, options.weights, range(5))
    batch = _batch(options, preprocessing)
    backbone = network.backbone if isinstance(network, Classifier) else network
    maps = level_maps(backbone.to(options.device), batch)
    rows = [
        (
            f'{level.name}: {level.channels} channels of {values.shape[2]} x {values.shape[1]}, '
            f'stride {level.stride}',
            [(place, values[place]) for place in strongest_channels(values, options.channels)],
        )
        for level, values in maps
    ]
    write_picture(options.out, draw_maps(image, rows), options.overwrite)


def _cam(options: argparse.Namespace) -> None:
    image = resized(read_picture(options.image), options.size)
    classifier, preprocessing = load_classifier(options.network, options.weights)
    batch = _batch(options, preprocessing)
    found = class_activation(classifier.to(options.device), batch, options.label)
    print(f'class {found.label}: score {found.score:.3f}')
    picture = beside(
        [
            titled(image, options.image.name),
            titled(heat_over(image, found.heat), f'class {found.label}, {found.score:.3f}'),
        ]
    )
    write_picture(options.out, picture, options.overwrite)


def _batch(options: argparse.Namespace, preprocessing: Preprocessing) -> torch.Tensor:
    """Return the image as input of the network."""
    image = resized(read_image(options.image), options.size)
    return network_input([image], preprocessing).to(options.device)


def _images(folder: Path, count: int) -> list[Path]:
    """Return ``count`` images from below a folder, evenly spread over all of them."""
    found = images_below(folder)
    if not found:
        raise DataError(f'no image below {folder}; looked for {", ".join(IMAGE_ENDINGS)}')
    count = min(count, len(found))
    return [found[place] for place in torch.linspace(0, len(found) - 1, count).long().tolist()]
