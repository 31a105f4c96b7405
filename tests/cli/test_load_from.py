"""Training that starts from a model of other classes."""

import pytest
import torch

pytest.importorskip('mmdet')

from rexdense.checkpoint import read_checkpoint
from rexdense.cli import train
from rexdense.errors import CheckpointMismatch
from tests.small_coco import write_coco
from tests.tiny_run import train_arguments

CLASS_LAYERS = ('roi_head.bbox_head.fc_cls.', 'roi_head.bbox_head.fc_reg.')


@pytest.fixture
def two_classes(tmp_path):
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', split=split)
    return tmp_path / 'data'


@pytest.mark.slow
def test_all_is_taken_but_the_layers_of_the_classes(trained, two_classes, tmp_path, capsys):
    options = ('--load-from', str(trained.checkpoint), '--lr', '1e-30')
    train.main(train_arguments(two_classes, tmp_path / 'run', *options))
    output = capsys.readouterr().out
    assert (
        f'{trained.checkpoint}: all is taken but 4 tensors of layers for 6 classes, which start '
        'anew for 2: roi_head.bbox_head.fc_cls.weight (7, 32) where the model has (3, 32), '
    ) in ' '.join(output.split())
    before = read_checkpoint(trained.checkpoint).content['state_dict']
    after = read_checkpoint(tmp_path / 'run/epoch_1.pth').content['state_dict']
    weights = [name for name in before if name.endswith(('weight', 'bias'))]
    for name in weights:
        if name.startswith(CLASS_LAYERS):
            assert before[name].shape != after[name].shape
        else:
            torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_other_tensors_of_another_shape_are_refused(trained, two_classes, tmp_path):
    options = ('--load-from', str(trained.checkpoint))
    settings = ('model.roi_head.bbox_head.fc_out_channels=256',)
    with pytest.raises(CheckpointMismatch, match=r'of another shape .*shared_fcs'):
        train.main(train_arguments(two_classes, tmp_path / 'run', *options, settings=settings))
