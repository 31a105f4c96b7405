"""Label maps: images of one channel whose values are class indices."""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.file_checks import MapKind
from rexdense.datasets.images.orientation import as_stored, orientation_of, turned_upright
from rexdense.datasets.images.sizes import wrong_map_size
from rexdense.errors import DataError

VOID = 255
"""The label of ignored pixels, unless a data set states another."""

# Of Pillow's names. It has others run: a program of the machine draws what is PostScript.
_FORMATS = ('PNG', 'TIFF', 'BMP', 'JPEG', 'WEBP', 'GIF', 'PPM')
# Pillow's names of grey pixels that it scales to 8 bits: of 2 bits by 85, of 4 by 17.
_SCALED = re.compile(r'L;([24])')
_HOW_TO_CONVERT = (
    'give each pixel its class index instead, in one channel: '
    "labels = (rgb[:, :, None] == colours).all(-1).argmax(-1), saved with mode 'L'"
)


def read_label_map(path: str | Path, content: bytes | None = None) -> np.ndarray:
    """Return a label map (H, W) with the integers as stored; the indices of a palette are labels.

    A map with an orientation tag is made upright, like its image.

    Args:
        path: The file, also for messages.
        content: Content of the file, if it has been read already.

    Raises:
        DataError: the file cannot be read, is no image, or has colours.
    """
    if content is None and (other := not_a_file(path)):
        raise DataError(f'label map {path} {other}; put the label map there')
    try:
        content = Path(path).read_bytes() if content is None else content
        image = Image.open(io.BytesIO(as_stored(content)), formats=_FORMATS)
        unit = _grey_unit(image)
        labels = turned_upright(np.asarray(image), orientation_of(content))
    except FileNotFoundError as error:
        raise DataError(f'label map {path} is not there') from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f'label map {path} has too many pixels ({str(error).split(",")[0]}): cut it and its '
            'image into tiles'
        ) from error
    # Pillow raises almost any exception for a damaged file.
    except Exception as error:
        raise DataError(
            f'label map {path} cannot be decoded: it is damaged or no image; replace it'
        ) from error
    if labels.ndim == 3:
        same = (labels[..., :1] == labels[..., :3]).all()
        remedy = 'its colours are greys: save one of them' if same else _HOW_TO_CONVERT
        raise DataError(
            f'label map {path} has {labels.shape[2]} channels ({image.mode}), and a label map has '
            f'one; {remedy}'
        )
    if unit != 1:
        return labels // np.uint8(unit)
    if labels.dtype == np.bool_:
        return labels.astype(np.uint8)
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f'label map {path} holds {labels.dtype} values; labels are whole numbers')
    return labels


def _grey_unit(image: Image.Image) -> int:
    """Return the pixel value of 1 in the file of a grey image that is not decoded yet."""
    packing = image.tile[0][3] if getattr(image, 'tile', None) else ''
    name = packing if isinstance(packing, str) else str(packing[0]) if packing else ''
    scaled = _SCALED.match(name)
    return 255 // (2 ** int(scaled[1]) - 1) if scaled else 1


def check_labels(labels: np.ndarray, num_classes: int, path: str | Path, void: int = VOID) -> None:
    """Raise DataError unless all labels are class indices or void. The message has another value
    that was found, and its share of the map."""
    if labels.size == 0 or 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        return
    outside = ((labels < 0) | (labels >= num_classes)) & (labels != void)
    if outside.any():
        values, counts = np.unique(labels[outside], return_counts=True)
        shares = ', '.join(
            f'{value} ({count / labels.size:.1%} of its pixels)'
            for value, count in zip(values[:4].tolist(), counts[:4].tolist(), strict=True)
        )
        raise DataError(
            f'label map {path} has the label {shares}{", ..." if len(values) > 4 else ""}, but '
            f'there are {num_classes} classes, 0 to {num_classes - 1}, and {void} for void; '
            f'{_remedy(labels, values, num_classes, void)}'
        )


def _remedy(labels: np.ndarray, outside: np.ndarray, num_classes: int, void: int) -> str:
    """Return advice about labels outside the classes, by their pattern."""
    found = set(np.unique(labels).tolist()) - {void}
    if len(outside) > 4:
        return (
            'if these number the objects, or are grey levels, give each pixel the index of its '
            'class instead'
        )
    if outside.tolist() == [num_classes] and 0 not in found:
        return 'if these count from 1, subtract 1; else add the missing names to classes.txt'
    if found == {0, outside[0]}:
        return (
            f'if {outside[0]} is the object of a mask, save labels = (mask == {outside[0]}) * 1; '
            'else add the missing names to classes.txt, or change these pixels'
        )
    return 'add the missing names to classes.txt, or change these pixels'


def check_size(labels: np.ndarray, size: tuple[int, int], path: str | Path) -> None:
    """Raise DataError unless a label map has the ``size`` (height, width) of its image."""
    if labels.shape != size:
        raise DataError(wrong_map_size('label map', path, labels.shape, size))


LABEL_MAP = MapKind('label map', read_label_map)
