"""Tiny video files whose frames are JPEGs."""

from pathlib import Path

import cv2
import numpy as np

RATE = 12.5


def write_frames(path: Path, number: int, size: tuple[int, int] = (48, 64)) -> Path:
    """Write an AVI file in which a bright square moves to the right, and return its path.

    Args:
        size: (height, width) of the frames.
    """
    codec = cv2.VideoWriter_fourcc(*'MJPG')
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, RATE, size[::-1])
    for index in range(number):
        frame = np.full((*size, 3), 60, np.uint8)
        frame[16:32, 2 * index : 2 * index + 16] = 220
        writer.write(frame)
    writer.release()
    return path


def cut(path: Path, share: float) -> Path:
    """Truncate a file to its first part."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path
