"""Headers of files that somebody has made to keep a reader busy."""

import io
import struct
import time

from rexdense.datasets.images.headers import read_header


def _npy(described: bytes) -> io.BytesIO:
    return io.BytesIO(b'\x93NUMPY\x02\x00' + struct.pack('<I', len(described)) + described)


def test_long_headers_of_arrays_are_not_parsed():
    described = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4)}"
    header = read_header(_npy(described))
    assert (header.width, header.height) == (4, 3)
    assert read_header(_npy(described.ljust(10_000))) is not None
    assert read_header(_npy(described.ljust(10_001))) is None


def test_many_pieces_of_text_are_read_in_time():
    """Joined one by one, these took minutes."""
    size = struct.pack('>I4s', 13, b'IHDR') + struct.pack('>II', 5, 7) + bytes(9)
    text = struct.pack('>I4s', 12, b'iTXt') + b'a' * 12 + bytes(4)
    turned = b'<x tiff:Orientation="6"/>'
    last = struct.pack('>I4s', len(turned), b'iTXt') + turned + bytes(4)
    end = struct.pack('>I4s', 0, b'IDAT')
    content = b'\x89PNG\r\n\x1a\n' + size + text * 400_000 + last + end
    start = time.process_time()
    header = read_header(io.BytesIO(content))
    assert time.process_time() - start < 10
    assert (header.width, header.height, header.orientation) == (5, 7, 6)
