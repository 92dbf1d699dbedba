"""1,797 handwritten digits, 8x8, inside the package: data that needs no download.

Source: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
1998, https://doi.org/10.24432/C50P49, test part; CC BY 4.0, changes stated in digits.LICENSE.
"""

from __future__ import annotations

import numpy as np

from plaingrad.data.dataset import Split

VALIDATION = 200
TEST = 300


def read_digits() -> tuple[Split, Split]:
    """The 1,497 images to train and validate on, and the 300 to test on.

    Images are uint8 (N, 1, 8, 8), ink 0 to 255; labels int64 (N,).  The split is stratified and was made
    once, by `stratified_order(labels, seed=0)` of the original file; its result is what is stored, so it
    does not depend on a random generator.  The same writers occur in all parts, which makes these digits
    easier than those of an unknown hand.
    """
    from importlib.resources import files

    with files("plaingrad.data").joinpath("digits.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        images, labels = stored["images"], stored["labels"].astype(np.int64)
    return Split(images[:-TEST], labels[:-TEST]), Split(images[-TEST:], labels[-TEST:])
