"""The common part of segmentation runs that count epochs."""

_base_ = ['./runtime.py']

default_scope = 'mmseg'
visualizer = dict(type='mmseg.SegLocalVisualizer')
