"""Draw what a checkpoint finds: python tools/predict.py CHECKPOINT IMAGES --out-dir DIR."""

from rexdense.engine.command_line import run_command

if __name__ == '__main__':
    run_command('rexdense.engine.predict')
