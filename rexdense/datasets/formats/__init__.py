"""Annotations of other formats than COCO's, turned into COCO's; archives that exporters write."""
