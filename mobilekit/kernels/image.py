"""Images as the camera or the decoder left them: planes, strides, order. No pixel is copied here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels.errors import InputTypeError

Bytes = npt.NDArray[np.uint8]

FORMATS = ("yuv420", "rgb", "bgr", "rgba", "bgra", "gray")
"""Pixel formats, in the order of ``mk_format`` in cpp/include/mobilekit/image.h."""

PIXEL_BYTES = {"yuv420": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "gray": 1}

MAX_SIZE = 1 << 24
"""Largest width or height, as ``MK_MAX_SIZE`` in cpp/include/mobilekit/status.h."""


@dataclass(frozen=True)
class Image:
    """A frame in memory. Build one with :meth:`nv21`, :meth:`nv12`, :meth:`i420`, :meth:`yuv420` or :meth:`rgb` and
    its kin.

    ``planes`` are flat uint8 views (Y, U, V for "yuv420", whatever their order in memory; else one). Pixel (x, y) of
    plane p is at ``y * row_strides[p] + x * pixel stride``; chroma sample (x // 2, y // 2) belongs to pixel (x, y).
    All units are bytes and pixels.
    """

    format: str
    width: int
    height: int
    planes: tuple[Bytes, ...]
    row_strides: tuple[int, ...]
    chroma_pixel_stride: int = 1

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {self.format!r}")
        for name, size in (("width", self.width), ("height", self.height)):
            if not 1 <= size <= MAX_SIZE:
                raise InputError(f"{name}: expected 1 to {MAX_SIZE} pixels, got {size}")
        if len(self.planes) != (3 if self.format == "yuv420" else 1) or len(self.row_strides) != len(self.planes):
            raise InputError(
                f"planes: expected {'3 planes' if self.format == 'yuv420' else '1 plane'} with row strides"
            )
        row_bytes = self.width * PIXEL_BYTES[self.format]
        _check_plane(
            "y" if self.format == "yuv420" else self.format, self.planes[0], self.row_strides[0], row_bytes, self.height
        )
        if self.format == "yuv420":
            if self.chroma_pixel_stride not in (1, 2):
                raise InputError(f"pixel_stride: expected 1 or 2, got {self.chroma_pixel_stride}")
            row_bytes = (self.chroma_width - 1) * self.chroma_pixel_stride + 1
            for name, plane, stride in zip("uv", self.planes[1:], self.row_strides[1:], strict=True):
                _check_plane(name, plane, stride, row_bytes, self.chroma_height)

    @property
    def chroma_width(self) -> int:
        return (self.width + 1) // 2

    @property
    def chroma_height(self) -> int:
        return (self.height + 1) // 2

    @classmethod
    def nv21(
        cls, data: Any, width: int, height: int, *, row_stride: int | None = None, chroma_offset: int | None = None
    ) -> Image:
        """Y, then V and U interleaved: the usual Android camera frame.

        ``data``: uint8 buffer (bytes, memoryview, contiguous array of any shape). ``row_stride``: bytes a row of
        both planes, by default the width (made even for chroma). ``chroma_offset``: where V begins, by default
        ``row_stride * height``.
        """
        return cls._semi_planar(data, width, height, row_stride, chroma_offset, v_first=True)

    @classmethod
    def nv12(
        cls, data: Any, width: int, height: int, *, row_stride: int | None = None, chroma_offset: int | None = None
    ) -> Image:
        """Y, then U and V interleaved; arguments as for :meth:`nv21`."""
        return cls._semi_planar(data, width, height, row_stride, chroma_offset, v_first=False)

    @classmethod
    def _semi_planar(
        cls, data: Any, width: int, height: int, row_stride: int | None, chroma_offset: int | None, *, v_first: bool
    ) -> Image:
        flat = _flat(data, "data")
        stride = _positive(width if row_stride is None else row_stride, "row_stride")
        chroma_stride = max(stride, 2 * ((width + 1) // 2))
        offset = stride * height if chroma_offset is None else chroma_offset
        needed = offset + ((height + 1) // 2 - 1) * chroma_stride + 2 * ((width + 1) // 2)
        if not offset >= 0 or flat.size < needed:
            raise InputError(
                f"data: a {width}x{height} frame with row stride {stride} and chroma at {offset} needs {needed} bytes, "
                f"got {flat.size}"
            )
        first, second = flat[offset:], flat[offset + 1 :]
        planes = (flat, second, first) if v_first else (flat, first, second)
        return cls("yuv420", width, height, planes, (stride, chroma_stride, chroma_stride), 2)

    @classmethod
    def i420(cls, data: Any, width: int, height: int) -> Image:
        """Y, U and V, one after the other, densely packed."""
        return cls._planar(data, width, height, v_first=False)

    @classmethod
    def yv12(cls, data: Any, width: int, height: int) -> Image:
        """Y, V and U, one after the other, densely packed."""
        return cls._planar(data, width, height, v_first=True)

    @classmethod
    def _planar(cls, data: Any, width: int, height: int, *, v_first: bool) -> Image:
        flat = _flat(data, "data")
        _positive(width, "width")
        _positive(height, "height")
        stride, rows = (width + 1) // 2, (height + 1) // 2
        luma, chroma = width * height, stride * rows
        if flat.size < luma + 2 * chroma:
            raise InputError(f"data: a {width}x{height} frame needs {luma + 2 * chroma} bytes, got {flat.size}")
        first, second = flat[luma : luma + chroma], flat[luma + chroma :]
        planes = (flat, second, first) if v_first else (flat, first, second)
        return cls("yuv420", width, height, planes, (width, stride, stride), 1)

    @classmethod
    def yuv420(
        cls,
        y: Any,
        u: Any,
        v: Any,
        width: int,
        height: int,
        *,
        y_row_stride: int | None = None,
        uv_row_stride: int | None = None,
        uv_pixel_stride: int = 1,
    ) -> Image:
        """Android's YUV_420_888: the three plane buffers of an ``android.media.Image`` with their strides in bytes."""
        y_stride = width if y_row_stride is None else y_row_stride
        uv_stride = (width + 1) // 2 * uv_pixel_stride if uv_row_stride is None else uv_row_stride
        planes = (_flat(y, "y"), _flat(u, "u"), _flat(v, "v"))
        return cls("yuv420", width, height, planes, (y_stride, uv_stride, uv_stride), uv_pixel_stride)

    @classmethod
    def rgb(cls, pixels: Bytes) -> Image:
        """uint8 array of height x width x 3. Rows may be apart (a slice of a larger array), pixels may not."""
        return cls._packed(pixels, "rgb")

    @classmethod
    def bgr(cls, pixels: Bytes) -> Image:
        """As :meth:`rgb`, blue first: what OpenCV reads."""
        return cls._packed(pixels, "bgr")

    @classmethod
    def rgba(cls, pixels: Bytes) -> Image:
        """uint8 array of height x width x 4; alpha is ignored."""
        return cls._packed(pixels, "rgba")

    @classmethod
    def bgra(cls, pixels: Bytes) -> Image:
        """As :meth:`rgba`, blue first."""
        return cls._packed(pixels, "bgra")

    @classmethod
    def gray(cls, pixels: Bytes) -> Image:
        """uint8 array of height x width."""
        return cls._packed(pixels, "gray")

    @classmethod
    def _packed(cls, pixels: Any, format: str) -> Image:
        channels = PIXEL_BYTES[format]
        expected = "(height, width)" if format == "gray" else f"(height, width, {channels})"
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
            kind = f"{pixels.dtype} array" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise InputTypeError(f"pixels: expected a uint8 array of shape {expected}, got {kind}")
        if pixels.ndim == 3 and format == "gray" and pixels.shape[2] == 1:
            pixels = pixels[:, :, 0]
        if pixels.ndim != (2 if format == "gray" else 3) or (format != "gray" and pixels.shape[2] != channels):
            raise InputError(f"pixels: expected shape {expected}, got {pixels.shape}")
        height, width = pixels.shape[:2]
        if height < 1 or width < 1:
            raise InputError(f"pixels: expected at least one pixel, got shape {pixels.shape}")
        inner = (channels, 1) if format != "gray" else (1,)
        dense = all(
            size == 1 or stride == want
            for size, stride, want in zip(pixels.shape[1:], pixels.strides[1:], inner, strict=True)
        )
        if not dense or (height > 1 and pixels.strides[0] < width * channels):
            raise InputError("pixels: expected contiguous rows, one below the other; pass np.ascontiguousarray(pixels)")
        row_stride = pixels.strides[0] if height > 1 else width * channels
        flat = np.lib.stride_tricks.as_strided(
            pixels, shape=((height - 1) * row_stride + width * channels,), strides=(1,), writeable=False
        )
        return cls(format, width, height, (flat,), (row_stride,))


def _flat(data: Any, name: str) -> Bytes:
    """``data`` as a flat uint8 view; the buffer protocol, never a copy."""
    try:
        view = np.asarray(memoryview(data)) if not isinstance(data, np.ndarray) else data
    except TypeError:
        raise InputTypeError(
            f"{name}: expected a buffer of bytes or a uint8 array, got {type(data).__name__}"
        ) from None
    if view.dtype != np.uint8:
        raise InputTypeError(f"{name}: expected uint8, got {view.dtype}")
    if not view.flags.c_contiguous:
        raise InputError(f"{name}: expected contiguous memory; pass the whole buffer and its row stride")
    return view.reshape(-1)


def _positive(value: int, name: str) -> int:
    if value < 1:
        raise InputError(f"{name}: expected at least 1, got {value}")
    return value


def _check_plane(name: str, plane: Bytes, stride: int, row_bytes: int, rows: int) -> None:
    if plane.dtype != np.uint8 or plane.ndim != 1:
        raise InputTypeError(f"{name}: expected a flat uint8 array, got {plane.dtype} of shape {plane.shape}")
    if stride < row_bytes:
        raise InputError(f"{name}: row stride {stride} is shorter than a row of {row_bytes} bytes")
    needed = (rows - 1) * stride + row_bytes
    if plane.size < needed:
        raise InputError(
            f"{name}: {rows} rows of {row_bytes} bytes, {stride} apart, need {needed} bytes, got {plane.size}"
        )
