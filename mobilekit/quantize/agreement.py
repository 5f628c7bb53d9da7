"""The metric of ``quantize="auto"`` where the user gives none: how much of the float outputs comes through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import CalibrationError, InputError
from mobilekit.graph.ir import Graph
from mobilekit.graph.writer import write
from mobilekit.quantize.calibrate import Sample, check_sample
from mobilekit.runtime import Interpreter

NAME = "agreement with float (1 - noise / signal at the worst output, on calibration data)"

# As many as verification looks at; each try of the search runs all of them.
_SAMPLES = 16


def agreement(graph: Graph, samples: Sequence[Sample]) -> Callable[[Callable[[Sample], list[NDArray[Any]]]], float]:
    """A metric: 1 - sum (got - float)^2 / sum float^2, the smallest over the real-valued outputs of ``graph``.

    1 is float itself, 0.99 an SQNR of 20 dB, 0.999 of 30 dB. No task knows what such a share is worth, so a metric of
    the task itself is always the better one. :class:`InputError` for a graph without real-valued outputs.
    """
    few = list(islice(samples, _SAMPLES))
    if not few:
        raise CalibrationError("there is no calibration sample; give at least one, 16 or more are better")
    for number, sample in enumerate(few):
        check_sample(graph, sample, number)
    real = [number for number, tensor in enumerate(graph.outputs) if tensor.dtype == "float32"]
    if not real:
        raise InputError("no output is a real number: agreement with float means nothing, give Auto a metric")
    interpreter = Interpreter(write(graph))
    wanted = [[np.clip(a.astype(np.float64), -1e30, 1e30) for a in interpreter.run(sample)] for sample in few]
    signal = [sum(float(np.sum(outputs[n] ** 2)) for outputs in wanted) for n in real]

    def metric(run: Callable[[Sample], list[NDArray[Any]]]) -> float:
        got = [run(sample) for sample in few]
        noise = [
            sum(float(np.sum((g[n] - w[n]) ** 2)) for g, w in zip(got, wanted, strict=True)) for n in real
        ]  # fmt: skip
        return min(1.0 - (n / s if s else float(n > 0)) for n, s in zip(noise, signal, strict=True))

    return metric
