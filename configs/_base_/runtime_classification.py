"""The common part of classification runs."""

_base_ = ['./runtime.py']

default_scope = 'mmengine'
visualizer = dict(type='Visualizer')
