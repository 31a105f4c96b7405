"""What every segmentation run shares, with epochs counted."""

_base_ = ['./runtime.py']

default_scope = 'mmseg'
visualizer = dict(type='mmseg.SegLocalVisualizer')
