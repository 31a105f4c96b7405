"""The part of docs/zoo.md that is rendered from the zoo's numbers."""

from pathlib import Path

from rexdense.errors import InvalidArgument
from rexdense.files import atomic_write
from rexdense.zoo.coco_configs import METHODS
from rexdense.zoo.measured import UNET_CLASSES, load_measured_detectors, load_measured_unets
from rexdense.zoo.published import PublishedRow, load_published
from rexdense.zoo.quantities import format_count
from rexdense.zoo.table import as_markdown, markdown_table, zoo_entries

__all__ = ['BEGIN', 'END', 'render_page', 'with_zoo', 'zoo_section']

BEGIN, END = '<!-- zoo:begin -->', '<!-- zoo:end -->'

DETECTORS = {
    'clovaai-faster-rcnn': 'Faster R-CNN',
    'mmdet-faster-rcnn': 'Faster R-CNN, 1x',
    'clovaai-mask-rcnn': 'Mask R-CNN',
    'mmdet-mask-rcnn': 'Mask R-CNN, 1x',
}
DETECTION_COLUMNS = (
    'detector',
    'backbone',
    'box AP',
    'mask AP',
    'parameters',
    'MACs',
    'published by',
)


def _printed(row: PublishedRow, quantity: str) -> str:
    if quantity not in row.numbers:
        return '-'
    number = row.numbers[quantity]
    return number.printed + (number.unit if number.unit in ('M', 'G') else '')


def _detection_table() -> str:
    rows = [
        (
            detector,
            f'`{row.name}`' if row.name else row.model,
            *(_printed(row, quantity) for quantity in ('box_ap', 'mask_ap')),
            *(_printed(row, quantity) for quantity in ('detector_parameters', 'detector_macs')),
            row.label,
        )
        for table, detector in DETECTORS.items()
        for row in load_published()
        if row.table == table
    ]
    return markdown_table(DETECTION_COLUMNS, rows, ('detector', 'backbone', 'published by'))


def _detector_size_table() -> str:
    printed = {
        (row.table, row.name): _printed(row, 'detector_parameters')
        for row in load_published()
        if row.table in DETECTORS
    }
    rows = []
    for name, parameters in load_measured_detectors().items():
        cells = [f'`{name}`']
        for method in METHODS:
            published = printed.get((f'clovaai-{method}-rcnn', name), '-')
            cells += [f'{parameters[method] / 1e6:.2f}M', published]
        rows.append(cells)
    headings = [heading for title in METHODS.values() for heading in (title, 'clovaai prints')]
    return markdown_table(['backbone', *headings], rows, ('backbone',))


def _unet_table() -> str:
    rows = [
        (f'`{name}`', *map(format_count, complexity))
        for name, complexity in load_measured_unets().items()
    ]
    return markdown_table(('name', 'parameters', 'MACs', 'activations'), rows, ('name',))


def zoo_section() -> str:
    """Return the text between the markers: the numbers as tables, with their definitions."""
    return f"""\
## Backbones

Parameters, MACs (multiply-accumulates of convolutions and linear layers) and activations (outputs
of convolutions) are measured, for one image of 224 x 224 and 1000 classes;
`rexdense/zoo/measured.json` has the exact integers. Accuracies are the publishers' own, in
percent on ImageNet-1k, reached with different recipes (pycls: 100 epochs, no enhancements;
clovaai: 400 epochs, RandAugment); rexdense has not trained these networks.
`rexdense/zoo/published.json` has the sources, and published numbers that contradict each other.

{as_markdown(zoo_entries())}

## U-Nets

U-Nets over all five levels, with outputs at six scales and {UNET_CLASSES} classes (`rexunet`: its
one output channel), counted in the same way for one image of 224 x 224. `rexdense.create_unet`
makes them by name, `rexdense.models.unet.ReXUNet` the first:

{_unet_table()}

## Published detectors

Published detectors on COCO val2017, all with FPN, in percent; clovaai's at 1200 x 800 with a
schedule that was not published, mmdet's (1x) at 1333 x 800 with 12 epochs:

{_detection_table()}

## Sizes of the detectors

Parameters of the detectors on COCO that have configs (`rexdense/zoo/coco_configs.py`), counted in
the code, beside those printed by clovaai, which are met to 0.065 M:

{_detector_size_table()}"""


def with_zoo(text: str) -> str:
    """Return ``text`` with what stands between the two markers rendered anew.

    Raises:
        InvalidArgument: ``text`` does not have each marker once, the beginning first.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InvalidArgument(
            f'it must hold the line {BEGIN} once and, behind it, the line {END} once; '
            'the table is written between the two'
        )
    before, _, rest = text.partition(BEGIN)
    return f'{before}{BEGIN}\n{zoo_section()}\n{END}{rest.partition(END)[2]}'


def render_page(path: Path) -> None:
    """Render the zoo's part of a page anew; all else in it stays.

    Raises:
        InvalidArgument: there is no such file, or :func:`with_zoo` refuses its markers.
    """
    try:
        text = path.read_text(encoding='utf-8')
        rendered = with_zoo(text)
    except (OSError, InvalidArgument) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidArgument(f'cannot render the zoo into {path}: {reason}') from error
    if rendered != text:
        atomic_write(path, rendered.encode(), overwrite=True)
