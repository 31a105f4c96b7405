"""The backbone of a detector that was trained, as another project gets it."""

import json

import torch

import rexdense
from rexdense.arch import feature_levels
from rexdense.checkpoint import export_backbone, read_checkpoint


def test_a_trained_detector_gives_its_backbone(trained, tmp_path):
    weights = tmp_path / 'rexnet.safetensors'
    # The work directory stands for its last checkpoint.
    report = export_backbone(trained.work_dir, weights, 'timm')
    assert {name.split('.')[0] for name in report.dropped} == {'neck', 'rpn_head', 'roi_head'}

    details = json.loads((tmp_path / 'rexnet.safetensors.json').read_text())
    content = read_checkpoint(trained.checkpoint).content
    assert details['architecture'] == 'rexnet_1.0'
    assert details['levels'] == [level._asdict() for level in feature_levels('rexnet_1.0')]
    assert details['run']['epoch'] == content['meta']['epoch'] == 1
    assert details['run']['experiment_name'] == content['meta']['experiment_name']
    assert details['run']['seed'] == 0
    assert details['preprocessing']['channel_order'] == 'RGB'

    backbone = rexdense.create_backbone('rexnet_1.0')
    rexdense.load_weights(backbone, weights)
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, content['state_dict'][f'backbone.{name}']), name
