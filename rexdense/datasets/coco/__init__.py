"""COCO-format data sets: annotation files read, checked and cleaned; an mmdet dataset of them."""
