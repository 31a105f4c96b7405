"""Benchmarks of data loaders, COCO metrics, graph export and annotation files, in turns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rexdense.benchmark.processes import Peer, run_in_turns
from rexdense.benchmark.report import figures_of, result_of
from rexdense.benchmark.workloads.annotations import drawn_annotations
from rexdense.benchmark.workloads.loader import enlarged
from rexdense.deploy import GRAPH_FORMATS
from rexdense.errors import InvalidArgument
from rexdense.evaluation.coco_evaluation import BACKENDS
from rexdense.files import atomic_write, scratch_folder

Tasks = Mapping[str, dict[str, Any]]


def measure_loaders(
    images: Path, count: int, rounds: int, against: Sequence[str] = (), peer: Peer | None = None
) -> dict[str, Any]:
    """Return the figures of the classification loader, with timm's if requested.

    Args:
        images: A folder of JPEG files, of which ``count`` are enlarged to the size of ImageNet's.
    """
    about = dict(images=str(images), count=count)
    with scratch_folder() as scratch:
        folder = scratch / 'train'
        for name, content in enlarged(images, count).items():
            atomic_write(folder / name, content, make_folder=True)
        tasks = {'rexdense': {}, 'rexdense, full decode': dict(full_decode=True)}
        if 'timm' in against:
            tasks['timm, as train.py loads'] = dict(framework='timm', prefetcher=True)
            tasks['timm, create_transform'] = dict(framework='timm')
        tasks = {name: task | dict(folder=str(folder)) for name, task in tasks.items()}
        reference = 'timm, as train.py loads' if 'timm' in against else 'rexdense, full decode'
        return _measure('loader', about, tasks, rounds, reference, peer, threads=1)


def measure_evaluation(
    annotations: Path, detections: Path | None, iou_type: str, rounds: int
) -> dict[str, Any]:
    """Return the figures of COCO's metrics for each package that computes them.

    Args:
        detections: Detections in COCO's results format; None draws some near the annotations.
    """
    if iou_type == 'segm' and detections is None:
        raise InvalidArgument(
            '--iou segm compares masks, which are not drawn: give --detections, a file of '
            'rexdense test --out'
        )
    about = dict(
        annotations=str(annotations), detections=detections and str(detections), iou_type=iou_type
    )
    tasks = {package: about | dict(backend=name) for name, (package, *_) in BACKENDS.items()}
    found = _measure('eval', about, tasks, rounds, 'pycocotools', warm_up=1)
    metrics = {name: own['average_precision'] for name, own in found['figures'].items()}
    if max(metrics.values()) - min(metrics.values()) > 1e-9:
        listing = ', '.join(f'{value:.6f} by {name}' for name, value in metrics.items())
        found['why_no_result'].append(f'the packages differ in AP: {listing}')
    return found


def measure_export(name: str, rounds: int) -> dict[str, Any]:
    """Return the figures of exporting a network, comparison included, in each format."""
    tasks = {format: dict(name=name, format=format) for format in GRAPH_FORMATS}
    return _measure('export', dict(name=name), tasks, rounds, 'onnx', warm_up=1)


def measure_annotations(images: int, boxes: int, corners: int, rounds: int) -> dict[str, Any]:
    """Return the figures of loading a drawn annotation file of a size."""
    about = dict(images=images, boxes=boxes, corners=corners)
    with scratch_folder() as scratch:
        path = scratch / 'annotations.json'
        atomic_write(path, drawn_annotations(images, boxes, corners))
        tasks = {'boxes': {}} | ({'boxes and masks': dict(with_mask=True)} if corners else {})
        tasks = {name: task | dict(annotations=str(path)) for name, task in tasks.items()}
        found = _measure('annotations', about, tasks, rounds, 'boxes', warm_up=0)
        return found | dict(size=path.stat().st_size)


def _measure(
    kind: str,
    about: dict[str, Any],
    tasks: Tasks,
    rounds: int,
    reference: str,
    peer: Peer | None = None,
    warm_up: int = 2,
    threads: int = 2,
) -> dict[str, Any]:
    common = dict(kind=kind, framework='rexdense', threads=threads)
    whole = {name: common | task for name, task in tasks.items()}
    times, facts, busy = run_in_turns(whole, peer or Peer(), rounds, warm_up)
    figures = figures_of(times, facts, reference)
    for own in figures.values():
        if 'images' in own:
            own['images_per_second'] = own['images'] / own['milliseconds'] * 1e3
    return result_of(dict(kind=kind, rounds=rounds, **about), busy, reference, figures)
