"""Messages about images and maps of another size than they should have."""

import os


def wrong_image_size(
    path: str | os.PathLike[str], stored: tuple[int, int], stated: tuple[int, int]
) -> str:
    """Return the message about an image of another (height, width) than its annotation states."""
    return (
        f'image {path} is {stored[1]} x {stored[0]} pixels (width x height), its annotation says '
        f'{stated[1]} x {stated[0]}; mend the annotation, or put the image that it describes there'
    )


def wrong_map_size(
    what: str, path: str | os.PathLike[str], found: tuple[int, int], size: tuple[int, int]
) -> str:
    """Return the message about a map of another (height, width) than its upright image.

    Args:
        what: What kind of map it is, such as 'label map'.
    """
    return (
        f'{what} {path} is {found[1]} x {found[0]} pixels (width x height), its image {size[1]} x '
        f'{size[0]}; put the map of that image there, upright'
    )
