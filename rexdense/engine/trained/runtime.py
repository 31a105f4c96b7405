"""Trained models whose network runs in onnxruntime or OpenVINO."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor, nn

from rexdense.checkpoint.download import cache_folder
from rexdense.deploy import ClassifierGraph, Graph, SegmentorGraph, export_graph
from rexdense.deploy.pasting import paste_masks
from rexdense.deploy.runtimes import device_of_runtime, open_graph
from rexdense.errors import GraphMismatch, InvalidArgument, RexdenseError, first_line
from rexdense.files.destinations import prepare_output_dir
from rexdense.files.writing import scratch_folder
from rexdense.models.image_classifier import ImageClassifier

TOLERANCE = 1e-3
"""Largest relative error at which a runtime is used."""
COMPARED = (1, 3, 96, 128)

Run = Callable[[Tensor], Mapping[str, Tensor]]


def use_runtime(model: nn.Module, runtime: str, checkpoint: Path) -> None:
    """Make a model compute its network in another runtime, on the CPU.

    The network is exported as ONNX into the download cache, under a key of the weights and the
    checkpoint's config, unless it is there already. A new graph is compared with the network once
    in the runtime. The steps after the network remain those of the model.

    Args:
        model: In evaluation mode, with the weights of ``checkpoint``. It is changed.
        runtime: A name of :data:`rexdense.deploy.runtimes.RUNTIMES`.

    Raises:
        InvalidArgument: the runtime is unknown, or the model has no graph.
        MissingDependency: a package is not installed.
        GraphMismatch: the runtime computes something else than the network.
    """
    device_of_runtime(runtime, 'cpu')
    graph, put_in_place = _graph_of(model)
    with contextlib.ExitStack() as stack:
        path, is_new = _written(graph, checkpoint, stack)
        try:
            run = _opened(path, runtime)
        except GraphMismatch:
            if is_new:
                raise
            # A cached file may be damaged.
            export_graph(graph, path, overwrite=True)
            run = _opened(path, runtime)
    _compare(graph, run, runtime)
    put_in_place(model, run)


def _graph_of(model: nn.Module) -> tuple[Graph, Callable[[nn.Module, Run], None]]:
    """Return the graph of a model, and a function that puts a runtime into the model."""
    if isinstance(model, ImageClassifier):
        return ClassifierGraph(model), _classify
    if hasattr(model, 'decode_head'):
        return SegmentorGraph(model), _segment
    # Imported here, because the import registers operators with torch.
    from rexdense.deploy.detection import detector_graph

    try:
        return detector_graph(model), _detect
    except InvalidArgument as error:
        raise InvalidArgument(f'runtime: {error}; leave runtime out') from error


def _written(graph: Graph, checkpoint: Path, stack: contextlib.ExitStack) -> tuple[Path, bool]:
    """Return the file of the graph, cached or new, and whether it is new. If the cache is not
    writable, the file is in a temporary folder that is deleted with ``stack``."""
    folder = cache_folder() / 'graphs'
    path = folder / f'{checkpoint.stem}-{_key(graph)}.onnx'
    if path.is_file():
        return path, False
    try:
        prepare_output_dir(folder, 'the folder of graphs')
    except RexdenseError:
        path = stack.enter_context(scratch_folder()) / path.name
    export_graph(graph, path, overwrite=True)
    return path, True


def _opened(path: Path, runtime: str) -> Run:
    with _as_graph_mismatch(runtime, 'open'):
        return open_graph(path, runtime)


@contextlib.contextmanager
def _as_graph_mismatch(runtime: str, doing: str) -> Iterator[None]:
    """Turn the errors of a runtime, whose types differ, into GraphMismatch."""
    try:
        yield
    except RexdenseError:
        raise
    except Exception as error:
        raise GraphMismatch(
            f'{runtime} cannot {doing} the graph: {first_line(error)}; leave runtime out'
        ) from error


def _key(graph: Graph) -> str:
    """Return a key that identifies a graph by its layers, settings and weights, and by the versions
    of the packages that write it."""
    from rexdense import __version__

    digest = hashlib.sha256(f'{__version__} {torch.__version__} {graph}'.encode())
    settings = graph.details(), getattr(graph.network, 'test_cfg', None)
    digest.update(repr(settings).encode())
    for name, tensor in graph.network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def _compare(graph: Graph, run: Run, runtime: str) -> None:
    images = graph.example(*COMPARED)
    with torch.no_grad():
        expected = graph.reference(images)
    with _as_graph_mismatch(runtime, 'run'):
        errors = graph.errors(run(images), expected)
    worst = max(errors, key=errors.__getitem__)
    if not errors[worst] < TOLERANCE:
        raise GraphMismatch(
            f'{runtime} computes something else than the network: {worst} is off by '
            f'{errors[worst]:.2g} of its largest value; leave runtime out'
        )


class _Logits(nn.Module):
    """A backbone whose last map is the output of the graph."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self._run(images)['logits'],)


def _classify(model: nn.Module, run: Run) -> None:
    model.backbone, model.head = _Logits(run), nn.Identity()


def _segment(model: nn.Module, run: Run) -> None:
    """Make the head return the graph's outputs for the images, which replace its features."""
    head = model.decode_head

    def forward(images: Tensor, size: Any = None, strides: Sequence[int] | None = None) -> Any:
        outputs = run(images.contiguous())
        if not hasattr(head, 'decoder'):
            return outputs['logits']
        by_stride = {
            stride: outputs.get(f'stride_{stride}', outputs.get('logits'))
            for stride in head.decoder.output_strides
        }
        return {stride: by_stride[stride] for stride in strides or by_stride}

    model.extract_feat = _itself
    head.forward = forward
    # Its weights are in the graph.
    model.backbone = nn.Identity()


def _itself(images: Tensor, *_: Any) -> Tensor:
    return images  # mmseg's depth estimators also pass the metadata of the images


def _detect(model: nn.Module, run: Run) -> None:
    """Make the detector predict the results of the graph, in pixels of the images as they were
    read."""
    threshold = (model.test_cfg.get('rcnn') or {}).get('mask_thr_binary')

    def predict(images: Tensor, samples: list[Any], rescale: bool = True) -> list[Any]:
        # Images of one size run together, without the padding of the batch.
        for size in {sample.img_shape[:2] for sample in samples}:
            places = [place for place, each in enumerate(samples) if each.img_shape[:2] == size]
            outputs = run(images[places, :, : size[0], : size[1]].contiguous())
            for row, place in enumerate(places):
                own = {name: value[row] for name, value in outputs.items()}
                _write_found(samples[place], own, threshold, rescale)
        return samples

    model.predict = predict


def _write_found(
    sample: Any, outputs: Mapping[str, Tensor], threshold: float | None, rescale: bool
) -> None:
    """Write the graph's detections in an image into its data sample, as mmdet does."""
    found = outputs['labels'] >= 0
    scale = torch.tensor(sample.scale_factor if rescale else (1.0, 1.0)).repeat(2)
    size = sample.ori_shape if rescale else sample.img_shape
    sample.pred_instances = InstanceData(
        bboxes=outputs['boxes'][found] / scale,
        scores=outputs['scores'][found],
        labels=outputs['labels'][found],
    )
    if 'masks' in outputs:
        pasted = paste_masks(
            outputs['masks'][found].numpy(),
            sample.pred_instances.bboxes.numpy(),
            *size[:2],
            threshold,
        )
        sample.pred_instances.masks = torch.from_numpy(pasted)
