"""An environment with other projects' networks, if there is one.

``REXDENSE_PEERS_PYTHON`` is its interpreter, with torch, timm, torchvision and safetensors, and for
the examples segmentation_models_pytorch. ``REXDENSE_PEERS_PATH`` is a folder with a module
``torchvision_shim``, which is imported before torchvision, for a torchvision without its compiled
operators. The default is ``../shared/peers``, if it exists.
"""

import functools
import os
import subprocess
from pathlib import Path

import pytest

from tests.shared_files import SHARED

__all__ = ['PEERS_PATH', 'needs_peers', 'peer_packages', 'run_in_peers']

PYTHON = os.environ.get('REXDENSE_PEERS_PYTHON')
PEERS_PATH = os.environ.get('REXDENSE_PEERS_PATH') or (str(SHARED / 'peers') if SHARED else '')

needs_peers = pytest.mark.skipif(
    not PYTHON,
    reason='needs REXDENSE_PEERS_PYTHON, an interpreter with timm, torchvision and safetensors',
)


def run_in_peers(program: Path, *arguments: str | Path) -> str:
    """Run a program in that environment and return its output."""
    done = subprocess.run(
        [PYTHON, program, *arguments],
        env={**os.environ, 'PYTHONPATH': PEERS_PATH},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@functools.cache
def peer_packages() -> str:
    """Return the folder of its packages, for programs that need both environments."""
    command = [PYTHON, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
