"""The examples in README.md that take an exported backbone elsewhere, run as they stand."""

import os
import re
import subprocess
import sys

import pytest
import torch

import rexdense
from rexdense.checkpoint import write_checkpoint
from tests.peers import PEERS_PATH, needs_peers, peer_packages
from tests.test_readme import README, ROOT

EXPORT, PLAIN, ENCODER = (
    'export_backbone',
    "open('rexnet.safetensors.json')",
    'segmentation_models_pytorch',
)


def example(part: str) -> str:
    """The one block of Python in README.md that has ``part`` in it."""
    blocks = re.findall(r'^```python\n(.*?)^```', README.read_text(), flags=re.M | re.S)
    (found,) = (block for block in blocks if part in block)
    return found


@pytest.fixture
def exported(tmp_path, monkeypatch):
    """A folder with a trained classifier and what the README's first example makes of it."""
    (tmp_path / 'work_dirs/RUN').mkdir(parents=True)
    state = rexdense.create_classifier('rexnet_1.0').state_dict()
    write_checkpoint(tmp_path / 'work_dirs/RUN/epoch_24.pth', state, {'epoch': 24})
    monkeypatch.chdir(tmp_path)
    exec(example(EXPORT), {})
    return state


def test_in_plain_pytorch(exported, capsys):
    names = {}
    exec(example(PLAIN), names)
    promised = re.search(r'# (c2 stride .*)', example(PLAIN))[1]
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
trained = torch.load('work_dirs/RUN/epoch_24.pth')['state_dict']['backbone.stem.conv.weight']
assert torch.equal(unet.encoder.backbone.stem.conv.weight, trained)
print('worked', unet.encoder.out_channels)
"""


@needs_peers
def test_as_an_encoder_of_segmentation_models(exported, tmp_path):
    start = (
        f'import sys; sys.path.append({peer_packages()!r})\n'
        'import importlib.util\n'
        "if importlib.util.find_spec('torchvision_shim'): import torchvision_shim\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', start + example(ENCODER) + CHECK],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join((str(ROOT), PEERS_PATH))},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == 'worked [3, 16, 38, 61, 128, 185]'
