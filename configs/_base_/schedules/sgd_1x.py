"""mmdet's 1x schedule: 12 epochs of SGD, divided by 10 after 8 and 11; 0.02 is for 16 images."""

_base_ = ['mmdet::_base_/schedules/schedule_1x.py']

auto_scale_lr = dict(enable=True)
