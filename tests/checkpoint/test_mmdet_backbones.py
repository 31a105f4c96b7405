"""Weights of mmdet's own RegNet and ResNeXt, in OpenMMLab's names."""

import pytest
import torch

import rexdense
from rexdense.checkpoint import export_backbone

backbones = pytest.importorskip('mmdet.models.backbones')

BUILDERS = {
    'regnetx_800mf': lambda: backbones.RegNet('regnetx_800mf'),
    'resnext50_32x4d': lambda: backbones.ResNeXt(depth=50, groups=32, base_width=4),
}


@pytest.mark.parametrize('name', BUILDERS)
def test_weights_go_over_and_come_back(name, tmp_path):
    ours = rexdense.create_backbone(name).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            # The branches of new blocks end in a scale of 0.
            if parameter.dim() == 1:
                parameter.add_(0.1)
    theirs = BUILDERS[name]()
    theirs.eval()
    export_backbone(ours.state_dict(), tmp_path / 'a.pth', 'openmmlab')
    exported = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert list(exported) == list(theirs.state_dict())
    theirs.load_state_dict(exported, strict=True)
    image = torch.rand(1, 3, 97, 64)
    with torch.no_grad():
        for left, right in zip(ours(image), theirs(image), strict=True):
            torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4 * right.abs().max())

    back = rexdense.create_backbone(name)
    assert rexdense.load_weights(back, theirs.state_dict()).architecture == name
    for key, value in ours.state_dict().items():
        assert torch.equal(back.state_dict()[key], value), key


def test_a_config_of_mmdet_starts_from_an_export(tmp_path):
    source = rexdense.create_backbone('regnetx_400mf')
    export_backbone(source.state_dict(), tmp_path / 'a.pth', 'openmmlab')
    theirs = backbones.RegNet(
        'regnetx_400mf', init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
    )
    theirs.init_weights()
    assert torch.equal(theirs.conv1.weight, source.stem.conv.weight)
    back = rexdense.create_backbone('regnetx_400mf')
    rexdense.load_weights(back, theirs.state_dict())
    assert all(
        torch.equal(back.state_dict()[key], value) for key, value in source.state_dict().items()
    )
