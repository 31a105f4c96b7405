"""The pages for readers: README.md, docs/*.md, and the docstrings of the configs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / 'README.md'
PAGES = [README, ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT).parts
)

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```', flags=re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    """The text of a page; of a config its docstring."""
    text = path.read_text(encoding='utf-8')
    return text.split('"""')[1].replace('\\\\', '\\') if path.suffix == '.py' else text


def code_blocks(text: str, language: str | None = None) -> list[str]:
    """The fenced blocks of a language, of any if it is None."""
    return [code for kind, code in _BLOCK.findall(text) if language in (None, kind)]


def inline_code(text: str) -> list[str]:
    """Texts between backquotes outside the blocks, on one line each."""
    return [code.replace('\n', ' ') for code in re.findall(r'`([^`]+)`', _BLOCK.sub('', text))]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    titles = re.findall(r'^#+ (.*)', _BLOCK.sub('', text), flags=re.MULTILINE)
    return {re.sub(r'[^\w -]', '', title).strip().lower().replace(' ', '-') for title in titles}
