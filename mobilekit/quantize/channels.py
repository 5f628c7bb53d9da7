"""Statistics a channel (last axis): what equalisation and bias correction need, from a few samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph
from mobilekit.graph.writer import write
from mobilekit.quantize.calibrate import Sample, check_sample
from mobilekit.quantize.statistics import SENTINEL
from mobilekit.runtime import Interpreter


@dataclass
class ChannelStatistics:
    """One tensor's last axis, over a few samples."""

    largest: NDArray[np.float64]
    """Largest magnitude a channel."""
    mean: NDArray[np.float64]
    mean_square: NDArray[np.float64]
    samples: int = 0

    @staticmethod
    def empty(channels: int) -> ChannelStatistics:
        return ChannelStatistics(np.zeros(channels), np.zeros(channels), np.zeros(channels))

    def add(self, values: NDArray[Any]) -> None:
        """Take in one array; each sample weighs the same. Sentinels (see statistics.py) count as zero."""
        rows = values.reshape(-1, values.shape[-1])
        if not (rows.min() > -SENTINEL and rows.max() < SENTINEL):
            rows = np.where(np.abs(rows) < SENTINEL, rows, 0)
        self.samples += 1
        self.largest = np.maximum(self.largest, np.maximum(rows.max(axis=0), -rows.min(axis=0)))
        self.mean += (rows.mean(axis=0, dtype=np.float64) - self.mean) / self.samples
        square = np.einsum("rc,rc->c", rows, rows).astype(np.float64) / len(rows)
        self.mean_square += (square - self.mean_square) / self.samples


def observe_channels(graph: Graph, samples: Sequence[Sample]) -> dict[str, ChannelStatistics]:
    """Channel statistics of every float activation with an axis, graph inputs included, by tensor name."""
    interpreter = Interpreter(write(graph), delegate="reference", keep_all=True)
    index = interpreter.tensor_indices()
    result: dict[str, ChannelStatistics] = {}
    shapes: list[tuple[int, ...]] = [t.shape for t in graph.inputs]
    for number, sample in enumerate(samples):
        check_sample(graph, sample, number)
        if [tuple(a.shape) for a in sample] != shapes:
            shapes = [tuple(a.shape) for a in sample]
            interpreter.resize(shapes)
        interpreter.run(sample)
        for tensor in (*graph.inputs, *(t for op in graph.ops for t in op.outputs)):
            if tensor.dtype != "float32":
                continue
            values = interpreter.tensor(index[tensor.name])
            if values.ndim and values.size:
                result.setdefault(tensor.name, ChannelStatistics.empty(values.shape[-1])).add(values)
    return result
