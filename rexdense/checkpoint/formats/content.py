"""Recognition of file formats by their content."""

import tarfile
from pathlib import Path

from rexdense.checkpoint.formats.archives import open_archive
from rexdense.errors import CheckpointUnreadable, abridged, some_of

ZIP_PICKLE = 'torch zip file'
LEGACY_PICKLE = 'torch file from before 1.6'
SAFETENSORS = 'safetensors file'
MINDSPORE = 'MindSpore checkpoint'

_HEAD = 512
_LARGEST_SAFETENSORS_HEADER = 100_000_000
_ENCRYPTED_MINDSPORE = {bytes([first]) + b'\x5e\x3a\x7f' for first in (0xD8, 0xD9, 0xDA)}
_FOREIGN = {
    b'\x1f\x8b': 'is compressed with gzip: unpack it with gunzip',
    b'BZh': 'is compressed with bzip2: unpack it with bunzip2',
    b'\xfd7zXZ': 'is compressed with xz: unpack it with unxz',
    b'\x28\xb5\x2f\xfd': 'is compressed with zstd: unpack it with unzstd',
    b'7z\xbc\xaf': 'is a 7z archive: unpack it',
    b'Rar!': 'is a rar archive: unpack it',
    b'\x89HDF': 'is an HDF5 file (Keras?), which no supported project publishes',
    b'\x93NUMPY': 'is a NumPy array',
    b'\xff\xd8\xff': 'is a JPEG image',
    b'\x89PNG': 'is a PNG image',
    b'GIF8': 'is a GIF image',
    b'%PDF': 'is a PDF document',
    b'GGUF': 'is a GGUF language model',
    b'version https://git-lfs': 'is a Git LFS pointer: fetch the file itself with `git lfs pull`',
}


def recognise_content(path: Path) -> str:
    """Return the format of a file, one of the four supported ones. Raise CheckpointUnreadable for
    any other, with a message that says what the file is."""
    size = path.stat().st_size
    if size == 0:
        raise CheckpointUnreadable(f'{path} is empty: copy or download it again')
    with path.open('rb') as file:
        head = file.read(_HEAD)
    if head[:4] in _ENCRYPTED_MINDSPORE:
        raise CheckpointUnreadable(
            f'{path} is an encrypted MindSpore checkpoint: load it in MindSpore with its key and '
            'save it without one'
        )
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise CheckpointUnreadable(f'{path} {what}')
    if head.startswith(b'PK\x03\x04') or head.startswith(b'PK\x05\x06'):
        return _recognise_zip(path)
    if _is_safetensors(head, size):
        return SAFETENSORS
    # torch would unpack a tar into a temporary folder, and a crafted one outside it.
    if head[0] and tarfile.is_tarfile(path):
        raise CheckpointUnreadable(f'{path} is a tar archive: give the checkpoint file inside it')
    if head[:1] == b'\x80' and len(head) > 1 and 2 <= head[1] <= 5:
        return LEGACY_PICKLE
    if _is_mindspore(head):
        return MINDSPORE
    raise CheckpointUnreadable(
        f'{path} is {_describe_other(head)}: no torch, safetensors or MindSpore checkpoint'
    )


def _recognise_zip(path: Path) -> str:
    with open_archive(path, str(path)) as archive:
        names = archive.namelist()
    ends = {name.rsplit('/', 1)[-1] for name in names}
    if 'constants.pkl' in ends:
        raise CheckpointUnreadable(
            f'{path} is a TorchScript archive, a program and not weights: save the state_dict() of '
            'its module'
        )
    if 'data.pkl' not in ends:
        shown = some_of(map(abridged, names)) or 'nothing'
        raise CheckpointUnreadable(
            f'{path} is a zip archive of {len(names)} files ({shown}) without a checkpoint'
        )
    return ZIP_PICKLE


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], 'little')
    return head[8:9] == b'{' and 2 <= length <= min(_LARGEST_SAFETENSORS_HEADER, size)


def _is_mindspore(head: bytes) -> bool:
    """Return whether the file begins like the message `0A len 0A len tag 12 ...`."""
    if head[:1] != b'\x0a':
        return False
    start = 1
    while start < len(head) and head[start] & 0x80:
        start += 1
    start += 1
    if head[start : start + 1] != b'\x0a' or len(head) <= start + 1:
        return False
    tag = head[start + 2 : start + 2 + head[start + 1]]
    return bool(tag) and tag.isascii() and tag.decode('ascii').isprintable()


def _describe_other(head: bytes) -> str:
    text = head.lstrip()
    if text[:1] in (b'{', b'['):
        return 'a JSON file'
    if text[:1] == b'<':
        return 'a web page or XML file (a failed download?)'
    try:
        head.decode('utf-8', errors='strict')
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return f'a file of an unknown kind (it begins with the bytes {head[:8].hex(" ")})'
    if any(byte < 9 for byte in head):
        return f'a file of an unknown kind (it begins with the bytes {head[:8].hex(" ")})'
    return f'a text file (it begins with {head[:24].decode("utf-8", errors="replace")!r})'
