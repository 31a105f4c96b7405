"""Draw what a checkpoint finds: python tools/predict.py CHECKPOINT IMAGES --out-dir DIR."""

from rexdense.engine.command_line import run_command
from rexdense.engine.predict import main

if __name__ == '__main__':
    run_command(main)
