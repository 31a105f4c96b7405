"""Details of weights that the tensors do not show."""

import rexdense
from rexdense.checkpoint import convert_checkpoint, write_checkpoint
from rexdense.checkpoint.names.renaming import from_native
from rexdense.checkpoint.schemes import SCHEMES


def test_the_pooling_of_the_source_is_turned_on():
    source, target = (rexdense.create_backbone('resnext50_32x4d') for _ in range(2))
    theirs = from_native(source.state_dict(), SCHEMES['mindcv'], source.architecture)
    report = rexdense.load_weights(target, theirs)
    assert target.pool_padding == 'same'
    assert "pool_padding='same' is turned on" in str(report)
    # The saved weights do not contain the padding, so the config's setting is kept.
    rexdense.load_weights(target, source.state_dict())
    assert target.pool_padding == 'same'
    theirs = from_native(source.state_dict(), SCHEMES['torchvision'], source.architecture)
    rexdense.load_weights(target, theirs)
    assert target.pool_padding == 'symmetric'


def test_the_pooling_travels_through_a_conversion(tmp_path):
    source, target = (rexdense.create_backbone('resnext50_32x4d') for _ in range(2))
    theirs = from_native(source.state_dict(), SCHEMES['mindcv'], source.architecture)
    write_checkpoint(tmp_path / 'a.ckpt', theirs)
    for suffix in ('.pth', '.safetensors'):
        convert_checkpoint(tmp_path / 'a.ckpt', tmp_path / f'b{suffix}')
        target.pool_padding = 'symmetric'
        rexdense.load_weights(target, tmp_path / f'b{suffix}')
        assert target.pool_padding == 'same'
