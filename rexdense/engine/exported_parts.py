"""The part of a checkpoint that becomes a graph, built and filled, and what is known of it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from rexdense.arch import architecture
from rexdense.checkpoint import identify, load_weights
from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.identification import recognise
from rexdense.checkpoint.native import HEAD
from rexdense.checkpoint.renaming import to_native
from rexdense.checkpoint.report import LoadReport
from rexdense.deploy import BackboneGraph, ClassifierGraph, Graph, SegmentorGraph
from rexdense.engine.building import config_faults
from rexdense.engine.stored_config import read_stored_config, require_known_types
from rexdense.engine.trained_model import load_trained_model
from rexdense.errors import CheckpointMismatch
from rexdense.models import create_backbone, create_classifier
from rexdense.models.unet import ReXUNet
from rexdense.registry import MODELS

__all__ = [
    'ExportedPart',
    'Source',
    'backbone_part',
    'classifier_part',
    'detector_part',
    'rpn_part',
    'segmentor_part',
]


@dataclasses.dataclass(frozen=True)
class Source:
    """A checkpoint, and how it is read; the fields are arguments of
    :func:`rexdense.load_weights` and of :func:`load_trained_model`.

    Attributes:
        arch: The network; None finds it.
        out_indices: Levels of the backbone; None takes the config's, or c2 to c5.
    """

    checkpoint: str
    arch: str | None = None
    out_indices: Sequence[int] | None = None
    source: str | None = None
    prefix: str | None = None
    averaged: bool = False
    allow_non_finite: bool = False
    trust_pickle: bool = False
    trust_config: bool = False

    def fill(self, module: nn.Module) -> LoadReport:
        """Load the checkpoint into a module."""
        names = ('source', 'prefix', 'averaged', 'allow_non_finite', 'trust_pickle')
        return load_weights(
            module, self.checkpoint, **{name: getattr(self, name) for name in names}
        )


@dataclasses.dataclass(frozen=True)
class ExportedPart:
    """A graph, and what the file beside it says of where it is from."""

    graph: Graph
    about: dict[str, Any]


def backbone_part(source: Source) -> ExportedPart:
    """Return the backbone of a checkpoint: of its config, or of the network that its tensors fit.

    Raises:
        CheckpointUnreadable: the file is no checkpoint, or its config could run code.
        CheckpointMismatch: no named network has its tensors, or they do not fit ``arch``.
    """
    name, state = open_checkpoint(source.checkpoint, source.averaged, source.trust_pickle)
    text = state.metadata.get('cfg')
    levels = {} if source.out_indices is None else dict(out_indices=tuple(source.out_indices))
    if isinstance(text, str) and source.arch is None:
        config = read_stored_config(text, name)
        require_known_types(config, name, source.trust_config)
        if not isinstance(config.get('model', {}).get('backbone'), dict):
            raise CheckpointMismatch(f'the config in {name} has no model.backbone')
        with config_faults():
            backbone = MODELS.build({**config.model.backbone, 'init_cfg': None, **levels})
        if not hasattr(backbone, 'out_levels'):
            raise CheckpointMismatch(
                f'{name} has a {type(backbone).__name__} for its backbone, which is none of '
                "rexdense's"
            )
        source.fill(backbone)
        about = _about(backbone, source) | _of_config(config)
    else:
        arch = source.arch or identify(state.tensors, source.source, source.prefix)
        backbone = create_backbone(arch, **levels)
        about = _about(backbone, source, source.fill(backbone))
    return ExportedPart(BackboneGraph(backbone), about)


def classifier_part(source: Source) -> ExportedPart:
    """Return the classifier that a checkpoint holds.

    Raises:
        CheckpointMismatch: it holds no classifier, or no named network has its tensors.
    """
    name, state = open_checkpoint(source.checkpoint, source.averaged, source.trust_pickle)
    found = recognise(state.tensors, source.source, source.prefix, name)
    arch = source.arch or identify(state.tensors, found.scheme.name, found.prefix)
    last = to_native(state.tensors, found, architecture(arch)).get(f'{HEAD}fc.weight')
    if last is None:
        raise CheckpointMismatch(
            f'{name} has no classification head: export its backbone, or its segmentor or detector'
        )
    classifier = create_classifier(arch, num_classes=len(last))
    report = source.fill(classifier)
    about = _about(classifier.backbone, source, report)
    classes = (state.metadata.get('dataset_meta') or {}).get('classes')
    if classes:
        about['classes'] = list(classes)
    return ExportedPart(ClassifierGraph(classifier), about)


def segmentor_part(source: Source) -> ExportedPart:
    """Return the segmentor of a training checkpoint, or zshn25's U-Net.

    Raises:
        CheckpointUnreadable: it holds no config to build the segmentor from.
        CheckpointMismatch: it holds another kind of model.
    """
    name, state = open_checkpoint(source.checkpoint, source.averaged, source.trust_pickle)
    if 'cfg' not in state.metadata:
        found = recognise(state.tensors, source.source, source.prefix, name)
        steps = f'{found.head_prefix}{HEAD}steps.'
        if found.scheme.name == 'zshn25' or any(key.startswith(steps) for key in state.tensors):
            unet = ReXUNet(identify(state.tensors, found.scheme.name, found.prefix))
            report = source.fill(unet)
            return ExportedPart(SegmentorGraph(unet), _about(unet.backbone, source, report))
    return _trained_part(source, SegmentorGraph, 'decode_head', 'segmentor')


def detector_part(source: Source) -> ExportedPart:
    """Return the Faster R-CNN of a training checkpoint; raises as :func:`segmentor_part`."""
    # Here: what goes through it registers operators with torch.
    from rexdense.deploy.detection import FasterRCNNGraph

    return _trained_part(source, FasterRCNNGraph, 'roi_head', 'two-stage detector')


def rpn_part(source: Source) -> ExportedPart:
    """Return what a detector computes up to its region proposal head; raises as
    :func:`segmentor_part`."""
    from rexdense.deploy.detection import RPNGraph

    return _trained_part(source, RPNGraph, 'rpn_head', 'detector with region proposals')


def _trained_part(source: Source, graph: type[Graph], head: str, kind: str) -> ExportedPart:
    checkpoint = Path(source.checkpoint)
    model, _, classes, config = load_trained_model(checkpoint, 'cpu', source.trust_config)
    if not hasattr(model, head):
        raise CheckpointMismatch(
            f'{checkpoint} holds a {type(model).__name__}, which is no {kind}; the parts that '
            'tools/export.py writes are backbone, classifier, segmentor, detector and rpn'
        )
    about = _about(model.backbone, source) | _of_config(config)
    return ExportedPart(
        graph(model), about | dict(model=type(model).__name__, classes=list(classes))
    )


def _about(backbone: nn.Module, source: Source, report: LoadReport | None = None) -> dict[str, Any]:
    about = dict(
        architecture=getattr(backbone, 'arch', None), checkpoint=Path(source.checkpoint).name
    )
    if report is not None:
        about |= dict(source=report.source, preprocessing=dataclasses.asdict(report.preprocessing))
    return about


def _of_config(config: Config) -> dict[str, Any]:
    """Return what the config of a run says of the images that the network gets."""
    settings = config.model.get('data_preprocessor') or {}
    about = dict(source='rexdense', preprocessing=None)
    if settings.get('mean') is not None:
        # mmcv reads images as BGR.
        about['preprocessing'] = dict(
            channel_order='RGB' if settings.get('bgr_to_rgb') else 'BGR',
            mean=list(settings['mean']),
            std=list(settings['std']),
        )
    return about
