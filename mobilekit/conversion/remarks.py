"""What makes a quantized file doubtful: data in a wrong range, a larger or slower file, the cost of ops in float."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.compat.cost import macs, tensor_bytes
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.lower import Lowered
from mobilekit.frontends.source import Source
from mobilekit.graph.ir import Graph
from mobilekit.graph.writer import write
from mobilekit.quantize import QuantizeResult
from mobilekit.results import FloatIsland
from mobilekit.runtime import Interpreter

# Normalised pictures stay within about 3, levels reach 255: 16 lies between 1 and 255 by the same factor.
_OTHER_RANGE = 16.0
# Both files run in turns for this long: five runs each of what takes 20 ms, one run each of what takes longer.
_BUDGET_S = 0.2
_MOST_RUNS = 20
# Medians of a handful of runs differ by a tenth without a cause.
_SLOWER = 1.1
# What other machines make of it, by preset.
_ELSEWHERE = {
    "int8": "; phones with 8-bit dot products turn that round",
    "int16x8": "; no delegate takes 16-bit activations, so phones are slower too",
}


def wrong_ranges(source: Source, lowered: Lowered, quantized: QuantizeResult) -> Iterator[str]:
    """A sentence for each input whose calibration data lie in another range than the model is known to expect.

    Known from the example inputs that the user gave, or from the mean and std of timm's configuration; else nothing.
    """
    if quantized.calibration is None:
        return
    # Without strict: behind its inputs the graph takes the buffers that change in forward.
    for spec, tensor in zip(lowered.inputs, lowered.graph.inputs, strict=False):
        seen = quantized.calibration.statistics.get(tensor.name)
        expected = _expected(source, spec.leaf)
        if seen is None or expected is None or seen.minimum > seen.maximum:
            continue
        low, high, whence = expected
        given, known = max(-seen.minimum, seen.maximum), max(-low, high)
        if given > _OTHER_RANGE * known or (0 < given * _OTHER_RANGE < known):
            pixels = ": 0-255 given for 0-1?" if 128 < given <= 255 and known <= 3 else ""
            yield (
                f"the calibration data of input '{spec.name}' reach from {seen.minimum:.4g} to {seen.maximum:.4g}, "
                f"{whence} from {low:.4g} to {high:.4g}{pixels}; with the wrong range int8 is useless"
            )


def _expected(source: Source, leaf: int) -> tuple[float, float, str] | None:
    config = getattr(source.module, "pretrained_cfg", None) or getattr(source.module, "default_cfg", None)
    if isinstance(config, dict) and config.get("mean") and config.get("std") and len(source.inputs) == 1:
        mean, std = np.asarray(config["mean"], np.float64), np.asarray(config["std"], np.float64)
        return float(((0 - mean) / std).min()), float(((1 - mean) / std).max()), "by its configuration the model's go"
    if source.origins:  # inferred: its values are noise
        return None
    example = as_array(source.example[leaf])
    if example.dtype.kind != "f" or example.size == 0 or not np.isfinite(example).all():
        return None
    low, high = float(example.min()), float(example.max())
    return (low, high, "the example input goes") if low < high else None


def islands_with_cost(quantized: QuantizeResult) -> tuple[FloatIsland, ...]:
    """Each with its share of the multiply-accumulates, and the float bytes that are converted at its edges."""
    graph = quantized.source
    ops = {op.name: op for op in graph.ops}
    inside = {ops[island.name] for island in quantized.float_islands if island.name in ops}
    total = sum(macs(op) for op in graph.ops) or 1
    makers, readers = graph.producers(), graph.consumers()
    # Edges of the graph that were asked for in float need no conversion.
    edges = {*graph.inputs, *graph.outputs} if quantized.recipe.io_dtype == "float32" else set()

    def priced(island: FloatIsland) -> FloatIsland:
        op = ops.get(island.name)
        if op is None:
            return island
        before = [t for t in op.present_inputs() if not t.is_constant and makers.get(t) not in inside]
        after = [t for t in op.outputs if t in graph.outputs or any(r not in inside for r in readers.get(t, []))]
        moved = sum(tensor_bytes(t) for t in (*before, *after) if t.dtype == "float32" and t not in edges)
        return replace(island, macs_share=macs(op) / total, converted_bytes=moved)

    return tuple(priced(island) for island in quantized.float_islands)


def beside_float(float_graph: Graph, data: bytes, kind: str) -> Iterator[str]:
    """A sentence if the file is larger, and one if it is slower here, than the float file of the same graph."""
    float_data = write(float_graph)
    if len(data) > len(float_data):
        yield f"the {kind} file is larger than the float one ({len(data)} bytes against {len(float_data)})"
    if any(-1 in (tensor.shape_signature or ()) for tensor in float_graph.inputs):
        return
    times: list[list[float]] = [[], []]
    runs = [Interpreter(float_data), Interpreter(data)]
    inputs: list[list[NDArray[Any]]] = [[np.zeros(i.shape, i.dtype) for i in run.inputs] for run in runs]
    end = time.perf_counter() + _BUDGET_S
    for _number in range(_MOST_RUNS + 1):
        for which, run in enumerate(runs):
            start = time.perf_counter()
            run.run(inputs[which])
            times[which].append(time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    # The first run of each packs weights and touches the arena: it counts only where there is time for no other.
    times = [column[1:] or column for column in times]
    usual, quantized = (statistics.median(column) * 1e3 for column in times)
    if quantized > _SLOWER * usual:
        yield (
            f"the {kind} file is slower than the float one on this machine: {quantized:.2f} ms against {usual:.2f} "
            f"(medians of {len(times[0])} in turns, one thread){_ELSEWHERE.get(kind, '')}"
        )
