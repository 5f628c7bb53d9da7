"""``quantize=Auto(...)``: the search of quantize/auto.py, with a metric that sees the model as its user does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobilekit.conversion.adapter import Adapter
from mobilekit.graph.ir import Graph
from mobilekit.quantize import Auto, AutoResult, Recipe
from mobilekit.quantize.agreement import NAME as AGREEMENT
from mobilekit.quantize.auto import auto
from mobilekit.quantize.calibrate import Progress, Sample
from mobilekit.results import SearchReport

Run = Callable[[Sequence[NDArray[Any]]], list[NDArray[Any]]]


def search(
    graph: Graph, adapter: Adapter, samples: Iterable[Sample], wanted: Auto, recipe: Recipe, progress: Progress | None
) -> tuple[AutoResult, SearchReport]:
    """Search from ``recipe``; ``adapter`` is that of the float ``graph``.

    Raises :class:`~mobilekit.errors.BarMissedError` when nothing that is preferred meets the bar.
    """
    seen = wanted
    if wanted.metric is not None:
        metric = wanted.metric
        seen = replace(wanted, metric=lambda run: metric(_as_model(run, adapter)))
    found = auto(graph, samples, seen, recipe, progress=progress)
    name = AGREEMENT if wanted.metric is None else getattr(wanted.metric, "__name__", type(wanted.metric).__name__)
    chosen = next((point for point in reversed(found.curve) if point.meets_bar and _is(point.label, found)), None)
    report = SearchReport(
        name, wanted.max_drop, found.float_metric, "float32" if chosen is None else chosen.label, found.curve
    )
    return found, report


def _is(label: str, found: AutoResult) -> bool:
    """Whether ``label`` names the kind of result found; the last try of a kind that met the bar is the result."""
    if found.recipe is None:
        return label == "float32"
    return label.split(",")[0] == found.recipe.name.removesuffix("-mixed")


def _as_model(run: Run, adapter: Adapter) -> Callable[..., Any]:
    """A function that takes and returns what the PyTorch model does, tensors or arrays, computed by ``run``."""

    def model(*args: Any, **kwargs: Any) -> Any:
        leaves = adapter.leaves(args, kwargs)
        as_torch = any(isinstance(leaf, torch.Tensor) for leaf in leaves)
        outputs = [np.asarray(array) for array in run(adapter.real(leaves))]
        return adapter.rebuild(adapter.flat_outputs(outputs, leaves), as_torch=as_torch)

    return model
