"""
ResNet-20 for small images: 3 stages of 3 blocks of 2 convolutions, widths w, 2w, 4w.

    stem     conv3x3(channels → w), real, then ReLU, BN    (bn_hardtanh: BN, Hardtanh)
    block    order relu_bn       [binary conv, ReLU, BN] x 2, + shortcut
             order bn_hardtanh   binary conv, BN, Hardtanh, binary conv, BN, + shortcut, Hardtanh
             a real net          conv, BN, ReLU, conv, BN, + shortcut, ReLU   (real_block: classic)
    bireal   one shortcut for each convolution instead of one for two: ResNet-20 Bi-Real
    shortcut option A: every second row and column, new channels zero on both sides; no weights
    head     global average pool, BatchNorm1d, linear, real
    others   order prelu_bn (FDA), bn_relu, bn_prelu, bn_rprelu (ReActNet), bn_maxout (AdaBin) and
             bn_none (Bi-Real Net); block preact: BN, activation, binary conv (HWGQ, LQ-Nets);
             first_last binary: the first convolution and the head, too (SQ); stem_act

At width 16 and 3 channels it has 269,850 parameters, 267,264 of them in 18 binary layers.

Reference: He et al., CVPR 2016, arXiv:1512.03385, sec. 4.2; relu_bn as released with ReSTE (Wu
et al., ICCV 2023), bn_hardtanh as in RBNN (plain) and IR-Net (bireal).
"""

from bench.plugin import Annotated, Field, ResNet


class ResNet20(ResNet):
    blocks = (3, 3, 3)

    width: Annotated[int, Field(ge=2, multiple_of=2)] = 16
