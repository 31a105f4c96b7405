"""Graphs in every format: they accept any batch and size, and wrong graphs are not kept."""

import hashlib
import json

import pytest
import torch

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

import onnx

import rexdense
from rexdense.deploy import (
    GRAPH_FORMATS,
    BackboneGraph,
    ClassifierGraph,
    Graph,
    SegmentorGraph,
    export_graph,
)
from rexdense.deploy.onnx_format import check_standard_operators
from rexdense.errors import GraphMismatch, InvalidArgument, UnknownName
from rexdense.models.unet import ReXDepth, ReXUNet, UNet
from tests.models.networks import image, network, randomise, relative_error

# A few blocks of each kind; with this depth, ReXNet still has a partial shortcut. Each halving of
# the size slows down the export, which handles sizes as formulas.
TINY = {
    'rexnet_1.0': dict(depth_mult=0.1, out_indices=(2, 3)),
    'rexnet_lite_1.0': dict(depth_mult=0.1, out_indices=(1, 2)),
    'rexnetr_1.0': dict(depth_mult=0.1, out_indices=(2, 3)),
    'regnetx_200mf': dict(out_indices=(0, 2)),
    'regnety_200mf': dict(out_indices=(2, 1)),
    'resnext50_32x4d': dict(out_indices=(0, 1)),
}
REXNET = dict(depth_mult=0.1, out_indices=(0, 1, 2))


def written(graph, folder, format='onnx', **options):
    return export_graph(graph, folder / f'graph{GRAPH_FORMATS[format].suffix}', format, **options)


def outputs_of(report, images):
    return GRAPH_FORMATS[report.description['format']].open(report.path)(images)


def require_outputs(report, backbone):
    """Check that a graph gives the levels of its backbone for images of another size and number."""
    images = image(1, 3, 65, 97, seed=5)
    with torch.no_grad():
        expected = backbone(images)
    found = outputs_of(report, images)
    assert list(found) == [level.name for level in backbone.out_levels]
    for level, reference in zip(found.values(), expected, strict=True):
        assert relative_error(level, reference) < 1e-4
    assert [
        (output['name'], output['shape'][1], output['stride'])
        for output in report.description['outputs']
    ] == [tuple(level) for level in backbone.out_levels]


@pytest.mark.parametrize('name', TINY)
def test_backbones_as_torchscript(name, tmp_path):
    backbone = network(name, **TINY[name]).eval()
    require_outputs(written(BackboneGraph(backbone), tmp_path, 'torchscript'), backbone)


# ONNX uses torch.export, so each network is exported to only one of the two. ReXNet is tested
# below; ReXNet-R has the same layers.
@pytest.mark.parametrize(
    ('name', 'format'),
    [
        ('regnetx_200mf', 'torch_export'),
        ('resnext50_32x4d', 'torch_export'),
        ('rexnet_lite_1.0', 'onnx'),
        ('regnety_200mf', 'onnx'),
    ],
)
@pytest.mark.slow
def test_backbones(name, format, tmp_path):
    backbone = network(name, **TINY[name]).eval()
    require_outputs(written(BackboneGraph(backbone), tmp_path, format), backbone)


def test_the_network_is_left_as_it_is(tmp_path):
    backbone = network('rexnet_1.0', depth_mult=0.1).double().train()
    written(BackboneGraph(backbone), tmp_path, 'torchscript')
    assert backbone.training
    assert all(tensor.requires_grad for tensor in backbone.parameters())
    assert {tensor.dtype for tensor in backbone.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ('make', 'names', 'formats'),
    [
        (
            lambda: ClassifierGraph(
                randomise(rexdense.create_classifier('rexnet_lite_1.0', 7, depth_mult=0.1))
            ),
            ['logits'],
            ('onnx',),
        ),
        (
            lambda: SegmentorGraph(randomise(UNet(network('rexnet_1.0', **REXNET), 4))),
            ['stride_1', 'stride_2', 'stride_4', 'stride_8'],
            # torch.export is tested in tests/deploy/test_segmentors.py.
            ('onnx', 'torchscript'),
        ),
        (
            lambda: SegmentorGraph(randomise(ReXUNet(depth_mult=0.1))),
            ['stride_1', 'stride_32'],
            ('torchscript',),
        ),
    ],
    ids=['classifier', 'unet', 'rexunet'],
)
@pytest.mark.slow
def test_whole_networks(make, names, formats, tmp_path):
    torch.manual_seed(0)
    graph = make()
    images = image(2, 3, 65, 97, seed=5)
    with torch.no_grad():
        expected = graph.network(images)
    references = [expected] if isinstance(expected, torch.Tensor) else expected
    references = references.values() if isinstance(references, dict) else references
    for format in formats:
        found = outputs_of(written(graph, tmp_path, format), images)
        assert set(names) <= set(found)
        for value, reference in zip(found.values(), references, strict=True):
            assert relative_error(value, reference) < 1e-4


def test_outputs_that_are_named_by_the_network():
    graph = SegmentorGraph(ReXDepth(depth_mult=0.1))
    assert list(graph(image(1, 3, 64, 64))) == ['disp_0', 'disp_1', 'disp_2', 'disp_3']


@pytest.mark.slow
def test_onnx_files_stand_alone(tmp_path):
    """Standard operators, named axes, weights included, no details of the machine."""
    backbone = network('rexnet_1.0', **TINY['rexnet_1.0']).eval()
    report = written(BackboneGraph(backbone), tmp_path, opset=18)
    require_outputs(report, backbone)
    assert {path.name for path in tmp_path.iterdir()} == {'graph.onnx', 'graph.onnx.json'}
    model = onnx.load(report.path)
    onnx.checker.check_model(model, full_check=True)
    operators = {node.op_type for node in model.graph.node}
    assert {node.domain for node in model.graph.node} <= {'', 'ai.onnx'}
    assert 'Conv' in operators and not operators & {'ScatterND', 'ScatterElements', 'Loop', 'If'}
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [('', 18)]
    axes = model.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ['batch', 3, 'height', 'width']
    assert b'.py' not in report.path.read_bytes()


def test_the_file_beside_it(tmp_path):
    graph = BackboneGraph(network('regnetx_200mf', out_indices=(1,)))
    report = written(graph, tmp_path, 'torchscript', about=dict(architecture='regnetx_200mf'))
    beside = json.loads((tmp_path / 'graph.pt.json').read_text())
    assert beside == report.description
    assert beside['sha256'] == hashlib.sha256(report.path.read_bytes()).hexdigest()
    assert beside['input'] == dict(
        name='images', type='float32', layout='NCHW', shape=['batch', 3, 'height', 'width']
    )
    assert beside['outputs'] == [
        dict(name='c2', shape=['batch', 24, 'height / 4', 'width / 4'], stride=4)
    ]
    assert set(beside['relative_errors']) == {'c2'} and len(beside['compared_on']) == 2
    assert 'regnetx_200mf' in str(report) and 'c2' in str(report)


class Forgetful(Graph):
    """A trace of it stores a value of the example images."""

    def forward(self, images):
        return dict(right=images * 2, wrong=images * float(images.abs().max()))


class Fixed(Graph):
    """A graph for images of one size."""

    def __init__(self):
        super().__init__(torch.nn.Linear(128, 2))

    def forward(self, images):
        return dict(found=self.network(images))

    def reference(self, images):
        return dict(found=self.network(images[..., :128]))


@pytest.mark.parametrize(
    ('graph', 'expected'),
    [
        (
            Forgetful(torch.nn.Identity()),
            r'the graph differs from the network on images of 1x3x97x161: wrong is off by 0\.\d+ '
            r'of its largest value, of 2 outputs the worst; less than 0\.0001 is allowed',
        ),
        (Fixed(), 'the graph does not run on images of 1x3x97x161, which the network takes'),
    ],
)
@pytest.mark.parametrize('there', [False, True])
def test_a_wrong_graph_is_not_kept(graph, expected, there, tmp_path):
    if there:
        (tmp_path / 'graph.pt').write_text('old')
    with pytest.raises(GraphMismatch, match=expected):
        written(graph, tmp_path, 'torchscript', overwrite=there)
    assert [path.read_text() for path in tmp_path.iterdir()] == ['old'] * there


def test_no_number_is_no_match():
    graph = Graph(torch.nn.Identity())
    one = dict(logits=torch.ones(2))
    assert graph.errors(dict(logits=torch.tensor([1.0, torch.nan])), one) == {'logits': torch.inf}
    assert graph.errors(dict(logits=torch.ones(1, 2)), one) == {'logits': torch.inf}
    assert graph.errors(dict(logits=torch.tensor([1.0, 1.5])), one) == {'logits': 0.5}


def test_operators_of_other_domains_are_refused():
    node = onnx.helper.make_node('Gelu', ['x'], ['y'], domain='com.microsoft')
    inner = onnx.helper.make_graph([node], 'inner', [], [])
    branch = onnx.helper.make_node('If', ['c'], ['y'], then_branch=inner, else_branch=inner)
    model = onnx.helper.make_model(onnx.helper.make_graph([branch], 'outer', [], []))
    with pytest.raises(GraphMismatch, match=r'ONNX does not define \(com\.microsoft::Gelu\)'):
        check_standard_operators(model)


@pytest.mark.parametrize(
    ('name', 'options', 'kind', 'expected'),
    [
        ('a.pt', dict(format='onnx'), InvalidArgument, 'a.pt: the name of a onnx file ends in .on'),
        ('a.onnx', dict(format='onx'), UnknownName, "no graph format is called 'onx': did you mea"),
        ('a.onnx', dict(opset=9), InvalidArgument, 'opset 9: versions 18 to 23 of the operator'),
        ('a.onnx', dict(size=(32, 64)), InvalidArgument, 'size=32,64: height and width of the ex'),
        ('x/a.onnx', {}, InvalidArgument, 'make the folder'),
        ('old.onnx', {}, InvalidArgument, 'old.onnx exists: choose another name, or pass --overw'),
        ('new.onnx', {}, InvalidArgument, 'new.onnx.json exists: choose another name, or pass'),
    ],
)
def test_bad_arguments(name, options, kind, expected, tmp_path):
    for there in ('old.onnx', 'new.onnx.json'):
        (tmp_path / there).write_text('old')
    graph = BackboneGraph(network('regnetx_200mf', out_indices=(0,)))
    with pytest.raises(kind, match=expected):
        export_graph(graph, tmp_path / name, **options)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        'old.onnx': 'old',
        'new.onnx.json': 'old',
    }


def test_a_network_that_cannot_be_traced(tmp_path):
    class Branching(Graph):
        def forward(self, images):
            return dict(found=images if images.mean() > 0 else -images)

    with pytest.raises(InvalidArgument, match='the network cannot be written as torch_export: '):
        written(Branching(torch.nn.Identity()), tmp_path, 'torch_export')
    assert not list(tmp_path.iterdir())
