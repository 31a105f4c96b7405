"""Images resized at random to fit 1200 x 640 to 1200 x 800 for training, as in mmdet's 3x configs,
and to fit 1200 x 800 for evaluation."""

train_resize = dict(
    type='RandomResize',
    scale=[(1200, 640), (1200, 800)],
    resize_type='mmdet.Resize',
    keep_ratio=True,
)
test_resize = dict(type='mmdet.Resize', scale=(1200, 800), keep_ratio=True)
