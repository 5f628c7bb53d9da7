"""Embeddings: L2 normalisation and cosine similarity, of float32 or int8. The rules: cpp/include/mobilekit/embed.h."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels import checks, native, reference


def l2_normalize(embedding: npt.NDArray[Any], *, zero_point: int = 0) -> npt.NDArray[np.float32]:
    """The embedding at length 1; zeros stay zeros, NaN or an infinity makes all NaN.

    :param embedding: (n,) float32 or int8, with or without a batch axis of 1; of int8 only the ``zero_point`` matters.
    :returns: (n,) float32.
    """
    vector = _vector("embedding", embedding)
    _zero("zero_point", vector, zero_point)
    extension = native.extension()
    if extension is None:
        return reference.l2_normalize(vector, zero_point)
    if vector.dtype == np.float32:
        return extension.l2_normalize_f32(vector)  # type: ignore[no-any-return]
    return extension.l2_normalize_i8(vector, zero_point)  # type: ignore[no-any-return]


def cosine(
    query: npt.NDArray[Any], gallery: npt.NDArray[Any], *, zero_point: int = 0, gallery_zero_point: int = 0
) -> npt.NDArray[np.float32]:
    """Cosine similarity, -1 to 1, of one embedding with each of a gallery; 0 where one of the two is all zeros.

    :param query: (n,) float32 or int8; need not be normalised.
    :param gallery: (rows, n) of the query's type.
    :param zero_point: of an int8 query; ``gallery_zero_point`` of an int8 gallery. Scales cancel.
    :returns: (rows,) float32.
    """
    vector = _vector("query", query)
    checks.array("gallery", gallery, vector.dtype, 2)
    if gallery.shape[0] < 1 or gallery.shape[1] != vector.size:
        raise InputError(f"gallery: expected shape (rows, {vector.size}), got {gallery.shape}")
    _zero("zero_point", vector, zero_point)
    _zero("gallery_zero_point", gallery, gallery_zero_point)
    extension = native.extension()
    if extension is None:
        return reference.cosine(vector, zero_point, gallery, gallery_zero_point)
    if vector.dtype == np.float32:
        return extension.cosine_f32(vector, gallery)  # type: ignore[no-any-return]
    return extension.cosine_i8(vector, zero_point, gallery, gallery_zero_point)  # type: ignore[no-any-return]


def _vector(name: str, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    vector = checks.without_batch(checks.model_output(name, value), 1)
    if vector.ndim != 1 or vector.size == 0:
        raise InputError(f"{name}: expected shape (n,), got {value.shape}")
    checks.contiguous(name, vector)
    return vector


def _zero(name: str, value: npt.NDArray[Any], zero_point: int) -> None:
    checks.zero(name, zero_point)
    if value.dtype == np.float32 and zero_point != 0:
        raise InputError(f"{name}: float32 embeddings are not quantized")
