"""Checks of configs for faults that mmengine, mmdet and mmseg tell late, unclearly or never."""
