"""COCO annotations of Shapes pictures."""

from typing import Any

from rexdense.datasets.coco.masks import box_of_pixels, encode_mask
from rexdense.datasets.shapes.outlines import SHAPE_CLASSES
from rexdense.datasets.shapes.scene import Scene


class CocoAnnotations:
    """Builder of a COCO detection and instance file; ``content`` is the content of the JSON.

    Image, annotation and category ids count from 1. Masks, boxes and areas are those of the visible
    parts. A box is [left, top, width, height] in pixels.
    """

    def __init__(self, description: str) -> None:
        categories = [
            {'id': class_index + 1, 'name': name, 'supercategory': 'shape'}
            for class_index, name in enumerate(SHAPE_CLASSES)
        ]
        self.content: dict[str, Any] = {
            'info': {'description': description},
            'licenses': [],
            'images': [],
            'annotations': [],
            'categories': categories,
        }

    def add(self, file_name: str, scene: Scene) -> None:
        """Add a picture and its objects."""
        images, annotations = self.content['images'], self.content['annotations']
        height, width = scene.instances.shape
        images.append(
            {'id': len(images) + 1, 'file_name': file_name, 'width': width, 'height': height}
        )
        for number, class_index in enumerate(scene.class_indices, start=1):
            mask = scene.instances == number
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': len(images),
                    'category_id': class_index + 1,
                    'segmentation': encode_mask(mask),
                    'area': int(mask.sum()),
                    'bbox': box_of_pixels(mask),
                    'iscrowd': 0,
                }
            )
