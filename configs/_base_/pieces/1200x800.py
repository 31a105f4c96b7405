"""Images resized to fit 1200 x 800, the size that the authors of ReXNet state."""

train_resize = test_resize = dict(type='mmdet.Resize', scale=(1200, 800), keep_ratio=True)
