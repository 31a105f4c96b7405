"""Features that need only torch, without any OpenMMLab package."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import torch

import rexdense
from tests.test_dependencies import ROOT, program_without

pytestmark = pytest.mark.slow
ABSENT = ('mmengine', 'mmcv', 'mmdet', 'mmseg', 'cv2', 'matplotlib', 'safetensors', 'pycocotools')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A classifier's file, and its logits before saving."""
    torch.manual_seed(0)
    classifier = rexdense.create_classifier('rexnet_1.0', num_classes=5).eval()
    path = tmp_path_factory.mktemp('plain') / 'classifier.pth'
    torch.save(classifier.state_dict(), path)
    with torch.no_grad():
        return path, classifier(torch.ones(1, 3, 64, 64))[0].tolist()


# It imports torch once, and forks for each piece of code.
SERVER = """
import json, os, sys
import torch, rexdense
torch.set_grad_enabled(False)
for line in sys.stdin:
    code, absent, place = json.loads(line)
    process = os.fork()
    if process == 0:
        for number, name in ((1, 'output'), (2, 'errors')):
            os.dup2(os.open(os.path.join(place, name), os.O_WRONLY | os.O_CREAT), number)
        sys.meta_path[0].names.update(absent)
        status = 1
        try:
            exec(code, dict(torch=torch, rexdense=rexdense))
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        os._exit(status)
    _, status = os.waitpid(process, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture(scope='module')
def plain(tmp_path_factory) -> Iterator[Callable]:
    """A function that runs code without the OpenMMLab packages and the given other packages, and
    returns the output."""
    server = subprocess.Popen(
        [sys.executable, '-c', program_without(ABSENT, SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )

    def run(code: str, *absent: str) -> str:
        place = tmp_path_factory.mktemp('plain')
        server.stdin.write(json.dumps([code, absent, str(place)]) + '\n')
        server.stdin.flush()
        status = server.stdout.readline()
        assert status == '0\n', (place / 'errors').read_text()
        return (place / 'output').read_text()

    yield run
    server.communicate()


def test_networks_are_built_and_run(plain):
    printed = plain("""
for name in ('rexnet_1.0', 'rexnet_lite_1.0', 'regnety_200mf', 'resnext50_32x4d'):
    backbone = rexdense.create_backbone(name).eval()
    assert len(backbone(torch.rand(1, 3, 64, 64))) == 4
    classifier = rexdense.create_classifier(name, num_classes=3).eval()
    assert classifier(torch.rand(1, 3, 64, 64)).shape == (1, 3)
from rexdense.models import Classifier
Classifier(dict(type='rexdense.ReXNet', arch='rexnet_1.0'), num_classes=2)
unet = rexdense.create_unet('rexnet_1.0', num_classes=3, in_channels=1).eval()
print(tuple(unet(torch.rand(2, 1, 65, 97)).shape), len(rexdense.list_unets()))
""")
    assert printed == f'(2, 3, 65, 97) {len(rexdense.list_unets())}\n'


def test_weights_go_in_and_out(plain, trained, tmp_path):
    path, logits = trained
    plain(f"""
from rexdense.checkpoint import convert_checkpoint, export_backbone
classifier = rexdense.create_classifier('rexnet_1.0', num_classes=5).eval()
print(rexdense.load_weights(classifier, {str(path)!r}))
found = classifier(torch.ones(1, 3, 64, 64))[0]
torch.testing.assert_close(found, torch.tensor({logits!r}), rtol=1e-4, atol=1e-5)
convert_checkpoint({str(path)!r}, {str(tmp_path / 'all.pth')!r}, names='timm')
there = {str(tmp_path / 'backbone.pth')!r}
export_backbone({str(path)!r}, there, 'timm')
backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(4,)).eval()
assert rexdense.load_weights(backbone, there).source.startswith('timm')
found = classifier.head(backbone(torch.ones(1, 3, 64, 64))[0])
torch.testing.assert_close(found[0], torch.tensor({logits!r}), rtol=1e-4, atol=1e-5)
""")


def test_a_training_file_of_mmengine_is_read(plain, trained, tmp_path):
    from mmengine.logging import HistoryBuffer

    path, _ = trained
    hub = dict(log_scalars={'train/loss': HistoryBuffer([1.0, 2.0], [1, 1])}, runtime_info={})
    whole = dict(state_dict=torch.load(path), message_hub=hub, meta=dict(epoch=1))
    torch.save(whole, tmp_path / 'epoch_1.pth')
    printed = plain(f"""
backbone = rexdense.create_backbone('rexnet_1.0')
print(len(rexdense.load_weights(backbone, {str(tmp_path / 'epoch_1.pth')!r}).loaded))
""")
    assert printed == f'{len(rexdense.create_backbone("rexnet_1.0").state_dict())}\n'


@pytest.mark.parametrize(('format', 'suffix'), [('torchscript', 'pt'), ('torch_export', 'pt2')])
def test_graphs_are_written(plain, format, suffix, tmp_path):
    plain(f"""
from rexdense.deploy import BackboneGraph, export_graph
backbone = rexdense.create_backbone('regnetx_200mf', out_indices=(1,))
export_graph(BackboneGraph(backbone), {str(tmp_path / f'g.{suffix}')!r}, {format!r})
""")
    described = json.loads((tmp_path / f'g.{suffix}.json').read_text())
    assert max(described['relative_errors'].values()) < 1e-4


PROGRAMS = [
    ('convert', 'SRC', 'converted.pth', '--format=timm'),
    ('zoo', '--family=rexnet_lite'),
    ('export', 'weights', 'SRC', '--format=timm', '--out=weights.pth'),
    ('export', 'backbone', 'SRC', '--format=torchscript', '--out=backbone.pt'),
    ('export', 'classifier', 'SRC', '--format=torchscript', '--out=classifier.pt'),
]


def test_programs_run(plain, trained, tmp_path):
    """In one process, which imports torch once."""
    lines = [[str(trained[0]) if word == 'SRC' else word for word in line] for line in PROGRAMS]
    printed = plain(f"""
import os, runpy, sys
tools = os.path.abspath('tools')
os.chdir({str(tmp_path)!r})
torch.set_grad_enabled(True)
for program, *arguments in {lines!r}:
    sys.argv = [program, *arguments]
    try:
        runpy.run_path(f'{{tools}}/{{program}}.py', run_name='__main__')
    except SystemExit as ended:
        print('ENDED', program, ended.code, flush=True)
""")
    first, *parts = printed.split('ENDED ')
    ended = [part.splitlines()[0] for part in parts]
    assert ended == [f'{line[0]} 0' for line in PROGRAMS], printed
    assert first and all(len(part.splitlines()) > 1 for part in parts[:-1]), printed
    written = {path.name for path in tmp_path.iterdir() if path.stat().st_size}
    assert {'converted.pth', 'weights.pth', 'backbone.pt', 'classifier.pt'} <= written


HEAD = "rexdense.models.MultiScaleUNetHead('rexnet_1.0', num_classes=3, loss_decode="
WRITE = 'rexdense.deploy.export_graph(rexdense.deploy.ClassifierGraph(classifier), "g.onnx")'


NEEDING_MORE = {
    "rexdense.create_backbone('rexnet_1.0', init_cfg=dict(type='Kaiming'))": 'mmengine',
    f"{HEAD}dict(type='mmseg.DiceLoss'))": 'mmengine',
    f"{HEAD}dict(type='rexdense.CrossEntropyLoss'))": 'mmengine',
    "rexdense.checkpoint.Pretrained('x.pth')(classifier)": 'mmengine',
    'rexdense.checkpoint.install_safe_loader()': 'mmengine',
    "rexdense.load_weights(classifier, 'open-mmlab://resnext50_32x4d')": 'mmengine',
    "rexdense.registry.MODELS.build(dict(type='mmdet.ResNet'))": 'mmengine',
    "rexdense.checkpoint.export_backbone(classifier.state_dict(), 'a.safetensors')": 'safetensors',
    WRITE: 'onnx',
}


def test_missing_packages_are_told_in_one_line(plain, tmp_path):
    printed = plain(
        f"""
import os
import rexdense.checkpoint, rexdense.deploy, rexdense.models, rexdense.registry
os.chdir({str(tmp_path)!r})
classifier = rexdense.create_classifier('regnetx_200mf')
for code in {list(NEEDING_MORE)!r}:
    try:
        eval(code)
    except rexdense.errors.MissingDependency as error:
        print(error)
""",
        'onnx',
    )
    lines = printed.splitlines()
    for line, (code, package) in zip(lines, NEEDING_MORE.items(), strict=True):
        assert f'the package {package} is not installed: ' in line, code
        assert 'pip install' in line
