"""The files of a folder with their contents, for comparisons before and after."""

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files in a folder, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }
