"""
Binary networks: sign and its gradient, binary layers, the classes that plugins extend,
compilation.

Doors: backbone, blocks, clock, coach, compiler, contract, elementary, joint_norm, layers, macs,
parts, resnet, sign.

Never: reads a file, or knows of data.
"""
