"""Parts of a checkpoint that are exported as graphs."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from rexdense.checkpoint import load_weights
from rexdense.checkpoint.details import details_of
from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.formats.unwrapping import StateDict
from rexdense.checkpoint.names.identification import recognise
from rexdense.checkpoint.names.named_network import FoundNetwork, find_network
from rexdense.checkpoint.names.native import HEAD
from rexdense.checkpoint.names.recognition import Recognised
from rexdense.checkpoint.names.renaming import to_native
from rexdense.dependencies import needed_packages
from rexdense.deploy import BackboneGraph, ClassifierGraph, Graph, SegmentorGraph
from rexdense.errors import CheckpointMismatch
from rexdense.models import Backbone, create_backbone, create_classifier
from rexdense.models.unet import ReXUNet
from rexdense.registry import MODELS


@dataclasses.dataclass(frozen=True)
class Source:
    """A checkpoint and how to read it; the fields are arguments of :func:`rexdense.load_weights`
    and of :func:`load_trained_model`.

    Attributes:
        arch: The network; None detects it.
        out_indices: Levels of the backbone; None takes the config's, or c2 to c5.
    """

    checkpoint: str
    arch: str | None = None
    out_indices: Sequence[int] | None = None
    source: str | None = None
    prefix: str | None = None
    ema: bool | None = None
    allow_non_finite: bool = False
    trust_pickle: bool = False
    trust_config: bool = False

    def open(self) -> 'OpenSource':
        """Read the file and find the network in it.

        Raises:
            CheckpointUnreadable: it is no checkpoint, or would need to run code.
            CheckpointMismatch: no tensors in it have the names of a known network.
        """
        name, state = open_checkpoint(self.checkpoint, self.ema, self.trust_pickle)
        return OpenSource(
            self, name, state, recognise(state.tensors, self.source, self.prefix, name)
        )

    def fill(self, module: nn.Module) -> None:
        """Load the checkpoint into a module."""
        names = ('source', 'prefix', 'ema', 'allow_non_finite', 'trust_pickle')
        load_weights(module, self.checkpoint, **{name: getattr(self, name) for name in names})


class OpenSource(NamedTuple):
    """A checkpoint that was read, and the network in it."""

    source: Source
    name: str
    state: StateDict
    found: Recognised

    @property
    def config_text(self) -> str | None:
        """The config of the run that wrote the file."""
        text = self.state.metadata.get('cfg')
        return text if isinstance(text, str) else None

    @property
    def network(self) -> FoundNetwork:
        """The requested network, or the one found from the tensors or from the config of the
        run."""
        if self.source.arch is not None:
            return FoundNetwork(self.source.arch, {})
        return find_network(self.state, self.found, self.name)

    def about(self, backbone: nn.Module) -> dict[str, Any]:
        """Return the metadata of the weights, in the form of the sidecar file of exported
        weights."""
        found = self.found
        details = details_of(self.state.metadata, found.scheme, found.family, self.name)
        data = self.state.metadata.get('dataset_meta')
        classes = data.get('classes') if isinstance(data, dict) else None
        about = dict(
            **_described(backbone, details.options),
            preprocessing=dataclasses.asdict(details.preprocessing),
            options=details.options,
            output_stride=details.output_stride,
            run=details.run,
            source=dict(project=found.scheme.title, file=Path(self.name).name),
        )
        if not isinstance(classes, list | tuple) or not classes:
            return about
        return about | dict(classes=list(classes))


def _described(backbone: nn.Module, options: dict[str, Any]) -> dict[str, Any]:
    """Return the name of a backbone's network and the arguments that replace those of its name,
    without options: weights have them beside the name."""
    if not isinstance(backbone, Backbone) or backbone.arch is None:
        return dict(architecture=None)
    overrides = {key: value for key, value in backbone.overrides.items() if key not in options}
    built = FoundNetwork(backbone.arch, overrides)
    named = FoundNetwork(backbone.arch, {})
    return (named if built.architecture == named.architecture else built).described()


@dataclasses.dataclass(frozen=True)
class ExportedPart:
    """A graph, and the metadata in the file beside it about its origin."""

    graph: Graph
    about: dict[str, Any]


def backbone_part(source: Source) -> ExportedPart:
    """Return the backbone of a checkpoint, from its config, or as the network that its tensors fit.

    Raises:
        CheckpointUnreadable: the file is no checkpoint, or its config could run code.
        CheckpointMismatch: no named network has its tensors, or they do not fit ``arch``.
    """
    opened = source.open()
    levels = {} if source.out_indices is None else dict(out_indices=tuple(source.out_indices))
    if opened.config_text is None or source.arch is not None:
        network = opened.network
        backbone = create_backbone(network.name, **network.overrides, **levels)
    else:
        backbone = _configured_backbone(opened, levels)
    source.fill(backbone)
    return ExportedPart(BackboneGraph(backbone), opened.about(backbone))


def _configured_backbone(opened: OpenSource, levels: dict[str, Any]) -> nn.Module:
    # Imported here, because reading configs needs mmengine; a network given by --arch needs only
    # torch.
    with needed_packages(f'the config in {opened.name} (--arch NAME does without)'):
        from rexdense.engine.config.stored.config import StoredConfig, read_stored_config

    config = read_stored_config(opened.config_text, opened.name)
    stored = StoredConfig(config, opened.name, opened.source.trust_config)
    settings = stored.backbone()
    with stored.building():
        backbone = MODELS.build({**settings, 'init_cfg': None, **levels})
    if not isinstance(backbone, Backbone):
        raise CheckpointMismatch(
            f'the backbone of {opened.name} is a {type(backbone).__name__}, none of rexdense'
        )
    return backbone


def classifier_part(source: Source) -> ExportedPart:
    """Return the classifier in a checkpoint.

    Raises:
        CheckpointUnreadable: the file is no checkpoint.
        CheckpointMismatch: it has no classifier, or no named network has its tensors.
    """
    opened = source.open()
    network = opened.network
    native = to_native(opened.state.tensors, opened.found, network.architecture)
    last = native.get(f'{HEAD}fc.weight')
    if last is None:
        raise CheckpointMismatch(
            f'{opened.name} has no classification head: export its backbone, segmentor or detector'
        )
    classifier = create_classifier(network.name, num_classes=len(last), **network.overrides)
    source.fill(classifier)
    return ExportedPart(ClassifierGraph(classifier), opened.about(classifier.backbone))


def segmentor_part(source: Source) -> ExportedPart:
    """Return the segmentor of a training checkpoint, or zshn25's U-Net.

    Raises:
        CheckpointUnreadable: the file is no checkpoint, or has no config to build from.
        CheckpointMismatch: it has another kind of model.
    """
    opened = source.open()
    if opened.config_text is None and _is_rexunet(opened):
        unet = ReXUNet(opened.network.name)
        source.fill(unet)
        return ExportedPart(SegmentorGraph(unet), opened.about(unet.backbone))
    return _trained_part(opened, SegmentorGraph, ('decode_head',), 'segmentor')


def _is_rexunet(opened: OpenSource) -> bool:
    steps = f'{opened.found.head_prefix}{HEAD}steps.'
    return opened.found.scheme.name == 'zshn25' or any(
        key.startswith(steps) for key in opened.state.tensors
    )


def detector_part(source: Source) -> ExportedPart:
    """Return the Faster R-CNN, Mask R-CNN, Cascade R-CNN or SSDLite of a training checkpoint;
    raises as :func:`segmentor_part`."""
    # Imported here, because the import registers operators with torch.
    from rexdense.deploy.detection import detector_graph

    return _trained_part(source.open(), detector_graph, ('roi_head', 'bbox_head'), 'detector')


def rpn_part(source: Source) -> ExportedPart:
    """Return the part of a detector up to its region proposal head; raises as
    :func:`segmentor_part`."""
    from rexdense.deploy.detection import RPNGraph

    return _trained_part(source.open(), RPNGraph, ('rpn_head',), 'detector with region proposals')


def _trained_part(
    opened: OpenSource, graph: Callable[[nn.Module], Graph], heads: Sequence[str], kind: str
) -> ExportedPart:
    with needed_packages(f'the model that {opened.name} describes'):
        from rexdense.engine.hooks.same_tensors import require_same_tensors
        from rexdense.engine.trained.model import load_trained_model

    model = load_trained_model(
        Path(opened.source.checkpoint), 'cpu', opened.source.trust_config
    ).model
    if not any(hasattr(model, head) for head in heads):
        raise CheckpointMismatch(
            f'{opened.name} holds a {type(model).__name__}, which is no {kind}; the parts that '
            'rexdense export writes are backbone, classifier, segmentor, detector and rpn'
        )
    if opened.source.ema is not None:
        require_same_tensors(model, opened.state.tensors, opened.name)
        model.load_state_dict(opened.state.tensors)
    about = opened.about(model.backbone)
    return ExportedPart(graph(model), about | dict(model=type(model).__name__))
