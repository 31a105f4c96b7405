"""The commands in README.md and in the configs name files and options that exist."""

import contextlib
import functools
import io
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / 'README.md'
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT).parts
)
TOOL = re.compile(r'tools/(\w+)\.py')
# Of programs that are not ours.
FOREIGN_OPTIONS = {'--no-deps', '--no-build-isolation', '--nproc-per-node'}


def code_blocks(text: str) -> list[str]:
    return re.findall(r'^```[^\n]*\n(.*?)^```', text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """The lines of a text that run something, continued lines joined, comments taken off."""
    lines = re.sub(r'\\\n\s*', '', text).splitlines()
    lines = [re.sub(r'(^|\s)#.*', '', line).strip() for line in lines]
    return [line for line in lines if re.match(r'([\w./]*python|torchrun|make|pip)\s', line)]


def all_commands() -> list[tuple[str, str]]:
    """(the file that says so, the command)."""
    found = []
    if README.exists():
        text = README.read_text(encoding='utf-8')
        found += [('README.md', line) for block in code_blocks(text) for line in commands(block)]
        outside = re.sub(r'^```.*?^```', '', text, flags=re.MULTILINE | re.DOTALL)
        for inline in re.findall(r'`([^`]+)`', outside):
            found += [('README.md', line) for line in commands(inline.replace('\n', ' '))]
    for path in CONFIGS:
        docstring = path.read_text(encoding='utf-8').split('"""')[1]
        name = str(path.relative_to(ROOT))
        found += [(name, line) for line in commands(docstring)]
    return list(dict.fromkeys(found))


COMMANDS = all_commands()


@functools.cache
def known_options(tool: str) -> frozenset[str]:
    """The options that a tool's --help lists."""
    output, before = io.StringIO(), sys.argv
    sys.argv = [f'tools/{tool}.py', '--help']
    try:
        with contextlib.redirect_stdout(output), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / f'tools/{tool}.py'), run_name='__main__')
    finally:
        sys.argv = before
    assert ended.value.code in (0, None), output.getvalue()
    return frozenset(re.findall(r'--[a-z][\w-]*', output.getvalue()))


def check_files(words: list[str]) -> None:
    for word in words:
        if re.match(r'(configs|tools|requirements|rexdense|tests)/', word):
            assert (ROOT / word).exists(), f'{word} is not there'


def test_commands_are_found():
    assert sum(name == 'README.md' for name, _ in COMMANDS) >= 8
    assert {name for name, _ in COMMANDS} >= {str(path.relative_to(ROOT)) for path in CONFIGS}


@pytest.mark.parametrize(('source', 'command'), COMMANDS)
def test_command(source, command):
    words = shlex.split(command)
    check_files(words)
    if words[0] == 'make':
        check_make(words[1:])
    tool = TOOL.search(command)
    if tool:
        pytest.importorskip('mmdet')
        place = next(index for index, word in enumerate(words) if TOOL.search(word))
        options = {word.split('=')[0] for word in words[place + 1 :] if word.startswith('--')}
        unknown = options - known_options(tool[1])
        assert not unknown, f'{source}: tools/{tool[1]}.py takes no {sorted(unknown)}'


def check_make(words: list[str]) -> None:
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    for word in words:
        variable, is_variable, _ = word.partition('=')
        if is_variable:
            assert f'$({variable}' in makefile, f'the Makefile has no variable {variable}'
        else:
            assert re.search(rf'^{re.escape(word)}:', makefile, flags=re.MULTILINE), (
                f'the Makefile has no target {word}'
            )


def test_options_and_files_in_the_text():
    """What stands between backquotes: options are known to some tool, paths are there."""
    pytest.importorskip('mmdet')
    text = re.sub(r'^```.*?^```', '', README.read_text(encoding='utf-8'), flags=re.M | re.S)
    inline = re.findall(r'`([^`]+)`', text)
    tools = [path.stem for path in (ROOT / 'tools').glob('*.py')]
    known = FOREIGN_OPTIONS.union(*(known_options(tool) for tool in tools))
    options = {option for code in inline for option in re.findall(r'(?<!\S)--[a-z][\w-]*', code)}
    assert options and options <= known, sorted(options - known)
    for code in inline:
        check_files(code.split())


def test_pictures_and_links_are_there():
    text = README.read_text(encoding='utf-8')
    for target in re.findall(r'\]\(([^)#]+)\)', text):
        if '://' not in target:
            assert (ROOT / target).exists(), f'README.md links to {target}, which is not there'
    anchors = {
        re.sub(r'[^\w -]', '', title).strip().lower().replace(' ', '-')
        for title in re.findall(r'^#+ (.*)', text, flags=re.MULTILINE)
    }
    for anchor in re.findall(r'\]\(#([^)]+)\)', text):
        assert anchor in anchors, f'README.md has no section {anchor}'
