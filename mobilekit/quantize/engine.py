"""``quantize``: a float graph, samples and a recipe in; a quantized graph and what became of it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mobilekit.graph.ir import Graph, Tensor
from mobilekit.quantize.calibrate import Calibration, Progress, Sample, calibrate
from mobilekit.quantize.measure import output_sqnr_db
from mobilekit.quantize.observers import Range
from mobilekit.quantize.plan import RangeOf
from mobilekit.quantize.recipe import Recipe
from mobilekit.quantize.rewrite import Rewritten, rewrite
from mobilekit.results.conversion import FloatIsland

__all__ = ["QuantizeResult", "quantize"]

# What "auto" tries, cheapest to explain first: it stays at the first unless another is better.
_AUTO_OBSERVERS = ("min_max", "mse")
_INTEGER_DTYPES = frozenset({"int8", "uint8", "int16", "int32", "bool", "int4"})
_LEVELS = {"int8": 256, "int16": 65535}


@dataclass(frozen=True)
class QuantizeResult:
    """The quantized graph and everything worth saying about how it came to be."""

    graph: Graph
    float_islands: tuple[FloatIsland, ...]
    full_integer: bool
    """Every tensor is an integer (int64 excepted), but for float inputs and outputs that the recipe asked for."""
    samples: int
    observer: str
    """The observer that was used: the recipe's, or the one that "auto" chose."""
    notes: tuple[str, ...]
    home: dict[str, str] = field(repr=False)
    """Name of a float graph's tensor -> name of the quantized graph's tensor that holds its values."""
    calibration: Calibration = field(repr=False)


def quantize(
    graph: Graph, samples: Iterable[Sample], recipe: Recipe, *, progress: Progress | None = None
) -> QuantizeResult:
    """Quantize ``graph`` by ``recipe``, with ranges observed on ``samples``. The input graph is not changed.

    ``samples``: one array per graph input, in the file's own shape, layout and dtype. The same arguments give the same
    graph. Raises :class:`~mobilekit.errors.CalibrationError` for samples that cannot be used and
    :class:`~mobilekit.errors.RecipeError` for overrides that match nothing; ops without an integer kernel are float
    islands in the result.
    """
    recipe.check(graph)
    calibration = calibrate(graph, samples, progress=progress)
    notes = list(calibration.notes)
    if recipe.observer == "auto":
        observer, rewritten, note = _choose(graph, recipe, calibration)
        notes.append(note)
    else:
        observer = recipe.observer
        rewritten = rewrite(graph, recipe, _ranges(graph, recipe, calibration, observer))
    loose = _not_integer(rewritten.graph)
    if loose:
        notes.append(f"not full integer: {len(loose)} tensors, first {', '.join(loose[:3])}")
    return QuantizeResult(
        graph=rewritten.graph,
        float_islands=rewritten.islands,
        full_integer=not loose,
        samples=calibration.samples,
        observer=observer,
        notes=tuple(notes),
        home=rewritten.home,
        calibration=calibration,
    )


def _choose(graph: Graph, recipe: Recipe, calibration: Calibration) -> tuple[str, Rewritten, str]:
    """Quantize once per observer and keep the one with the least error at the outputs, measured on kept samples."""
    tried = []
    for observer in _AUTO_OBSERVERS:
        rewritten = rewrite(graph, recipe, _ranges(graph, recipe, calibration, observer))
        tried.append((output_sqnr_db(rewritten.graph, calibration), observer, rewritten))
    best = max(tried, key=lambda entry: entry[0])
    figures = ", ".join(f"{observer} {sqnr:.1f} dB" for sqnr, observer, _ in tried)
    count = len(calibration.kept_inputs)
    note = f"observer {best[1]} chosen by SQNR at the outputs on {count} calibration samples ({figures})"
    return best[1], best[2], note


def _ranges(graph: Graph, recipe: Recipe, calibration: Calibration, default: str) -> RangeOf:
    """The range of each tensor: by the observer of the op that makes it, or of the recipe for graph inputs."""
    makers = graph.producers()
    cache: dict[tuple[str, str], Range] = {}

    def range_of(tensor: Tensor, dtype: str) -> Range:
        key = (tensor.name, dtype)
        if key not in cache:
            cache[key] = choose(tensor, dtype)
        return cache[key]

    def choose(tensor: Tensor, dtype: str) -> Range:
        if tensor.data is not None:
            real = tensor.data[np.abs(tensor.data) < 1e30]
            return (float(real.min()), float(real.max())) if real.size else (0.0, 0.0)
        statistics = calibration.statistics[tensor.name]
        if statistics.minimum > statistics.maximum:  # Never a finite value: an empty tensor.
            return 0.0, 0.0
        observer: str = recipe.settings(makers[tensor]).observer if tensor in makers else recipe.observer
        if observer == "auto":
            observer = default
        # 65535 levels round finer than any histogram can show: clipping cannot pay.
        if dtype == "int16":
            observer = "min_max"
        return calibration.range(tensor.name, observer, _LEVELS[dtype], recipe.percentile)

    return range_of


def _not_integer(graph: Graph) -> list[str]:
    """Names of tensors that are no integers, graph inputs and outputs excepted (their dtype was asked for)."""
    edges = set(graph.inputs) | set(graph.outputs)
    return [t.name for t in graph.tensors() if t.dtype not in _INTEGER_DTYPES and t not in edges]
