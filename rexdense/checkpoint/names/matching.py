"""Matching of a checkpoint's tensors with the tensors of a module."""

from collections.abc import Mapping

from torch import Tensor

from rexdense.checkpoint.names.native import COUNTER, HEAD
from rexdense.checkpoint.names.recognition import Recognised
from rexdense.checkpoint.names.renaming import reshaped
from rexdense.checkpoint.names.target import Target
from rexdense.checkpoint.report import LoadReport


def match_tensors(
    tensors: Mapping[str, Tensor],
    found: Recognised,
    target: Target,
    report: LoadReport,
    backbone_only: bool = False,
    drop_head: bool = False,
) -> dict[str, Tensor]:
    """Return the tensors by their names in the module, whatever their shapes, and record the others
    in ``report``.

    Args:
        tensors: The checkpoint's tensors, by its names.
        found: The network in it.
        target: The module.
        report: Receives ``renamed``, ``dropped``, ``kept``, ``missing`` and ``unexpected``.
        backbone_only: Keep all but the backbone unchanged.
        drop_head: Keep the module's classification head if the checkpoint has none or one of
            another shape. The same applies to other layers outside the backbone whose shape depends
            on the classes.
    """
    filling: dict[str, Tensor] = {}
    network = {
        found.name_of(entry): entry.native for entry in found.scheme.entries(target.architecture)
    }
    for key, tensor in tensors.items():
        if key in network:
            goal = target.name_of(network[key])
            expected = network[key].startswith(HEAD) or not target.builds(network[key])
            fills = goal in target.tensors
        else:
            goal = target.root + key.removeprefix(found.root)
            expected = not found.in_body(key) and (target.is_backbone or backbone_only)
            # Other tensors, perhaps a second network, do not belong to the backbone.
            beside = key.startswith(found.root) and not found.in_body(key)
            fills = beside and goal in target.tensors and not target.in_backbone(goal)
        if fills and (target.in_backbone(goal) or not backbone_only):
            linear = len(target.shape(goal)) == 2
            filling[goal] = reshaped(tensor, 2) if linear else tensor
            if key != goal:
                report.renamed.append((key, goal))
        elif expected or fills:
            report.dropped.append(key)
        elif not key.endswith(COUNTER):
            report.unexpected.append(key)
    _account_for_rest(filling, target, report, backbone_only, drop_head)
    return filling


def _account_for_rest(
    filling: dict[str, Tensor],
    target: Target,
    report: LoadReport,
    backbone_only: bool,
    drop_head: bool,
) -> None:
    """Record which tensors of the module stay unchanged, and remove those from ``filling``."""
    for goal in target.tensors:
        if goal not in filling and goal.endswith(COUNTER):
            continue
        if target.in_backbone(goal):
            keep = False
        elif goal in filling:
            keep = drop_head and tuple(filling[goal].shape) != target.shape(goal)
        else:
            keep = backbone_only or (drop_head and goal.startswith(target.root + HEAD))
        if keep:
            filling.pop(goal, None)
            report.kept.append(goal)
        elif goal not in filling:
            report.missing.append(goal)
