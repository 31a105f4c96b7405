"""Small detectors that are quickly built and run, and have varied outputs."""

import copy

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from rexdense.arch import channels
from rexdense.deploy import export_graph
from rexdense.deploy.detection import SSDGraph
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.detection.stages import stages_of
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.engine.config.cascade import cascade_model
from rexdense.engine.config.load import load_config
from rexdense.engine.scope import import_scope
from rexdense.registry import MODELS
from tests.models.networks import image, randomise
from tests.tiny_run import ROOT

TWO_LEVELS = {
    'backbone.out_indices': (0, 1),
    'neck.in_channels': channels('rexnet_1.0', (0, 1), depth_mult=0.1),
    'neck.num_outs': 2,
    'rpn_head.anchor_generator.strides': [2, 4],
    'roi_head.bbox_roi_extractor.featmap_strides': [2, 4],
}
"""Changes that remove the upper levels, and with them most of the time of an ONNX export: it
handles sizes as formulas, which grow with each halving."""


def small_settings(config):
    """Return the model of a config, reduced to a few blocks and regions."""
    model = load_config(ROOT / config).model
    model.backbone.depth_mult = 0.1
    model.neck.in_channels = channels('rexnet_1.0', depth_mult=0.1)
    model.test_cfg.rpn.update(nms_pre=40, max_per_img=20)
    model.test_cfg.rcnn.update(max_per_img=30)
    return model


def detector(settings, stages=1, **changes):
    """Return a detector whose regions differ in scores and boxes; ``changes`` are by dotted name.
    With several stages it is a cascade, and changes of the box head apply to each stage."""
    settings = copy.deepcopy(settings)
    if stages > 1:
        config = Config(dict(model=settings))
        config.merge_from_dict(dict(model=cascade_model(settings, stages)))
        settings = config.model
    for name, value in changes.items():
        *path, last = name.split('.')
        places = [settings]
        for key in path:
            below = [place[key] for place in places]
            places = [part for each in below for part in (each if type(each) is list else [each])]
        for place in places:
            place[last] = value
    import_scope(dict(default_scope='mmdet'))
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = randomise(MODELS.build(settings)).eval()
    deviations = {model.rpn_head.rpn_cls: 2.0, model.rpn_head.rpn_reg: 0.5}
    for head in stages_of(model.roi_head.bbox_head):
        deviations |= {head.fc_cls: 2.0, head.fc_reg: 1.0}
    for head in stages_of(model.roi_head.mask_head) if model.with_mask else ():
        deviations[head.conv_logits] = 2.0
    spread(model, deviations)
    return model


@torch.no_grad()
def spread(model, deviations):
    """Scale layers to these standard deviations of their outputs: scores of 0 or 1 would tie."""
    outputs = {}
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: outputs.setdefault(layer, output))
        for layer in deviations
    ]
    features = model.extract_feat(image(1, 3, 96, 128))
    model.rpn_head(features)
    for head in stages_of(model.roi_head.bbox_head):
        head(image(50, features[0].shape[1], 7, 7))
    for head in stages_of(model.roi_head.mask_head) if model.with_mask else ():
        head(image(20, features[0].shape[1], 14, 14))
    for hook in hooks:
        hook.remove()
    for layer, deviation in deviations.items():
        layer.weight.mul_(deviation / outputs[layer].std())


@torch.no_grad()
def spread_ssd(model):
    """Scale the last layers of an SSD so that its logits and deltas have a standard deviation of 1
    on the images of an export's comparison; return it."""
    head = model.bbox_head
    results = head(model.extract_feat(SSDGraph(model).example(2, 3, 320, 320)))
    for layers, outputs in zip((head.cls_convs, head.reg_convs), results, strict=True):
        for layer, output in zip(layers, outputs, strict=True):
            layer[-1].weight.mul_(1 / output.std())
    return model


def exported(graph, path):
    """Return the ONNX model of a graph with masks, after a check in onnxruntime against mmdet for
    two images of a size that was not traced."""
    # Other tests of small detectors do not need this package.
    import onnx

    report = export_graph(graph, path)
    images = graph.example(2, 3, 80, 112, seed=3)
    found = GRAPH_FORMATS['onnx'].open(report.path)(images)
    with torch.no_grad():
        expected = graph.reference(images)
    assert (expected['labels'] >= 0).sum() > 5
    errors = detection_errors(found, expected)
    assert max(errors.values()) < 1e-4, errors
    return onnx.load(report.path)
