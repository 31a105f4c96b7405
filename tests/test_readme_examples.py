"""The Python examples in README.md and docs/*.md run as printed."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

import rexdense
from rexdense.arch import channels
from rexdense.checkpoint import export_backbone, write_checkpoint
from rexdense.engine.config.followers import follow_pyramid_channels, follow_strides
from rexdense.engine.config.load import load_config
from rexdense.models.unet import ReXUNet
from rexdense.registry import DATASETS, MODELS
from tests.pages import PAGES, ROOT, code_blocks, name_of, text_of
from tests.peers import PEERS_PATH, needs_peers, peer_packages
from tests.small_videos import write_frames

# A page, and a text that only one of its blocks contains.
BACKBONE = 'README.md', 'create_backbone('
CONTRACT = 'docs/backbones.md', 'feature_info'
CONFIG = 'README.md', '_base_'
CONFIG_AGAIN, OF_MMDET = ('docs/backbones.md', '../_base_'), ('docs/backbones.md', 'mmdet::')
UNET = 'docs/unet.md', 'create_unet('
DEPTH = 'docs/depth.md', 'SelfSupervisedDepthLoss'
LOAD = 'docs/weights.md', 'print(report)'
EXPORT = 'docs/weights.md', 'export_backbone'
PLAIN = 'docs/weights.md', 'sidecar = json'
TIMM = 'docs/weights.md', 'feature_cls'
FASTER_RCNN = 'docs/weights.md', 'FasterRCNN'
ENCODER = 'docs/weights.md', 'segmentation_models_pytorch'
ONNX, PASTED = ('docs/deploy.md', 'InferenceSession'), ('docs/deploy.md', 'paste_masks')
ENTRY = 'docs/development.md', 'ReXNetRule('
RECORD = 'docs/development.md', 'record('
RANKS = 'docs/analyze.md', 'feature_ranks'
LOADER = 'docs/classification_data.md', 'LoadRandomResizedCrop'
PREDICTOR = 'docs/predictor.md', 'to_coco'
STREAM = 'docs/predictor.md', 'write_video'
SHOWING = 'docs/web.md', 'showing('
INHERITED, ASCEND = ('docs/install.md', 'rexdense::'), ('docs/ascend.md', 'devices/ascend.py')
OPTIMIZED = 'docs/deploy.md', 'optimize(backbone)'
CASE = 'docs/development.md', "'clovaai_rexnet_1.2': "
EXAMPLES = [
    *(BACKBONE, CONTRACT, CONFIG, CONFIG_AGAIN, UNET, DEPTH, LOAD, EXPORT, PLAIN),
    *(OF_MMDET, TIMM, FASTER_RCNN, ENCODER),
    *(ONNX, PASTED, ENTRY, RECORD, CASE, RANKS, LOADER, PREDICTOR, STREAM, SHOWING),
    *(INHERITED, ASCEND, OPTIMIZED),
]


def example(page: str, part: str) -> str:
    """Return the only Python block of a page that contains ``part``."""
    (found,) = (block for block in code_blocks(text_of(ROOT / page), 'python') if part in block)
    return found


def test_every_block_is_run():
    blocks = {
        (name_of(page), code) for page in PAGES for code in code_blocks(text_of(page), 'python')
    }
    assert {(page, example(page, part)) for page, part in EXAMPLES} == blocks


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """A folder with a trained classifier and the result of the page's example."""
    (tmp_path / 'work_dirs/RUN').mkdir(parents=True)
    state = rexdense.create_classifier('rexnet_1.0').state_dict()
    write_checkpoint(tmp_path / 'work_dirs/RUN/epoch_20.pth', state, {'epoch': 20})
    monkeypatch.chdir(tmp_path)
    exec(example(*EXPORT), {})
    return state


@pytest.mark.parametrize('where', [BACKBONE, CONTRACT], ids=lambda where: where[0])
def test_a_backbone(where):
    names = {'images': torch.rand(2, 3, 65, 97)}
    exec(example(*where), names)
    strides = [4, 8, 16, 32]
    assert [level.stride for level in names['backbone'].out_levels] == strides
    sizes = [(-(-65 // stride), -(-97 // stride)) for stride in strides]
    assert [tuple(level.shape[2:]) for level in names['levels']] == sizes
    promised = re.search(r'feature_info\[2\]\s+# (.*)', example(*where))
    assert not promised or promised[1] == repr(names['backbone'].feature_info[2])


@pytest.mark.parametrize('where', [CONFIG, CONFIG_AGAIN], ids=lambda where: where[0])
def test_a_config(where, tmp_path):
    (tmp_path / '_base_').symlink_to(ROOT / 'configs/_base_')
    path = tmp_path / 'mine/config.py'
    path.parent.mkdir()
    path.write_text(example(*where))
    model = Config.fromfile(path).model
    assert model.type == 'FasterRCNN' or model.type.endswith('.FasterRCNN')
    assert model.backbone.arch == 'rexnet_1.0'
    assert model.neck.in_channels == channels('rexnet_1.0')


def test_a_config_of_mmdet_with_another_backbone(tmp_path):
    (tmp_path / 'mine.py').write_text(example(*OF_MMDET))
    model = load_config(tmp_path / 'mine.py').model
    follow_pyramid_channels(model)
    follow_strides(model)
    assert model.neck.in_channels == channels('rexnet_1.0')
    built = MODELS.build({**model, '_scope_': 'mmdet'})
    with torch.no_grad():
        scores, _ = built(torch.zeros(1, 3, 64, 64))
    strides = [stride for stride, _ in built.bbox_head.prior_generator.strides]
    assert [64 // score.shape[2] for score in scores][:4] == strides[:4]


def test_a_config_inherits_a_shipped_one(tmp_path):
    (tmp_path / 'mine.py').write_text(example(*INHERITED))
    config = load_config(tmp_path / 'mine.py')
    assert config.train_cfg.max_epochs == 40 and config.model.backbone.arch == 'rexnet_1.0'


def test_a_config_for_ascend(tmp_path):
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    path = tmp_path / 'configs/rexnet/mine.py'
    path.write_text(example(*ASCEND))
    assert Config.fromfile(path).model.backbone.arch == 'rexnet_1.0'


def test_an_optimised_backbone():
    exec(example(*OPTIMIZED), names := {})
    images = torch.rand(1, 3, 33, 65)
    with torch.inference_mode():
        torch.testing.assert_close(
            names['fast'](images), names['backbone'](images), rtol=1e-4, atol=1e-4
        )
    assert [tuple(level.shape[2:]) for level in names['maps']][-1] == (4, 5)


def test_u_nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(ReXUNet().state_dict(), 'rexunet.pth')
    names = {'images': torch.rand(2, 3, 65, 97), 'grey_images': torch.rand(2, 1, 65, 97)}
    exec(example(*UNET), names)
    assert names['logits'].shape == (2, 11, 17, 25)
    assert list(names['unet'](names['images'])) == [1, 2, 4, 8, 16, 32]


def test_ranks(capsys):
    exec(example(*RANKS), {})
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert printed[0][:2] == ['backbone.stem', '32'] and printed[-1][:2] == ['head.final', '1280']
    assert all(0 < int(rank) <= int(width) for _, width, rank, _ in printed)


def test_a_fast_loader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    for name in ('n00000001', 'n00000002'):
        path = tmp_path / 'data/imagenet/train' / name / 'a.JPEG'
        path.parent.mkdir(parents=True)
        cv2.imwrite(str(path.with_suffix('.jpg')), np.full((500, 460, 3), 99, np.uint8))
    exec(example(*LOADER), names := {})
    dataset = DATASETS.build(names['train_dataset'])
    assert [dataset[place]['data_samples'].gt_label for place in range(2)] == [0, 1]
    assert dataset[1]['inputs'].shape == (3, 224, 224)
    assert dataset[1]['inputs'].dtype == torch.uint8
    assert len(list((tmp_path / '.cache/rexdense').iterdir())) == 2


@pytest.fixture
def run_folder(untrained_models, tmp_path, monkeypatch):
    """A folder with a detector's checkpoint, two images and a video."""
    (tmp_path / 'work_dirs/RUN').mkdir(parents=True)
    shutil.copy(untrained_models['boxes'], tmp_path / 'work_dirs/RUN/epoch_20.pth')
    (tmp_path / 'images').mkdir()
    for number in range(2):
        image = np.full((48, 64, 3), 90 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f'images/{number}.png'), image)
    write_frames(tmp_path / 'clip.avi', 3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_predictor(run_folder, capsys):
    exec(example(*PREDICTOR).replace('score=0.4', 'score=0.01'), names := {})
    annotations = names['annotations']
    assert {each['image_id'] for each in annotations} == {1, 2}
    assert [each['id'] for each in annotations] == list(range(1, len(annotations) + 1))
    assert len(list(run_folder.glob('*_found.jpg'))) == 2
    assert capsys.readouterr().out.startswith('images/0.png [[')


def test_a_predictor_of_a_video(run_folder, capsys):
    exec(example(*STREAM), names := {})
    assert names['unreadable'] == []
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ['0', '1', '2']
    assert (run_folder / 'clip_found.mp4').is_file()


def test_a_prediction_shown_otherwise(run_folder):
    exec(example(*SHOWING).replace('a.jpg', '0.png'), {})
    assert (run_folder / 'few.png').is_file()


def test_depth_from_video():
    inputs = dict(target=torch.rand(1, 3, 64, 96), before=torch.rand(1, 3, 64, 96))
    inputs |= dict(axis_angle=torch.zeros(1, 3), translation=torch.tensor([[0.1, 0.0, 0.0]]))
    inputs |= dict(intrinsics=torch.tensor([[[50.0, 0, 48], [0, 50, 32], [0, 0, 1]]]))
    exec(example(*DEPTH), inputs)
    assert all(torch.isfinite(loss) for loss in inputs['losses'].values())


def test_loading(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    state = rexdense.create_classifier('rexnet_1.0').state_dict()
    write_checkpoint('rexnetv1_1.0.pth', state)
    names = dict(rexdense=rexdense, backbone=rexdense.create_backbone('rexnet_1.0'))
    exec(example(*LOAD), names)
    assert 'rexnet_1.0' in capsys.readouterr().out
    stem = 'backbone.stem.conv.weight'
    assert torch.equal(names['backbone'].stem.conv.weight, state[stem])


def test_in_plain_pytorch(exported, capsys):
    names = {}
    exec(example(*PLAIN), names)
    promised = re.search(r'# (c2 stride .*)', example(*PLAIN))[1]
    assert capsys.readouterr().out.splitlines()[-4] == promised
    assert len(names['levels']) == 4
    weight = names['backbone'].stem.conv.weight
    assert torch.equal(weight, exported['backbone.stem.conv.weight'])


CHECK = """
unet.eval()
for size in ((64, 96), (97, 131)):
    with torch.no_grad():
        assert unet(torch.rand(1, 3, *size)).shape == (1, 11, *size)
for kind, options in (
    (smp.UnetPlusPlus, {}),
    (smp.DeepLabV3Plus, dict(encoder_output_stride=16)),
    (smp.Unet, dict(encoder_depth=3, decoder_channels=(32, 16, 8))),
):
    model = kind('rexnet_1.0', encoder_weights=None, classes=3, **options).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, 64, 64)).shape == (1, 3, 64, 64), kind
gray = smp.FPN('rexnet_1.0', encoder_weights=None, in_channels=1, classes=2)
gray(torch.rand(2, 1, 64, 64)).sum().backward()
assert gray.encoder.backbone.stem.conv.weight.grad.abs().sum() > 0
trained = torch.load('work_dirs/RUN/epoch_20.pth')['state_dict']['backbone.stem.conv.weight']
assert torch.equal(unet.encoder.backbone.stem.conv.weight, trained)
print('worked', unet.encoder.out_channels)
"""


def run_beside_peers(source: str, folder: Path) -> str:
    """Run a program with the packages of both environments; return its last line."""
    start = (
        f'import sys; sys.path.append({peer_packages()!r})\n'
        'import importlib.util\n'
        "if importlib.util.find_spec('torchvision_shim'): import torchvision_shim\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', start + source],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join((str(ROOT), PEERS_PATH))},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


@needs_peers
def test_as_an_encoder_of_segmentation_models(exported, tmp_path):
    last = run_beside_peers(example(*ENCODER) + CHECK, tmp_path)
    assert last == 'worked [3, 16, 38, 61, 128, 185]'


TIMM_CHECK = """
ours = rexdense.create_backbone('rexnet_1.0', out_indices=range(5)).eval()
rexdense.load_weights(ours, 'work_dirs/RUN/epoch_20.pth')
with torch.no_grad():
    levels = extractor(images)
    for level, expected in zip(levels, ours(images), strict=True):
        torch.testing.assert_close(level, expected, rtol=1e-4, atol=1e-5)
print('worked', len(levels))
"""


@needs_peers
def test_in_timm(exported, tmp_path):
    export_backbone(
        'work_dirs/RUN/epoch_20.pth', 'rexnet.safetensors', names='timm', overwrite=True
    )
    start = 'import torch, rexdense\nimages = torch.rand(1, 3, 64, 97)\n'
    assert run_beside_peers(start + example(*TIMM) + TIMM_CHECK, tmp_path) == 'worked 5'


FASTER_RCNN_CHECK = """
weight = detector.backbone.body.stem.conv.weight
trained = torch.load('work_dirs/RUN/epoch_20.pth')['state_dict']['backbone.stem.conv.weight']
assert torch.equal(weight, trained) and not weight.requires_grad
assert [round(255 * value, 3) for value in detector.transform.image_mean] == norm['mean']
images = [torch.rand(3, 64, 96), torch.rand(3, 80, 64)]
detector.transform.min_size = (96,)
batch, _ = detector.transform(images)
features = detector.backbone(batch.tensors)
assert features['0'].shape[2:] == torch.Size(side // 4 for side in batch.tensors.shape[2:])
scores, _ = detector.rpn.head(list(features.values()))
anchors = detector.rpn.anchor_generator(batch, list(features.values()))
assert len(anchors[0]) == sum(score[0].numel() for score in scores)
sum(score.mean() for score in scores).backward()
assert detector.backbone.body.stages[2][0].project.conv.weight.grad.abs().sum() > 0
import torchvision
if torchvision.extension._has_ops():
    target = dict(boxes=torch.tensor([[4.0, 4, 40, 40]]), labels=torch.tensor([1]))
    sum(detector(images, [target] * 2).values()).backward()
    detector.eval()(images)
print('worked', list(features))
"""


@needs_peers
def test_in_torchvisions_faster_rcnn(exported, tmp_path):
    last = run_beside_peers(example(*FASTER_RCNN) + FASTER_RCNN_CHECK, tmp_path)
    assert last == "worked ['0', '1', '2', '3', 'pool']"


def test_the_encoder_for_segmentation_models_has_what_these_ask_for(exported):
    """Only the class, called like segmentation_models.pytorch does, without that package."""
    source = example(*ENCODER)
    names = dict(torch=torch, rexdense=rexdense)
    exec(re.search(r'^class Encoder.*?(?=^\S(?<!class))', source, flags=re.M | re.S)[0], names)
    encoder = names['Encoder']('rexnet_1.0', 'rexnet.safetensors')
    encoder.set_in_channels(3, pretrained=False)
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        levels = encoder.eval()(images)
    assert levels[0] is images
    assert [level.shape[1] for level in levels] == encoder.out_channels
    assert encoder.out_channels == [3, 16, 38, 61, 128, 185]


def test_a_detector_in_onnxruntime(tmp_path, monkeypatch):
    """A graph with a detector's input and outputs, whose values depend on the input."""
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    monkeypatch.chdir(tmp_path)
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    names = ('boxes', 'scores', 'labels')
    graph = helper.make_graph(
        [helper.make_node('ReduceMean', ['images'], [name], keepdims=0) for name in names],
        'detector',
        [helper.make_tensor_value_info('images', real, [None, 3, None, None])],
        [helper.make_tensor_value_info(name, real, []) for name in names],
    )
    opsets = [helper.make_opsetid('', 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), 'detector.onnx')
    (tmp_path / 'detector.onnx.json').write_text(
        json.dumps({'preprocessing': {'mean': [10.0, 20.0, 30.0], 'std': [2.0, 2.0, 2.0]}})
    )
    cv2.imwrite('cells.png', np.full((40, 50, 3), (60, 40, 20), np.uint8))
    os.rename('cells.png', 'cells.jpg')  # lossless content, whatever the name
    found = {}
    exec(example(*ONNX), found)
    assert found['images'].shape == (1, 3, 40, 50)
    assert float(found['scores']) == pytest.approx((5 + 10 + 15) / 3)


def test_masks_of_a_detector():
    class Session:
        def run(self, names, inputs):
            boxes = np.array([[[4.0, 2.0, 12.0, 8.0], [0.0, 0.0, 0.0, 0.0]]])
            logits = np.full((1, 2, 28, 28), 5.0)
            return boxes, np.array([[0.9, 0.0]]), np.array([[0, -1]]), logits

    found = dict(session=Session(), images=None, image=np.zeros((10, 20, 3)))
    exec(example(*PASTED), found)
    assert found['pixels'].shape == (1, 10, 20)
    assert found['pixels'][0, 2:8, 4:12].all() and found['pixels'].sum() == 48


REFERENCE = """
from torch import nn

import rexdense
from rexdense.checkpoint.schemes import SCHEMES


class ClovaaiReXNet(nn.Module):
    '''A classifier under the names of clovaai/rexnet, in the place of the project's own.'''

    def __init__(self, name):
        super().__init__()
        self.network = rexdense.create_classifier(name, out_indices=range(5))
        self.entries = SCHEMES['clovaai'].entries(self.network.backbone.architecture)

    def state_dict(self):
        own = self.network.state_dict()
        own = {name.removeprefix('backbone.'): tensor for name, tensor in own.items()}
        return {entry.theirs: own[entry.native].reshape(entry.shape) for entry in self.entries}

    def load_state_dict(self, state):
        rexdense.load_weights(self.network, state, source='clovaai')

    def outputs(self, images):
        levels = self.network.backbone(images)
        stages = {f'stage{index}': level for index, level in enumerate(levels)}
        return {**stages, 'logits': self.network(images)}


reference = ClovaaiReXNet('rexnet_1.2')
outputs = reference.outputs
"""


def insert(path: Path, behind: str, line: str) -> None:
    text = path.read_text()
    assert text.count(behind) == 1
    path.write_text(text.replace(behind, f'{behind}\n    {line}'))


@pytest.mark.slow
def test_a_backbone_is_added_by_an_entry_and_a_golden(tmp_path):
    """The worked example in a copy of the project, followed by the tests that it names."""
    for folder in ('rexdense', 'tests'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    entry, case = (example(*where).strip() for where in (ENTRY, CASE))
    name = ast.literal_eval(f'{{{case}}}')
    insert(tmp_path / 'rexdense/arch/named.py', 'ARCHITECTURES: dict[str, Any] = {', entry)
    insert(tmp_path / 'tests/arch/test_named.py', 'NAMES = [', f'{next(iter(name.values()))!r},')
    insert(tmp_path / 'tests/checkpoint/test_golden_outputs.py', 'CASES = {', case)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=os.environ | {'PYTHONPATH': str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    before = golden_file(tmp_path)
    run('-c', REFERENCE + example(*RECORD))
    after = golden_file(tmp_path)
    assert set(after) - set(before) == set(name)
    assert {key: after[key] for key in before} == before
    tests = 'tests/arch/test_named.py', 'tests/checkpoint/test_golden_outputs.py'
    chosen = '1.2 or every_name or every_reference or closest'
    report = run('-m', 'pytest', '-q', *tests, '-k', chosen)
    assert re.search(r'[5-9] passed', report), report


def golden_file(root: Path) -> dict:
    return json.loads((root / 'tests/golden.json').read_text())
