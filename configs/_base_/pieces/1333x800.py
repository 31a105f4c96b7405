"""Images resized to fit 1333 x 800, mmdet's size."""

train_resize = test_resize = dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True)
