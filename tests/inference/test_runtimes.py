"""Predictions through other runtimes: the same as torch's, from the same checkpoint."""

import os
import shutil

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from rexdense.cli import predict
from rexdense.deploy import runtimes
from rexdense.engine.trained import runtime as trained_runtime
from rexdense.errors import GraphMismatch, InvalidArgument, MissingDependency
from rexdense.inference import Predictor
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.tiny_run import NARROW
from tests.untrained import write_untrained


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory):
    """The folder of graphs, of this module alone."""
    folder = tmp_path_factory.mktemp('cache')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('REXDENSE_CACHE', str(folder))
        yield folder / 'graphs'


@pytest.fixture(scope='module')
def images():
    """Two of one size, and a larger one."""
    random = np.random.default_rng(0)
    sizes = (48, 64), (48, 64), (72, 80)
    pixels = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    for each in pixels:
        each[10:30, 10:30] = 250, 20, 20
    return pixels


@pytest.fixture(scope='module')
def classifier(tmp_path_factory):
    """A checkpoint whose sizes are halved three times: an export takes the longer the more often
    they are."""
    settings = ('model.backbone.depth_mult=0.1', 'model.backbone.output_stride=8')
    path = tmp_path_factory.mktemp('classifier') / 'class.pth'
    return write_untrained(path, CLASSIFICATION_CONFIG, (NARROW, *settings))


@pytest.fixture(scope='module')
def graph(classifier, cache):
    """The file that the first prediction of the classifier has written."""
    Predictor(classifier, 'cpu', runtime='onnxruntime')
    (file,) = cache.glob(f'{classifier.stem}-*.onnx')
    return file


def require_alike(found, expected, kind):
    if kind == 'class':
        assert np.allclose(found.scores, expected.scores, atol=1e-5)
    elif kind == 'labels':
        assert (found.labels != expected.labels).mean() < 1e-3
    elif kind == 'depth':
        assert np.allclose(found.depth, expected.depth, rtol=1e-4)
    else:
        assert len(found) == len(expected) > 0
        assert np.allclose(found.scores, expected.scores, atol=1e-4)
        assert np.allclose(found.boxes, expected.boxes, atol=0.05)
    if kind == 'masks':
        assert (found.masks != expected.masks).mean() < 1e-3


def test_onnxruntime_predicts_what_torch_does(classifier, images, graph, monkeypatch):
    torchs, other = (
        Predictor(classifier, 'cpu', runtime=runtime, batch_size=2)
        for runtime in (None, 'onnxruntime')
    )
    for found, expected in zip(other(images), torchs(images), strict=True):
        require_alike(found, expected, 'class')
    assert [file.name for file in graph.parent.glob('*.onnx')] == [graph.name]
    # It is there for the next time.
    with monkeypatch.context() as patch:
        patch.setattr(trained_runtime, 'export_graph', None)
        Predictor(classifier, 'cpu', runtime='onnxruntime')
    # Damaged, it is written anew.
    whole, exported = graph.read_bytes(), []
    graph.write_bytes(whole[:1000])

    def export(_, path, overwrite):
        exported.append((path, overwrite))
        path.write_bytes(whole)

    monkeypatch.setattr(trained_runtime, 'export_graph', export)
    again = Predictor(classifier, 'cpu', runtime='onnxruntime')
    assert exported == [(graph, True)]
    for found, expected in zip(again(images), torchs(images), strict=True):
        require_alike(found, expected, 'class')


def test_a_graph_that_the_runtime_does_not_open(classifier, monkeypatch):
    def fail(*_):
        raise RuntimeError('no such operator\nin detail')

    monkeypatch.setattr(trained_runtime, '_written', lambda graph, *_: (graph, True))
    monkeypatch.setattr(trained_runtime, 'open_graph', fail)
    with pytest.raises(GraphMismatch, match='cannot open the graph: no such operator; leave'):
        Predictor(classifier, 'cpu', runtime='onnxruntime')


@pytest.mark.parametrize('kind', ['boxes', 'masks', 'labels', 'depth'])
def test_predictions_of_a_graph_are_torchs(kind, untrained_models, images, monkeypatch):
    """With the graph as torch runs it; its export is tested in tests/deploy."""
    settings = dict(batch_size=2) | (dict(score=0.0) if kind in ('boxes', 'masks') else {})
    expected = Predictor(untrained_models[kind], 'cpu', **settings)(images)
    monkeypatch.setattr(trained_runtime, '_written', lambda graph, *_: (graph, True))
    monkeypatch.setattr(trained_runtime, 'open_graph', lambda graph, runtime: graph)
    found = Predictor(untrained_models[kind], 'cpu', runtime='onnxruntime', **settings)(images)
    for one, other in zip(found, expected, strict=True):
        require_alike(one, other, kind)


def test_a_runtime_that_computes_something_else(classifier, graph, monkeypatch):
    real = runtimes.RUNTIMES['onnxruntime']

    def wrong(path):
        run = real(path)
        return lambda images: {name: value * 1.01 for name, value in run(images).items()}

    monkeypatch.setitem(runtimes.RUNTIMES, 'onnxruntime', wrong)
    with pytest.raises(GraphMismatch, match=r'onnxruntime computes something else.*leave runtime'):
        Predictor(classifier, 'cpu', runtime='onnxruntime')


def test_unknown_and_missing_runtimes_are_told(classifier, images, tmp_path, monkeypatch):
    with pytest.raises(InvalidArgument, match=r"runtime='tensorrt': .*onnxruntime"):
        Predictor(classifier, runtime='tensorrt')
    with pytest.raises(InvalidArgument, match='computes on the CPU, not on cuda: leave device out'):
        Predictor(classifier, 'cuda', runtime='onnxruntime')
    with pytest.raises(InvalidArgument, match="invalid choice: 'tensorrt'"):
        predict.main([str(classifier), 'images', '--out-dir', 'out', '--runtime', 'tensorrt'])
    monkeypatch.setattr(runtimes.importlib.util, 'find_spec', lambda name: None)
    for name in runtimes.RUNTIMES:
        with pytest.raises(MissingDependency, match=f'package {name}, .* pip install {name}$'):
            Predictor(classifier, runtime=name)


def test_a_folder_of_graphs_that_cannot_be_written(
    classifier, images, graph, tmp_path, monkeypatch
):
    exported = []

    def export(_, path, overwrite):
        exported.append(path)
        shutil.copy(graph, path)

    (tmp_path / 'file').touch()
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path / 'file'))
    monkeypatch.setattr(trained_runtime, 'export_graph', export)
    predictor = Predictor(classifier, 'cpu', runtime='onnxruntime')
    assert len(predictor(images)) == 3 and os.listdir(tmp_path) == ['file']
    (path,) = exported
    assert path.name == graph.name and not path.exists()
