"""Stages of a RoI head: one in a Faster R-CNN, several in a Cascade R-CNN."""

from typing import Any

from torch import Tensor, nn

from rexdense.deploy.detection.boxes import BoxDecoder


def stages_of(part: nn.Module) -> list[Any]:
    """Return a part of a RoI head for each stage: mmdet's StandardRoIHead has one, its
    CascadeRoIHead a list."""
    return list(part) if isinstance(part, nn.ModuleList) else [part]


class Refinement(nn.Module):
    """Refinement of a stage's boxes for the next stage (Cai and Vasconcelos 2018, section 4; mmdet
    ``BBoxHead.regress_by_class``).

    Args:
        head: mmdet's box head of the stage.

    Raises:
        InvalidArgument: its box coder is not supported.
    """

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.decode = BoxDecoder(head.bbox_coder)

    def forward(
        self, regions: Tensor, logits: Tensor, deltas: Tensor, height: int, width: int
    ) -> Tensor:
        """Return the refined regions (N, regions, 4); deltas per class are those of the best class.

        Args:
            regions: (N, regions, 4).
            logits: (N * regions, classes + 1), the background last.
            deltas: (N * regions, 4 classes), or 4 for all classes.
            height: Height of the images, to which regions are clipped.
            width: Width of the images.
        """
        batch, count = regions.shape[:2]
        if deltas.shape[1] > 4:
            best = logits[:, :-1].argmax(dim=1)[:, None, None].expand(-1, 1, 4)
            deltas = deltas.reshape(batch * count, -1, 4).gather(1, best)
        return self.decode(regions, deltas.reshape(batch, count, 4), height, width)
