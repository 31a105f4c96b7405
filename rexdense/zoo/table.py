"""The zoo as a table: all named networks with their sizes and published accuracies."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from rexdense.errors import InvalidArgument, UnknownName, suggest
from rexdense.text_table import text_table
from rexdense.zoo.measured import Measurement, load_measured
from rexdense.zoo.published import PublishedRow, load_published
from rexdense.zoo.quantities import format_count


class ZooEntry(NamedTuple):
    """A network with its measurement and the published row of its accuracy."""

    name: str
    measured: Measurement
    published: PublishedRow | None

    @property
    def top1(self) -> Decimal | None:
        """Published top-1 accuracy in percent."""
        return self.published.top1 if self.published else None

    def printed(self, quantity: str) -> str:
        """Return the digits of a published number, or a dash."""
        numbers = self.published.numbers if self.published else {}
        return numbers[quantity].printed if quantity in numbers else '-'


def _accuracy_first(entry: ZooEntry) -> Decimal:
    return -entry.top1 if entry.top1 is not None else Decimal(0)


SORT_KEYS: dict[str, Callable[[ZooEntry], int | Decimal]] = {
    'params': lambda entry: entry.measured.parameters,
    'macs': lambda entry: entry.measured.macs,
    'activations': lambda entry: entry.measured.activations,
    'top1': _accuracy_first,
}

COLUMNS: dict[str, Callable[[ZooEntry], str]] = {
    'name': lambda entry: entry.name,
    'parameters': lambda entry: format_count(entry.measured.parameters),
    'MACs': lambda entry: format_count(entry.measured.macs),
    'activations': lambda entry: format_count(entry.measured.activations),
    'top-1': lambda entry: '-' if entry.top1 is None else str(entry.top1),
    'top-5': lambda entry: entry.printed('top5'),
    'accuracy by': lambda entry: entry.published.label if entry.published else '-',
    'channels c1 to c5': lambda entry: '/'.join(map(str, entry.measured.channels)),
}
LEFT_ALIGNED = ('name', 'accuracy by')


def family_of(name: str) -> str:
    """Return the family: the part of the name before its first digit.

    Example:
        >>> family_of('rexnet_lite_1.0'), family_of('regnetx_1.6gf'), family_of('resnext50_32x4d')
        ('rexnet_lite', 'regnetx', 'resnext')
    """
    return re.split(r'_?\d', name, maxsplit=1)[0]


def zoo_entries() -> list[ZooEntry]:
    """Return every network of ``measured.json``, in its order."""
    published: dict[str | None, PublishedRow] = {}
    for row in load_published():
        if row.top1 is not None:
            published.setdefault(row.name, row)
    return [
        ZooEntry(name, measured, published.get(name)) for name, measured in load_measured().items()
    ]


def select(
    entries: Iterable[ZooEntry],
    family: str | None = None,
    max_parameters: int | None = None,
    max_macs: int | None = None,
    sort: str | None = None,
) -> list[ZooEntry]:
    """Return the networks of a family up to the given sizes, sorted.

    Args:
        family: Shell pattern of :func:`family_of`, such as ``rexnet`` or ``regnet*``.
        sort: 'params', 'macs' or 'activations' for the smallest first; 'top1' for the best first,
            with networks without a published accuracy last; None keeps the order.

    Raises:
        UnknownName: no family matches, or ``sort`` is unknown.
        InvalidArgument: no network is left.
    """
    kept = list(entries)
    if family is not None:
        families = {family_of(entry.name) for entry in kept}
        if not fnmatch.filter(families, family):
            raise UnknownName(f'no family is called {family!r}: {suggest(family, families)}')
        kept = [entry for entry in kept if fnmatch.fnmatchcase(family_of(entry.name), family)]
    for quantity, limit in (('parameters', max_parameters), ('macs', max_macs)):
        if limit is None or not kept:
            continue
        smallest = min(kept, key=lambda entry: getattr(entry.measured, quantity))
        kept = [entry for entry in kept if getattr(entry.measured, quantity) <= limit]
        if not kept:
            count = format_count(getattr(smallest.measured, quantity))
            raise InvalidArgument(
                f'no network asked for has at most {limit:,} '
                f'{quantity.replace("macs", "MACs")}; '
                f'the smallest of them is {smallest.name} with {count}'
            )
    if sort is not None:
        if sort not in SORT_KEYS:
            raise UnknownName(f'cannot sort by {sort!r}: {suggest(sort, SORT_KEYS)}')
        kept.sort(key=SORT_KEYS[sort])
    return kept


def _cells(entries: Iterable[ZooEntry]) -> list[list[str]]:
    return [[cell(entry) for cell in COLUMNS.values()] for entry in entries]


def as_text(entries: Iterable[ZooEntry]) -> str:
    """Return the table for a terminal, with aligned columns."""
    return text_table([list(COLUMNS), *_cells(entries)])


def as_markdown(entries: Iterable[ZooEntry]) -> str:
    """Return the table in Markdown, with names as code."""
    rows = [[f'`{name}`', *cells] for name, *cells in _cells(entries)]
    return markdown_table(list(COLUMNS), rows, LEFT_ALIGNED)


def markdown_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], left_aligned: Sequence[str]
) -> str:
    """Return a Markdown table; columns outside ``left_aligned`` are right-aligned."""
    rule = ['---' if heading in left_aligned else '---:' for heading in headings]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in (headings, rule, *rows))
