"""Video files, read frame by frame."""

import contextlib
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.files import ImageError

VIDEO_ENDINGS = (
    *('.3gp', '.avi', '.flv', '.m2ts', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts'),
    *('.ogv', '.ts', '.webm', '.wmv'),
)
"""Endings of videos that are read."""
# OpenCV reads it for each file that it opens.
_OPTIONS = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'
_OPTIONS_LOCK = threading.Lock()
# Of FFmpeg's names, those of the endings above.
_FORMATS = 'mov,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,m4v,ogg,asf'
USUAL_RATE = 25.0
"""Frames per second if a file states no valid rate."""
HIGHEST_RATE = 1000.0
# Some containers state only a length in seconds, which gives an estimate of the number of frames.
_SURE_SHARE, _SURE_FRAMES = 0.02, 2


class VideoError(ImageError):
    """A video that cannot be decoded, or has fewer frames than stated."""


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a path has the name of a video.

    Example:
        >>> is_video('a/clip.MP4'), is_video('a/clip.png')
        (True, False)
    """
    return Path(path).suffix.lower() in VIDEO_ENDINGS


class Video:
    """The frames of a video file, turned upright, without its sound.

    Attributes:
        path: The file.
        rate: Frames per second; 25 if the file states none.
        stated_frames: Number of frames that the file states; 0 if it states none.

    Raises:
        VideoError: the file is missing, or no frame of it can be decoded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        fault = not_a_file(path) if os.path.exists(path) else 'is not there'
        if fault:
            raise VideoError(f'video {path} {fault}; give the name of a video file')
        capture = self._opened()
        rate = capture.get(cv2.CAP_PROP_FPS)
        stated = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        there, _ = capture.read()
        capture.release()
        if not there:
            raise self._undecodable()
        self.rate = rate if 0 < rate <= HIGHEST_RATE else USUAL_RATE
        self.stated_frames = int(stated) if math.isfinite(stated) and stated > 0 else 0

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the frames (H, W, 3), uint8, channels blue, green, red. Raise VideoError after the
        last one if it came too early."""
        capture, number = self._opened(), 0
        try:
            while True:
                there, frame = capture.read()
                if not there:
                    break
                number += 1
                yield frame
        finally:
            capture.release()
        missing = self.stated_frames - number
        if missing > max(_SURE_FRAMES, _SURE_SHARE * self.stated_frames):
            raise VideoError(
                f'video {self.path} ends early: {number} of {self.stated_frames} frames can be '
                'decoded; copy or record it again'
            )

    def _opened(self) -> cv2.VideoCapture:
        with _videos_alone():
            capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise self._undecodable()
        return capture

    def _undecodable(self) -> VideoError:
        return VideoError(
            f'video {self.path} cannot be decoded: it is cut off, damaged or of a kind that '
            'OpenCV does not read; copy it again, or convert it to MP4'
        )


@contextlib.contextmanager
def _videos_alone() -> Iterator[None]:
    """Let FFmpeg open files that hold a video, and no lists of other files (HLS, concat), which it
    knows by their content, whatever they are called."""
    with _OPTIONS_LOCK:
        before = os.environ.get(_OPTIONS)
        os.environ[_OPTIONS] = '|'.join(
            [*([before] if before else []), f'format_whitelist;{_FORMATS}']
        )
        try:
            yield
        finally:
            if before is None:
                del os.environ[_OPTIONS]
            else:
                os.environ[_OPTIONS] = before
