"""Rendering of the numbers of the zoo into docs/zoo.md."""

from pathlib import Path

from rexdense.errors import InvalidArgument
from rexdense.files.writing import atomic_write
from rexdense.zoo.coco_configs import BASELINES, DETECTORS, METHODS
from rexdense.zoo.detectors import AUTHORS_IMAGE, MMDET_IMAGE, OBJECTS, REGIONS
from rexdense.zoo.measured import UNET_CLASSES, load_measured_detectors, load_measured_unets
from rexdense.zoo.published import PublishedRow, load_published
from rexdense.zoo.quantities import format_count
from rexdense.zoo.table import as_markdown, markdown_table, zoo_entries

BEGIN, END = '<!-- zoo:begin -->', '<!-- zoo:end -->'

TABLES = {
    'clovaai-faster-rcnn': 'Faster R-CNN',
    'mmdet-faster-rcnn': 'Faster R-CNN, 1x',
    'clovaai-mask-rcnn': 'Mask R-CNN',
    'mmdet-mask-rcnn': 'Mask R-CNN, 1x',
}
CLOVAAI = ('clovaai-faster-rcnn', 'clovaai-mask-rcnn')
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
        for table, detector in TABLES.items()
        for row in load_published()
        if row.table == table
    ]
    return markdown_table(DETECTION_COLUMNS, rows, ('detector', 'backbone', 'published by'))


def _detector_size_table() -> str:
    measured = load_measured_detectors()
    rows = []
    for detector in (*DETECTORS, *BASELINES):
        found = measured[detector.name]
        cells = [f'`{detector.name}`']
        for method in METHODS:
            row = next(
                (
                    row
                    for row in load_published()
                    if row.table == f'clovaai-{method}-rcnn' and detector.printed_in(row)
                ),
                None,
            )
            printed = [
                _printed(row, quantity) if row else '-'
                for quantity in ('detector_parameters', 'detector_macs')
            ]
            cells += [f'{found.parameters[method] / 1e6:.2f}M', printed[0]]
            cells += [f'{found.macs_of(method, AUTHORS_IMAGE) / 1e9:.1f}G', printed[1]]
        cells.append(f'{found.macs_of("faster", MMDET_IMAGE) / 1e9:.1f}G')
        rows.append(cells)
    headings = [
        heading
        for title in METHODS.values()
        for heading in (f'{title}: parameters', 'printed', 'MACs', 'printed')
    ]
    headings.append(f'Faster R-CNN at {MMDET_IMAGE.replace("x", " x ")}')
    return markdown_table(['backbone', *headings], rows, ('backbone',))


def _detector_part_table() -> str:
    rows = []
    for detector in (*DETECTORS, *BASELINES):
        parts = load_measured_detectors()[detector.name].macs[AUTHORS_IMAGE]
        if any(detector.printed_in(row) for row in load_published() if row.table in CLOVAAI):
            rows.append([f'`{detector.name}`', *(f'{macs / 1e9:.2f}G' for macs in parts.values())])
    headings = ['network', 'backbone', 'FPN', 'region proposals']
    headings += [f'box head, {REGIONS} regions', f'mask head, {OBJECTS} objects']
    return markdown_table(headings, rows, ('network',))


def _unet_table() -> str:
    rows = [
        (f'`{name}`', *map(format_count, complexity))
        for name, complexity in load_measured_unets().items()
    ]
    return markdown_table(('name', 'parameters', 'MACs', 'activations'), rows, ('name',))


def zoo_section() -> str:
    """Return the text between the markers: tables of the numbers, with definitions."""
    return f"""\
## Backbones

Parameters, MACs (multiply-accumulates of convolutions and linear layers) and activations (outputs
of convolutions) are measured for one image of 224 x 224 and 1000 classes.
`rexdense/zoo/measured.json` has the exact integers. Accuracies are those of the publishers, in
percent on ImageNet-1k. Their recipes differ (pycls: 100 epochs, no enhancements; clovaai: 400
epochs, RandAugment). rexdense has not trained these networks. `rexdense/zoo/published.json` has
the sources, and published numbers that contradict each other.

{as_markdown(zoo_entries())}

## U-Nets

U-Nets over all five levels, with outputs at six scales and {UNET_CLASSES} classes (`rexunet`: one
output channel). The counts follow the same rules, for one image of 224 x 224.
`rexdense.models.unet.ReXUNet` creates the first, `rexdense.create_unet` the others by name:

{_unet_table()}

## Published detectors

Published detectors on COCO val2017, all with FPN, in percent. clovaai's use 1200 x 800 and a
schedule that was not published, mmdet's (1x) use 1333 x 800 and 12 epochs:

{_detection_table()}

## Sizes of the detectors

Parameters and MACs of the detectors on COCO that have configs (`rexdense/zoo/coco_configs.py`),
counted in the code, beside the figures that clovaai prints. MACs are of convolutions and linear
layers for one image of 1200 x 800 without padding: backbone, FPN, region proposals, the box head
on {REGIONS} regions and, for Mask R-CNN, the mask head on {OBJECTS} objects. mmdet's configs keep
these numbers of regions and objects. The last column shows Faster R-CNN at 1280 x 800, the default
size of mmdet's counting tool.

{_detector_size_table()}

The counts compare with the printed figures as follows:

- Parameters: ReXNet agrees within 0.065 M. Mask R-CNN with ResNet-50 has 0.2 M more here.
- MACs of Faster R-CNN: the printed figures of ReXNet 0.9, 1.0 and 2.2 are 0.1 G more than the
  counts at 1280 x 800, that of EfficientNet-B0 is 0.2 G less. The remaining differences are biases,
  normalisation and activations, which are not counted here. At 1200 x 800 the counts are 6 % less,
  because all parts except the heads shrink with the image.
- MACs of Mask R-CNN: the printed figures equal those of Faster R-CNN. The mask head, 53 G for 100
  objects, was not counted.
- ResNet-50: the 207 G of Mask R-CNN is mmdet's count of Faster R-CNN at 1280 x 800. The 202.2 G of
  Faster R-CNN fits this size if the first convolution of the bottlenecks has the stride (201.6 G),
  which is another network.
- ResNeXt-101: no explanation was found for the 272.4 G; the count at 1280 x 800 is 285.5 G.
- FBNet-C: there is no implementation here or in mmdet, only the published figures.

The parts at 1200 x 800:

{_detector_part_table()}"""


def with_zoo(text: str) -> str:
    """Return ``text`` with the part between the two markers rendered again. Raise InvalidArgument
    unless it has each marker once, the beginning first."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InvalidArgument(
            f'it must hold the line {BEGIN} once and, behind it, the line {END} once; '
            'the table is written between the two'
        )
    before, _, rest = text.partition(BEGIN)
    return f'{before}{BEGIN}\n{zoo_section()}\n{END}{rest.partition(END)[2]}'


def render_page(path: Path) -> None:
    """Render the zoo's part of a page again, and keep the rest. Raise InvalidArgument if there is
    no such file, or as :func:`with_zoo`."""
    try:
        text = path.read_text(encoding='utf-8')
        rendered = with_zoo(text)
    except (OSError, InvalidArgument) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidArgument(f'cannot render the zoo into {path}: {reason}') from error
    if rendered != text:
        atomic_write(path, rendered.encode(), overwrite=True)
