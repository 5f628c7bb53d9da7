"""The smallest set of ops to keep in higher precision so that a task's own metric holds.

    float metric -> int8 metric -> good enough? done
    else: rank by noise (sensitivity.py), keep the worst k sources of noise precise, search the smallest k that passes
    else: the next precision of ``prefer``; if none passes, BarMissedError (exit 2)

The search is a bisection over k, since more precision does not make a metric worse but by chance: about
log2(sources of noise) evaluations for each precision.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mobilekit.errors import BarMissedError, InputError
from mobilekit.graph.ir import Graph
from mobilekit.graph.writer import write
from mobilekit.quantize.agreement import agreement
from mobilekit.quantize.calibrate import Progress, Sample
from mobilekit.quantize.engine import QuantizeResult, quantize
from mobilekit.quantize.measure import to_real, to_stored
from mobilekit.quantize.recipe import Override, Recipe, preset
from mobilekit.quantize.sensitivity import sensitivity
from mobilekit.results.quantization import NoiseShare, TradeOff
from mobilekit.runtime import Interpreter

Run = Callable[[Sample], list[NDArray[Any]]]
"""Float arrays in the file's layout in, real-valued outputs (float64) out."""
Metric = Callable[[Run], float]
"""Higher is better; called with a function that runs the model under test."""

# Runs that a latency is the median of: a figure to rank by, not to publish.
_LATENCY_RUNS = 5
# Sources of noise that are tried at all: half of a graph in float is no int8 graph any more.
_LARGEST_SHARE = 0.5


@dataclass(frozen=True)
class Auto:
    """What ``quantize="auto"`` searches for: at most ``max_drop`` below the float model's metric.

    ``metric`` is called with the model under test, a function, and returns a number, higher is better. In
    :func:`mobilekit.convert` that function takes and returns what the PyTorch model does; in :func:`auto` float arrays
    in the file's layout. None measures agreement with the float model on the calibration data (agreement.py).
    """

    metric: Callable[[Any], float] | None = None
    max_drop: float = 0.01
    prefer: tuple[str, ...] = ("int8", "int16x8", "fp16", "float32")

    def __post_init__(self) -> None:
        unknown = set(self.prefer) - {"int8", "int16x8", "fp16", "float32"}
        if unknown or not self.prefer:
            raise InputError(f"prefer names {sorted(unknown)}; known are int8, int16x8, fp16, float32")
        if not self.max_drop >= 0:
            raise InputError(f"max_drop is {self.max_drop}, it must be 0 or more")


@dataclass(frozen=True)
class AutoResult:
    """The quantized graph that met the bar, the recipe that makes it again, and all that was tried."""

    result: QuantizeResult | None
    """None when only the float graph itself meets the bar and ``prefer`` allows it."""
    recipe: Recipe | None
    float_metric: float
    curve: tuple[TradeOff, ...]
    ranking: tuple[NoiseShare, ...]


def auto(
    graph: Graph,
    samples: Iterable[Sample],
    wanted: Auto,
    recipe: Recipe | None = None,
    *,
    progress: Progress | None = None,
) -> AutoResult:
    """Search as the module says. ``recipe`` is the int8 recipe to start from (the preset by default).

    Raises :class:`BarMissedError` when nothing in ``prefer`` meets the bar, and :class:`InputError` when the metric
    raises or gives NaN.
    """
    search = _Search(graph, list(samples), wanted, recipe or preset("int8"), progress)
    return search.run()


class _Search:
    def __init__(
        self, graph: Graph, samples: list[Sample], wanted: Auto, recipe: Recipe, progress: Progress | None
    ) -> None:
        self.graph, self.samples, self.wanted, self.recipe, self.progress = graph, samples, wanted, recipe, progress
        self.metric = wanted.metric or agreement(graph, samples)
        self.curve: list[TradeOff] = []
        self.ranking: tuple[NoiseShare, ...] = ()
        self.float_metric = math.nan

    def run(self) -> AutoResult:
        self.float_metric = self._try("float32", self.graph, full_integer=False).metric
        best: tuple[QuantizeResult | None, Recipe | None] | None = None
        for step in self.wanted.prefer:
            best = {"int8": self._int8, "int16x8": self._int16, "fp16": self._fp16, "float32": self._float}[step]()
            if best is not None:
                return AutoResult(best[0], best[1], self.float_metric, tuple(self.curve), self.ranking)
        tried = max((p for p in self.curve if p.label != "float32"), key=lambda p: p.metric, default=None)
        closest = f"; closest was {tried.label} with {tried.metric:.4g}" if tried is not None else ""
        raise BarMissedError(
            f"no quantization in {', '.join(self.wanted.prefer)} keeps the metric within {self.wanted.max_drop:g} of "
            f"the float model's {self.float_metric:.4g}{closest}"
        )

    def _int8(self) -> tuple[QuantizeResult, Recipe] | None:
        """int8, then int8 with the worst sources of noise in float."""
        plain = quantize(self.graph, self.samples, self.recipe, progress=self.progress)
        if self._try("int8", plain.graph, plain.full_integer).meets_bar:
            return plain, self.recipe
        self.ranking = sensitivity(plain, progress=self.progress)
        found: tuple[QuantizeResult, Recipe] | None = None
        movable = [share for share in self.ranking if share.ops]
        low, high = 0, max(1, int(len(movable) * _LARGEST_SHARE))
        # Double k until the bar is met, then bisect: most networks need few, and small k are the cheap answers.
        k = 1
        while low < high:
            recipe = self._keeping(movable[:k])
            result = quantize(self.graph, self.samples, recipe)
            label = f"int8, {len(result.float_islands)} ops in float32"
            if self._try(label, result.graph, result.full_integer).meets_bar:
                found, high = (result, recipe), k
                k = (low + high) // 2
            else:
                low = k
                k = min(2 * k, high) if found is None else (low + high) // 2
            if k <= low or (found is not None and k >= high) or (found is None and low >= high):
                break
        return found

    def _keeping(self, worst: Sequence[NoiseShare]) -> Recipe:
        names = dict.fromkeys(name for share in worst for name in share.ops)
        kept = tuple(Override(name=_escaped(name), precision="float32") for name in names)
        return self.recipe.with_changes(name=f"{self.recipe.name}-mixed", overrides=(*self.recipe.overrides, *kept))

    def _int16(self) -> tuple[QuantizeResult, Recipe] | None:
        recipe = preset("int16x8")
        if self.recipe.io_dtype == "float32":
            recipe = recipe.with_changes(io_dtype="float32")
        result = quantize(self.graph, self.samples, recipe, progress=self.progress)
        return (result, recipe) if self._try("int16x8", result.graph, result.full_integer).meets_bar else None

    def _fp16(self) -> tuple[QuantizeResult, Recipe] | None:
        recipe = preset("fp16")
        result = quantize(self.graph, (), recipe)
        return (result, recipe) if self._try("fp16", result.graph, full_integer=False).meets_bar else None

    def _float(self) -> tuple[None, None]:
        return None, None

    def _try(self, label: str, graph: Graph, full_integer: bool) -> TradeOff:
        data = write(graph)
        interpreter = Interpreter(data)

        def run(sample: Sample) -> list[NDArray[Any]]:
            inputs = [to_stored(tensor, array) for tensor, array in zip(graph.inputs, sample, strict=True)]
            if [a.shape for a in inputs] != [i.shape for i in interpreter.inputs]:
                interpreter.resize([a.shape for a in inputs])
            outputs = interpreter.run(inputs)
            return [to_real(tensor, array) for tensor, array in zip(graph.outputs, outputs, strict=True)]

        metric = self._metric(run, label)
        latency = _latency_ms(run, self.samples[0]) if self.samples else math.nan
        bar = self.float_metric - self.wanted.max_drop
        # A float that reaches the bar but for its last digits has reached it.
        meets = label == "float32" or metric >= bar - 1e-9 * max(1.0, abs(bar))
        point = TradeOff(label, metric, len(data), latency, full_integer, meets)
        self.curve.append(point)
        return point

    def _metric(self, run: Run, label: str) -> float:
        try:
            metric = float(self.metric(run))
        except Exception as error:
            raise InputError(f"the metric raised on the {label} model: {type(error).__name__}: {error}") from error
        if math.isnan(metric):
            raise InputError(f"the metric of the {label} model is NaN")
        return metric


def _latency_ms(run: Run, sample: Sample) -> float:
    times = []
    for _ in range(_LATENCY_RUNS):
        start = time.perf_counter()
        run(sample)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def _escaped(name: str) -> str:
    """``name`` as a pattern that matches itself only."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
