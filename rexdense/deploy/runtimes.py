"""Runtimes other than torch for ONNX graphs on the CPU."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from rexdense.dependencies import needed_packages
from rexdense.errors import InvalidArgument, MissingDependency, suggest

Run = Callable[[Tensor], Mapping[str, Tensor]]


def device_of_runtime(name: str, device: str) -> str:
    """Return the device of a model for a runtime, after checks that the runtime can be used.

    Args:
        device: The requested device, or 'auto'.

    Raises:
        InvalidArgument: the runtime is unknown, or the device is not the CPU.
        MissingDependency: the runtime or a package for its graphs is not installed.
    """
    _require_known(name)
    for package in (name, 'onnx', 'onnxscript', 'onnxruntime'):
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(
                f'runtime={name!r} needs the package {package}, which is not installed: run pip '
                f'install {package}'
            )
    if device not in ('auto', 'cpu'):
        raise InvalidArgument(
            f'runtime={name!r} computes on the CPU, not on {device}: leave device out'
        )
    return 'cpu'


def open_graph(path: Path, runtime: str) -> Run:
    """Open an ONNX graph as a function from images (N, C, H, W) to its outputs by name, in float32,
    with the same number of threads as torch.

    Raises:
        InvalidArgument: the runtime is unknown.
        MissingDependency: it is not installed.
    """
    _require_known(runtime)
    return RUNTIMES[runtime](path)


def _require_known(name: str) -> None:
    if name not in RUNTIMES:
        raise InvalidArgument(f'runtime={name!r}: {suggest(str(name), RUNTIMES)}')


def _onnxruntime(path: Path) -> Run:
    with needed_packages("runtime='onnxruntime'"):
        import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # only errors
    options.intra_op_num_threads = torch.get_num_threads()
    # Otherwise its threads spin for another 30 ms, and slow down the code after the network.
    options.add_session_config_entry('session.force_spinning_stop', '1')
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    (images_name,) = (each.name for each in session.get_inputs())

    def run(images: Tensor) -> Mapping[str, Tensor]:
        outputs = session.run(names, {images_name: images.numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, outputs, strict=True)}

    return run


def _openvino(path: Path) -> Run:
    with needed_packages("runtime='openvino'"):
        openvino = importlib.import_module('openvino')

    settings = dict(INFERENCE_NUM_THREADS=torch.get_num_threads(), INFERENCE_PRECISION_HINT='f32')
    model = openvino.Core().compile_model(str(path), 'CPU', settings)
    names = [output.get_any_name() for output in model.outputs]

    def run(images: Tensor) -> Mapping[str, Tensor]:
        outputs = model(images.numpy())
        # The next run reuses the memory.
        return {name: torch.from_numpy(outputs[place].copy()) for place, name in enumerate(names)}

    return run


RUNTIMES: dict[str, Callable[[Path], Run]] = {'onnxruntime': _onnxruntime, 'openvino': _openvino}
"""Functions that open a graph, by runtime."""
