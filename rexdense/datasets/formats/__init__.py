"""Conversion of other annotation formats to COCO's, and unpacking of exporters' archives."""
