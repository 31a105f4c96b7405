"""pycls' ResNeXts (configs/dds_baselines/resnext): 8 x 32 images, SGD with Nesterov's momentum at
0.2, a cosine to 0 over 100 epochs without warm-up; the rest as for its RegNets."""

_base_ = ['./pycls.py']

_, cosine = _base_.param_scheduler
param_scheduler = [cosine]
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=0.2))
auto_scale_lr = dict(base_batch_size=256)
