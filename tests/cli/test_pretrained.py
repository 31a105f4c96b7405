"""Runs of every task that start from pretrained weights."""

import pytest

pytest.importorskip('mmseg')

import torch

from rexdense.cli import train
from rexdense.engine.trained.file import read_training_file
from rexdense.errors import CheckpointUnreadable, InvalidArgument, UnknownName
from tests.small_classification import CONFIG as CLASSIFICATION
from tests.small_classification import classification_arguments
from tests.tiny_run import CONFIG, FEW_REGIONS, NARROW, ROOT, SEGMENTATION_CONFIG

DEPTH = 'configs/depth/unet_rexnet-1.0_custom.py'


def arguments(config, root, work_dir, *more):
    settings = FEW_REGIONS if config == CONFIG else ()
    # Too slow to change much of the weights that it starts from; the schedule ends at 1e-5.
    more = ('--epochs', '1', '--seed', '0', '--lr', '1e-5', *more)
    return [
        str(ROOT / config),
        *classification_arguments(root, work_dir, *more, settings=settings),
    ]


@pytest.mark.parametrize('config', [CLASSIFICATION, CONFIG, SEGMENTATION_CONFIG, DEPTH])
def test_every_task_starts_from_a_classifier(classified, config, request, tmp_path, capsys):
    folder = {CLASSIFICATION: 'image_folder', SEGMENTATION_CONFIG: 'label_maps'}
    root = request.getfixturevalue(folder.get(config, 'shapes'))
    trained = read_training_file(classified.checkpoint).state
    more = ['--pretrained', str(classified.checkpoint)]
    train.main(arguments(config, root, tmp_path / 'run', *more))
    (said,) = (line for line in capsys.readouterr().out.splitlines() if 'Weights of' in line)
    assert said.startswith(f'Weights of {classified.checkpoint} (rexdense, ')
    assert said.endswith('images as RGB, mean 123.675, 116.28, 103.53, std 58.395, 57.12, 57.375')
    file = read_training_file(tmp_path / 'run/epoch_1.pth')
    convolutions = {
        name: tensor
        for name, tensor in file.state.items()
        if name.startswith('backbone.') and tensor.dim() == 4
    }
    assert len(convolutions) > 20
    for name, tensor in convolutions.items():
        assert torch.allclose(tensor, trained[name], atol=1e-4), name
    assert file.config().model.data_preprocessor.bgr_to_rgb is True


@pytest.mark.parametrize(
    ('more', 'kind', 'expected'),
    [
        (['--pretrained', 'clovaia'], UnknownName, "called 'clovaia': did you mean 'clovaai'"),
        (['--pretrained', 'rexnet_1.3:timm'], InvalidArgument, 'is rexnet_1.0; give rexnet_1.0:'),
        (['--pretrained', 'a.pth'], CheckpointUnreadable, 'a.pth: there is no such file; give one'),
        (
            ['--pretrained', 'timm', '--load-from', 'a.pth'],
            InvalidArgument,
            '--load-from fills the whole model and --pretrained its backbone: give one',
        ),
    ],
)
def test_weights_that_are_not_there(image_folder, tmp_path, more, kind, expected):
    with pytest.raises(kind, match=expected) as caught:
        train.main(arguments(CLASSIFICATION, image_folder, tmp_path / 'run', *more))
    assert '\n' not in str(caught.value) and not (tmp_path / 'run').exists()


def test_without_a_network_it_is_said_which_file_to_put_where(
    serve_weights, image_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr('rexdense.checkpoint.download.SECONDS_BETWEEN_TRIES', 0)
    # Nobody listens there.
    serve_weights('rexnet_1.0', 'timm', {}, address='http://127.0.0.1:9/rexnet-1.pth', sha256=None)
    cache = tmp_path / 'own'
    more = ['--pretrained', 'timm', '--cache', str(cache)]
    with pytest.raises(
        CheckpointUnreadable, match=f'could not be downloaded .* put it at {cache}/rexnet-1.pth'
    ) as caught:
        train.main(arguments(CLASSIFICATION, image_folder, tmp_path / 'run', *more))
    assert '\n' not in str(caught.value) and not (tmp_path / 'run').exists()


def test_other_bytes_than_were_published(serve_weights, image_folder, tmp_path):
    serve_weights('rexnet_1.0', 'timm', {}, sha256='0' * 64)
    with pytest.raises(CheckpointUnreadable, match='sent other bytes than were published'):
        train.main(
            arguments(CLASSIFICATION, image_folder, tmp_path / 'run', '--pretrained', 'timm')
        )
    assert not list((tmp_path / 'cache').glob('[!.]*'))
    assert not (tmp_path / 'run').exists()


def test_arguments_of_another_network(serve_weights, image_folder, tmp_path):
    """The narrow network of these tests has no published weights."""
    import rexdense
    from rexdense.errors import CheckpointMismatch

    assert NARROW in classification_arguments(image_folder, tmp_path)
    serve_weights('rexnet_1.0', 'timm', rexdense.create_classifier('rexnet_1.0').state_dict())
    with pytest.raises(CheckpointMismatch, match='tensors differ'):
        train.main(
            arguments(CLASSIFICATION, image_folder, tmp_path / 'run', '--pretrained', 'timm')
        )
