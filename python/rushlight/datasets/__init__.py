"""Data that comes with rushlight: real handwritten digits, small enough to ship.

Source: the test part of *Optical Recognition of Handwritten Digits*, E. Alpaydin and C. Kaynak
(1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed under CC BY 4.0.
The 1,797 images are unchanged, stored as unsigned bytes in ``digits.npz``.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["load_digits"]


def load_digits() -> tuple[Tensor, Tensor]:
    """The UCI handwritten digits: 13 writers, images of 8x8 pixels.

    Returns:
        The images, float32 of shape (1797, 1, 8, 8) with values 0 to 1 in steps of 1/16, and the
        digits they show, int64 of shape (1797,) with values 0 to 9.

    Source:
        E. Alpaydin, C. Kaynak (1998), https://doi.org/10.24432/C50P49, CC BY 4.0.

    Example:
        >>> from rushlight.datasets import load_digits
        >>> images, labels = load_digits()
        >>> images.shape, labels[:5]
        (torch.Size([1797, 1, 8, 8]), tensor([0, 1, 2, 3, 4]))
    """
    with (resources.files(__name__) / "digits.npz").open("rb") as file, np.load(file) as arrays:
        images = arrays["images"].astype(np.float32)[:, None] / np.float32(16)
        labels = arrays["labels"].astype(np.int64)
    return ops.from_numpy(images), ops.from_numpy(labels)
