"""Checks of configs: faults that mmengine, mmdet and mmseg would tell late, in no words, or not."""
