"""Writing of video files."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from rexdense.errors import InvalidArgument, UnwritableFile
from rexdense.files.writing import path_written_aside
from rexdense.visualization.picture_files import at_most
from rexdense.visualization.tiles import padded

VIDEO_ENDING = '.mp4'
# MPEG-4 Part 2: OpenCV's wheels have this encoder and none for H.264.
_CODEC = 'mp4v'
LONGEST_SIDE = 4096
"""Longest side in pixels; few players support more."""


def video_name(video: str | Path) -> str:
    """Return the file name for the drawing of a video.

    Example:
        >>> video_name('street/clip.avi')
        'clip.mp4'
    """
    return Path(video).stem + VIDEO_ENDING


def write_video(
    path: str | Path, frames: Iterable[np.ndarray], rate: float, overwrite: bool = False
) -> int:
    """Write RGB pictures (H, W, 3), uint8, as an MP4 file without sound, and return their number.

    Only one picture at a time is in memory. All get the size of the first: larger ones are cropped
    at the right and bottom, smaller ones padded with white. Odd sides get one more pixel, because
    the format requires even ones.

    Args:
        rate: Frames per second.
        overwrite: Replace an existing file.

    Raises:
        UnwritableFile: the file cannot be written completely; nothing of it remains.
        InvalidArgument: the name does not end in .mp4, or there is no picture.
    """
    path = Path(path)
    if path.suffix.lower() != VIDEO_ENDING:
        raise InvalidArgument(f'{path}: the name of a video that is written ends in {VIDEO_ENDING}')
    with path_written_aside(path, overwrite, keep_ending=True) as aside:
        number, size, writer = 0, None, None
        try:
            for frame in frames:
                frame = at_most(frame, LONGEST_SIDE)
                if writer is None:
                    size = tuple(side + side % 2 for side in frame.shape[:2])
                    writer = _opened(aside, path, size, rate)
                writer.write(cv2.cvtColor(_of_size(frame, size), cv2.COLOR_RGB2BGR))
                number += 1
        finally:
            if writer is not None:
                writer.release()
        if not number:
            raise InvalidArgument(f'{path} would be a video without a frame')
        _check_whole(aside, path, number)
    return number


def _opened(aside: Path, path: Path, size: tuple[int, int], rate: float) -> cv2.VideoWriter:
    codec = cv2.VideoWriter_fourcc(*_CODEC)
    writer = cv2.VideoWriter(str(aside), cv2.CAP_FFMPEG, codec, rate, size[::-1])
    if not writer.isOpened():
        raise UnwritableFile(
            f'{path} cannot be written: OpenCV refuses {size[1]} x {size[0]} pixels at {rate:g} '
            'frames a second; run pip install opencv-python-headless if it has no FFMPEG'
        )
    return writer


def _check_whole(aside: Path, path: Path, number: int) -> None:
    """Check the number of frames in the file, because OpenCV does not report a full disk."""
    capture = cv2.VideoCapture(str(aside), cv2.CAP_FFMPEG)
    found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    if found < number:
        raise UnwritableFile(
            f'{path} cannot be written: {found} of {number} frames arrived on the disk; make room '
            'or choose another place'
        )


def _of_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    image = image[: size[0], : size[1]]
    return padded(image, size[0] - image.shape[0], size[1] - image.shape[1])
