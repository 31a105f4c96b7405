"""Videos, frame by frame."""

import os
import threading

import pytest

pytest.importorskip('mmcv')

from rexdense.datasets.images import videos
from rexdense.datasets.images.videos import Video, VideoError
from tests.small_videos import RATE, cut, write_frames


def test_the_frames_of_a_video(tmp_path):
    video = Video(write_frames(tmp_path / 'a.avi', 8))
    assert (video.rate, video.stated_frames) == (RATE, 8)
    frames = list(video.frames())
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 8
    bright = [int((frame[24, :, 0] > 140).argmax()) for frame in frames]
    assert all(abs(2 * index - place) <= 1 for index, place in enumerate(bright))
    # Each time anew.
    assert (next(video.frames()) == frames[0]).all()


def test_a_video_that_ends_early_gives_the_frames_that_it_has(tmp_path):
    video = Video(cut(write_frames(tmp_path / 'a.avi', 40), 0.5))
    frames = video.frames()
    found = 0
    with pytest.raises(VideoError, match=r'a\.avi ends early: (\d+) of 40 frames') as caught:
        for _ in frames:
            found += 1
    assert 5 < found < 30 and f'{found} of 40' in str(caught.value)


@pytest.mark.parametrize(
    ('make', 'expected'),
    [
        (lambda path: None, 'is not there'),
        (lambda path: path.mkdir(), 'is a folder'),
        (lambda path: path.write_bytes(b''), 'cannot be decoded'),
        (lambda path: path.write_text('no video' * 99), 'cannot be decoded'),
        (lambda path: cut(write_frames(path, 8), 0.02), 'cannot be decoded'),
    ],
)
def test_other_files_than_videos_are_refused(tmp_path, make, expected):
    path = tmp_path / 'a.avi'
    make(path)
    with pytest.raises(VideoError, match=rf'video .*a\.avi {expected}'):
        list(Video(path).frames())


@pytest.mark.parametrize(
    'content',
    [
        "ffconcat version 1.0\nfile 'a.avi'\n",
        '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.avi\n#EXT-X-ENDLIST\n',
    ],
)
@pytest.mark.parametrize('options', [None, 'threads;1'])
def test_a_list_of_other_files_is_no_video(tmp_path, monkeypatch, content, options):
    """FFmpeg would open them, wherever they are, for any name of the list."""
    name = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'
    monkeypatch.delenv(name, raising=False)
    if options:
        monkeypatch.setenv(name, options)
    write_frames(tmp_path / 'a.avi', 8)
    (tmp_path / 'b.mp4').write_text(content)
    with pytest.raises(VideoError, match=r'video .*b\.mp4 cannot be decoded'):
        Video(tmp_path / 'b.mp4')
    assert len(list(Video(tmp_path / 'a.avi').frames())) == 8
    assert os.environ.get(name) == options


def test_threads_that_open_videos_leave_the_environment_as_it_was(monkeypatch):
    name = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'
    monkeypatch.delenv(name, raising=False)
    begun, ended = threading.Event(), threading.Event()

    def other():
        begun.set()
        with videos._videos_alone():
            ended.wait(10)

    thread = threading.Thread(target=other)
    with videos._videos_alone():
        thread.start()
        begun.wait(10)
        thread.join(0.2)
    ended.set()
    thread.join()
    assert name not in os.environ
