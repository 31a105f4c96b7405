"""An image classifier for mmengine's runner, with losses, logits and predictions."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn import functional

from rexdense.arch.checks import require_ratio
from rexdense.errors import DataError, InvalidArgument
from rexdense.models.classifier import ClassificationHead, Classifier
from rexdense.registry import MODELS

LOSSES = ('cross_entropy', 'bce')


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """A classifier for mmengine's runner: a backbone, its family's head, a classification loss.

    The tensors have the same names as in :func:`rexdense.create_classifier`. Weights can be
    exchanged between the two, and loaded into detectors and segmentors, without renaming.

    Args:
        backbone: Config of a registered backbone. Set ``out_channels`` for a backbone of another
            package, such as mmdet.ResNet.
        num_classes: Number of classes.
        dropout: As for :class:`~rexdense.models.classifier.Classifier`.
        loss: 'cross_entropy', or 'bce' for a binary cross-entropy of each class, summed over the
            classes and averaged over the images (Wightman et al. 2021, "ResNet strikes back").
        label_smoothing: The share of the target that is spread evenly over all classes.
        batch_augments: Configs of mixup and CutMix, see
            :class:`~rexdense.models.batch_augments.BatchMix`; they apply only in training.
        data_preprocessor: mmengine's, which stacks and normalises the images.
        init_cfg: Initialisation by mmengine.
        out_channels: Channels of the last feature map of a backbone of another package. The head is
            then a linear layer on its mean.

    Raises:
        InvalidArgument: an argument is out of range.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int = 1000,
        dropout: float | None = None,
        loss: str = 'cross_entropy',
        label_smoothing: float = 0.0,
        batch_augments: Sequence[dict] | dict | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | None = None,
        out_channels: int | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if loss not in LOSSES:
            raise InvalidArgument(f'loss={loss!r}: give one of {", ".join(LOSSES)}')
        require_ratio('label_smoothing', label_smoothing)
        if out_channels is None:
            network = Classifier(backbone, num_classes, dropout)
            self.backbone, self.head = network.backbone, network.head
        else:
            require_ratio('dropout', dropout or 0.0)
            self.backbone = MODELS.build(backbone)
            self.head = ClassificationHead(
                out_channels, num_classes, (), dict(type='BN'), lite=False, dropout=dropout or 0.0
            )
        self.num_classes = num_classes
        self.loss_kind = loss
        self.label_smoothing = label_smoothing
        self.batch_augments = MODELS.build(batch_augments) if batch_augments else None

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """Run the network in the mode that mmengine asks for.

        Args:
            inputs: Images (N, C, H, W), normalised.
            data_samples: One per image, with ``gt_label`` in training.
            mode: 'tensor' returns the logits (N, num_classes), 'loss' the loss of the batch, and
                'predict' the samples with ``scores`` (num_classes) and ``pred_label``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples or ())
        logits = self.head(self.backbone(inputs)[-1])
        if mode == 'tensor':
            return logits
        if mode != 'predict':
            raise InvalidArgument(f'mode={mode!r}: give tensor, loss or predict')
        return self._predictions(logits, data_samples)

    def loss(self, inputs: Tensor, data_samples: Sequence[BaseDataElement]) -> dict[str, Tensor]:
        """Return ``loss`` of a batch of images (N, C, H, W)."""
        targets = functional.one_hot(self._labels(data_samples, inputs), self.num_classes).float()
        if self.batch_augments is not None:
            inputs, targets = self.batch_augments(inputs, targets)
        logits = self.head(self.backbone(inputs)[-1])
        targets = (1 - self.label_smoothing) * targets + self.label_smoothing / self.num_classes
        if self.loss_kind == 'bce':
            losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction='none')
            return dict(loss=losses.sum(1).mean())
        return dict(loss=functional.cross_entropy(logits, targets))

    def _labels(self, data_samples: Sequence[BaseDataElement], inputs: Tensor) -> Tensor:
        """Return the labels (N,) of a batch; raise DataError if a label is not a class."""
        labels = torch.tensor([int(sample.gt_label) for sample in data_samples])
        beyond = (labels < 0) | (labels >= self.num_classes)
        if beyond.any():
            sample = data_samples[int(beyond.nonzero()[0])]
            raise DataError(
                f'{sample.get("img_path", "an image")} has the label {int(sample.gt_label)}, but '
                f'the head has {self.num_classes} classes, 0 to {self.num_classes - 1}'
            )
        return labels.to(inputs.device, non_blocking=True)

    def _predictions(
        self, logits: Tensor, data_samples: Sequence[BaseDataElement] | None
    ) -> list[BaseDataElement]:
        scores = logits.sigmoid() if self.loss_kind == 'bce' else logits.softmax(1)
        samples = data_samples or [BaseDataElement() for _ in scores]
        for sample, values in zip(samples, scores, strict=True):
            sample.scores = values
            sample.pred_label = int(values.argmax())
        return list(samples)
