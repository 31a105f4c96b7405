"""The first directory of a TIFF file; EXIF data have the same form (TIFF 6.0, section 2)."""

import struct
from typing import BinaryIO

TIFF_START = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
"""First bytes of TIFF and BigTIFF files."""

TIFF_FAULTS = (struct.error, KeyError, ValueError, OverflowError)
"""Exceptions raised when a damaged directory is read."""

PHOTOMETRIC, ORIENTATION = 262, 274

_INTEGERS = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}
"""Formats of integers by their type; 16 is BigTIFF's."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_MOST_ENTRIES = 4096


class TiffDirectory:
    """The tags of a file and their values.

    Args:
        file: A file open for reading that can seek.

    Raises:
        Any of ``TIFF_FAULTS``: the file is damaged.
    """

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._order = {b'II': '<', b'MM': '>'}[file.read(2)]
        (version,) = self._read('H')
        big = version == 43
        word = 'Q' if big else 'I'
        if big:
            file.read(4)  # the size of an offset, 8
        (place,) = self._read(word)
        file.seek(place)
        (count,) = self._read('Q' if big else 'H')
        if count > _MOST_ENTRIES:
            raise ValueError(f'{count} entries')
        room = struct.calcsize(word)
        self._entries: dict[int, tuple[int, int, int]] = {}
        for _ in range(count):
            tag, kind, number = self._read('HH' + word)
            value = file.tell()
            if number * _SIZES.get(kind, 1) > room:
                (value,) = self._read(word)
            else:
                file.read(room)
            # If a tag occurs twice, libtiff uses the first.
            self._entries.setdefault(tag, (kind, number, value))

    def integers(self, tag: int) -> tuple[int, ...]:
        """Return the integers of a tag; none if it is missing."""
        if tag not in self._entries:
            return ()
        kind, count, place = self._entries[tag]
        self._file.seek(place)
        return self._read(f'{count}{_INTEGERS[kind]}')

    def content(self, tag: int) -> bytes:
        """Return the value of a tag as bytes; empty if it is missing."""
        kind, count, place = self._entries.get(tag, (1, 0, 0))
        self._file.seek(place)
        return self._file.read(count * _SIZES.get(kind, 1))

    @property
    def photometric(self) -> int | None:
        """The colour space, PhotometricInterpretation; None if it is missing."""
        return next(iter(self.integers(PHOTOMETRIC)), None)

    @property
    def orientation(self) -> int | None:
        """The orientation, 1 to 8; None if there is no valid one."""
        stated = self.integers(ORIENTATION)
        return stated[0] if stated and 1 <= stated[0] <= 8 else None

    def orientation_set_upright(self, content: bytes) -> bytes:
        """Return the content of the file with the orientation 1, if it has one."""
        if ORIENTATION not in self._entries:
            return content
        kind, _, place = self._entries[ORIENTATION]
        one = struct.pack(self._order + _INTEGERS[kind], 1)
        return content[:place] + one + content[place + len(one) :]

    def _read(self, code: str) -> tuple[int, ...]:
        code = self._order + code
        return struct.unpack(code, self._file.read(struct.calcsize(code)))
