"""Pretrained weights in a config."""

import pytest
import torch
from mmengine.model import PretrainedInit
from mmengine.registry import MODELS

import rexdense
from rexdense.checkpoint import write_checkpoint
from rexdense.errors import CheckpointMismatch
from tests.checkpoint.trained_networks import Detector, assert_equal, named_by


class TestInConfigs:
    def test_a_backbone_is_filled(self, state, tmp_path):
        path = write_checkpoint(tmp_path / 'a.pth', named_by('clovaai', state))
        initialise = dict(type='rexdense.Pretrained', checkpoint=str(path))
        backbone = MODELS.build(
            dict(type='rexdense.ReXNet', arch='rexnet_1.0', init_cfg=initialise)
        )
        backbone.init_weights()
        assert torch.equal(backbone.stem.conv.weight, state['backbone.stem.conv.weight'])

    def test_a_detector_is_filled_and_its_parts_stay_filled(self, tmp_path):
        source = Detector()
        path = write_checkpoint(tmp_path / 'a.pth', source.state_dict())
        other = write_checkpoint(tmp_path / 'b.pth', Detector().backbone.state_dict())
        target = Detector(
            init_cfg=dict(type='rexdense.Pretrained', checkpoint=str(path)),
            backbone_init=dict(type='rexdense.Pretrained', checkpoint=str(other)),
        )
        target.init_weights()
        assert_equal(target, source.state_dict())

    def test_a_wrong_file_stops_the_run(self, state, tmp_path):
        path = write_checkpoint(tmp_path / 'a.pth', state)
        initialise = dict(type='rexdense.Pretrained', checkpoint=str(path))
        backbone = rexdense.create_backbone('rexnet_1.3', init_cfg=initialise)
        with pytest.raises(CheckpointMismatch, match=r'looks like rexnet_1\.0'):
            backbone.init_weights()

    @pytest.mark.parametrize(
        'kind', ['Pretrained', PretrainedInit, 'mmengine.model.weight_init.PretrainedInit']
    )
    def test_mmengine_s_initialiser_is_no_less_strict(self, state, tmp_path, kind):
        path = write_checkpoint(tmp_path / 'a.pth', named_by('clovaai', state))
        initialise = dict(type=kind, checkpoint=str(path))
        backbone = rexdense.create_backbone('rexnet_1.0', init_cfg=initialise)
        backbone.init_weights()
        assert torch.equal(backbone.stem.conv.weight, state['backbone.stem.conv.weight'])
        backbone = rexdense.create_backbone('rexnet_1.3', init_cfg=[initialise])
        with pytest.raises(CheckpointMismatch, match=r'looks like rexnet_1\.0'):
            backbone.init_weights()

    @pytest.mark.parametrize('prefix', ['backbone', 'backbone.'])
    def test_the_prefix_of_mmengine_s_initialiser(self, state, tmp_path, prefix):
        path = write_checkpoint(tmp_path / 'a.pth', state)
        initialise = dict(
            type='Pretrained', checkpoint=str(path), prefix=prefix, map_location='cpu'
        )
        backbone = rexdense.create_backbone('rexnet_1.0', init_cfg=initialise)
        backbone.init_weights()
        assert torch.equal(backbone.stem.conv.weight, state['backbone.stem.conv.weight'])

    def test_mmengine_s_initialiser_comes_after_others_that_stand_behind_it(self, state, tmp_path):
        path = write_checkpoint(tmp_path / 'a.pth', state)
        initialise = [
            dict(type='Pretrained', checkpoint=str(path)),
            dict(type='Constant', layer='Conv2d', val=0.5),
        ]
        backbone = rexdense.create_backbone('rexnet_1.0', init_cfg=initialise)
        backbone.init_weights()
        assert torch.equal(backbone.stem.conv.weight, state['backbone.stem.conv.weight'])
