"""``rexdense predict``: draw and write the predictions for images and videos."""

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rexdense.cli.model_options import (
    add_device_option,
    add_optimize_option,
    add_runtime_option,
    add_trust_option,
)
from rexdense.cli.parser import Parser, fraction, parse_scales, positive
from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.images.videos import Video, is_video
from rexdense.device import device_sentence, reuse_freed_memory
from rexdense.errors import DataError, IncompleteResults, InvalidArgument, left_out_sentence
from rexdense.inference import Prediction, Predictor, Progress
from rexdense.inference.writing import write_prediction
from rexdense.tasks import DEPTH_ENDINGS, Example, set_options
from rexdense.tasks.prediction_files import (
    OVERVIEW,
    RESULTS,
    check_folder,
    check_places,
    find_images,
    places_of,
    write_results,
)
from rexdense.visualization.picture_files import write_picture


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense predict',
        description='Draw the predictions of a checkpoint for images and videos.',
    )
    result.add_argument(
        'checkpoint', type=Path, help='a .pth file of rexdense train, which includes its config'
    )
    result.add_argument('images', type=Path, help='an image, a folder of images, or a video')
    result.add_argument(
        '--out-dir',
        type=Path,
        required=True,
        help=f'folder for the pictures, or the video, and {RESULTS}',
    )
    _add_finding_options(result)
    result.add_argument(
        '--batch-size',
        type=positive(int),
        default=1,
        metavar='N',
        help='images of one size, or frames, per forward pass',
    )
    result.add_argument(
        '--overwrite', action='store_true', help='replace the content of the folder'
    )
    add_trust_option(result)
    add_optimize_option(result)
    add_runtime_option(result)
    add_device_option(result)
    return result


def _add_finding_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on what is predicted and how it is written."""
    parser.add_argument(
        '--score',
        type=fraction,
        help='detectors: lowest score to draw and write; default: 0.3',
    )
    parser.add_argument(
        '--one-per-object',
        action='store_true',
        help='detectors: of boxes of several classes around one object, keep only the best',
    )
    parser.add_argument(
        '--max-objects',
        type=positive(int),
        metavar='N',
        help='detectors: objects of an image that are kept at most; default: as the checkpoint '
        'says, mostly 100',
    )
    parser.add_argument(
        '--flip-test',
        action='store_true',
        help='also predict from the images flipped as in training, which finds more but takes two '
        'to four times as long. Not for classifiers',
    )
    parser.add_argument(
        '--scales',
        type=parse_scales,
        metavar='all|1,2,4',
        help='models with several outputs: also write the outputs at these strides; not for videos',
    )
    parser.add_argument(
        '--depth-format',
        choices=[ending[1:] for ending in DEPTH_ENDINGS],
        help='depth estimators: png has 16 bits in millimetres, npy float32 in metres; '
        'default: png',
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a picture of the predictions of each image, the label map or depth map if the model
    predicts one, and a JSON file about all images; or the video with the predictions drawn on it.

    Raises:
        IncompleteResults: images cannot be decoded, or the video ends early; raised after all
            others are done.
        DataError: none can be decoded.
    """
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    paths = find_images(options.images)
    check_folder(paths, options.out_dir)
    if is_video(paths[0]):
        if options.scales is not None:
            raise InvalidArgument('--scales goes with images, not with a video; leave it out')
        Video(paths[0])  # says at once whether it can be read
    predictor = Predictor(
        options.checkpoint,
        options.device,
        max_objects=options.max_objects,
        scales=options.scales or (None if options.scales is None else 'all'),
        batch_size=options.batch_size,
        trust_config=options.trust_config,
        optimize=not options.no_optimize,
        runtime=options.runtime,
        flip_test=options.flip_test,
    )
    if options.device == 'auto' and options.runtime is None:
        print(device_sentence(predictor.device))
    set_options(
        predictor.task,
        lambda name: f'--{name.replace("_", "-")}',
        score=options.score,
        one_per_object=options.one_per_object or None,
        depth_format=options.depth_format and f'.{options.depth_format}',
    )
    _Run(predictor, paths, options).write()


class _Run:
    """The results of one run of the program.

    Raises:
        InvalidArgument: the results cannot be written, or something else would be replaced.
    """

    def __init__(
        self, predictor: Predictor, paths: Sequence[Path], options: argparse.Namespace
    ) -> None:
        self.predictor, self.paths = predictor, paths
        self.folder, self.overwrite = options.out_dir, options.overwrite
        self.had_results = (self.folder / RESULTS).exists()
        self.places = dict(
            zip(
                paths,
                places_of(paths, self.folder, predictor.task, predictor.strides),
                strict=True,
            )
        )
        self.files: list[Path | str] = list(
            check_places(
                list(self.places.values()),
                self.folder,
                self.overwrite,
                [options.checkpoint, *paths],
                predictor.task,
            )
        )
        self.results: list[dict[str, Any]] = []
        self.left_out: list[ImageError] = []

    def write(self) -> None:
        """Write all results; the errors are those of :func:`main`."""
        task = self.predictor.task
        overview = [self.folder / OVERVIEW] if task.overview_size else []
        planned = [file for place in self.places.values() for file in place.files()]
        # Listed before they exist, so that a later run may replace the results of an interrupted
        # one.
        write_results(self.folder, task, [], [*self.files, *overview, *planned])
        if is_video(self.paths[0]):
            written = self._write_video(self.paths[0])
        else:
            written = self._write_images(overview)
        if self.results:
            written.append(
                write_results(self.folder, task, self.results, self.files, self.left_out)
            )
        elif not self.had_results:
            # An empty folder of a failed run is removed; a folder with content stays.
            with contextlib.suppress(OSError):
                (self.folder / RESULTS).unlink()
                self.folder.rmdir()
        for file in written:
            print(file)
        self._tell_of_what_is_left_out()

    def _write_images(self, overview: Sequence[Path]) -> list[Path]:
        """Write the results of each image; return the overview picture if there are several."""
        examples: list[Example] = []
        task = self.predictor.task
        with Progress(len(self.paths)) as progress:

            def leave_out(error: ImageError) -> None:
                self.left_out.append(error)
                progress.advance(f'left out: {error}')

            for prediction in self.predictor.stream(self.paths, leave_out):
                progress.advance(self._write_image(prediction))
                if len(examples) < task.overview_size:
                    examples.append(Example(prediction.image, prediction.sample, {}))
        if not examples:
            return []
        picture = write_picture(overview[0], task.draw_overview(examples), self.overwrite)
        self.files.append(picture)
        return [picture]

    def _write_image(self, prediction: Prediction) -> str:
        """Write the results of one image, and return a line about them."""
        place = self.places[prediction.path]
        self.results.append(write_prediction(prediction, place, self.folder, self.overwrite))
        self.files += place.files()
        return f'{prediction.path}: {prediction} -> {place.picture}'

    def _write_video(self, path: Path) -> list[Path]:
        """Write the video with its predictions, and return its path."""
        place, video = self.places[path], Video(path)
        named = dict(image=str(path), picture=str(place.picture.relative_to(self.folder)))
        with Progress(video.stated_frames) as progress:

            def keep(prediction: Prediction) -> None:
                at = dict(frame=prediction.frame, seconds=round(prediction.frame / video.rate, 3))
                self.results.append(dict(named, **at, **prediction.describe()))
                progress.advance()

            self.predictor.write_video(
                path, place.picture, self.overwrite, keep, self.left_out.append
            )
        self.files.append(place.picture)
        print(f'{path}: {len(self.results)} frames')
        return [place.picture]

    def _tell_of_what_is_left_out(self) -> None:
        if not self.left_out:
            return
        if is_video(self.paths[0]):
            said = '; '.join(map(str, self.left_out))
            raise IncompleteResults(f'{said}; {self.places[self.paths[0]].picture} holds those')
        kind = IncompleteResults if self.results else DataError
        raise kind(left_out_sentence(self.left_out, len(self.paths), RESULTS))
