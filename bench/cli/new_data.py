"""`bench new data NAME`: a file that works as it stands, to be turned into the real one."""

TEMPLATE = '''"""
{name}, one line that says what it is.

Whose images these are, where they are from, and how they are split into training and test.
"""

from pathlib import Path

import torch

from bench.plugin import Annotated, DataSource, Field, Tensors, Transform


class {cls}(DataSource):
    """{name}: stripes along and across, drawn here; put your own images in their place."""

    size: Annotated[int, Field(ge=8, description="side of an image")] = 16

    def find(self, folder: Path) -> Tensors:
        # Read your files here, from `folder / "{name}"`; what is raised is told in one line.
        rng = torch.Generator().manual_seed(0)
        images = torch.randint(0, 128, (400, 1, self.size, self.size), generator=rng)
        labels = torch.arange(400) % 2
        images[labels == 0, :, ::4] += 100
        images[labels == 1, :, :, ::4] += 100
        images = images.to(torch.uint8)
        return Tensors(
            label="{name}",  # as tables call it
            train=(images[:320], labels[:320]),  # (N, C, H, W) uint8, (N,) int64
            test=(images[320:], labels[320:]),  # never augmented
            num_classes=2,
            class_names=("along", "across"),
            # augmentation of training: pad=2 crops at random, flip=True mirrors
            transform=Transform(mean=(0.3,), std=(0.2,)),
        )
'''
