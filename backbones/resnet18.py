"""
ResNet-18 for images of 32x32: 4 stages of 2 blocks of 2 convolutions, widths w, 2w, 4w, 8w.

    stem     conv3x3(channels → w), real, then ReLU, BN; no pooling
    block    [binary conv, ReLU, BN] x 2, + shortcut, as in ResNet-20
    shortcut option B: where the shape changes, a real conv1x1 of stride 2, then BN
    head     mean of 4x4, BatchNorm1d, linear, real
    init     torch's own, so that |w| ≤ 1/√fan-in
    others   order prelu_bn (FDA), bn_relu, bn_prelu, bn_rprelu (ReActNet), bn_maxout (AdaBin) and
             bn_none (Bi-Real Net); block preact: BN, activation, binary conv (HWGQ, LQ-Nets);
             first_last binary: the first convolution and the head, too (SQ); stem_act

At width 64 and 3 channels it has 11,174,986 parameters, 10,985,472 of them in 16 binary layers.
RBNN's has `order: bn_hardtanh` and `shortcut: B_binary`; ReCU's the same order, `bireal: true` and
`shortcut: avgpool_pad`.

Reference: He et al., CVPR 2016, arXiv:1512.03385; in this form released with ReSTE (Wu et al.,
ICCV 2023).
"""

from bench.plugin import Init, ResNet, Shortcut


class ResNet18(ResNet):
    pool = 4

    shortcut: Shortcut = "B"
    init: Init = "torch"
