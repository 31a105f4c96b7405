"""Decode heads for mmseg: the multi-output U-Net for segmentation and depth."""
