"""``rexdense completion``: print the completion script for a shell."""

import argparse
import importlib
import shlex
from collections.abc import Iterator, Sequence

from rexdense.cli.main import PROGRAMS, module_of
from rexdense.cli.parser import Parser
from rexdense.dependencies import missing_dependency

SHELLS = ('bash', 'zsh')

# Config names are listed at each completion, so that they match the installation. If nothing
# matches, complete -o default completes file names.
_BASH = """\
# Completion of rexdense: options, choices and names of configs, else files.
_rexdense() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local program="" words="" at
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "${{program:+$program }}${{COMP_WORDS[at]}}" in
            {programs}) program="${{program:+$program }}${{COMP_WORDS[at]}}" ;;
        esac
    done
    case "$program" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _rexdense rexdense
"""
_ZSH = '#compdef rexdense\nautoload -Uz bashcompinit && bashcompinit\n'
_CONFIGS = '$("${COMP_WORDS[0]}" configs --names 2>/dev/null)'


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense completion',
        description='Print a script that completes options, choices and config names in a shell.',
        epilog='For this session: source <(rexdense completion bash), or zsh; for all sessions: '
        'write it to ~/.local/share/bash-completion/completions/rexdense, or source it in '
        '~/.zshrc.',
    )
    result.add_argument('shell', choices=SHELLS, help='the shell of the script')
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the script. This imports all programs, which takes seconds."""
    shell = parser().parse_args(arguments).shell
    found = dict(each for name in PROGRAMS for each in _parsers(name))
    cases = [_case('', f'words={_quoted([*PROGRAMS, "--help", "--version"])}')]
    cases += [_case(name, _values(each)) for name, each in found.items()]
    script = _BASH.format(programs='|'.join(map(shlex.quote, found)), cases='\n'.join(cases))
    print((_ZSH if shell == 'zsh' else '') + script, end='')


def _parsers(program: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    try:
        module = importlib.import_module(module_of(program))
    except ImportError as error:
        # There is nothing to complete for a program that cannot run here.
        if not missing_dependency(error):
            raise
    else:
        yield from _with_subprograms(program, module.parser())


def _with_subprograms(
    name: str, parser: argparse.ArgumentParser
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice, below in action.choices.items():
                yield from _with_subprograms(f'{name} {choice}', below)


def _case(program: str, body: str) -> str:
    return f'        {shlex.quote(program)}) {body} ;;'


def _values(parser: argparse.ArgumentParser) -> str:
    """Return bash code that sets ``words`` to the choices of the preceding option, or else to all
    options and the choices of positional arguments."""
    cases, free = [], []
    for action in parser._actions:
        if not action.option_strings:
            free += [*map(str, action.choices or ())]
            free += [_CONFIGS] if action.dest == 'config' else []
        elif action.nargs != 0:
            names = '|'.join(map(shlex.quote, action.option_strings))
            cases.append(f'{names}) words={_quoted(map(str, action.choices or ()))} ;;')
    options = [option for option in parser._option_string_actions if option.startswith('--')]
    cases.append(f'*) words={_quoted([*free, *sorted(options)])} ;;')
    return 'case "$before" in ' + ' '.join(cases) + ' esac'


def _quoted(words: Iterator[str] | Sequence[str]) -> str:
    """Return a bash word in which only $( ) is expanded."""
    escaped = (each if each == _CONFIGS else each.replace('$', r'\$') for each in words)
    return '"' + ' '.join(escaped) + '"'
