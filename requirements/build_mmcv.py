"""Install mmcv with compiled operators: torch's headers are compiled once for all of its files.

Run by the environment's own Python, after torch: build_mmcv.py mminstall.txt
"""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import torch
from torch.utils.cpp_extension import include_paths

# gcc takes a precompiled header only under the flags it was made with: setuptools', which CFLAGS
# replaces, and those that torch and mmcv, of both lines, add to each file.
FLAGS = ['-DNDEBUG', '-fwrapv', '-O3', '-g0', '-fPIC', '-std=c++17']
FLAGS += ['-DTORCH_API_INCLUDE_EXTENSION_H', '-DTORCH_EXTENSION_NAME=_ext']
PIP = [sys.executable, '-m', 'pip']


def precompile(header: Path) -> dict[str, str]:
    """Compile torch's headers; return the variables of a compile that takes them, none without gcc.

    Where gcc does not take the result, it reads them anew and -Winvalid-pch says so in the log.
    """
    header.write_text('#include <torch/types.h>\n#include <vector>\n')
    places = [f'-I{place}' for place in (*include_paths(), sysconfig.get_path('include'))]
    compiler = shlex.split(os.environ.get('CXX', 'c++'))
    version = subprocess.run([*compiler, '--version'], capture_output=True, text=True).stdout
    command = [*compiler, *FLAGS, *places, '-x', 'c++-header', header, '-o', f'{header}.gch']
    if 'Free Software Foundation' in version and subprocess.call(command) == 0:
        return {'CFLAGS': shlex.join([*FLAGS, '-Winvalid-pch', '-include', str(header)])}
    print('Without a precompiled header, which takes gcc, the compile takes 13 minutes.')
    return {}


def main(line: str) -> int:
    """Install the mmcv that an OpenMMLab line names; the exit status."""
    mmcv = re.search(r'(?m)^\S*mmcv==\S+', Path(__file__).with_name(line).read_text())[0]
    cores = len(os.sched_getaffinity(0)) if sys.platform == 'linux' else os.cpu_count()
    jobs = min(cores, psutil.virtual_memory().available // 1_500_000_000)
    variables = {'MAX_JOBS': str(max(1, jobs)), **os.environ, 'MMCV_WITH_OPS': '1'}
    cache = subprocess.run([*PIP, 'cache', 'dir'], capture_output=True, text=True).stdout.strip()
    if cache:  # not switched off; pip keeps wheels by Python alone, but mmcv's fits one torch
        cuda = torch.cuda.is_available() or os.environ.get('FORCE_CUDA') == '1'
        cache += f'/rexdense-{sys.implementation.cache_tag}-torch-{torch.__version__}-cuda-{cuda}'
        variables['PIP_CACHE_DIR'] = cache
    with TemporaryDirectory() as folder:
        wheel = mmcv.replace('-', '_').replace('==', '-') + '-*.whl'
        if not cache or not any(Path(cache).rglob(wheel)):
            variables |= precompile(Path(folder, 'torch_headers.hpp'))
        options = ['--verbose', '--no-deps', '--no-build-isolation']
        return subprocess.call([*PIP, 'install', *options, mmcv], env=variables)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
