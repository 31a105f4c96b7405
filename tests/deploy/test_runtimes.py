"""Runtimes other than torch: their threads are idle after a run."""

import time

import numpy as np
import pytest
import torch

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

import onnx

from rexdense.benchmark.networks import build_network
from rexdense.deploy.runtimes import open_graph


@pytest.fixture
def graph(tmp_path):
    """The file of a graph with one convolution."""
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    shape = ['batch', 32, 'height', 'width']
    weights = onnx.numpy_helper.from_array(np.ones((32, 32, 3, 3), np.float32), 'weights')
    body = helper.make_graph(
        [helper.make_node('Conv', ['images', 'weights'], ['maps'])],
        'graph',
        [helper.make_tensor_value_info('images', float32, shape)],
        [helper.make_tensor_value_info('maps', float32, shape)],
        [weights],
    )
    path = tmp_path / 'graph.onnx'
    opset = helper.make_opsetid('', 18)
    onnx.save(helper.make_model(body, opset_imports=[opset], ir_version=10), path)
    return path


def of_benchmarks(path):
    return build_network(dict(framework='onnxruntime', threads=2, graph=str(path)))


def of_predictions(path):
    return open_graph(path, 'onnxruntime')


@pytest.mark.parametrize('opened', [of_benchmarks, of_predictions])
def test_threads_rest_after_a_run(opened, graph, monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    run, images = opened(graph), torch.ones(1, 32, 64, 64)
    spent = []
    for _ in range(3):
        run(images)
        start = time.process_time()
        time.sleep(0.1)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.01
