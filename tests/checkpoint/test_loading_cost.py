"""Large files are loaded without a second copy of the tensors."""

import time
from pathlib import Path

import pytest

import rexdense
from rexdense.checkpoint import write_checkpoint
from rexdense.checkpoint.names.renaming import from_native
from rexdense.checkpoint.schemes import SCHEMES

SECONDS = 1.0


def memory(kind: str) -> int:
    """Return the bytes in a line of this process's status: VmRSS for now, VmHWM for the peak."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def forget_the_peak() -> None:
    # man 5 proc, /proc/pid/clear_refs.
    Path('/proc/self/clear_refs').write_text('5')


@pytest.mark.skipif(not Path('/proc/self/clear_refs').exists(), reason='needs /proc of Linux')
@pytest.mark.parametrize(('scheme', 'suffix'), [('mindcv', '.ckpt'), ('timm', '.pth')])
def test_a_file_of_130_megabytes(scheme, suffix, tmp_path):
    model = rexdense.create_classifier('rexnet_3.0')
    tensors = {key.removeprefix('backbone.'): value for key, value in model.state_dict().items()}
    renamed = from_native(tensors, SCHEMES[scheme], model.backbone.architecture)
    path = write_checkpoint(tmp_path / f'a{suffix}', renamed)
    assert path.stat().st_size > 130e6
    del renamed, tensors
    rexdense.load_weights(model, path)

    forget_the_peak()
    before, start = memory('VmRSS'), time.process_time()
    rexdense.load_weights(model, path)
    # CPU time of this process, without the disk and other processes.
    assert time.process_time() - start < SECONDS
    # The pages of the mapped file count once. A copy of the tensors would double the memory.
    assert memory('VmHWM') - before < 1.2 * path.stat().st_size
