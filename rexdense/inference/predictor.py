"""The predictor: a trained model that maps images and videos to results."""

import copy
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log

from rexdense.arch.checks import require_positive_integer, require_ratio
from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.images.videos import VIDEO_ENDINGS, Video, VideoError, is_video
from rexdense.deploy.runtimes import device_of_runtime
from rexdense.device import find_device
from rexdense.engine.config.object_limits import most_objects
from rexdense.engine.trained.flips import flip_tested
from rexdense.engine.trained.model import load_trained_model
from rexdense.engine.trained.runtime import use_runtime
from rexdense.errors import InvalidArgument, suggest
from rexdense.files.destinations import refuse_inputs
from rexdense.inference.network_lock import NetworkLock
from rexdense.inference.packing import Packed, Packer
from rexdense.inference.predictions import Prediction, prediction_of
from rexdense.inference.progress import Progress
from rexdense.inference.sources import CHANNELS, Images, Source, images_in, sources_of
from rexdense.tasks import set_options, task_of
from rexdense.tasks.lowest_score import masks_from
from rexdense.tasks.scale_outputs import chosen_strides, one_output
from rexdense.visualization.video_files import write_video


class Predictor:
    """The model of a checkpoint of ``rexdense train``, ready to predict.

    The result for an image does not depend on the other images: a batch holds only images of one
    size. Threads may share a predictor, of which one at a time uses the network; create it in a
    single thread. Without a runtime it can be pickled. It makes mmengine read all checkpoints of
    the process through rexdense's reader.

    Args:
        checkpoint: A .pth file of rexdense train, which contains its config.
        device: 'cpu', 'cuda' or 'npu'; 'auto' takes the first of npu, cuda and cpu that is there.
        score: Detectors: lowest score of the objects that are kept.
        one_per_object: Detectors: where boxes of several classes surround one object, keep only
            the best.
        max_objects: Detectors: largest number of objects kept per image; None takes the
            checkpoint's, mostly 100. A warning names the first image that reaches it.
        scales: Models with several outputs: the strides whose predictions are returned as well;
            'all' for every stride; 'if any' for every stride, or none for a single output.
        batch_size: Number of images per forward pass.
        channels: Channel order of arrays, 'rgb' or 'bgr' (OpenCV's).
        trust_config: Build everything that the config in the checkpoint names; this can run any
            code.
        optimize: Run the network through :func:`rexdense.deploy.optimize`, for the same results
            in less time.
        runtime: Compute the network in 'onnxruntime' or 'openvino', from the graph that ``rexdense
            export`` writes. The first use exports the graph and compares it. None is torch.
        flip_test: Also predict from images mirrored as in training, and combine the results: the
            mean of maps, the fusion of boxes and masks. It finds more, in twice the time, or four
            times with three directions. Not for classifiers.

    Attributes:
        device: Device of the network.
        task: How predictions are drawn and written.
        classes: Names in the order of the labels.
        finds_masks: Whether it is a detector that finds masks.
        strides: Strides of the outputs that are returned as well, see ``scales``.

    Raises:
        CheckpointUnreadable, CheckpointMismatch: the checkpoint cannot be used.
        InvalidArgument: a setting is unknown, or belongs to another kind of model.
        MissingDependency: the runtime is not installed.
        GraphMismatch: the runtime computes something else than the network.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        device: str = 'auto',
        *,
        score: float | None = None,
        one_per_object: bool = False,
        max_objects: int | None = None,
        scales: str | Sequence[int] | None = None,
        batch_size: int = 1,
        channels: str = 'rgb',
        trust_config: bool = False,
        optimize: bool = True,
        runtime: str | None = None,
        flip_test: bool = False,
    ) -> None:
        if channels not in CHANNELS:
            raise InvalidArgument(f'channels={channels!r}: {suggest(str(channels), CHANNELS)}')
        require_positive_integer('batch_size', batch_size)
        require_positive_integer('max_objects', 1 if max_objects is None else max_objects)
        if score is not None:
            require_ratio('score', score)
        if runtime is not None:
            device = device_of_runtime(runtime, device)
        self._lock = NetworkLock()
        self.device = find_device(device)
        # The checkpoint replaces the random initial weights.
        with torch.random.fork_rng(devices=[]):
            optimized = optimize and runtime is None
            trained = load_trained_model(
                Path(checkpoint), self.device, trust_config, optimized, max_objects
            )
        task = task_of(trained.config.model, dict(classes=trained.classes, palette=trained.palette))
        if task is None:
            raise InvalidArgument(
                f'{checkpoint} holds a {trained.config.model.type}: only detectors, segmentors, '
                'depth estimators and classifiers predict something here'
            )
        set_options(task, score=score, one_per_object=one_per_object or None)
        self.task, self.classes = task, task.classes
        self.finds_masks = bool(getattr(trained.model, 'with_mask', False))
        self._most_objects = most_objects(trained.config.model)
        self.strides = chosen_strides(trained.model, scales)
        if runtime is not None:
            use_runtime(trained.model, runtime, Path(checkpoint))
        self.batch_size, self.channels = batch_size, channels
        self._flips = flip_test
        self._model: Any = trained.model
        self._tester: Any = (
            flip_tested(trained.model, trained.directions) if flip_test else trained.model
        )
        self._packer = Packer(trained.pipeline)

    def __call__(
        self,
        images: Images,
        on_error: Callable[[ImageError], object] | None = None,
        progress: bool = False,
    ) -> list[Prediction]:
        """Return the predictions for images, in their order.

        Args:
            images: An image file, a folder of images, an array (H, W, 3) of uint8 or uint16, a PIL
                image, or several of these. For videos use :meth:`stream` or :meth:`write_video`.
            on_error: Called with the error of each unusable image, which is left out.
            progress: Show a progress bar on stderr, if that is a terminal.

        Raises:
            ImageError: an image cannot be used, and ``on_error`` is None.
            InvalidArgument: ``images`` are no images.
        """
        listed = list(images_in(images))
        videos = [each for each in listed if isinstance(each, str | os.PathLike) and is_video(each)]
        if videos:
            raise InvalidArgument(
                f'{videos[0]} is a video, whose frames would all be in memory: go through '
                'stream(video), or use write_video(video, file)'
            )
        found = []
        with Progress(len(listed), progress) as bar:
            for prediction in self.stream(listed, on_error):
                found.append(prediction)
                bar.advance()
        return found

    def stream(
        self, images: Images, on_error: Callable[[ImageError], object] | None = None
    ) -> Iterator[Prediction]:
        """Yield the predictions for images and video frames, in their order, with one batch at a
        time in memory.

        Args:
            images: As for a call; also video files, or an iterator of all these.
            on_error: Called with the error of each unusable image or video, which is left out. For
                a video that ends early, it is called after the last frame.

        Raises:
            ImageError: an image or a video cannot be used, and ``on_error`` is None.
            InvalidArgument: ``images`` are neither images nor videos.
        """
        batch: list[Packed] = []
        for source in sources_of(images_in(images), self.channels):
            packed = self._packer(source) if isinstance(source, Source) else source
            if batch and (isinstance(packed, ImageError) or packed.size != batch[0].size):
                yield from self._predicted(batch)
                batch = []
            if isinstance(packed, ImageError):
                if on_error is None:
                    raise packed
                on_error(packed)
                continue
            batch.append(packed)
            if len(batch) == self.batch_size:
                yield from self._predicted(batch)
                batch = []
        if batch:
            yield from self._predicted(batch)

    def write_video(
        self,
        video: str | Path,
        path: str | Path,
        overwrite: bool = False,
        on_prediction: Callable[[Prediction], object] | None = None,
        on_error: Callable[[ImageError], object] | None = None,
    ) -> Path:
        """Write a video with the predictions drawn on its frames, as MP4 without sound.

        If the video ends early, the frames until then are written. Any other failure writes
        nothing.

        Args:
            video: The input video.
            path: The output file, whose name ends in .mp4.
            overwrite: Replace an existing file.
            on_prediction: Called with the prediction of each frame.
            on_error: Called with the error if the video ends early.

        Raises:
            VideoError: no frame can be decoded; or the video ends early and ``on_error`` is None,
                after the frames until then were written.
            InvalidArgument: a name has another ending, or both name the same file.
            UnwritableFile: the file cannot be written.
        """
        if not is_video(video):
            raise InvalidArgument(
                f'{video} has not the name of a video: it ends in one of {", ".join(VIDEO_ENDINGS)}'
            )
        refuse_inputs([path], [video])
        rate = Video(video).rate
        errors: list[ImageError] = []

        def pictures() -> Iterator[np.ndarray]:
            for prediction in self.stream(video, errors.append):
                if on_prediction is not None:
                    on_prediction(prediction)
                yield prediction.draw(as_frame=True)

        write_video(path, pictures(), rate, overwrite)
        for error in errors:
            if on_error is None:
                raise VideoError(f'{error}; {path} holds those')
            on_error(error)
        return Path(path)

    def _predicted(self, batch: list[Packed]) -> list[Prediction]:
        with self._lock, torch.no_grad():
            # A flip test fuses objects of all scores.
            lowest = 0.0 if self._flips else getattr(self.task, 'lowest_score', 0.0)
            with masks_from(self._model, lowest):
                samples = self._samples(batch)
            by_stride = {}
            for stride in self.strides:
                with one_output(self._model, stride):
                    by_stride[stride] = self._samples(batch)
        predictions = []
        for place, packed in enumerate(batch):
            scales = {
                stride: self._prediction(packed, found[place])
                for stride, found in by_stride.items()
            }
            prediction = self._prediction(packed, samples[place], scales)
            self._tell_of_most_objects(packed.source.name, prediction)
            predictions.append(prediction)
        return predictions

    def _tell_of_most_objects(self, name: str, prediction: Prediction) -> None:
        most = self._most_objects
        if most is not None and len(prediction.sample.pred_instances) >= most:
            print_log(
                f'{name}: {most} objects were found, as many as the model keeps of an image, and '
                'there may be more: give a larger max_objects (--max-objects)',
                'current',
                logging.WARNING,
            )
            self._most_objects = None

    def _samples(self, batch: list[Packed]) -> list[Any]:
        return self._tester.test_step(
            dict(
                inputs=[packed.inputs for packed in batch],
                # Models write into their data samples.
                data_samples=[copy.deepcopy(packed.sample) for packed in batch],
            )
        )

    def _prediction(
        self, packed: Packed, sample: Any, scales: dict[int, Prediction] | None = None
    ) -> Prediction:
        return prediction_of(
            self.task,
            sample=self.task.shown_part(sample),
            path=packed.source.path,
            frame=packed.source.frame,
            pixels=packed.pixels,
            scales=scales or {},
        )
