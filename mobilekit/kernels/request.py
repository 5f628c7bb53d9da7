"""The arguments of :func:`mobilekit.kernels.preprocess`, checked once for the native kernel and the reference."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels.errors import InputTypeError
from mobilekit.kernels.image import MAX_SIZE, Image

# Tuples in the order of the enums in cpp/include/mobilekit/{image,preprocess}.h: the position is the number.
FILTERS = ("nearest", "bilinear", "bilinear-align-corners", "area", "antialias", "bicubic")
COLORS = ("bt601-full", "bt601-limited", "bt709-full", "bt709-limited")
DTYPES = ("int8", "uint8", "float32", "int16", "float16")
LAYOUTS = ("nhwc", "nchw")
CHANNELS = ("rgb", "bgr", "gray")
FITS = ("stretch", "letterbox", "pad-right", "center-crop")


@dataclass(frozen=True)
class PreprocessRequest:
    """What to compute, in the terms of cpp/include/mobilekit/preprocess.h (which defines every field)."""

    image: Image
    crop: tuple[float, float, float, float]
    """x, y, width, height in pixels of the frame as stored."""
    rotation: int
    mirror: bool
    filter: str
    color: str
    out_size: tuple[int, int]
    """height, width of the tensor."""
    channels: str
    dtype: str
    layout: str
    rect: tuple[int, int, int, int]
    """x, y, width, height of the picture in the tensor."""
    pad_level: tuple[float, ...]
    multiply: tuple[float, ...]
    """One a channel: out = level * multiply + add; float32 values."""
    add: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        height, width = self.out_size
        depth = 1 if self.channels == "gray" else 3
        return (1, height, width, depth) if self.layout == "nhwc" else (1, depth, height, width)


def make_request(
    image: Image,
    out_size: tuple[int, int],
    *,
    crop: Sequence[float] | None,
    rotation: int,
    mirror: bool,
    fit: str,
    crop_fraction: float,
    pad_level: float | Sequence[float],
    filter: str,
    color: str,
    channels: str | None,
    mean: float | Sequence[float],
    std: float | Sequence[float],
    scale: float | None,
    zero_point: int,
    dtype: str | npt.DTypeLike,
    layout: str,
) -> PreprocessRequest:
    """Checks every argument; the text of an :class:`InputError` or :class:`InputTypeError` begins with its name."""
    if not isinstance(image, Image):
        raise InputTypeError(f"image: expected a mobilekit.kernels.Image, got {type(image).__name__}")
    height, width = _out_size(out_size)
    if rotation not in (0, 90, 180, 270):
        raise InputError(f"rotation: expected 0, 90, 180 or 270 degrees clockwise, got {rotation!r}")
    _one_of("fit", fit, FITS)
    _one_of("filter", filter, FILTERS)
    _one_of("color", color, COLORS)
    _one_of("layout", layout, LAYOUTS)
    if channels is None:
        channels = "gray" if image.format == "gray" else "rgb"
    _one_of("channels", channels, CHANNELS)
    dtype_name = _dtype_name(dtype)
    box = _crop(crop, image)
    turned = rotation in (90, 270)
    if fit == "center-crop":
        box = center_crop(box, (width, height) if turned else (height, width), crop_fraction)
    rect = (0, 0, width, height)
    if fit in ("letterbox", "pad-right"):
        picture = (box[3], box[2]) if turned else (box[2], box[3])
        rect = letterbox(picture, (height, width)) if fit == "letterbox" else pad_right(picture, (height, width))
    if filter in SUPPORT:
        _check_reach(filter, box, (rect[3], rect[2]) if turned else (rect[2], rect[3]))
    depth = 1 if channels == "gray" else 3
    multiply, add = fold_normalization(
        _per_channel("mean", mean, depth), _per_channel("std", std, depth), 1.0 if scale is None else scale, zero_point
    )
    levels = _per_channel("pad_level", pad_level, depth)
    if not all(0 <= level <= 255 for level in levels):
        raise InputError(f"pad_level: expected levels from 0 to 255, got {pad_level!r}")
    return PreprocessRequest(
        image=image, crop=box, rotation=int(rotation), mirror=bool(mirror), filter=filter, color=color,
        out_size=(height, width), channels=channels, dtype=dtype_name, layout=layout, rect=rect,
        pad_level=levels, multiply=multiply, add=add,
    )  # fmt: skip


def fold_normalization(
    mean: Sequence[float], std: Sequence[float], scale: float, zero_point: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """``((level - mean) / std) / scale + zero_point`` as (multiply, add), float32 values, one of each a channel."""
    if not _is_number(scale) or not math.isfinite(scale) or scale <= 0:
        raise InputError(f"scale: expected a number above 0, got {scale!r}")
    if not isinstance(zero_point, (int, np.integer)):
        raise InputTypeError(f"zero_point: expected an integer, got {zero_point!r}")
    if any(x <= 0 for x in std):
        raise InputError(f"std: expected numbers above 0, got {tuple(std)}")
    factors = [1.0 / (s * scale) for s in std]
    terms = [int(zero_point) - m * f for m, f in zip(mean, factors, strict=True)]
    # The kernel's own bound (mk_preprocess_check): results stay inside int32 for levels of 0 to 255.
    if any(f * 512 > 1e9 for f in factors) or any(abs(t) > 4e8 for t in terms):
        raise InputError(f"std, scale: levels would leave the range of int32 (std {tuple(std)}, scale {scale})")
    return tuple(float(np.float32(f)) for f in factors), tuple(float(np.float32(t)) for t in terms)


def letterbox(picture: tuple[float, float], out_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where a picture of (width, height) goes in a tensor of (height, width): aspect kept, centred.

    An odd rest lies right and below, as in Ultralytics' LetterBox.
    """
    height, width = out_size
    factor = min(width / picture[0], height / picture[1])
    w = min(width, max(1, round(picture[0] * factor)))
    h = min(height, max(1, round(picture[1] * factor)))
    return (width - w) // 2, (height - h) // 2, w, h


def pad_right(picture: tuple[float, float], out_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Full height, aspect kept, at the left: how text recognisers want a line (PaddleOCR's resize_norm_img)."""
    height, width = out_size
    return 0, 0, max(1, min(width, math.ceil(height * picture[0] / picture[1]))), height


def center_crop(
    box: tuple[float, float, float, float], aspect: tuple[int, int], fraction: float = 1.0
) -> tuple[float, float, float, float]:
    """The largest centred rectangle in ``box`` with the aspect (height, width), shrunk to ``fraction`` of its sides.

    ImageNet's "resize to 256, centre crop 224" is ``fraction=224/256``.
    """
    if not _is_number(fraction) or not 0 < fraction <= 1:
        raise InputError(f"crop_fraction: expected a number above 0 and at most 1, got {fraction!r}")
    x, y, w, h = box
    factor = min(w / aspect[1], h / aspect[0]) * fraction
    cw, ch = min(w, aspect[1] * factor), min(h, aspect[0] * factor)
    return x + (w - cw) / 2, y + (h - ch) / 2, cw, ch


SUPPORT = {"area": 0.5, "antialias": 1.0, "bicubic": 2.0}
"""Half the width of the filters that average, in units of the larger of an input and an output pixel."""

MAX_WEIGHTS = 256
"""Most source pixels of one sample along an axis, as ``kMaxWeights`` in cpp/src/geometry.h."""


def _check_reach(filter: str, box: tuple[float, float, float, float], picture: tuple[int, int]) -> None:
    """``picture``: (width, height) that the crop becomes, in the orientation of the frame."""
    for length, count in zip(box[2:], picture, strict=True):
        span = 2 * SUPPORT[filter] * max(length / count, 1.0) + 2
        if min(span, length + 2) >= MAX_WEIGHTS + 1:
            raise InputError(
                f"filter: {filter} from {length:g} to {count} pixels averages more than {MAX_WEIGHTS} pixels a sample; "
                "shrink in two steps or use bilinear"
            )


def check_out(out: Any, request: PreprocessRequest) -> npt.NDArray[Any]:
    """``out`` if the kernel can write into it: dtype, shape (with or without the batch axis), contiguous, writable."""
    if not isinstance(out, np.ndarray):
        raise InputTypeError(f"out: expected a {request.dtype} array, got {type(out).__name__}")
    if out.dtype != np.dtype(request.dtype):
        raise InputTypeError(f"out: expected dtype {request.dtype}, got {out.dtype}")
    if out.shape not in (request.shape, request.shape[1:]):
        raise InputError(f"out: expected shape {request.shape}, got {out.shape}")
    if not out.flags.c_contiguous or not out.flags.aligned:
        raise InputError("out: expected a contiguous, aligned array")
    if not out.flags.writeable:
        raise InputError("out: the array is read-only")
    return out


def _out_size(out_size: Any) -> tuple[int, int]:
    try:
        height, width = (int(x) for x in out_size)
    except (TypeError, ValueError):
        raise InputTypeError(f"out_size: expected (height, width), got {out_size!r}") from None
    if not (1 <= height <= MAX_SIZE and 1 <= width <= MAX_SIZE):
        raise InputError(f"out_size: expected 1 to {MAX_SIZE} pixels a side, got {(height, width)}")
    return height, width


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def _dtype_name(dtype: Any) -> str:
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    _one_of("dtype", name, DTYPES)
    return str(name)


def _crop(crop: Sequence[float] | None, image: Image) -> tuple[float, float, float, float]:
    if crop is None:
        return 0.0, 0.0, float(image.width), float(image.height)
    try:
        x, y, w, h = (float(value) for value in crop)
    except (TypeError, ValueError):
        raise InputTypeError(f"crop: expected (x, y, width, height), got {crop!r}") from None
    inside = x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= image.width and y + h <= image.height
    if not inside or not x < image.width or not y < image.height:
        raise InputError(
            f"crop: expected (x, y, width, height) inside {image.width}x{image.height} and not empty, "
            f"got {(x, y, w, h)}"
        )
    return x, y, w, h


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _per_channel(name: str, value: float | Sequence[float], depth: int) -> tuple[float, ...]:
    try:
        numbers_given: Any = (value,) if _is_number(value) else value
        values = tuple(float(x) for x in numbers_given)
    except (TypeError, ValueError):
        raise InputTypeError(f"{name}: expected a number or {depth} of them, got {value!r}") from None
    if len(values) == 1:
        values *= depth
    if len(values) != depth:
        raise InputError(f"{name}: expected 1 or {depth} numbers, got {len(values)}")
    if not all(math.isfinite(x) for x in values):
        raise InputError(f"{name}: expected finite numbers, got {values}")
    return values
