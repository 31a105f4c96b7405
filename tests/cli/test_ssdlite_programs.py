"""SSDLite trained, measured, shown and exported by the ordinary commands."""

import json

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

import onnx
import torch

from rexdense.cli import export, predict, test, train
from rexdense.deploy.detection import detector_graph
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.engine.trained.model import load_trained_model
from tests.deploy.small_detectors import spread_ssd
from tests.models.networks import randomise
from tests.tiny_run import ROOT, SSDLITE_CONFIG

# Three maps, not six, from c3 on: an export takes the longer the more often sizes are halved.
CONFIG = f"""
_base_ = ['{ROOT / SSDLITE_CONFIG}']
from rexdense.engine.config.pretrained import ssdlite_sections
found = ssdlite_sections('rexnet_1.0', None, (2, 3), [16])
model = dict(
    backbone=found['backbone'],
    neck=dict(**found['neck'], level_strides=(2,), level_paddings=(1,)),
    bbox_head=dict(
        **found['bbox_head'],
        anchor_generator=dict(
            strides=[8, 16, 32],
            ratios=[[2, 3]] * 3,
            min_sizes=[48, 100, 150],
            max_sizes=[100, 150, 202],
        ),
    ),
)
"""


def options(shapes, work_dir, *more):
    return [
        *('--data-root', str(shapes), '--work-dir', str(work_dir), '--device', 'cpu'),
        *('--scale', '96,96', '--batch-size', '2', '--workers', '0', *more),
    ]


@pytest.mark.slow
def test_from_training_to_the_graph(shapes, tmp_path, capsys, fresh_mmengine):
    """With another backbone than the config's, and one that has no name."""
    work_dir = tmp_path / 'run'
    (tmp_path / 'ssdlite.py').write_text(CONFIG)
    config = str(tmp_path / 'ssdlite.py')
    changes = [
        'model.backbone.arch=rexnet_0.9',
        'model.backbone.width_mult=0.5',
        'model.backbone.depth_mult=0.1',
        # Among thousands of pairs of boxes some overlap by just the threshold.
        'model.test_cfg.nms_pre=60',
        'model.test_cfg.max_per_img=30',
    ]
    more = ('--epochs', '1', '--seed', '0', '--cfg-options', *changes)
    train.main([config, *options(shapes, work_dir, *more)])
    printed = capsys.readouterr().out
    assert 'AP' in printed and (work_dir / 'predictions.png').exists()
    checkpoint = work_dir / 'epoch_1.pth'
    results = tmp_path / 'results.json'
    more = ('--out', str(results), '--cfg-options', *changes)
    test.main([config, str(checkpoint), *options(shapes, tmp_path / 'test', *more)])
    assert json.loads(results.read_text())
    out = tmp_path / 'out'
    images = str(shapes / 'images/val')
    predict.main(
        [str(checkpoint), images, '--out-dir', str(out), '--score', '0.01', '--device', 'cpu']
    )
    assert json.loads((out / 'predictions.json').read_text())['annotations']

    # A step or two leave scores so alike that rounding decides which come first.
    content = torch.load(checkpoint, weights_only=False)
    network = spread_ssd(randomise(load_trained_model(checkpoint, 'cpu').model))
    content['state_dict'] = network.state_dict()
    torch.save(content, checkpoint)
    path = tmp_path / 'detector.onnx'
    export.main(['detector', str(checkpoint), '--format', 'onnx', '--out', str(path)])
    beside = json.loads((tmp_path / 'detector.onnx.json').read_text())
    assert [(output['name'], output['shape']) for output in beside['outputs']] == [
        ('boxes', ['batch', 30, 4]),
        ('scores', ['batch', 30]),
        ('labels', ['batch', 30]),
    ]
    assert beside['score_threshold'] == 0.02 and beside['iou_threshold'] == 0.45
    operators = {(node.domain, node.op_type) for node in onnx.load(path).graph.node}
    assert {domain for domain, _ in operators} == {''} and ('', 'NonMaxSuppression') in operators
    assert beside['model'] == 'SingleStageDetector' and len(beside['classes']) == 6
    assert beside['architecture'] is None
    graph = detector_graph(load_trained_model(checkpoint, 'cpu').model)
    images = graph.example(2, 3, 128, 97, seed=5)
    with torch.no_grad():
        expected = graph.reference(images)
    assert (expected['labels'] >= 0).sum() > 20
    errors = detection_errors(GRAPH_FORMATS['onnx'].open(path)(images), expected)
    assert max(errors.values()) < 1e-4
