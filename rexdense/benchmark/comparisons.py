"""Benchmarks of data loaders, COCO metrics, graph export and annotation files, in turns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rexdense.benchmark.processes import Peer, run_in_turns
from rexdense.benchmark.report import Kept, figures_of, require_same, result_of
from rexdense.benchmark.workloads.annotations import drawn_annotations
from rexdense.benchmark.workloads.loader import enlarged
from rexdense.deploy import GRAPH_FORMATS
from rexdense.errors import InvalidArgument
from rexdense.evaluation.coco_evaluation import BACKENDS
from rexdense.files.writing import atomic_write, scratch_folder

Tasks = Mapping[str, dict[str, Any]]


def measure_loaders(
    images: Path,
    count: int,
    rounds: int,
    against: Sequence[str] = (),
    peer: Peer | None = None,
    kept: Kept = None,
) -> dict[str, Any]:
    """Return the figures of the classification loader, with timm's if requested.

    Args:
        images: A folder of JPEG files, of which ``count`` are enlarged to the size of ImageNet's.
    """
    about = dict(kind='loader', rounds=rounds, images=str(images), count=count)
    tasks = {'rexdense': {}, 'rexdense, full decode': dict(full_decode=True)}
    if 'timm' in against:
        tasks['timm, as train.py loads'] = dict(framework='timm', prefetcher=True)
        tasks['timm, create_transform'] = dict(framework='timm')
    reference = 'timm, as train.py loads' if 'timm' in against else 'rexdense, full decode'
    require_same(kept, about, reference, tasks)
    with scratch_folder() as scratch:
        folder = scratch / 'train'
        for name, content in enlarged(images, count).items():
            atomic_write(folder / name, content, make_folder=True)
        tasks = {name: task | dict(folder=str(folder)) for name, task in tasks.items()}
        return _measure(about, tasks, reference, peer, threads=1)


def measure_evaluation(
    annotations: Path,
    detections: Path | None,
    iou_type: str,
    rounds: int,
    kept: Kept = None,
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
    files = dict(
        annotations=str(annotations), detections=detections and str(detections), iou_type=iou_type
    )
    about = dict(kind='eval', rounds=rounds, **files)
    tasks = {package: files | dict(backend=name) for name, (package, *_) in BACKENDS.items()}
    require_same(kept, about, 'pycocotools', tasks)
    found = _measure(about, tasks, 'pycocotools', warm_up=1)
    for line in _differing(found['figures']):
        found['why_no_result'].append(f'the packages differ in {line}')
    return found


def _differing(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return each metric in which contestants differ, and what they say of it."""
    lines = []
    for metric in next(iter(figures.values()))['metrics']:
        values = {name: own['metrics'][metric] for name, own in figures.items()}
        if max(values.values()) - min(values.values()) > 1e-9:
            said = ', '.join(f'{value:.6f} by {name}' for name, value in values.items())
            lines.append(f'{metric}: {said}')
    return lines


def measure_export(name: str, rounds: int, kept: Kept = None) -> dict[str, Any]:
    """Return the figures of exporting a network, comparison included, in each format."""
    about = dict(kind='export', rounds=rounds, name=name)
    tasks = {format: dict(name=name, format=format) for format in GRAPH_FORMATS}
    require_same(kept, about, 'onnx', tasks)
    return _measure(about, tasks, 'onnx', warm_up=1)


def measure_annotations(
    images: int, boxes: int, corners: int, rounds: int, kept: Kept = None
) -> dict[str, Any]:
    """Return the figures of loading a drawn annotation file of a size."""
    size = dict(images=images, boxes=boxes, corners=corners)
    about = dict(kind='annotations', rounds=rounds, **size)
    tasks = {'boxes': {}} | ({'boxes and masks': dict(with_mask=True)} if corners else {})
    require_same(kept, about, 'boxes', tasks)
    with scratch_folder() as scratch:
        path = scratch / 'annotations.json'
        atomic_write(path, drawn_annotations(**size))
        tasks = {name: task | dict(annotations=str(path)) for name, task in tasks.items()}
        found = _measure(about, tasks, 'boxes', warm_up=0)
        return found | dict(size=path.stat().st_size)


def _measure(
    about: dict[str, Any],
    tasks: Tasks,
    reference: str,
    peer: Peer | None = None,
    warm_up: int = 2,
    threads: int = 2,
) -> dict[str, Any]:
    common = dict(kind=about['kind'], framework='rexdense', threads=threads)
    whole = {name: common | task for name, task in tasks.items()}
    times, facts, busy = run_in_turns(whole, peer or Peer(), about['rounds'], warm_up)
    figures = figures_of(times, facts, reference)
    for own in figures.values():
        if 'images' in own:
            own['images_per_second'] = own['images'] / own['milliseconds'] * 1e3
    return result_of(about, busy, reference, figures)
