"""Messages about images and maps of the wrong size."""

import os


def wrong_image_size(
    path: str | os.PathLike[str], stored: tuple[int, int], stated: tuple[int, int]
) -> str:
    """Return the message about an image whose (height, width) differs from its annotation."""
    return (
        f'image {path} is {stored[1]} x {stored[0]} pixels (width x height), its annotation says '
        f'{stated[1]} x {stated[0]}; mend the annotation, or put the image that it describes there'
    )


def wrong_map_size(
    what: str, path: str | os.PathLike[str], found: tuple[int, int], size: tuple[int, int]
) -> str:
    """Return the message about a map whose (height, width) differs from its upright image.

    Args:
        what: The kind of map, such as 'label map'.
    """
    return (
        f'{what} {path} is {found[1]} x {found[0]} pixels (width x height), its image {size[1]} x '
        f'{size[0]}; put the map of that image there, upright'
    )
