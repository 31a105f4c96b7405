"""The documentation: README.md, docs/*.md, and the docstrings of configs."""

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
    """Return the text of a page, or the docstring of a config."""
    text = path.read_text(encoding='utf-8')
    return text.split('"""')[1].replace('\\\\', '\\') if path.suffix == '.py' else text


def code_blocks(text: str, language: str | None = None) -> list[str]:
    """Return the fenced code blocks of a language, or of any if it is None."""
    return [code for kind, code in _BLOCK.findall(text) if language in (None, kind)]


def inline_code(text: str) -> list[str]:
    """Return the inline code outside code blocks, within single lines."""
    return [code.replace('\n', ' ') for code in re.findall(r'`([^`]+)`', _BLOCK.sub('', text))]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts generate them."""
    titles = re.findall(r'^#+ (.*)', _BLOCK.sub('', text), flags=re.MULTILINE)
    return {re.sub(r'[^\w -]', '', title).strip().lower().replace(' ', '-') for title in titles}
