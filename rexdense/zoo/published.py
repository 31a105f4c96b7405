"""``published.json``: figures that others published for these networks, digit by digit."""

import functools
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from rexdense.zoo.quantities import SCALES

PUBLISHED = Path(__file__).with_name('published.json')
UNITS = {
    **{unit: scale for unit, scale in SCALES.items() if unit},
    '1': 1,
    '%': 1,
    'ms': 1,
    'images/s': 1,
}


class PublishedNumber(NamedTuple):
    """A published number.

    Attributes:
        quantity: What it counts: top1, top1_error, macs, parameters, box_ap ...
        printed: The digits as printed.
        unit: '%', 'ms', 'images/s', or the factor 1, M or G.
        differs: Why it disagrees with the measured network; None if it agrees.
    """

    quantity: str
    printed: str
    unit: str
    differs: str | None = None

    @property
    def value(self) -> Decimal:
        """The number, multiplied by its unit."""
        return Decimal(self.printed) * UNITS[self.unit]


class PublishedRow(NamedTuple):
    """A row of a published table.

    Attributes:
        table: The id of the table in the file, one word.
        label: The publisher, one word.
        source: Where the table is published.
        setting: How the numbers were obtained.
        model: The network's name in the source.
        name: The network's name in rexdense; None if it has none.
        resolution: Height and width of the input in pixels; None for detectors.
        numbers: The numbers by quantity.
    """

    table: str
    label: str
    source: str
    setting: str
    model: str
    name: str | None
    resolution: int | None
    numbers: dict[str, PublishedNumber]

    @property
    def top1(self) -> Decimal | None:
        """Top-1 accuracy in percent, if the row has it or the top-1 error."""
        if 'top1_error' in self.numbers:
            return 100 - self.numbers['top1_error'].value
        return self.numbers['top1'].value if 'top1' in self.numbers else None


@functools.cache
def load_published(path: Path = PUBLISHED) -> tuple[PublishedRow, ...]:
    """Return all rows in the order of the file; the first row of a network counts."""
    tables = json.loads(path.read_text(encoding='utf-8'))['tables']
    return tuple(_rows(tables))


def _rows(tables: list[dict]) -> Iterator[PublishedRow]:
    for table in tables:
        for row in table['rows']:
            differs = row.get('differs', {})
            yield PublishedRow(
                table=table['id'],
                label=table['label'],
                source=table['source'],
                setting=table['setting'],
                model=row['model'],
                name=row['name'],
                resolution=row.get('resolution', table.get('resolution')),
                numbers={
                    quantity: PublishedNumber(
                        quantity, printed, table['units'][quantity], differs.get(quantity)
                    )
                    for quantity, printed in row['printed'].items()
                },
            )
