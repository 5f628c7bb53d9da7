"""From a camera frame to the input tensor, and from scores to an answer: C++ where it is built, NumPy where it is not.

>>> from mobilekit.kernels import Image, preprocess
>>> image = Image.nv21(frame, 1920, 1080)
>>> tensor = preprocess(image, (224, 224), rotation=90, mean=127.5, std=127.5, scale=1 / 127.5, zero_point=0)

Arguments are checked here, for both. A wrong value raises :class:`mobilekit.errors.InputError` (a ``ValueError``), a
wrong type :class:`InputTypeError` (a ``TypeError``); the message begins with the argument's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels import checks, native, reference
from mobilekit.kernels.detect import Detections, boxes_to_frame, detect_yolo, nms
from mobilekit.kernels.embed import cosine, l2_normalize
from mobilekit.kernels.errors import InputTypeError
from mobilekit.kernels.image import FORMATS, Image
from mobilekit.kernels.request import (
    CHANNELS,
    COLORS,
    DTYPES,
    FILTERS,
    LAYOUTS,
    PreprocessRequest,
    check_out,
    make_request,
)
from mobilekit.kernels.segment import segment
from mobilekit.kernels.text import Hypothesis, Reading, ctc_beam, ctc_greedy

__all__ = [
    "Detections",
    "Hypothesis",
    "Image",
    "InputTypeError",
    "Preprocessor",
    "Reading",
    "boxes_to_frame",
    "cosine",
    "ctc_beam",
    "ctc_greedy",
    "describe",
    "detect_yolo",
    "l2_normalize",
    "nms",
    "preprocess",
    "segment",
    "softmax",
    "top_k",
]

_native, _reason = native.extension(), native.reason


def describe() -> dict[str, Any]:
    """Which kernels run: ``implementation`` ("native" or "reference"), ``isa``, the ``available`` ones, and the
    ``reason`` for the reference.
    """
    if _native is None:
        return {"implementation": "reference", "isa": None, "available": [], "reason": _reason}
    return {"implementation": "native", "isa": _native.isa(), "available": _native.available_isas(), "reason": None}


def preprocess(
    image: Image,
    out_size: tuple[int, int],
    *,
    crop: Sequence[float] | None = None,
    rotation: int = 0,
    mirror: bool = False,
    fit: str = "stretch",
    crop_fraction: float = 1.0,
    pad_level: float | Sequence[float] = 114,
    filter: str = "bilinear",
    color: str = "bt601-full",
    channels: str | None = None,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    scale: float | None = None,
    zero_point: int = 0,
    dtype: str | npt.DTypeLike = "int8",
    layout: str = "nhwc",
    out: npt.NDArray[Any] | None = None,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """One frame as the input tensor of a model: crop, rotate, mirror, resize, colour, normalise, quantise.

    out = ((level - mean) / std) / scale + zero_point, rounded half to even and saturated for integer types.

    :param image: the frame; never copied or changed.
    :param out_size: (height, width) of the tensor.
    :param crop: (x, y, width, height) in pixels of the frame as stored, before the rotation; fractions allowed.
    :param rotation: degrees clockwise that bring the frame upright: 0, 90, 180 or 270.
    :param mirror: flip left-right after the rotation (front cameras).
    :param fit: "stretch" to the tensor; "letterbox" keeps the aspect, centred, and fills with ``pad_level``;
        "pad-right" keeps the aspect at full height, at the left (text lines); "center-crop" cuts to the tensor's
        aspect.
    :param crop_fraction: with "center-crop", the part of the sides to keep; 224/256 for ImageNet's usual crop.
    :param filter: "bilinear" (half-pixel centres, no antialiasing: fastest), "bilinear-align-corners", "nearest"; or
        one that averages and so does not alias when shrinking: "antialias" (PIL's BILINEAR), "bicubic" (PIL's),
        "area" (OpenCV's).
    :param color: YUV to RGB: "bt601-full" (Android's default), "bt601-limited", "bt709-full", "bt709-limited".
    :param channels: "rgb", "bgr" or "gray"; by default "gray" for gray images, else "rgb".
    :param mean: in levels (0 to 255), one number or one a channel in the output's order; so is ``std``.
    :param scale: of the tensor's quantization, with ``zero_point``; leave both for float tensors.
    :param dtype: "int8", "uint8", "int16", "float32" or "float16".
    :param layout: "nhwc" or "nchw".
    :param out: array to write, of shape (1, height, width, channels) or without the 1; for "nchw" channels come first.
    :param threads: how many threads share the work; the bytes do not depend on it.
    :returns: ``out``, or a new array of shape (1, height, width, channels).
    """
    request = make_request(
        image, out_size, crop=crop, rotation=rotation, mirror=mirror, fit=fit, crop_fraction=crop_fraction,
        pad_level=pad_level, filter=filter, color=color, channels=channels, mean=mean, std=std, scale=scale,
        zero_point=zero_point, dtype=dtype, layout=layout,
    )  # fmt: skip
    return run(request, out, threads)


def run(request: PreprocessRequest, out: npt.NDArray[Any] | None = None, threads: int = 1) -> npt.NDArray[Any]:
    """Computes a checked request; ``out`` and ``threads`` as in :func:`preprocess`."""
    return _run(request, request.image, _native_arguments(request), out, threads)


def _run(
    request: PreprocessRequest, image: Image, arguments: tuple[Any, ...], out: npt.NDArray[Any] | None, threads: int
) -> npt.NDArray[Any]:
    """``request`` with ``image`` in place of its own; ``arguments`` is ``_native_arguments(request)``."""
    if not isinstance(threads, int) or not 1 <= threads <= 64:
        raise InputError(f"threads: expected 1 to 64, got {threads!r}")
    result = np.empty(request.shape, dtype=request.dtype) if out is None else check_out(out, request)
    if _native is None:
        if any(np.may_share_memory(result, plane) for plane in image.planes):
            raise InputError("out: the array overlaps the image")
        reference.preprocess(replace(request, image=image), result)
        return result
    try:
        _native.preprocess(
            image.planes, FORMATS.index(image.format), image.width, image.height, image.row_strides,
            image.chroma_pixel_stride, result, threads, *arguments,
        )  # fmt: skip
    except ValueError as error:
        if "MK_ERROR_OVERLAP" in str(error):  # the one check that is left to the kernel: it knows the exact bytes
            raise InputError("out: the array overlaps the image") from None
        raise InputError(str(error)) from error
    return result


def _native_arguments(request: PreprocessRequest) -> tuple[Any, ...]:
    """What ``_native.preprocess`` takes after the image, the output and the threads."""
    return (
        request.crop, request.rotation, request.mirror, FILTERS.index(request.filter), COLORS.index(request.color),
        request.out_size, CHANNELS.index(request.channels), DTYPES.index(request.dtype), LAYOUTS.index(request.layout),
        request.rect, _three(request.pad_level), _three(request.multiply), _three(request.add),
    )  # fmt: skip


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    return (values * 3)[:3] if len(values) == 1 else values  # type: ignore[return-value]


def top_k(
    scores: npt.NDArray[Any], k: int, *, scale: float = 1.0, zero_point: int = 0
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The k largest scores, largest first; the lower index first among equals; NaN below every number.

    :param scores: float32 or int8, contiguous, any shape with one axis longer than 1 (a batch of 1 is flattened).
        int8 scores are compared as they are.
    :param k: 1 to the number of scores.
    :param scale: of int8 scores, with ``zero_point``: values are ``scale * (score - zero_point)``. Not for float32.
    :returns: (indices int32, values float32), k of each.
    """
    flat = _scores(scores, scale, zero_point)
    if not isinstance(k, (int, np.integer)) or not 1 <= k <= flat.size:
        raise InputError(f"k: expected 1 to {flat.size}, got {k!r}")
    if _native is None:
        indices = reference.top_k(flat, int(k))
        values = flat[indices].astype(np.float32)
        return indices, values if flat.dtype == np.float32 else np.float32(scale) * (values - np.float32(zero_point))
    if flat.dtype == np.float32:
        return _native.top_k_f32(flat, int(k))  # type: ignore[no-any-return]
    return _native.top_k_i8(flat, int(k), scale, zero_point)  # type: ignore[no-any-return]


def softmax(scores: npt.NDArray[Any], *, scale: float = 1.0, zero_point: int = 0) -> npt.NDArray[np.float32]:
    """Probabilities of float32 or int8 scores (arguments as in :func:`top_k`); NaN or +inf makes all NaN."""
    flat = _scores(scores, scale, zero_point)
    if _native is None:
        return reference.softmax(flat, scale).astype(np.float32)
    if flat.dtype == np.float32:
        return _native.softmax_f32(flat)  # type: ignore[no-any-return]
    return _native.softmax_i8(flat, scale)  # type: ignore[no-any-return]


def _scores(scores: Any, scale: float, zero_point: int) -> npt.NDArray[Any]:
    checks.model_output("scores", scores)
    if scores.size < 1 or scores.size != max(scores.shape, default=1):
        raise InputError(f"scores: expected the scores of one example, got shape {scores.shape}")
    if not scores.flags.c_contiguous:
        raise InputError("scores: expected a contiguous array")
    checks.quantization("float32 scores are", scores, scale, zero_point)
    flat: npt.NDArray[Any] = scores.reshape(-1)
    return flat


class Preprocessor:
    """:func:`preprocess` with everything but the image fixed: what an app makes once and calls for every frame.

    The arguments that depend on the frame's size (crop, letterbox) are worked out again only when the size changes.
    """

    def __init__(self, out_size: tuple[int, int], *, threads: int = 1, **options: Any) -> None:
        unknown = sorted(set(options) - set(_DEFAULTS))
        if unknown:
            raise InputTypeError(f"{unknown[0]}: no such option; expected some of {', '.join(_DEFAULTS)}")
        self.out_size = out_size
        self.threads = threads
        self.options = options
        self._geometry: tuple[str, int, int] | None = None

    def __call__(self, image: Image, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """The tensor of ``image``, in ``out`` if given."""
        self._prepare(image)
        return _run(self._request, image, self._arguments, out, self.threads)

    def request(self, image: Image) -> PreprocessRequest:
        """The checked arguments for ``image``."""
        self._prepare(image)
        return replace(self._request, image=image)

    def _prepare(self, image: Image) -> None:
        if not isinstance(image, Image):
            raise InputTypeError(f"image: expected a mobilekit.kernels.Image, got {type(image).__name__}")
        geometry = (image.format, image.width, image.height)
        if geometry != self._geometry:
            self._request = make_request(image, self.out_size, **{**_DEFAULTS, **self.options})
            self._arguments = _native_arguments(self._request)
            self._geometry = geometry


_DEFAULTS: dict[str, Any] = {
    "crop": None, "rotation": 0, "mirror": False, "fit": "stretch", "crop_fraction": 1.0, "pad_level": 114,
    "filter": "bilinear", "color": "bt601-full", "channels": None, "mean": 0.0, "std": 1.0, "scale": None,
    "zero_point": 0, "dtype": "int8", "layout": "nhwc",
}  # fmt: skip
