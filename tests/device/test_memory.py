"""Host memory that is kept for the next step."""

import os
import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_freed_memory_is_kept():
    # Large blocks are given back at once by default: writing them again faults every page again.
    program = (
        'import resource, torch\n'
        'from rexdense.device import reuse_freed_memory\n'
        'def faults():\n'
        '    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
        'def count():\n'
        '    for _ in range(10):\n'
        '        torch.ones(2**24)\n'
        '    before = faults()\n'
        '    for _ in range(5):\n'
        '        torch.ones(2**24)\n'
        '    return faults() - before\n'
        'print(count())\n'
        'assert reuse_freed_memory()\n'
        'print(count())\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {'OMP_NUM_THREADS': '1'},
    )
    counts = [int(line) for line in done.stdout.splitlines()]
    # 64 MiB in pages of 4 KiB, or of 2 MiB where the kernel joins them.
    assert counts[0] >= 5 * 32
    assert counts[1] < 32
