"""Bias correction: undo the mean error that rounding the weights leaves in each output channel.

Rounded weights W' = W + e shift the mean of an output by e * E[x]. Calibration knows E[x] a channel, so the shift is
known and the float bias takes it back before it is rounded itself. Nothing is added at run time.
Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, with means
observed instead of derived.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Op

Array = NDArray[np.float64]


def correction(op: Op, error: Array, mean: Array) -> Array | None:
    """What to add to the bias of ``op``: ``error`` = float weights - rounded weights, ``mean`` = E[x] a channel.

    Every tap of a kernel is taken to see the same mean; at SAME-padded borders it sees zeros, which is ignored. None
    where the layout says nothing (transposed convolutions give each output another share of the taps).
    """
    if op.kind == "DEPTHWISE_CONV_2D":
        taps = error.sum(axis=(0, 1, 2))
        return taps * np.repeat(mean, taps.size // mean.size) if taps.size % mean.size == 0 else None
    if op.kind == "CONV_2D":
        taps = error.sum(axis=(1, 2))
        groups = mean.size // taps.shape[1]
        if groups * taps.shape[1] != mean.size or taps.shape[0] % groups:
            return None
        grouped = np.einsum("goi,gi->go", taps.reshape(groups, -1, taps.shape[1]), mean.reshape(groups, -1))
        return np.asarray(grouped.reshape(-1))
    if op.kind == "FULLY_CONNECTED" and error.shape[1] % mean.size == 0:
        return np.asarray(error @ np.tile(mean, error.shape[1] // mean.size))
    return None
