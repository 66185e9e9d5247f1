"""
ResNet-34 for images of 224x224, Bi-Real: one shortcut around each binary convolution.

    stem     conv7x7 of stride 2 (channels → w), real, ReLU, BN, MaxPool 3x3 of stride 2
    stages   3, 4, 6 and 3 blocks, widths w, 2w, 4w, 8w
    block    r = shortcut(x); u = BN(ReLU(conv(sign x))) + r; y = BN(ReLU(conv(sign u))) + u
    shortcut option B: where the shape changes, a real conv1x1 of stride 2, then BN
    head     mean of 7x7, BatchNorm1d, linear, real
    a real net has the same blocks (real_block: same)
    others   order prelu_bn (FDA), bn_relu, bn_prelu, bn_rprelu (ReActNet), bn_maxout (AdaBin) and
             bn_none (Bi-Real Net); block preact: BN, activation, binary conv (HWGQ, LQ-Nets);
             first_last binary: the first convolution and the head, too (SQ); stem_act

At width 64 it has 21,798,696 parameters, 21,086,208 of them in 32 binary layers.

Reference: He et al., CVPR 2016, arXiv:1512.03385; Liu et al., ECCV 2018, arXiv:1808.00278
(Bi-Real Net); in this form released with ReSTE (Wu et al., ICCV 2023).
"""

from bench.plugin import Init, Native, RealBlock, ResNet, Shortcut, Stem


class ResNet34ImageNet(ResNet):
    native = Native(224, 1000)
    blocks = (3, 4, 6, 3)
    pool = 7

    bireal: bool = True
    real_block: RealBlock = "same"
    shortcut: Shortcut = "B"
    stem: Stem = "imagenet"
    init: Init = "kaiming_conv"
