"""Loading of weights into a module, with a check of every tensor."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rexdense.checkpoint.details import details_of
from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.formats.finite import check_values
from rexdense.checkpoint.names.adaptation import (
    adapt_input_channels,
    adapt_preprocessing,
    check_channel_rule,
)
from rexdense.checkpoint.names.identification import Fit, closest_fit, describe_misfit, recognise
from rexdense.checkpoint.names.matching import match_tensors
from rexdense.checkpoint.names.native import HEAD, STEM_WEIGHT
from rexdense.checkpoint.names.recognition import Recognised
from rexdense.checkpoint.names.target import Target
from rexdense.checkpoint.report import LoadReport
from rexdense.errors import CheckpointMismatch, InvalidArgument


def load_weights(
    module: nn.Module,
    checkpoint: str | Path | Mapping[str, Any],
    /,
    *,
    source: str | None = None,
    strict: bool = True,
    prefix: str | None = None,
    ema: bool | None = None,
    backbone_only: bool = False,
    drop_head: bool = False,
    input_channels: str | None = None,
    allow_non_finite: bool = False,
    trust_pickle: bool = False,
) -> LoadReport:
    """Load the weights of a checkpoint in any known format into a module.

    By default, the checkpoint must hold every tensor of the module, with the same shape. Tensors
    that the module does not build are ignored: a head, deeper levels, the parts beside a backbone.
    The module is filled completely; on an error it is unchanged.

    Args:
        module: A backbone, or a module that contains one, such as a classifier or a detector.
        checkpoint: A file, a work directory, a URL, or a state dict.
        source: The project whose names the checkpoint uses; None detects it.
        strict: Raise if the checkpoint does not fit. False loads the tensors that fit; the report
            lists the others.
        prefix: Prefix of the network's names, for a checkpoint that holds several networks.
        ema: True takes the running average (EMA) of a training file, False the last weights, None
            the file's main weights, which in mmengine's files are the average.
        backbone_only: Fill only the backbone and keep the rest of the module.
        drop_head: Keep the module's classification head, for instance for another number of
            classes.
        input_channels: Adaptation of a first convolution with another number of channels: 'sum' or
            'repeat', see :func:`rexdense.checkpoint.names.adaptation.adapt_input_channels`; None
            refuses such weights.
        allow_non_finite: Accept NaN and infinite values.
        trust_pickle: Let a pickle run any code. Use it only for files from a trusted source.

    Raises:
        InvalidArgument: an argument has another type than above, or the module has no backbone or
            no memory (``device='meta'``), or is optimised.
        CheckpointUnreadable: the file is not a checkpoint, is damaged, or would run code.
        CheckpointMismatch: the tensors do not fit the module; the message names the closest
            network.
        UnknownName: no project is called ``source``.

    Example:
        >>> import rexdense
        >>> trained = rexdense.create_classifier('rexnet_1.0')
        >>> backbone = rexdense.create_backbone('rexnet_1.0')
        >>> report = rexdense.load_weights(backbone, trained.state_dict())
        >>> report.source, report.architecture, len(report.loaded), len(report.dropped)
        ('rexdense', 'rexnet_1.0', 405, 8)
    """
    target = Target.of(module)
    check_channel_rule(input_channels)
    _require_memory(target)
    if getattr(module, 'optimized', None):
        raise InvalidArgument(
            'the module comes from rexdense.deploy.optimize, which names its tensors otherwise: '
            'load the weights into the network before'
        )
    name, state = open_checkpoint(checkpoint, ema, trust_pickle)
    found = recognise(state.tensors, source, prefix, name)
    fit = closest_fit(state.tensors, found, target.name)
    _require_places(name, target, found, fit)
    details = details_of(state.metadata, found.scheme, target.architecture.family, name)
    report = LoadReport(
        name,
        found.scheme.title,
        fit.name if not fit.differences else f'no named one, near {fit.name}',
    )
    if state.note:
        report.notes.append(state.note)

    filling = match_tensors(state.tensors, found, target, report, backbone_only, drop_head)
    report.preprocessing = details.preprocessing
    _adapt_stem(filling, target, report, input_channels)
    for key in [key for key, tensor in filling.items() if tuple(tensor.shape) != target.shape(key)]:
        report.reshaped.append((key, tuple(filling.pop(key).shape), target.shape(key)))
    report.loaded = list(filling)
    if not filling or (strict and not report.complete):
        raise CheckpointMismatch(_explain(report, target, found, fit))
    check_values(name, filling, allow_non_finite)
    module.load_state_dict(filling, strict=False)
    _set_options(target.backbone, details.options, report)
    return report


def _require_memory(target: Target) -> None:
    """Check that the tensors have memory: torch silently copies nothing into meta tensors."""
    empty = [name for name, tensor in target.tensors.items() if tensor.is_meta]
    if empty:
        raise InvalidArgument(
            f"{len(empty)} tensors of the module are on the device 'meta', which holds no values "
            f'(first {empty[0]}): build the module on another device, or give it memory with '
            "module.to_empty(device='cpu') and initialise what the checkpoint does not fill"
        )


def _require_places(name: str, target: Target, found: Recognised, fit: Fit) -> None:
    """Check that the checkpoint's project has names for the tensors of the module."""
    if found.scheme.entries(target.architecture):
        return
    what = (
        f'holds {describe_misfit(found, fit)}'
        if fit.differences
        else f'looks like {fit.name} of {found.scheme.title}'
    )
    raise CheckpointMismatch(
        f'{name} {what}, the module is {target.name}: no tensor of the one has a place in the other'
    )


def _set_options(backbone: nn.Module, options: Mapping[str, Any], report: LoadReport) -> None:
    """Set the options of the backbone with which the weights were trained, if projects differ."""
    for option, value in options.items():
        if getattr(backbone, option) != value:
            setattr(backbone, option, value)
            report.notes.append(f'{option}={value!r} is turned on: put it into the config as well')


def _adapt_stem(
    filling: dict[str, Tensor], target: Target, report: LoadReport, how: str | None
) -> None:
    key = target.prefix + STEM_WEIGHT
    if how is None or key not in filling or filling[key].dim() != 4:
        return
    held, wanted = filling[key].shape[1], target.shape(key)[1]
    if held != wanted:
        filling[key] = adapt_input_channels(filling[key], wanted, how)
        if report.preprocessing is not None:
            report.preprocessing = adapt_preprocessing(report.preprocessing, wanted, how)
        report.notes.append(f'{key} adapted from {held} to {wanted} input channels ({how})')


def _explain(report: LoadReport, target: Target, found: Recognised, fit: Fit) -> str:
    """Return the message for a checkpoint that does not fit, with remedies."""
    differences = report.differences()
    if fit.name == target.name and not fit.differences:
        what = f'holds {fit.name}, as the module does'
    elif fit.differences:
        what = f'holds {describe_misfit(found, fit)}'
    else:
        what = f'looks like {fit.name}, the module is {target.name}'
    advice = []
    outside = [name for name, _, _ in report.reshaped if not target.in_backbone(name)]
    if any(name.startswith(target.root + HEAD) for name in [*outside, *report.missing]) or outside:
        advice.append('drop_head=True keeps the head of the module')
    if any(not target.in_backbone(name) for name in report.missing) and not target.is_backbone:
        advice.append('backbone_only=True fills the backbone alone')
    if any(
        name == target.prefix + STEM_WEIGHT and got[:1] + got[2:] == wanted[:1] + wanted[2:]
        for name, got, wanted in report.reshaped
    ):
        advice.append("input_channels='sum' or 'repeat' adapts the first convolution")
    return (
        f'{report.checkpoint} {what}; {len(differences)} tensors differ, {len(report.loaded)} fit; '
        f'first {"; ".join(differences[:3])}' + (f'. {"; ".join(advice)}' if advice else '')
    )
