"""The annotations of a COCO file, cleaned one by one."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rexdense.datasets.coco import cleaning
from rexdense.datasets.coco.json_file import id_key

LEAST_OVERLAP = 0.5
"""Least IoU of an annotation's box and the box around its mask for the two to agree."""


@dataclass
class Cleaned:
    """The usable annotations, completed, and what was left out or changed.

    The fields are those of :class:`~rexdense.datasets.coco.annotations.CocoAnnotations`.
    """

    annotations: list[dict] = field(default_factory=list)
    left_out: dict[str, list[int | str]] = field(default_factory=lambda: defaultdict(list))
    clipped_boxes: list[int | str] = field(default_factory=list)
    boxes_of_masks: int = 0
    turned_boxes: int = 0
    masks_unlike_boxes: list[int | str] = field(default_factory=list)


def clean_annotations(
    content: dict[str, Any],
    category_names: Mapping[str, str],
    own_ids: Mapping[str, int | str],
    need_masks: bool,
) -> Cleaned:
    """Return the usable annotations of a file.

    Args:
        content: The content of the file, as returned by ``check_form``.
        category_names: Names of the categories by the
            :func:`~rexdense.datasets.coco.json_file.id_key` of their ids.
        own_ids: Ids of the requested categories as spelt in the file, by the same key.
        need_masks: Whether annotations without a usable mask are left out.
    """
    images = {id_key(image['id']): image for image in content['images']}
    result = Cleaned()
    for entry in content['annotations']:
        image = images.get(id_key(entry['image_id']))
        category = id_key(entry['category_id'])
        if image is None:
            result.left_out[cleaning.UNKNOWN_IMAGE].append(entry['id'])
        elif category not in category_names:
            result.left_out[cleaning.UNKNOWN_CATEGORY].append(entry['id'])
        elif category not in own_ids:
            result.left_out[cleaning.OTHER_CLASS].append(entry['id'])
        else:
            _clean_one(entry, image, own_ids[category], need_masks, result)
    return result


def _clean_one(
    entry: dict, image: dict, category_id: int | str, need_masks: bool, result: Cleaned
) -> None:
    """Add an annotation to the result, or the reason why it is left out."""
    size = int(image['width']), int(image['height'])
    mask = cleaning.clean_segmentation(entry.get('segmentation'), *size)
    turned = cleaning.turned_box(entry)
    if turned is not None:
        # The box of the copy already includes the rotation.
        attributes = {**entry['attributes'], 'rotation': 0.0}
        entry = {**entry, 'bbox': turned, 'attributes': attributes}
    box, clipped = cleaning.clean_box(entry.get('bbox'), *size)
    extent = mask
    # Run lengths are slow to decode.
    if not isinstance(mask, str) and (need_masks or box in cleaning.NO_BOX):
        extent = cleaning.box_of_mask(mask)
    of_mask = box in cleaning.NO_BOX and not isinstance(extent, str)
    if of_mask:
        box, clipped = cleaning.clean_box(extent, *size)
    fault = box if isinstance(box, str) else None
    if box in cleaning.NO_BOX and isinstance(extent, str) and extent != cleaning.NO_MASK:
        # Without this fault, the box would have come from the mask.
        fault = extent
    if fault is None and need_masks:
        fault = extent if isinstance(extent, str) else None
        if fault is None:
            common = _overlap_of_mask(extent, box, size)
            fault = common if isinstance(common, str) else None
            if fault is None and common < LEAST_OVERLAP:
                result.masks_unlike_boxes.append(entry['id'])
    if fault is not None:
        result.left_out[fault].append(entry['id'])
        return
    if clipped:
        result.clipped_boxes.append(entry['id'])
    result.boxes_of_masks += of_mask
    result.turned_boxes += turned is not None
    usable = None if isinstance(mask, str) else mask
    result.annotations.append(_completed(entry, image['id'], category_id, box, clipped, usable))


def _overlap_of_mask(extent: list[float], box: list[float], size: tuple[int, int]) -> float | str:
    """Return the IoU of the annotation's box and the box around its mask, or the fault of the
    mask."""
    inside, _ = cleaning.clean_box(extent, *size)
    if isinstance(inside, str) and inside != cleaning.OUTSIDE_BOX:
        return cleaning.EMPTY_MASK
    common = 0.0 if isinstance(inside, str) else cleaning.overlap(box, inside)
    return common or cleaning.MASK_OUTSIDE_BOX


def _completed(
    entry: dict,
    image_id: int | str,
    category_id: int | str,
    box: list[float],
    clipped: bool,
    mask: list | dict | None,
) -> dict:
    """Return the annotation with the keys of COCO's own files."""
    completed = {
        **entry,
        'image_id': image_id,
        'category_id': category_id,
        'bbox': box,
        'area': cleaning.clean_area(entry.get('area'), box, clipped, mask),
        'iscrowd': cleaning.crowd_flag(entry.get('iscrowd')),
    }
    if mask is None:
        completed.pop('segmentation', None)
    else:
        completed['segmentation'] = mask
    return completed
