"""Checks that several kernels share. The message begins with the argument's name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels.errors import InputTypeError


def array(name: str, value: Any, dtype: npt.DTypeLike, rank: int) -> None:
    """``value`` is a contiguous, aligned array of this type and number of axes."""
    if not isinstance(value, np.ndarray) or value.dtype != dtype:
        raise InputTypeError(f"{name}: expected a {np.dtype(dtype)} array, got {_kind(value)}")
    if value.ndim != rank:
        raise InputError(f"{name}: expected {rank} axes, got shape {value.shape}")
    contiguous(name, value)


def contiguous(name: str, value: npt.NDArray[Any]) -> None:
    if not value.flags.c_contiguous or not value.flags.aligned:
        raise InputError(f"{name}: expected a contiguous, aligned array")


def model_output(name: str, value: Any) -> npt.NDArray[Any]:
    """``value`` is a float32 or int8 array: what a model gives."""
    if not isinstance(value, np.ndarray) or value.dtype not in (np.dtype(np.float32), np.dtype(np.int8)):
        raise InputTypeError(f"{name}: expected a float32 or int8 array, got {_kind(value)}")
    return value


def without_batch(value: npt.NDArray[Any], rank: int) -> npt.NDArray[Any]:
    """``value`` without its first axis, where that is a batch of 1 on top of ``rank`` axes."""
    result: npt.NDArray[Any] = value[0] if value.ndim == rank + 1 and value.shape[0] == 1 else value
    return result


def quantization(name: str, value: npt.NDArray[Any], scale: float, zero_point: int) -> None:
    """``scale`` and ``zero_point`` belong to int8 arrays only, and are in range."""
    if value.dtype == np.float32 and (scale != 1.0 or zero_point != 0):
        raise InputError(f"scale, zero_point: {name} not quantized")
    if not math.isfinite(scale) or scale <= 0:
        raise InputError(f"scale: expected a number above 0, got {scale!r}")
    zero("zero_point", zero_point)


def zero(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not -128 <= value <= 127:
        raise InputError(f"{name}: expected -128 to 127, got {value!r}")


def probability(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating)) or not 0 <= value <= 1:
        raise InputError(f"{name}: expected a number from 0 to 1, got {value!r}")


def count(name: str, value: int, most: int | None = None) -> int:
    """``value`` as an int of 1 to ``most``; without one, 2^24, the kernels' largest size, caps it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name}: expected at least 1, got {value!r}")
    if most is not None and value > most:
        raise InputError(f"{name}: expected 1 to {most}, got {value!r}")
    return min(int(value), 1 << 24)


def _kind(value: Any) -> str:
    return f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__
