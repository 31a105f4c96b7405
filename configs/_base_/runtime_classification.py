"""What every run of a classifier shares."""

_base_ = ['./runtime.py']

default_scope = 'mmengine'
visualizer = dict(type='Visualizer')
