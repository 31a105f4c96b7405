"""What the shell completes, as bash itself does."""

import shlex
import shutil
import subprocess
import sys

import pytest

pytest.importorskip('mmengine')

from rexdense.cli import completion
from rexdense.cli.main import PROGRAMS
from rexdense.errors import InvalidArgument
from rexdense.shipped_configs import config_names

BASH = shutil.which('bash')


@pytest.fixture(scope='module')
def script() -> str:
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr('builtins.print', lambda text, **_: printed.append(text))
        completion.main(['bash'])
    return printed[0]


@pytest.mark.skipif(not BASH, reason='bash is not installed')
@pytest.mark.parametrize(
    ('line', 'some', 'none'),
    [
        ('', ['train', 'configs', '--version'], ['--data-root']),
        ('tr', ['train'], ['test', '--version']),
        ('train --data', ['--data-root'], ['--device']),
        ('train --launcher ', ['none', 'pytorch'], ['--device', 'clovaai']),
        ('train --device cpu mask-rcnn_rexnet-1.0_', ['mask-rcnn_rexnet-1.0_fpn_nuclei'], ['cpu']),
        ('train --data-root ', [], ['--epochs', 'cpu']),
        ('test depth/', ['depth/unet_rexnet-1.0_custom'], ['--out']),
        ('demo ', ['unet', 'pretrain', '--overwrite'], ['--out-dir']),
        ('demo train --launcher p', ['pytorch'], ['pretrain']),
        ('analyze ', ['rank', 'cam'], ['--sort']),
        ('analyze cam a.jpg --', ['--network', '--label'], ['--rows', '--channels']),
        ('depth-baseline --cla', ['--classes'], []),
        ('nonsense --', [], ['--data-root']),
    ],
)
def test_bash_completes(line, some, none, script):
    words = ['rexdense', *line.split(' ')]
    program = f"""rexdense() {{ {shlex.quote(sys.executable)} -m rexdense "$@"; }}
{script}
COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
_rexdense
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run([BASH, '-c', program], capture_output=True, text=True)
    assert done.stderr == ''
    found = done.stdout.split()
    assert set(some) <= set(found) and not set(none) & set(found)
    assert all(word.startswith(words[-1]) for word in found)


def test_names_of_configs_need_no_quotes():
    assert all(name == shlex.quote(name) for name in config_names())


def test_zsh_reads_that_of_bash(script, capsys):
    completion.main(['zsh'])
    printed = capsys.readouterr().out
    assert printed.startswith('#compdef rexdense\n') and printed.endswith(script)
    zsh = shutil.which('zsh')
    if zsh:
        subprocess.run([zsh, '-nc', printed], check=True)


def test_each_program_has_a_case(script):
    assert all(f'\n        {program}) ' in script for program in PROGRAMS)


def test_another_shell():
    with pytest.raises(InvalidArgument, match="invalid choice: 'fish'"):
        completion.main(['fish'])
