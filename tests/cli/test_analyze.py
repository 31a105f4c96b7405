"""rexdense analyze: the pictures, the printed figures, the refusals."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')
pytest.importorskip('matplotlib')

from rexdense.cli.analyze import main
from rexdense.errors import InvalidArgument

NETWORK = 'regnetx_200mf'


@pytest.fixture
def images(tmp_path):
    random = np.random.default_rng(0)
    for name in ('a/0.png', 'a/1.png', 'b/2.png'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), random.integers(0, 256, (40, 60, 3), np.uint8))
    return tmp_path / 'images'


def picture(path):
    found = cv2.imread(str(path))
    assert found is not None and found.std() > 5
    return found


def test_ranks_of_a_network(images, tmp_path, capsys):
    out = tmp_path / 'rank.png'
    main(['rank', NETWORK, '--images', str(images), '--size', '64', '--out', str(out)])
    device, *printed = capsys.readouterr().out.splitlines()
    assert device.startswith('Device ')
    assert printed[0].split() == ['layer', 'places', 'width', 'rank', 'rank/width', 'effective']
    assert printed[1].split()[:3] == ['backbone.stem', str(3 * 32 * 32), '32']
    # 3 images of 2 x 2 places cannot show 368 channels.
    assert printed[-3].split()[:4] == ['backbone.stages.4.6', '12', '368', '12']
    assert 'fewer places than channels' in printed[-2] and printed[-1] == str(out)
    picture(out)


def test_ranks_of_what_was_trained_by_the_widths_of_its_config(
    images, untrained_models, tmp_path, capsys
):
    content = torch.load(untrained_models['class'], weights_only=True)
    content['meta']['dataset_meta'] = dict(classes=('blue', 'green', 'red'))
    torch.save(content, tmp_path / 'run.pth')
    arguments = ['rank', str(tmp_path / 'run.pth'), '--images', str(images), '--size', '32']
    main([*arguments, '--out', str(tmp_path / 'rank.png')])
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    widths = {row[0]: int(row[2]) for row in printed if len(row) == 6 and row[1].isdecimal()}
    stage = 'backbone.stages.4.'
    *_, last = (width for name, width in widths.items() if name.startswith(stage))
    state = content['state_dict']
    *_, projection = (state[name] for name in state if name.startswith(stage) and 'conv' in name)
    assert last == len(projection) < 185 and 'head.final' in widths
    picture(tmp_path / 'rank.png')
    with pytest.raises(InvalidArgument, match='holds its own weights: leave --weights'):
        main([*arguments, '--weights', 'a.pth', '--out', str(tmp_path / 'other.png')])


@pytest.mark.parametrize(
    ('section', 'expected'),
    [
        (None, ('BGR', (0.0,), (1.0,))),
        (dict(bgr_to_rgb=True), ('RGB', (0.0,), (1.0,))),
        (dict(mean=[1, 2, 3], std=[4, 5, 6]), ('BGR', (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))),
    ],
)
def test_images_are_normalised_as_in_the_training(section, expected, monkeypatch):
    from mmengine.config import ConfigDict

    from rexdense.cli import analyze

    config = ConfigDict(model=dict(data_preprocessor=section))
    trained = SimpleNamespace(model=SimpleNamespace(backbone='backbone'), config=config)
    monkeypatch.setattr(analyze, 'load_trained_model', lambda *_: trained)
    network, images = analyze._trained_network(Path('run.pth'), None)
    assert network == 'backbone'
    assert (images.channel_order, images.mean, images.std) == expected


def test_ranks_of_random_layers(tmp_path, capsys, monkeypatch):
    from rexdense.analysis import random_layers
    from rexdense.cli import analyze

    monkeypatch.setattr(random_layers, 'WIDTHS', (8, 16))
    monkeypatch.setattr(random_layers, 'MAPS', (1, 6, 6))
    out = tmp_path / 'rank.png'
    main(['rank', '--random-layers', '--count', '1', '--out', str(out)])
    printed = capsys.readouterr().out.splitlines()
    points = len(analyze.LAYERS) * len(random_layers.NONLINEARITIES) * len(random_layers.RATIOS)
    assert len(printed) == 1 + points + 1
    picture(out)


def test_a_sheet_has_a_row_for_each_level(images, tmp_path, capsys):
    out = tmp_path / 'sheet.png'
    arguments = ['features', str(images / 'a/0.png'), '--network', NETWORK, '--size', '64']
    main([*arguments, '--channels', '3', '--out', str(out)])
    found = picture(out)
    assert 'weights are random' in capsys.readouterr().out
    # Five rows of a title, a title and maps of 144 pixels; an image 216 pixels wide and three maps.
    assert found.shape[0] == 5 * (26 + 26 + 144 + 8 + 8)
    assert found.shape[1] > 216 + 3 * 140


def test_a_class_activation_lies_over_the_image(images, tmp_path, capsys):
    pytest.importorskip('captum')
    out = tmp_path / 'cam.jpg'
    arguments = ['cam', str(images / 'a/0.png'), '--network', NETWORK, '--size', '64']
    main([*arguments, '--label', '7', '--out', str(out)])
    assert 'class 7: score 0.0' in capsys.readouterr().out
    assert picture(out).shape[:2] == (26 + 64 + 8, 2 * (96 + 8))


def test_a_class_that_the_network_does_not_have(images, tmp_path):
    pytest.importorskip('captum')
    arguments = ['cam', str(images / 'a/0.png'), '--network', NETWORK, '--label', '1000']
    with pytest.raises(InvalidArgument, match=r'class 1000.*0 to 999'):
        main([*arguments, '--out', str(tmp_path / 'out.png')])
    assert not (tmp_path / 'out.png').exists()
