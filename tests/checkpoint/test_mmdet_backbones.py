"""mmdet's own RegNet and ResNeXt as the other side of the OpenMMLab names."""

import pytest
import torch

import rexdense
from rexdense.checkpoint.renaming import from_native
from rexdense.checkpoint.schemes import SCHEMES

backbones = pytest.importorskip('mmdet.models.backbones')

BUILDERS = {
    'regnetx_800mf': lambda: backbones.RegNet('regnetx_800mf'),
    'resnext50_32x4d': lambda: backbones.ResNeXt(depth=50, groups=32, base_width=4),
}


@pytest.mark.parametrize('name', BUILDERS)
def test_weights_go_over_and_come_back(name):
    ours = rexdense.create_backbone(name).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            # New blocks are silent: their last scale is 0.
            if parameter.dim() == 1:
                parameter.add_(0.1)
    theirs = BUILDERS[name]()
    theirs.eval()
    exported = from_native(ours.state_dict(), SCHEMES['openmmlab'], ours.architecture)
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
