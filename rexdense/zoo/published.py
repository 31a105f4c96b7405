"""``published.json``: what others have printed of these networks, to the digit."""

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
    """One printed number.

    Attributes:
        quantity: What it counts: top1, top1_error, macs, parameters, box_ap ...
        printed: Its digits as printed.
        unit: '%', 'ms', 'images/s', or the factor 1, M or G.
        differs: Why it does not agree with the network measured; None where it does.
    """

    quantity: str
    printed: str
    unit: str
    differs: str | None = None

    @property
    def value(self) -> Decimal:
        """The number with its unit's factor."""
        return Decimal(self.printed) * UNITS[self.unit]


class PublishedRow(NamedTuple):
    """A row of somebody's table.

    Attributes:
        table: Which table of the file, one word.
        label: Who printed it, one word.
        source: Where.
        setting: How the numbers were found.
        model: The network as the source calls it.
        name: The network's name here; None where it has none.
        resolution: Height and width of the input in pixels; None for detectors.
        numbers: By quantity.
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
        """Top-1 accuracy in percent, where the row has it or the error."""
        if 'top1_error' in self.numbers:
            return 100 - self.numbers['top1_error'].value
        return self.numbers['top1'].value if 'top1' in self.numbers else None


@functools.cache
def load_published(path: Path = PUBLISHED) -> tuple[PublishedRow, ...]:
    """Return all rows, in the order of the file; of two on one network the first counts."""
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
