"""What every run of a classifier shares."""

_base_ = ['./runtime.py']

default_scope = 'mmengine'
visualizer = dict(type='Visualizer')
default_hooks = dict(
    # A run that was interrupted goes on with the same losses.
    seed_each_epoch=dict(type='rexdense.SeedEachEpoch'),
)
