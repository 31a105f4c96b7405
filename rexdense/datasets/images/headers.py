"""Headers of image files: their size, orientation and expected end.

Only a few hundred bytes of a file are read, with the standard library, and nothing is decoded.
"""

import ast
import io
import math
import os
import re
import struct
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from rexdense.datasets.images.tiff_directory import TIFF_FAULTS, TIFF_START, TiffDirectory

_TAIL = 4096
"""Bytes at the end of a file that are searched for its end mark: some tools append their own."""
_LONGEST_NPY = 10_000
"""Largest header of a .npy file in bytes that is parsed, as in NumPy: Python values take hundreds
of times the memory of their text."""

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:\s*=\s*["\']|>)\s*([1-8])')
# JPEG markers that start a frame: C0 to CF except DHT, JPG and DAC.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# JPEG markers without a length.
_BARE = {0x01, *range(0xD0, 0xD9)}


class ImageHeader(NamedTuple):
    """Header of an image file.

    Attributes:
        width, height: In pixels, as stored.
        orientation: 1 to 8, the tag Orientation of Exif 2.32, 4.6.4 A; 1 is upright.
        whole: Whether the file is as long as it states. A shorter one may still be readable, which
            decoding shows.
    """

    width: int
    height: int
    orientation: int = 1
    whole: bool = True

    @property
    def stored_size(self) -> tuple[int, int]:
        """(height, width) as stored."""
        return self.height, self.width

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) of the upright image."""
        return self.stored_size if self.orientation < 5 else self.stored_size[::-1]


def read_header(file: BinaryIO) -> ImageHeader | None:
    """Return the header of a JPEG, PNG, WebP, TIFF, BMP or .npy file; None for other files, or if
    the file is damaged before its size.

    Args:
        file: A file open for reading that can seek.
    """
    start = file.read(12)
    for signature, read in _READERS:
        if signature.match(start):
            try:
                header = read(file, file.seek(0, os.SEEK_END))
            except Exception:  # nearly anything can come of a damaged file
                return None
            return header if header and header.width > 0 and header.height > 0 else None
    return None


def _jpeg(file: BinaryIO, end: int) -> ImageHeader | None:
    place, exif, xmp = 2, b'', []
    while True:
        file.seek(place)
        mark, marker = file.read(2)
        if mark != 0xFF:
            return None
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _BARE:
            place += 2
            continue
        (length,) = struct.unpack('>H', file.read(2))
        if marker in _FRAMES:
            _, height, width = struct.unpack('>BHH', file.read(5))
            whole = b'\xff\xd9' in _tail(file, place, end)
            return ImageHeader(width, height, _orientation(exif, b''.join(xmp)), whole)
        if marker in (0xD9, 0xDA) or length < 2:
            return None
        if marker == 0xE1:
            segment = file.read(length - 2)
            if segment.startswith(b'Exif\0\0'):
                exif = exif or segment[6:]
            elif segment.startswith(b'http://ns.adobe.com/xap/'):
                xmp.append(segment)
        place += 2 + length


def _png(file: BinaryIO, end: int) -> ImageHeader:
    place, size, exif, xmp = 8, (0, 0), b'', []
    while True:
        file.seek(place)
        length, kind = struct.unpack('>I4s', file.read(8))
        if kind == b'IHDR':
            size = struct.unpack('>II', file.read(8))
        elif kind == b'eXIf':
            exif = file.read(length)
        elif kind == b'iTXt':
            xmp.append(file.read(length))
        elif kind in (b'IDAT', b'IEND'):
            break
        place += 12 + length
    tail = _tail(file, place, end)
    last = tail.rfind(b'IEND\xaeB`\x82')
    late = tail.rfind(b'eXIf', 4, max(last, 0))
    if not exif and late >= 0:
        # exiftool writes EXIF data after the pixels.
        (length,) = struct.unpack('>I', tail[late - 4 : late])
        exif = tail[late + 4 : late + 4 + length]
    return ImageHeader(*size, _orientation(exif, b''.join(xmp)), last >= 0)


def _webp(file: BinaryIO, end: int) -> ImageHeader | None:
    file.seek(4)
    (length,) = struct.unpack('<I', file.read(4))
    place, size, exif, xmp = 12, None, b'', b''
    while place + 8 <= end:
        file.seek(place)
        kind, content = struct.unpack('<4sI', file.read(8))
        if kind == b'VP8X':
            packed = file.read(10)
            size = tuple(int.from_bytes(packed[at : at + 3], 'little') + 1 for at in (4, 7))
        elif kind == b'VP8L':
            (packed,) = struct.unpack('<I', file.read(5)[1:])
            size = size or ((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
        elif kind == b'VP8 ':
            sides = struct.unpack('<HH', file.read(10)[6:])
            size = size or tuple(side & 0x3FFF for side in sides)
        elif kind == b'EXIF':
            exif = file.read(content).removeprefix(b'Exif\0\0')
        elif kind == b'XMP ':
            xmp = file.read(content)
        place += 8 + content + content % 2
    return size and ImageHeader(*size, _orientation(exif, xmp), length + 8 <= end)


def _tiff(file: BinaryIO, end: int) -> ImageHeader:
    directory = TiffDirectory(file)
    (width,), (height,) = directory.integers(256), directory.integers(257)
    # Offsets and lengths of strips or tiles.
    pieces = [
        piece
        for tags in ((273, 279), (324, 325))
        for piece in zip(*map(directory.integers, tags), strict=True)
    ]
    whole = bool(pieces) and all(offset + length <= end for offset, length in pieces)
    orientation = directory.orientation or _from_xmp(directory.content(700))
    return ImageHeader(width, height, orientation, whole)


def _bmp(file: BinaryIO, end: int) -> ImageHeader | None:
    file.seek(10)
    pixels, length, width, height, _, bits, packing = struct.unpack('<IIiiHHI', file.read(24))
    if length < 40:
        return None
    rows = (width * bits + 31) // 32 * 4 * abs(height)
    # The run-length encodings, 1 and 2, do not state where they end.
    return ImageHeader(width, abs(height), 1, packing in (1, 2) or pixels + rows <= end)


def _npy(file: BinaryIO, end: int) -> ImageHeader:
    file.seek(6)
    code = '<H' if file.read(2)[0] == 1 else '<I'
    (length,) = struct.unpack(code, file.read(struct.calcsize(code)))
    if length > _LONGEST_NPY:
        raise ValueError(f'a header of {length} bytes')
    described = ast.literal_eval(file.read(length).decode('latin-1'))
    sides = [side for side in described['shape'] if side > 1] or [1]
    height, width = described['shape'] if len(described['shape']) == 2 else sides
    values = math.prod(described['shape']) * int(described['descr'][2:])
    return ImageHeader(width, height, 1, file.tell() + values <= end)


def _tail(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(max(start, end - _TAIL))
    return file.read()


def _orientation(exif: bytes, xmp: bytes) -> int:
    """Return the orientation in EXIF data, else in an XMP packet, else 1."""
    try:
        stated = TiffDirectory(io.BytesIO(exif)).orientation if exif else None
    except TIFF_FAULTS:  # damaged EXIF data count as none
        stated = None
    return stated or _from_xmp(xmp)


def _from_xmp(xmp: bytes) -> int:
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO, int], ImageHeader | None]], ...] = (
    (re.compile(rb'\xff\xd8'), _jpeg),
    (re.compile(rb'\x89PNG\r\n\x1a\n'), _png),
    (re.compile(rb'RIFF.{4}WEBP', re.DOTALL), _webp),
    (re.compile(b'|'.join(map(re.escape, TIFF_START))), _tiff),
    (re.compile(rb'BM'), _bmp),
    (re.compile(rb'\x93NUMPY'), _npy),
)
