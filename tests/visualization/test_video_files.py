"""Pictures written as a video."""

import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip('mmcv')

from rexdense.datasets.images.videos import Video
from rexdense.errors import InvalidArgument, UnwritableFile
from rexdense.visualization.video_files import write_video


def picture(value, size=(48, 64)):
    return np.full((*size, 3), value, np.uint8)


@pytest.mark.parametrize(('size', 'written'), [((48, 64), (48, 64)), ((33, 49), (34, 50))])
def test_pictures_come_back(tmp_path, size, written):
    red = np.zeros((*size, 3), np.uint8)
    red[..., 0] = 200
    assert write_video(tmp_path / 'a.mp4', [picture(30, size), red, picture(220, size)], 10) == 3
    video = Video(tmp_path / 'a.mp4')
    frames = list(video.frames())
    assert video.rate == 10 and [frame.shape[:2] for frame in frames] == [written] * 3
    expected = ((30, 30, 30), (0, 0, 200), (220, 220, 220))
    for frame, colour in zip(frames, expected, strict=True):
        assert np.abs(frame[20, 20].astype(int) - colour).max() <= 12
    assert [path.name for path in tmp_path.iterdir()] == ['a.mp4']


def test_later_pictures_get_the_size_of_the_first(tmp_path):
    write_video(tmp_path / 'a.mp4', [picture(60), picture(60, (30, 90)), picture(60, (99, 9))], 5)
    frames = list(Video(tmp_path / 'a.mp4').frames())
    assert [frame.shape[:2] for frame in frames] == [(48, 64)] * 3
    assert frames[1][44, 30, 0] > 240 and frames[2][40, 40, 0] > 240


def failing():
    yield picture(1)
    raise RuntimeError('no more')


@pytest.mark.parametrize(
    ('frames', 'error'), [([], InvalidArgument), (failing(), RuntimeError)], ids=['none', 'failing']
)
def test_nothing_half_written_is_left(tmp_path, frames, error):
    with pytest.raises(error):
        write_video(tmp_path / 'a.mp4', frames, 10)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_and_names_that_do_not_fit(tmp_path):
    (tmp_path / 'a.mp4').write_bytes(b'mine')
    with pytest.raises(UnwritableFile, match=r'a\.mp4 exists'):
        write_video(tmp_path / 'a.mp4', [picture(1)], 10)
    assert (tmp_path / 'a.mp4').read_bytes() == b'mine'
    with pytest.raises(InvalidArgument, match=r'a\.webm: the name of a video .* ends in \.mp4'):
        write_video(tmp_path / 'a.webm', [picture(1)], 10)
    assert write_video(tmp_path / 'a.mp4', [picture(1)], 10, overwrite=True) == 1


PROGRAM = """
import sys
import numpy as np
from rexdense.errors import UnwritableFile
from rexdense.visualization.video_files import write_video
random = np.random.default_rng(0)
try:
    write_video(sys.argv[1], (random.integers(0, 256, (96, 96, 3), np.uint8) for _ in range(60)), 9)
except UnwritableFile as error:
    print(error)
"""


def test_a_disk_that_is_full_is_told(tmp_path):
    def allow_little():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, str(tmp_path / 'a.mp4')],
        preexec_fn=allow_little,
        capture_output=True,
        text=True,
    )
    assert 'a.mp4 cannot be written' in done.stdout, done.stderr
    assert not list(tmp_path.iterdir())
