r"""SSDLite with ReXNet-lite-1.0 on COCO 2017 at 320 x 320, for 8 GPUs x 24 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/ssdlite/ssdlite_rexnet-lite-1.0_320_600e_coco.py --launcher pytorch

Not trained here. The recipe is mmdet's for MobileNetV2, which has 21.3 AP with it. The authors of
ReXNet published neither code nor weights of their SSDLite, nor which levels it reads: their figures
can be approached, not reproduced. Here it reads c4 and c5; with MobileNetV2 the second is a
convolution of 1280 channels above them. Unlike mmdet's, training begins from ImageNet weights,
rexnet_lite_1.0:clovaai.in1k, which are downloaded once; Google Drive has them, pip install gdown.
Another network, with the best weights that are published of it:

    --cfg-options model.backbone.arch=rexnet_lite_2.0 --pretrained best
"""

_base_ = ['../_base_/recipes/ssdlite_320_600e_coco.py']
from rexdense.engine.config.pretrained import ssdlite_sections

model = ssdlite_sections('rexnet_lite_1.0', 'clovaai.in1k', _base_.taps, _base_.added_channels)
