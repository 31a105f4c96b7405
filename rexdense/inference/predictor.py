"""A trained model that is given images and returns what it finds in them."""

import copy
import logging
import os
import threading
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
from rexdense.destinations import refuse_inputs
from rexdense.device import find_device
from rexdense.engine.config.object_limits import most_objects
from rexdense.engine.trained.flips import flip_tested
from rexdense.engine.trained.model import load_trained_model
from rexdense.engine.trained.runtime import use_runtime
from rexdense.errors import InvalidArgument, suggest
from rexdense.inference.packing import Packed, Packer
from rexdense.inference.predictions import Prediction, prediction_of
from rexdense.inference.progress import Progress
from rexdense.inference.sources import CHANNELS, Images, Source, images_in, sources_of
from rexdense.tasks import set_options, task_of
from rexdense.tasks.lowest_score import masks_from
from rexdense.tasks.scale_outputs import chosen_strides, one_output
from rexdense.visualization.video_files import write_video


class Predictor:
    """The model of a checkpoint of ``rexdense train``, ready for images.

    Results do not depend on what else is predicted with them: a batch holds images of one size
    alone. Several threads may use a predictor; the network computes for one of them at a time. Make
    it in one thread: mmengine's registries are not made for more. Settings of the process stay as
    they are, but that mmengine reads checkpoints through rexdense's reader from then on.

    Args:
        checkpoint: A .pth file of rexdense train; it holds its config.
        device: 'cpu', 'cuda' or 'npu'; 'auto' takes npu, cuda or cpu, as found.
        score: Detectors: lowest score of objects that are kept.
        one_per_object: Detectors: of boxes of several classes around one object keep the best.
        max_objects: Detectors: objects of an image that are kept at most; None as the checkpoint
            says, mostly 100. The first image that has as many is told of.
        scales: Models with several outputs: the strides of those whose predictions are wanted,
            too; 'all' for each; 'if any' for each, and for none of a model with a single output.
        batch_size: Images that the network takes at once.
        channels: Order of the channels of arrays, 'rgb' or 'bgr'; OpenCV reads 'bgr'.
        trust_config: Build whatever the config in the checkpoint names, which can run any code.
        optimize: Run the network as :func:`rexdense.deploy.optimize` makes it, which finds the
            same in less time.
        runtime: 'onnxruntime' or 'openvino' computes the network, as the graph that ``rexdense
            export`` writes; it is exported at the first time and compared. None is torch.
        flip_test: Predict from mirrored images, too: the mean, or the boxes and masks of all
            together, in the directions in which the training flipped images. It takes twice as
            long, or four times with three directions, and finds more. Not for classifiers.

    Attributes:
        device: That of the network.
        task: How predictions are drawn and written.
        classes: Names in the order of the labels.
        finds_masks: Whether it is a detector that finds masks.

    Raises:
        CheckpointUnreadable, CheckpointMismatch: the checkpoint cannot be used.
        InvalidArgument: a setting is none of those, or goes with another kind of model.
        MissingDependency: the runtime is not installed.
        GraphMismatch: it computes something else than the network.
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
        self.device = find_device(device)
        # Layers draw initial weights, which the checkpoint's replace.
        with torch.random.fork_rng(devices=[]):
            optimized = optimize and runtime is None
            trained = load_trained_model(
                Path(checkpoint), self.device, trust_config, optimized, max_objects
            )
        data: dict[str, Any] = dict(classes=trained.classes, palette=trained.palette)
        task = task_of(trained.config.model, data)
        if task is None:
            raise InvalidArgument(
                f'{checkpoint} holds a {trained.config.model.type}: only detectors, segmentors, '
                'depth estimators and classifiers predict something here'
            )
        self.task = task
        set_options(self.task, score=score, one_per_object=one_per_object or None)
        self.classes = self.task.classes
        self.finds_masks = bool(getattr(trained.model, 'with_mask', False))
        self._most_objects = most_objects(trained.config.model)
        self.strides = chosen_strides(trained.model, scales)
        if runtime is not None:
            use_runtime(trained.model, runtime, Path(checkpoint))
        self.batch_size, self.channels = batch_size, channels
        self._flips = flip_test
        self._model: Any = trained.model
        # Flips its images, where that is asked for.
        self._tester: Any = (
            flip_tested(trained.model, trained.directions) if flip_test else trained.model
        )
        self._packer = Packer(trained.pipeline)
        self._lock = threading.Lock()

    def __call__(
        self,
        images: Images,
        on_error: Callable[[ImageError], object] | None = None,
        progress: bool = False,
    ) -> list[Prediction]:
        """Return the predictions for images, in their order.

        Args:
            images: An image file, a folder of them, an array (H, W, 3) of uint8 or uint16, an image
                of PIL, or several of these. Videos go to :meth:`stream` and :meth:`write_video`.
            on_error: Is told of images that cannot be used, which are left out.
            progress: Show a progress bar on stderr, if that is a terminal.

        Raises:
            ImageError: an image cannot be used, and ``on_error`` is None.
            InvalidArgument: something else than images was given.
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
        """Yield the predictions for images, and for the frames of videos, in their order; one
        batch at a time is in memory.

        Args:
            images: As for a call, and video files; or an iterator of these.
            on_error: Is told of images and videos that cannot be used, which are left out; of a
                video that ends early after its last frame.

        Raises:
            ImageError: an image or a video cannot be used, and ``on_error`` is None.
            InvalidArgument: something else was given.
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
        """Write a video with the predictions drawn on its frames, as MP4, without sound.

        A video that ends early gives one of the frames that it has. When anything else goes
        wrong, nothing is written.

        Args:
            video: The video file.
            path: The file that is written; its name ends in .mp4.
            overwrite: Replace a file that is there.
            on_prediction: Is given the prediction of each frame.
            on_error: Is told that the video ends early.

        Raises:
            VideoError: no frame can be decoded; or the video ends early, after the frames that it
                has were written, and ``on_error`` is None.
            InvalidArgument: a name does not end as it should, or both are of one file.
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
            # Those of a flip test are fused with objects of lower scores.
            lowest = 0.0 if self._flips else getattr(self.task, 'lowest_score', 0.0)
            with masks_from(self._model, lowest):
                samples = self._samples(batch)
            by_stride = {}
            for stride in self.strides:
                with one_output(self._model, stride):
                    by_stride[stride] = self._samples(batch)
        predictions = [
            self._prediction(
                packed,
                samples[place],
                {
                    stride: self._prediction(packed, found[place])
                    for stride, found in by_stride.items()
                },
            )
            for place, packed in enumerate(batch)
        ]
        for packed, prediction in zip(batch, predictions, strict=True):
            self._tell_of_most_objects(packed.source.name, prediction)
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
                # Models write into the samples that they are given.
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
