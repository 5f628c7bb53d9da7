"""Upsampling and interpolation in every mode of PyTorch, 1d to 3d.

TFLite's RESIZE ops take a size, PyTorch a size or a factor, and the two agree on where a pixel is read from only in
some cases. So PyTorch itself says where: the op is run on the unit vectors of one axis, which gives the matrix
[output, input] of that axis, whatever the mode. If TFLite's own rule gives the same matrix, its op is used; a matrix
with a single one a row is a GATHER; any other (bicubic, antialiased, odd factors) is a BATCH_MATMUL an axis, which
needs no transpose: [o, i] times [N, i, rest].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.windows import as_image, as_sequence
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor

Matrix = NDArray[np.float32]
# The largest difference between two float32 ways to the same interpolation weight, for images up to some 4000 pixels:
# positions up to 4000 have a spacing of 2.4e-4 in float32, of which a weight sees one rounding.
_SAME_WEIGHT = 5e-4


# -- what PyTorch does ---------------------------------------------------------------------------------------------


Resize = Callable[[torch.Tensor, list[int], list[float | None]], torch.Tensor]


def _matrices(x: Value, sizes: Sequence[int], scales: Sequence[float | None], resize: Resize) -> list[Matrix]:
    """The matrix of each axis of space: an image of unit vectors resized along it, two pixels wide elsewhere.

    Not one pixel: PyTorch 2.15's antialiased kernel repeats the first row of an image that is one pixel wide.
    """
    found = []
    for axis, (size, out) in enumerate(zip(x.shape[2:], sizes, strict=True)):
        shape, target = [2] * len(sizes), [2] * len(sizes)
        shape[axis], target[axis] = size, out
        own = [scale if i == axis else None for i, scale in enumerate(scales)]
        unit = torch.eye(size).reshape(1, size, *[size if i == axis else 1 for i in range(len(sizes))])
        result = resize(unit.expand(1, size, *shape).contiguous(), target, own).movedim(2 + axis, 2)
        found.append(np.ascontiguousarray(result.reshape(size, out, -1)[:, :, 0].numpy().T))
    return found


# -- what TFLite does ----------------------------------------------------------------------------------------------


def _tflite_bilinear(size: int, out: int, align_corners: bool, half_pixel: bool) -> Matrix:
    """Source: TFLite ``kernels/internal/reference/resize_bilinear.h``."""
    scale = np.float32(size) / np.float32(out)
    if align_corners and out > 1:
        scale = np.float32(size - 1) / np.float32(out - 1)
    position = np.arange(out, dtype=np.float32) * scale
    if half_pixel:
        position = (np.arange(out, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    low = np.maximum(np.floor(position), 0).astype(int)
    high = np.minimum(np.ceil(position), size - 1).astype(int)
    matrix = np.zeros((out, size), np.float32)
    np.add.at(matrix, (np.arange(out), low), 1 - (position - low))
    np.add.at(matrix, (np.arange(out), high), position - low)
    return matrix


def _tflite_nearest(size: int, out: int, half_pixel: bool) -> NDArray[np.int64]:
    """Source: TFLite ``kernels/internal/reference/resize_nearest_neighbor.h``."""
    scale = np.float32(size) / np.float32(out)
    place = np.floor((np.arange(out, dtype=np.float32) + np.float32(0.5 if half_pixel else 0)) * scale)
    nearest: NDArray[np.int64] = np.minimum(place.astype(np.int64), size - 1)
    return nearest


# -- the op --------------------------------------------------------------------------------------------------------


def _resize(b: Builder, x: Value, matrices: Sequence[Matrix], nearest: bool, align_corners: bool) -> Value:
    """Any number of axes of space: the last two as an image, one before them by itself."""
    if x.rank == 3:
        wide = _resize(b, as_image(b, x), [np.ones((1, 1), np.float32), *matrices], nearest, align_corners)
        return as_sequence(b, wide)
    image = b.channels_last(x)
    if x.rank == 5:
        image = _along(b, image, 1, matrices[0])
        n, depth, height, width, channels = image.shape
        image = b.reshape(image, (n * depth, height, width, channels))
        out = _resize_image(b, image, matrices[1:], nearest, align_corners)
        out = b.reshape(out, (n, depth, *out.shape[1:]))
    else:
        out = _resize_image(b, image, matrices, nearest, align_corners)
    return Value(out, channels_last_order(x.rank), x.dtype)


def _resize_image(b: Builder, image: Tensor, matrices: Sequence[Matrix], nearest: bool, align_corners: bool) -> Tensor:
    sizes = [matrix.shape[0] for matrix in matrices]
    if nearest:
        places = [_places(matrix) for matrix in matrices]
        for half_pixel in (False, True):
            theirs = [_tflite_nearest(n, o, half_pixel) for n, o in zip(image.shape[1:3], sizes, strict=True)]
            if all(place is not None and np.array_equal(place, t) for place, t in zip(places, theirs, strict=True)):
                return _op(b, "RESIZE_NEAREST_NEIGHBOR", image, sizes, False, half_pixel)
    else:
        half_pixel = not align_corners
        bilinear = [
            _tflite_bilinear(n, o, align_corners, half_pixel) for n, o in zip(image.shape[1:3], sizes, strict=True)
        ]
        if all(np.abs(m - t).max() <= _SAME_WEIGHT for m, t in zip(matrices, bilinear, strict=True)):
            return _op(b, "RESIZE_BILINEAR", image, sizes, align_corners, half_pixel)
    for axis, matrix in enumerate(matrices, start=1):
        image = _along(b, image, axis, matrix)
    return image


def _op(b: Builder, kind: str, image: Tensor, sizes: Sequence[int], align_corners: bool, half_pixel: bool) -> Tensor:
    if list(sizes) == list(image.shape[1:3]):
        return image
    return b.emit(
        kind,
        [image, b.constant(np.array(sizes, np.int32))],
        (image.shape[0], *sizes, image.shape[3]),
        align_corners=align_corners,
        half_pixel_centers=half_pixel,
    )


def _places(matrix: Matrix) -> NDArray[np.int64] | None:
    """Where each row's single one stands, or None if the matrix mixes inputs."""
    if np.count_nonzero(matrix) != len(matrix) or not np.all(matrix.max(axis=1) == 1):
        return None
    found: NDArray[np.int64] = matrix.argmax(axis=1)
    return found


def _along(b: Builder, tensor: Tensor, axis: int, matrix: Matrix) -> Tensor:
    """One stored axis through its matrix [output, input]."""
    out, size = matrix.shape
    before, after = tensor.shape[:axis], tensor.shape[axis + 1 :]
    shape = (*before, out, *after)
    places = _places(matrix)
    if places is not None:
        if np.array_equal(places, np.arange(size)):
            return tensor
        return b.emit("GATHER", [tensor, b.constant(places.astype(np.int32))], shape, axis=axis, batch_dims=0)
    rows = b.reshape(tensor, (int(np.prod(before)), size, int(np.prod(after))))
    mixed = b.emit(
        "BATCH_MATMUL",
        [b.constant(matrix[None]), rows],
        (rows.shape[0], out, rows.shape[2]),
        adj_x=False,
        adj_y=False,
    )
    return b.reshape(mixed, shape)


# -- every overload ------------------------------------------------------------------------------------------------

# name -> (axes of space, whether each output is one input, whether it takes align_corners). An op with a size and
# scales is NAME.default, one with either is NAME.vec.
_MODES = {
    "upsample_nearest1d": (1, True, False),
    "upsample_nearest2d": (2, True, False),
    "upsample_nearest3d": (3, True, False),
    "_upsample_nearest_exact1d": (1, True, False),
    "_upsample_nearest_exact2d": (2, True, False),
    "_upsample_nearest_exact3d": (3, True, False),
    "upsample_linear1d": (1, False, True),
    "upsample_bilinear2d": (2, False, True),
    "upsample_trilinear3d": (3, False, True),
    "upsample_bicubic2d": (2, False, True),
    "_upsample_bilinear2d_aa": (2, False, True),
    "_upsample_bicubic2d_aa": (2, False, True),
}


def _register(name: str, axes: int, nearest: bool, takes_corners: bool) -> None:
    function = getattr(torch.ops.aten, name).default

    def lower(b: Builder, x: Value, sizes: Sequence[int], corners: bool, scales: Sequence[float | None]) -> Value:
        if not x.dtype.startswith("float") and not nearest:
            raise UnsupportedError(f"interpolation of {x.dtype}", "cast it with .float() first")

        # Its second pass works on what the first left: an image already resized to one column is as wrong.
        if name.endswith("_aa") and 1 in (x.shape[-1], sizes[-1]) and sizes[-2] != x.shape[-2]:
            raise UnsupportedError("antialiased interpolation of an image one pixel wide, which PyTorch gets wrong")

        def resize(unit: torch.Tensor, size: list[int], own: list[float | None]) -> torch.Tensor:
            result: torch.Tensor = function(unit, size, *([corners] if takes_corners else []), *own)
            return result

        return _resize(b, x, _matrices(x, sizes, scales, resize), nearest, corners)

    @lowers(f"aten.{name}.default")
    def lower_default(b: Builder, x: Value, size: Sequence[int], *rest: Any) -> Value:
        corners, scales = (rest[0], rest[1:]) if takes_corners else (False, rest)
        return lower(b, x, [int(s) for s in size], bool(corners), list(scales))

    @lowers(f"aten.{name}.vec")
    def lower_vec(b: Builder, x: Value, size: Sequence[int] | None, *rest: Any) -> Value:
        corners, factors = (rest[0], rest[1]) if takes_corners else (False, rest[0])
        if size is not None:
            return lower(b, x, [int(s) for s in size], bool(corners), [None] * axes)
        # Source: ATen/native/UpSample.cpp, compute_output_size: the product is cut, not rounded.
        sizes = [int(float(n) * float(f)) for n, f in zip(x.shape[2:], factors, strict=True)]
        return lower(b, x, sizes, bool(corners), list(factors))


for _name, (_axes, _nearest, _corners) in _MODES.items():
    _register(_name, _axes, _nearest, _corners)
