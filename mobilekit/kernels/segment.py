"""Segmentation scores -> class mask at the size of the picture. The rule: cpp/include/mobilekit/segment.h."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels import checks, native, reference
from mobilekit.kernels.request import LAYOUTS

MAX_CLASSES = 256


def segment(
    output: npt.NDArray[Any],
    out_size: tuple[int, int],
    *,
    layout: str = "nhwc",
    rect: Sequence[int] | None = None,
    out: npt.NDArray[np.uint8] | None = None,
    threads: int = 1,
) -> npt.NDArray[np.uint8]:
    """Best class of every pixel after a bilinear resize of the scores, without making the resized scores.

    :param output: float32 or int8 scores (int8 as they are: no scale is needed), (height, width, classes) for "nhwc" or
        (classes, height, width) for "nchw", with or without a batch axis of 1; at most 256 classes.
    :param out_size: (height, width) of the mask.
    :param rect: (x, y, width, height) of the part of ``output`` that holds the picture: what a letterbox left of it.
    :param out: uint8 array of ``out_size`` to write.
    :param threads: how many threads share the rows.
    :returns: ``out``, or a new array; the lower class among equals.
    """
    table = checks.without_batch(checks.model_output("output", output), 3)
    if layout not in LAYOUTS:
        raise InputError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    if table.ndim != 3 or table.size == 0:
        raise InputError(f"output: expected scores of one picture in {layout}, got shape {output.shape}")
    checks.contiguous("output", table)
    by_pixel = table if layout == "nhwc" else table.transpose(1, 2, 0)
    height, width, classes = by_pixel.shape
    if classes > MAX_CLASSES:
        raise InputError(f"output: expected at most {MAX_CLASSES} classes, got {classes}")
    size = (checks.count("out_size", out_size[0], 1 << 24), checks.count("out_size", out_size[1], 1 << 24))
    part = (0, 0, width, height) if rect is None else tuple(int(side) for side in rect)
    if len(part) != 4 or not (0 <= part[0] < part[0] + part[2] <= width and 0 <= part[1] < part[1] + part[3] <= height):
        raise InputError(f"rect: expected (x, y, width, height) inside {width}x{height}, got {rect!r}")
    if not isinstance(threads, int) or not 1 <= threads <= 64:
        raise InputError(f"threads: expected 1 to 64, got {threads!r}")
    mask = np.empty(size, np.uint8) if out is None else out
    checks.array("out", mask, np.uint8, 2)
    if mask.shape != size:
        raise InputError(f"out: expected shape {size}, got {mask.shape}")
    if not mask.flags.writeable:
        raise InputError("out: the array is read-only")
    if np.may_share_memory(mask, table):
        raise InputError("out: the array overlaps the scores")
    extension = native.extension()
    if extension is None:
        mask[...] = reference.segment(by_pixel, part, size)
    else:
        extension.segment(table, LAYOUTS.index(layout), (height, width, classes), part, mask, threads)
    return mask
