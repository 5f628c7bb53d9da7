"""The error of a quantized graph, in float64 after dequantization."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Tensor
from mobilekit.graph.writer import write
from mobilekit.quantize.calibrate import Calibration
from mobilekit.runtime import Interpreter


def output_sqnrs_db(graph: Graph, calibration: Calibration) -> list[float]:
    """SQNR of ``graph`` against the float outputs kept in calibration at each real-valued output, in dB.

    Per output: 10 log10(sum ref^2 / sum (ref - got)^2) over all kept samples, in float64; capped at 200 so that an
    exact output does not hide the others. Outputs that are no real numbers (indices) do not count.
    """
    interpreter = Interpreter(write(graph))
    signal: dict[int, float] = {}
    noise: dict[int, float] = {}
    for sample, reference in zip(calibration.kept_inputs, calibration.kept_outputs, strict=True):
        inputs = [to_stored(tensor, array) for tensor, array in zip(graph.inputs, sample, strict=True)]
        if [a.shape for a in inputs] != [i.shape for i in interpreter.inputs]:
            interpreter.resize([a.shape for a in inputs])
        got = interpreter.run(inputs)
        for number, (tensor, stored, wanted) in enumerate(zip(graph.outputs, got, reference, strict=True)):
            if wanted.dtype.kind != "f":
                continue
            real = to_real(tensor, stored)
            reference64 = np.clip(wanted.astype(np.float64), -1e30, 1e30)
            signal[number] = signal.get(number, 0.0) + float(np.sum(reference64**2))
            noise[number] = noise.get(number, 0.0) + float(np.sum((real - reference64) ** 2))
    return [min(sqnr_db(signal[n], noise[n]), 200.0) for n in signal]


def to_stored(tensor: Tensor, array: NDArray[Any]) -> NDArray[Any]:
    """``array`` (real numbers, or integers already) as the graph input ``tensor`` takes it."""
    if tensor.quantization is None or array.dtype.kind != "f":
        return array
    return tensor.quantization.quantize(array, tensor.dtype)


def to_real(tensor: Tensor, array: NDArray[Any]) -> NDArray[Any]:
    """Real values in float64 of what ``tensor`` holds."""
    return array.astype(np.float64) if tensor.quantization is None else tensor.quantization.dequantize(array)


def sqnr_db(signal: float, noise: float) -> float:
    """10 log10(signal / noise): infinite without noise, minus infinite for noise without signal or NaN."""
    if noise == 0.0:
        return float("inf")
    if not np.isfinite(noise) or signal == 0.0:
        return float("-inf")
    return float(10.0 * np.log10(signal / noise))
