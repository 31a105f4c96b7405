"""AP and time of a detector, by mmdet's own code and as one ONNX graph in onnxruntime.

    python benchmarks/onnx_detector.py CONFIG CHECKPOINT --data-root DIR

Both go over the validation set with the same pipeline and the same metric. The graph is exported
from the checkpoint, unless --graph gives one that rexdense export has written.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from mmengine.structures import InstanceData

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rexdense.cli.options import add_data_options, add_run_options
from rexdense.cli.parser import Parser, run_command
from rexdense.cli.test import keep_only_testing
from rexdense.deploy import export_graph
from rexdense.deploy.detection import detector_graph
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.deploy.pasting import paste_masks
from rexdense.device import reuse_freed_memory
from rexdense.engine.config.apply import apply_run_options
from rexdense.engine.config.faults import config_faults
from rexdense.engine.config.load import load_config
from rexdense.engine.runner import Runner
from rexdense.engine.trained.file import read_training_file
from rexdense.errors import InvalidArgument
from rexdense.evaluation.metrics_table import metrics_of
from rexdense.text_table import text_table


class Timed:
    """A function from a batch to its predictions that adds up how long it takes."""

    def __init__(self, function) -> None:
        self.function, self.seconds, self.images = function, 0.0, 0

    def __call__(self, batch: dict) -> list:
        start = time.perf_counter()
        with torch.no_grad():
            results = self.function(batch)
        self.seconds += time.perf_counter() - start
        self.images += len(results)
        return results

    @property
    def milliseconds(self) -> float:
        return self.seconds / max(self.images, 1) * 1e3


class OnnxDetector:
    """The graph in the place of a detector's ``test_step``."""

    def __init__(self, path: Path, model) -> None:
        self.run, self.preprocess = GRAPH_FORMATS['onnx'].open(path), model.data_preprocessor
        self.mask_threshold = (model.test_cfg.get('rcnn') or {}).get('mask_thr_binary')

    def __call__(self, batch: dict) -> list:
        samples = []
        for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
            data = self.preprocess(dict(inputs=[image], data_samples=[sample]))
            (sample,) = data['data_samples']
            height, width = sample.img_shape
            # The graph pads by itself.
            outputs = self.run(data['inputs'][:, :, :height, :width].contiguous())
            found = outputs['labels'][0] >= 0
            scale = torch.tensor(sample.scale_factor).repeat(2)
            sample.pred_instances = InstanceData(
                bboxes=outputs['boxes'][0][found] / scale,
                scores=outputs['scores'][0][found],
                labels=outputs['labels'][0][found],
            )
            if 'masks' in outputs:
                masks = outputs['masks'][0][found].numpy()
                boxes = sample.pred_instances.bboxes.numpy()
                pasted = paste_masks(masks, boxes, *sample.ori_shape, self.mask_threshold)
                sample.pred_instances.masks = torch.from_numpy(pasted)
            samples.append(sample)
        return samples


def parser() -> argparse.ArgumentParser:
    result = Parser(prog='benchmarks/onnx_detector.py', description=__doc__.splitlines()[0])
    result.add_argument('config', type=Path, help='the config that it was trained with')
    result.add_argument('checkpoint', type=Path, help='a .pth file of rexdense train')
    result.add_argument('--graph', type=Path, help='an .onnx file of rexdense export detector')
    add_data_options(result)
    add_run_options(result)
    return result


def main(arguments=None) -> None:
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    if options.graph is not None and not options.graph.is_file():
        raise InvalidArgument(f'--graph {options.graph} is not there')
    with tempfile.TemporaryDirectory() as folder:
        options.work_dir = options.work_dir or Path(folder) / 'run'
        options.device = 'cpu'
        runner = build_runner(options)
        runner.load_or_resume()
        model, graph = runner.model, options.graph
        if graph is None:
            graph = Path(folder) / 'detector.onnx'
            print(export_graph(detector_graph(model), graph))
        onnx, eager = Timed(OnnxDetector(graph, model)), Timed(model.test_step)
        metrics = {}
        for name, step in (('mmdet', eager), ('onnxruntime', onnx)):
            model.test_step = step
            metrics[name] = metrics_of(runner.test())
        runner.end_workers()
    print(text_table(rows(metrics)))
    print(f'milliseconds an image: mmdet {eager.milliseconds:.0f}, ', end='')
    print(f'onnxruntime {onnx.milliseconds:.0f}')


def build_runner(options: argparse.Namespace) -> Runner:
    """Return a runner that only tests, with the checkpoint's weights and classes."""
    config = load_config(options.config)
    classes = read_training_file(options.checkpoint).classes
    apply_run_options(config, options, training=False, classes=classes)
    keep_only_testing(config)
    config.load_from = str(options.checkpoint)
    with config_faults():
        return Runner.from_cfg(config)


def rows(metrics: dict[str, dict[str, float]]) -> list[list[str]]:
    """Return a table with a line for each metric, and the difference."""
    names = list(metrics)
    lines = [['metric', *names, 'difference']]
    for name, value in metrics[names[0]].items():
        other = metrics[names[1]][name]
        lines.append([name, f'{value:.4f}', f'{other:.4f}', f'{other - value:+.4f}'])
    return lines


if __name__ == '__main__':
    run_command(main, sys.argv[1:], 'benchmarks/onnx_detector.py')
