"""
One image of a file: decoded, and the square of it that training or evaluation sees.

The pixels are those of torchvision's transforms of a PIL image: crop first, then resize.
"""

import errno
import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from bench.errors import EnvironmentProblem

EIGHT_BITS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr",
              "LAB", "HSV"}  # fmt: skip
SIXTEEN = {"PNG", "PPM"}  # formats of which mode I has 16 bits, in the full range
OF_THE_FILE = {  # what is wrong with a file, and with the machine no more than with any other
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES,
    errno.EPERM, errno.EINVAL, errno.ENXIO,
}  # fmt: skip
RATIO = (3 / 4, 4 / 3)  # width/height of a training crop
NARROWEST = 100  # times as long as wide: its middle, resized to a square, would fill the memory
Area: TypeAlias = tuple[float, float]  # of a training crop, as a fraction of the image's
Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom
Draw: TypeAlias = Callable[[], float]  # uniform in [0, 1)


def decode(source: Path | bytes) -> Image.Image | str:
    """
    The image of a file, or of what stands in one, as RGB, or why there is none, in one line.

    Of 16 bits a channel the upper 8 are taken. What has other numbers than these is refused.

    Raises:
        EnvironmentProblem: the machine fails to read it, which says nothing of the file.
        MemoryError: so does its memory.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            if not (len(source) if isinstance(source, bytes) else os.fstat(file.fileno()).st_size):
                return "empty file"
            image = Image.open(file)
            if max(image.size) > NARROWEST * min(image.size):
                return f"{image.width}x{image.height} is no picture"
            return _as_rgb(image)
    except UnidentifiedImageError:
        return "not an image"
    except OSError as error:
        if error.errno is not None and error.errno not in OF_THE_FILE:
            message = f"cannot read `{source}`: {error.strerror or error}"
            raise EnvironmentProblem(message) from None
        return error.strerror or str(error)
    except MemoryError:
        raise
    except Exception as error:  # a damaged image raises nearly anything
        return f"{type(error).__name__}: {error}".splitlines()[0]


def _as_rgb(image: Image.Image) -> Image.Image | str:
    """An image of 8 bits a channel in RGB, or why it cannot be one."""
    if image.mode in EIGHT_BITS:
        return image.convert("RGB")
    if image.mode.startswith("I") and image.mode != "I":  # I;16 and its byte orders
        deep = np.asarray(image).astype(np.uint16)
    elif image.mode == "I" and image.format in SIXTEEN:
        deep = np.asarray(image)
    else:
        return f"of mode {image.mode}; convert it to 8 or 16 bits a channel"
    if deep.size and not 0 <= deep.min() <= deep.max() < 2**16:
        return "its numbers do not fit 16 bits; convert it to 8 or 16 bits a channel"
    return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")


def training_view(image: Image.Image, size: int, area: Area, draw: Draw) -> Image.Image:
    """A random window resized to (size, size), mirrored half the time."""
    view = image.crop(window(*image.size, area, draw))
    view = view.resize((size, size), Image.Resampling.BILINEAR)
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if draw() < 0.5 else view


def evaluation_view(image: Image.Image, size: int) -> Image.Image:
    """The middle (size, size) of the image with its shorter side resized to size·256/224."""
    width, height = image.size
    short, side = min(width, height), round(size * 256 / 224)
    width, height = (int(side * n / short) if n > short else side for n in (width, height))
    left, top = round((width - size) / 2), round((height - size) / 2)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size, top + size))


def window(width: int, height: int, area: Area, draw: Draw) -> Box:
    """
    Where to crop, by torchvision's rule for RandomResizedCrop.

    Area and logarithm of the aspect are uniform; a window that does not fit is drawn again, ten
    times in all; then it is the largest one in the middle whose aspect is in range.
    """
    low, high = map(math.log, RATIO)
    for _ in range(10):
        wanted = width * height * (area[0] + (area[1] - area[0]) * draw())
        aspect = math.exp(low + (high - low) * draw())
        w, h = round(math.sqrt(wanted * aspect)), round(math.sqrt(wanted / aspect))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(draw() * (height - h + 1)), int(draw() * (width - w + 1))
            return left, top, left + w, top + h
    w, h = width, height
    if width / height < RATIO[0]:
        h = round(width / RATIO[0])
    elif width / height > RATIO[1]:
        w = round(height * RATIO[1])
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h
