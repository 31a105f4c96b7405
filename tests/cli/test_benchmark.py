"""rexdense benchmark: tables and JSON, and a line for what cannot be measured."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from rexdense.benchmark import (
    commands,
    comparisons,
    contestants,
    growth,
    measurement,
    processes,
)
from rexdense.benchmark.serving import serve
from rexdense.benchmark.workloads import graphs
from rexdense.benchmark.workloads.annotations import drawn_annotations
from rexdense.cli import benchmark
from rexdense.errors import InvalidArgument, MissingDependency, UnknownName, UnwritableFile
from tests.forked import ForkedProgram


@pytest.fixture
def quick_contestants(monkeypatch):
    """Contestants are forked, which spares each the imports; theirs is the same program."""
    forking = SimpleNamespace(PIPE=None, Popen=lambda *_, **__: ForkedProgram(serve))
    monkeypatch.setattr(contestants, 'subprocess', forking)


SMALL = ['--shape', '1x3x33x33', '--threads', '1', '--rounds', '1', '--allocator', 'default']


BLOOD_CELLS = 'faster-rcnn_rexnet-1.0_fpn_bccd'


def test_a_backbone_in_turns_on_a_busy_machine(tmp_path, monkeypatch, capsys, quick_contestants):
    monkeypatch.setattr(processes, 'busy_share', lambda: 0.5)
    path = tmp_path / 'new' / 'figures.json'
    command = ['backbone', 'rexnet_1.0', *SMALL, '--json', str(path)]
    assert benchmark.main(command) == 1
    content = json.loads(path.read_text())
    assert list(content['figures']) == ['rexdense', 'rexdense, optimised']
    assert content['reference'] == 'rexdense'
    for own in content['figures'].values():
        assert own['milliseconds'] > 0 and own['resident'] > 1e7
        assert 0 < own['share_of_ceiling'] < 1
        low, high = own['speed_interval']
        assert low <= own['speed'] <= high
    output = capsys.readouterr().out
    assert 'rexdense, optimised' in output and output.splitlines()[-1] == str(path)
    assert 'No result: others took 50% of the processors' in output
    with pytest.raises(InvalidArgument, match=r'figures\.json'):
        benchmark.main(command)


@pytest.mark.slow
def test_a_step_of_training_keeps_less_where_it_recomputes(tmp_path, quick_contestants):
    path = tmp_path / 'figures.json'
    benchmark.main(['train-step', 'rexnet_1.0', *SMALL, '--json', str(path)])
    figures = json.loads(path.read_text())['figures']
    kept = [own['kept'] for own in figures.values()]
    assert kept[0] > 1.5 * kept[2] > 0 and kept[1] > 1.5 * kept[3] > 0


@pytest.mark.slow
def test_a_step_of_a_whole_model(tmp_path, quick_contestants, capsys):
    found = figures(tmp_path, 'train-step', BLOOD_CELLS, '--shape', '1x3x64x64', *SMALL[2:])
    assert found['benchmark']['kind'] == 'model-step' and found['macs'] is None
    assert list(found['figures']) == ['rexdense', 'rexdense, as trained']
    assert all(own['kept'] > 1e6 for own in found['figures'].values())
    assert 'kept MB' in capsys.readouterr().out


BAD = [
    (['detector', 'faster-rcnn_rexnet-1.0'], UnknownName, 'faster-rcnn_rexnet-1'),
    (['detector', 'mask-rcnn_rexnet-1.0_fpn_custom_coco', *SMALL, '--against', 'mmdet'],
     InvalidArgument, 'mmdet has no rexnet_1.0, but ResNeXt and RegNetX'),
    (['detector', 'rexnet-1.0_custom', *SMALL], InvalidArgument,
     'predicts nothing for a batch of images: give the config of a detector'),
    (['train-step', 'rexnet-1.0_custom', *SMALL], InvalidArgument,
     'ImageClassifier: give the config of a detector or a segmentor'),
    (['train-step', 'depth/unet_rexnet-1.0_custom', *SMALL], InvalidArgument,
     'DepthEstimator: give the config of a detector'),
    (['train-step', 'rexnet_1.0', *SMALL, '--objects', '9'], InvalidArgument, 'give the config of'),
    (['train-step', 'rexnet-1.0'], UnknownName, "did you mean .*'rexnet_1.0'"),
    (['train-step', 'regnety-800mf'], UnknownName, "did you mean .*'regnety_800mf'"),
    (['train-step', 'faster-rcnn_rexnet-1.0'], UnknownName, 'no config file .* did you mean'),
    (['train-step', BLOOD_CELLS, '--shape', '1x3x31x64'], InvalidArgument, 'give a larger --shape'),
    (['train-step', BLOOD_CELLS, '--shape', '1x3x100000x100000'], InvalidArgument,
     'would need at least .* GB are free: give a smaller shape'),
    (['train-step', BLOOD_CELLS, '--shape', '1x3x64x64', *SMALL[2:], '--objects', '99999999999'],
     InvalidArgument, 'give a smaller shape, or fewer objects'),
    (['backbone', 'rexnet_1.0', '--shape', '999999999x3x99999x99999'], InvalidArgument,
     'give a smaller shape'),
    (['backbone', 'rexnet_1.0', '--threads', '100000'], InvalidArgument, 'as there are processors'),
    (['import', '--against', 'timm', '--peer-python', 'nowhere/python'], InvalidArgument,
     'nowhere/python: No such file or directory; give --peer-python an interpreter that has timm'),
    (['train-step', BLOOD_CELLS, *SMALL, '--against', 'mmdet'], InvalidArgument,
     'mmdet has no rexnet_1.0'),
    (['train-step', BLOOD_CELLS, *SMALL, '--against', 'torchvision'], InvalidArgument,
     "a config's train-step has"),
    (['train-step', BLOOD_CELLS, *SMALL, '--compile'], InvalidArgument,
     'not compiled: leave --dtype and --compile out'),
    (['train-step', 'rexnet_1.0', '--dtype', 'bfloat16'], InvalidArgument, 'in float32'),
    (['train-step', 'rexnet_1.0', '--against', 'mmdet'], InvalidArgument, 'train-step has'),
    (['train-step', 'rexnet_1.1'], UnknownName, 'did you mean'),
    (['loader', 'nowhere'], InvalidArgument, 'nowhere is no folder: give one of JPEG files'),
    (['loader', 'rexdense'], InvalidArgument, 'give 0 JPEG files: a batch has 32'),
    (['loader', 'nowhere', '--against', 'smp'], InvalidArgument, "invalid choice: 'smp'"),
    (['eval', 'nowhere.json'], InvalidArgument, '^annotation file nowhere.json is not there'),
    (['eval', 'nowhere.json', '--iou', 'segm'], InvalidArgument, 'give --detections'),
    (['export', 'rexnet_1.1'], InvalidArgument, '^no backbone .* did you mean'),
    (['growth', 'rexnet_1.1'], UnknownName, 'did you mean'),
    (['growth', 'rexnet_1.0', '--plot', 'tests'], UnwritableFile, 'tests'),
    (['annotations', '--corners', '2'], InvalidArgument, 'a polygon has 3 at least'),
    (['annotations', '--boxes', '99999999999'], InvalidArgument, 'give smaller numbers'),
]  # fmt: skip


@pytest.mark.parametrize(('arguments', 'kind', 'message'), BAD, ids=[' '.join(b[0]) for b in BAD])
def test_bad_input_is_told_in_one_line(arguments, kind, message, capfd, quick_contestants):
    with pytest.raises(kind, match=message):
        benchmark.main(arguments)


def test_a_graph_of_another_network_is_not_measured(tmp_path):
    graph = tmp_path / 'rexnet.onnx'
    graph.write_bytes(b'a graph')
    about = dict(sha256=hashlib.sha256(b'a graph').hexdigest(), architecture='rexnet_2.0')
    (tmp_path / 'rexnet.onnx.json').write_text(json.dumps(about))
    with pytest.raises(InvalidArgument, match=r'is of rexnet_2\.0, not of rexnet_1\.0: measure'):
        benchmark.main(
            ['backbone', 'rexnet_1.0', '--against', 'onnxruntime', '--graph', str(graph)]
        )


OTHER = {
    'backbone': ['rexnet_1.0', *SMALL],
    'train-step': ['rexnet_1.0', *SMALL],
    'segmentor': ['unet_rexnet_1.0', *SMALL],
    'loader': ['nowhere'],
    'eval': ['nowhere.json'],
    'export': ['rexnet_1.0'],
    'growth': ['rexnet_1.0'],
    'annotations': [],
    'import': [],
}


@pytest.mark.parametrize('kind', OTHER)
def test_kept_figures_of_another_benchmark_are_told_before_it_runs(kind, tmp_path, monkeypatch):
    for module in (contestants, commands):
        monkeypatch.setattr(module, 'subprocess', None)
    monkeypatch.setattr(measurement, 'measure_ceilings', None)
    kept = tmp_path / 'kept.json'
    kept.write_text(json.dumps(dict(benchmark=dict(kind='other'), reference='a', figures={})))
    with pytest.raises(InvalidArgument, match=f"kind is 'other' there and '{kind}' here"):
        benchmark.main([kind, *OTHER[kind], '--kept', str(kept)])


def test_a_plot_without_matplotlib_is_told_before_it_is_measured(
    tmp_path, monkeypatch, no_matplotlib
):
    monkeypatch.setattr(benchmark, 'measure_growth', None)
    with pytest.raises(MissingDependency, match='pip install matplotlib'):
        benchmark.main(['growth', 'rexnet_1.0', '--plot', str(tmp_path / 'growth.png')])


def test_imports(capsys):
    benchmark.main(['import', '--rounds', '1'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('  ')[0] for line in lines[1:4]] == [
        'python',
        'import rexdense',
        'rexdense --help',
    ]


def figures(tmp_path, *arguments):
    path = tmp_path / 'figures.json'
    benchmark.main([*arguments, '--rounds', '1', '--json', str(path)])
    return json.loads(path.read_text())


@pytest.mark.slow
def test_a_whole_detector(tmp_path, quick_contestants):
    found = figures(
        tmp_path, 'detector', 'faster-rcnn_resnext50-32x4d_fpn_1x_coco', '--shape', '1x3x64x64',
        '--threads', '1', '--allocator', 'default', '--against', 'mmdet',
    )  # fmt: skip
    assert list(found['figures']) == ['rexdense', 'rexdense, optimised', 'mmdet']
    assert found['reference'] == 'mmdet' and found['macs'] is None


def test_packages_that_evaluate_agree(tmp_path, capsys, quick_contestants):
    annotations = tmp_path / 'annotations.json'
    annotations.write_bytes(drawn_annotations(20, 150))
    found = figures(tmp_path, 'eval', str(annotations))['figures']
    assert list(found) == ['pycocotools', 'faster-coco-eval']
    first, second = (own['average_precision'] for own in found.values())
    assert first == pytest.approx(second, abs=1e-9) and 0.1 < first < 0.9
    assert {own['detections'] for own in found.values()} == {150 + 20 * 20}
    assert '  AP' in capsys.readouterr().out


def test_packages_that_disagree_are_no_result(monkeypatch):
    figures = {
        'one': dict(metrics=dict(mAP=0.5, mAP_s=-1.0)),
        'other': dict(metrics=dict(mAP=0.5, mAP_s=0.6)),
    }
    monkeypatch.setattr(
        comparisons, '_measure', lambda *_, **__: dict(figures=figures, why_no_result=[])
    )
    found = comparisons.measure_evaluation(Path('a.json'), None, 'bbox', 1)
    assert found['why_no_result'] == [
        'the packages differ in mAP_s: -1.000000 by one, 0.600000 by other'
    ]


def test_annotations_of_a_size(tmp_path, quick_contestants):
    found = figures(tmp_path, 'annotations', '--images', '50', '--boxes', '300', '--corners', '9')
    assert list(found['figures']) == ['boxes', 'boxes and masks']
    for own in found['figures'].values():
        assert own['images'] == 50 and 0 < own['worker'] < 1e9
    content = json.loads(drawn_annotations(50, 300, corners=9))
    assert len(content['annotations']) == 300 and content['categories'][79]['id'] == 80
    assert {len(entry['segmentation'][0]) for entry in content['annotations']} == {18}


@pytest.mark.slow
def test_the_loader_over_images(tmp_path, quick_contestants):
    folder = tmp_path / 'images'
    folder.mkdir()
    for number in range(32):
        image = np.full((40, 50, 3), number, np.uint8)
        cv2.imwrite(str(folder / f'{number}.jpg'), image)
    found = figures(tmp_path, 'loader', str(folder), '--count', '32')['figures']
    assert list(found) == ['rexdense', 'rexdense, full decode']
    assert {own['images'] for own in found.values()} == {32}
    assert all(own['images_per_second'] > 1 for own in found.values())


def test_growth(tmp_path, monkeypatch, capsys, quick_contestants):
    monkeypatch.setattr(growth, 'SIDES', (33, 65))
    monkeypatch.setattr(growth, 'BATCHES', ())
    monkeypatch.setattr(growth, '_LARGEST', 0)
    plot = tmp_path / 'growth.png'
    found = figures(tmp_path, 'growth', 'rexnet_lite_1.0', '--threads', '1', '--plot', str(plot))
    points = found['figures']
    assert list(points) == ['33 x 33', '65 x 65']
    assert 1 < points['65 x 65']['macs'] / points['33 x 33']['macs'] < 5
    assert cv2.imread(str(plot)) is not None
    assert 'ms a GMAC' in capsys.readouterr().out


def test_the_points_of_growth():
    points = growth._points('rexnet_2.2')
    # ReXNet-R is of the same family, and rexnetr_3.0 larger, too.
    series = [series for series, *_ in points.values()]
    assert series == ['area'] * 4 + ['batch'] * 4 + ['network'] * 3
    assert points['rexnet_3.0'] == ('network', 'rexnet_3.0', (1, 3, 448, 448))
    assert points['batch 8'] == ('batch', 'rexnet_2.2', (8, 3, 224, 224))


def test_points_whose_time_grows_faster_than_their_work_are_named():
    def point(series, macs, milliseconds):
        return dict(series=series, macs=macs * 10**9, milliseconds=milliseconds)

    points = {'small': point('area', 1, 10), 'large': point('area', 4, 44)}
    assert growth.faster_than_work(points) == []
    points |= {'huge': point('area', 8, 160), 'other': point('batch', 8, 160)}
    assert growth.faster_than_work(points) == ['a GMAC takes 2.00 times as long at huge']


def test_a_graph_of_a_network():
    export = graphs.prepare(dict(name='regnetx_200mf', format='torchscript'))
    assert export.run() > 1 and export.facts['size'] > 8e6
