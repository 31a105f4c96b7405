"""Checks of configs for errors that mmengine, mmdet and mmseg report late, unclearly or never."""
