"""``quantize``: a float graph, samples and a recipe in; a quantized graph and what became of it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Tensor
from mobilekit.quantize.calibrate import CHANNEL_SAMPLES, Calibration, Progress, Sample, calibrate
from mobilekit.quantize.channels import ChannelStatistics, observe_channels
from mobilekit.quantize.equalize import Equalized, equalize
from mobilekit.quantize.fixed import lost_on_fixed_scales
from mobilekit.quantize.fuse import fuse_hard_swish
from mobilekit.quantize.measure import output_sqnrs_db
from mobilekit.quantize.observers import Range
from mobilekit.quantize.plan import Plan, RangeOf, plan_ops
from mobilekit.quantize.prepare import prepare
from mobilekit.quantize.recipe import Recipe
from mobilekit.quantize.rewrite import Rewritten, rewrite
from mobilekit.results.conversion import FloatIsland

__all__ = ["QuantizeResult", "quantize"]

# What "auto" tries. No observer wins everywhere: mean square error saves recognisers that min_max ruins and ruins
# detectors that min_max keeps; a fixed percentile is best on MobileNetV2.
_AUTO_OBSERVERS = ("min_max", "percentile", "mse")
# Equalisation trusts channel maxima from few samples; noise of the measurement itself is about 0.3 dB.
_WORTH_EQUALIZING_DB = 0.5
# Below this a third of the outputs' amplitude is noise, and a task's own metric is likely to show it
# (benchmarks/results/quantizer_steps_picodet.json: PicoDet before and after equalisation).
_NOISY_DB = 10.0
_INTEGER_DTYPES = frozenset({"int8", "uint8", "int16", "int32", "bool", "int4"})
_LEVELS = {"int8": 256, "int16": 65535}


@dataclass(frozen=True)
class QuantizeResult:
    """The quantized graph and everything worth saying about how it came to be."""

    graph: Graph
    float_islands: tuple[FloatIsland, ...]
    full_integer: bool
    """Every tensor is an integer (int64 biases of 16x8 included), but for float inputs and outputs as asked."""
    samples: int
    observer: str
    """The observer that was used: the recipe's, or the one that "auto" chose."""
    equalized: bool
    notes: tuple[str, ...]
    home: dict[str, str] = field(repr=False)
    """Name of a float graph's tensor -> name of the quantized graph's tensor that holds its values."""
    factors: dict[str, NDArray[np.float64]] = field(repr=False)
    """Channel factors of equalised tensors by float name: the quantized tensor holds value / factor."""
    calibration: Calibration | None = field(repr=False)
    reference: Graph = field(repr=False)
    """The float graph after prepare.py and fuse.py: what the quantized graph's tensors are to be compared with."""
    source: Graph = field(repr=False)
    """``reference``, equalised where that was chosen: the graph that was rewritten."""
    caps: dict[str, float] = field(repr=False)
    """Tops of ranges that stand for a ReLU6 of the source (see equalize.py), by tensor name."""
    plan: Plan = field(repr=False)
    """What each op of ``source`` computes in, and the scale of each value."""
    recipe: Recipe = field(repr=False)


def quantize(
    graph: Graph, samples: Iterable[Sample], recipe: Recipe, *, progress: Progress | None = None
) -> QuantizeResult:
    """Quantize ``graph`` by ``recipe``, with ranges observed on ``samples``. The input graph is not changed.

    ``samples``: one array per graph input, in the file's own shape, layout and dtype; read once, streaming. The same
    arguments give the same graph. Raises :class:`~mobilekit.errors.CalibrationError` for samples that cannot be used
    and :class:`~mobilekit.errors.RecipeError` for overrides that match nothing; ops without an integer kernel are
    float islands in the result.
    """
    recipe.check(graph)
    graph = prepare(graph)
    if recipe.precision == "int8":
        graph = fuse_hard_swish(graph)
    if not recipe.needs_calibration:
        return _without_calibration(graph, recipe)
    stream = iter(samples)
    head = list(islice(stream, CHANNEL_SAMPLES))
    channels = observe_channels(graph, head)
    equalized = Equalized(graph)
    if recipe.equalize != "off":
        # 16 bits have range to spare for every channel.
        integer_ops = {op for op, plan in plan_ops(graph, recipe).items() if plan.domain == "int8"}
        equalized = equalize(graph, channels, integer_ops)
    rest: Iterable[Sample] = chain(head, stream)
    if isinstance(samples, Sized):
        rest = _Counted(rest, len(samples))
    calibration = calibrate(graph, rest, factors=equalized.factors, progress=progress)
    chosen = _choose(graph, equalized, recipe, calibration, channels)
    loose = not_integer(chosen.rewritten.graph)
    notes = [*calibration.doubts, *calibration.notes, *chosen.notes]
    if loose:
        notes.append(f"not full integer: {len(loose)} tensors, first {', '.join(loose[:3])}")
    return QuantizeResult(
        graph=chosen.rewritten.graph,
        float_islands=chosen.rewritten.islands,
        full_integer=not loose,
        samples=calibration.samples,
        observer=chosen.observer,
        equalized=bool(chosen.variant.factors),
        notes=tuple(notes),
        home=chosen.rewritten.home,
        factors=chosen.variant.factors,
        calibration=calibration,
        reference=graph,
        source=chosen.variant.graph,
        caps=chosen.variant.caps,
        plan=chosen.rewritten.plan,
        recipe=recipe,
    )


def _without_calibration(graph: Graph, recipe: Recipe) -> QuantizeResult:
    """Recipes that leave all activations in float need no ranges; samples are not read."""

    def no_range(tensor: Tensor, dtype: str) -> Range:
        raise AssertionError(f"{tensor.name} needs a range in {dtype}, though the recipe has float activations")

    rewritten = rewrite(graph, recipe, no_range)
    return QuantizeResult(
        graph=rewritten.graph,
        float_islands=rewritten.islands,
        full_integer=False,
        samples=0,
        observer="none",
        equalized=False,
        notes=(),
        home=rewritten.home,
        factors={},
        calibration=None,
        reference=graph,
        source=graph,
        caps={},
        plan=rewritten.plan,
        recipe=recipe,
    )


@dataclass(frozen=True)
class _Choice:
    rewritten: Rewritten
    observer: str
    variant: Equalized
    notes: tuple[str, ...]


def _choose(
    graph: Graph,
    equalized: Equalized,
    recipe: Recipe,
    calibration: Calibration,
    channels: Mapping[str, ChannelStatistics],
) -> _Choice:
    """Quantize once per candidate and keep the one with the least error at the outputs, measured on kept samples.

    First the observer, then equalisation with that observer: four candidates instead of six, since a measurement on a
    large network costs seconds.
    """
    observers = (recipe.observer,) if recipe.observer != "auto" else _AUTO_OBSERVERS
    if recipe.observer == "auto" and recipe.precision != "int8":
        observers = ("min_max",)
    plain = equalized if recipe.equalize == "on" and equalized.factors else Equalized(graph)
    try_equalized = recipe.equalize == "auto" and bool(equalized.factors)
    alone = len(observers) == 1 and not try_equalized
    kept = lost_on_fixed_scales(graph, recipe, calibration)

    def candidate(variant: Equalized, observer: str) -> _Candidate:
        means = _means(channels, variant) if recipe.bias_correction else None
        rewritten = rewrite(variant.graph, recipe, _ranges(variant, recipe, calibration, observer), means, kept)
        figures = ([] if alone else output_sqnrs_db(rewritten.graph, calibration)) or [0.0]
        return _Candidate(float(np.mean(figures)), min(figures), observer, variant, rewritten)

    tried = [candidate(plain, observer) for observer in observers]
    best = max(tried, key=lambda c: c.sqnr_db)
    if try_equalized:
        tried.append(candidate(equalized, best.observer))
        if tried[-1].sqnr_db >= best.sqnr_db + _WORTH_EQUALIZING_DB:
            best = tried[-1]
    notes: tuple[str, ...] = ()
    if not alone:
        figures = ", ".join(f"{c.label} {c.sqnr_db:.1f} dB" for c in tried)
        count = len(calibration.kept_inputs)
        notes = (f"ranges by {best.label}: chosen by SQNR at the outputs on {count} calibration samples ({figures})",)
        if recipe.precision == "int8" and best.worst_db < _NOISY_DB:
            notes += (_noisy(graph, recipe, calibration, channels, best.worst_db),)
    return _Choice(best.rewritten, best.observer, best.variant, notes)


def _noisy(
    graph: Graph,
    recipe: Recipe,
    calibration: Calibration,
    channels: Mapping[str, ChannelStatistics],
    sqnr_db: float,
) -> str:
    """That int8 is not enough here, and what would be: 16-bit activations, measured on the same samples."""
    finer = recipe.with_changes(precision="int16x8", io_dtype="float32")
    plain = Equalized(graph)
    means = _means(channels, plain) if recipe.bias_correction else None
    rewritten = rewrite(graph, finer, _ranges(plain, finer, calibration, "min_max"), means)
    finer_db = min(output_sqnrs_db(rewritten.graph, calibration), default=0.0)
    helps = finer_db > sqnr_db + _WORTH_EQUALIZING_DB
    advice = "quantize='int16x8' is the recipe that would help, and " if helps else ""
    return (
        f"int8 is coarse for this model: {sqnr_db:.1f} dB at the worst output, where 16-bit activations keep "
        f"{finer_db:.1f} dB. Check the task's own metric; {advice}Auto finds the few ops that need more than int8"
    )


@dataclass(frozen=True)
class _Candidate:
    sqnr_db: float
    """Mean over the outputs: what candidates are compared by."""
    worst_db: float
    """At the worst output: one that is lost is not made good by the others."""
    observer: str
    variant: Equalized
    rewritten: Rewritten

    @property
    def label(self) -> str:
        return f"{self.observer} with equalised channels" if self.variant.factors else self.observer


def _means(channels: Mapping[str, ChannelStatistics], variant: Equalized) -> dict[str, NDArray[np.float64]]:
    return {name: s.mean / variant.factors[name] if name in variant.factors else s.mean for name, s in channels.items()}


class _Counted(Iterable[Sample]):
    """An iterable that knows its length, so that progress can say how much is left."""

    def __init__(self, items: Iterable[Sample], length: int) -> None:
        self._items, self._length = items, length

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._items)

    def __len__(self) -> int:
        return self._length


def _ranges(variant: Equalized, recipe: Recipe, calibration: Calibration, default: str) -> RangeOf:
    """The range of each tensor: by the observer of the op that makes it, or of the recipe for graph inputs."""
    makers = variant.graph.producers()
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
        if tensor.name in variant.caps and tensor.name not in calibration.statistics:
            return 0.0, variant.caps[tensor.name]
        equalized = tensor.name in variant.factors
        statistics = (calibration.equalized if equalized else calibration.statistics)[tensor.name]
        if statistics.minimum > statistics.maximum:  # Never a finite value: an empty tensor.
            return 0.0, 0.0
        observer: str = recipe.settings(makers[tensor]).observer if tensor in makers else recipe.observer
        if observer == "auto":
            observer = default
        # 65535 levels round finer than any histogram can show: clipping cannot pay.
        if dtype == "int16":
            observer = "min_max"
        low, high = calibration.range(tensor.name, observer, _LEVELS[dtype], recipe.percentile, equalized=equalized)
        return low, min(high, variant.caps.get(tensor.name, high))

    return range_of


def not_integer(graph: Graph) -> list[str]:
    """Names of tensors that are no integers of 32 bits or less.

    Excepted are float inputs and outputs of the graph (asked for), and int64 biases, which LiteRT's 16x8 kernels take.
    """
    edges = {t for t in (*graph.inputs, *graph.outputs) if t.dtype == "float32"}
    wide = {
        tensor
        for op in graph.ops
        if any(tensor.dtype == "int16" for tensor in op.present_inputs())
        for tensor in op.present_inputs()
        if tensor.dtype == "int64" and tensor.is_constant and tensor.quantization is not None
    }
    return [t.name for t in graph.tensors() if t.dtype not in _INTEGER_DTYPES and t not in edges and t not in wide]
