"""Runs programs one after another in the process group that torchrun starts.

torchrun --nproc-per-node 2 tests/programs_together.py '[["train", ["CONFIG", ...]], ...]'
"""

import importlib
import json
import sys

from torch import distributed

if __name__ == '__main__':
    for program, arguments in json.loads(sys.argv[1]):
        main = importlib.import_module(f'rexdense.cli.{program}').main
        main([*arguments, '--launcher', 'pytorch'])
    distributed.destroy_process_group()
