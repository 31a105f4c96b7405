"""Common to every segmentation run, with epochs counted."""

_base_ = ['./runtime.py']

default_scope = 'mmseg'
visualizer = dict(type='mmseg.SegLocalVisualizer')
