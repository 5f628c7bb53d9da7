"""A graph that another converter made -> the same form that our own frontend gives.

Other converters move axes as they please (NCHW becomes NHWC, outputs may or may not follow). Which order each input and
output has is settled by its shape where that decides, and by running the graph where it does not; numbers that agree in
no order are a lie of the converter, and an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import BackendError
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.lower import InputSpec, Lowered, OutputSpec
from mobilekit.frontends.direct.values import Order, channels_last_order, identity_order, permuted
from mobilekit.frontends.source import Source
from mobilekit.graph.ir import Graph, Tensor
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter

# As in conversion/verify.py, relative to the largest value: rounding stays orders below it, a wrong op does not.
_TOLERANCE = 1e-3


def adopt(graph: Graph, source: Source, backend: str) -> Lowered:
    """Match the graph's inputs and outputs with the source's, and settle the axis order of each.

    Raises :class:`BackendError` when they cannot be matched or the numbers on the example call agree in no order.
    """
    if source.states:
        raise BackendError(
            f"backend '{backend}' does not carry buffers that change in forward ({', '.join(source.states)}); "
            "backend='direct' does"
        )
    expected = source.reference(source.example)
    given = [signature.name for signature in source.inputs]
    tensors = _match(backend, "input", graph.inputs, given, _signature_names(graph, "inputs"))
    if len(graph.outputs) != len(expected):
        raise BackendError(f"backend '{backend}' made {len(graph.outputs)} outputs, the model has {len(expected)}")
    names = ["output"] if len(expected) == 1 else [f"output_{index}" for index in range(len(expected))]
    ordered = _match(backend, "output", graph.outputs, names, _signature_names(graph, "outputs"))
    graph.inputs, graph.outputs = tensors, ordered
    graph.signatures = []
    choices = [_orders(s.shape, t, backend) for s, t in zip(source.inputs, tensors, strict=True)]
    interpreter = Interpreter(write(graph), delegate="reference")
    found = [_try(interpreter, graph, source, orders, expected) for orders in itertools.product(*choices)]
    error, orders, output_orders = min(found, key=lambda entry: entry[0])
    if not error <= _TOLERANCE:
        raise BackendError(
            f"backend '{backend}' made a file with wrong numbers: off on the example by {error:.2g} of the maximum"
        )
    inputs = [
        InputSpec(s.name, order, s.shape, s.dtype, tensor, s.leaf)
        for s, order, tensor in zip(source.inputs, orders, tensors, strict=True)
    ]
    outputs = [
        OutputSpec(name, order, reference.shape, reference.dtype.name, tensor)
        for name, order, reference, tensor in zip(names, output_orders, expected, ordered, strict=True)
    ]
    narrowed = [spec.name for spec in inputs if spec.dtype == "int64" and spec.tensor.dtype == "int32"]
    return Lowered(graph, inputs, outputs, narrowed)


def _signature_names(graph: Graph, side: str) -> dict[Tensor, str]:
    return {tensor: name for signature in graph.signatures[:1] for name, tensor in getattr(signature, side)}


def _match(
    backend: str, side: str, tensors: Sequence[Tensor], names: Sequence[str], called: dict[Tensor, str]
) -> list[Tensor]:
    """Tensors in the order of ``names``: by name where all are found, else as they stand."""
    if len(tensors) != len(names):
        raise BackendError(f"backend '{backend}' made {len(tensors)} {side}s, the model has {len(names)}")
    by_name: dict[str, Tensor] = {}
    for tensor in tensors:
        for label in (called.get(tensor, ""), tensor.name, tensor.name.removeprefix("serving_default_").split(":")[0]):
            by_name.setdefault(label, tensor)
    if all(name in by_name for name in names) and len({id(by_name[name]) for name in names}) == len(names):
        return [by_name[name] for name in names]
    return list(tensors)


def _orders(shape: tuple[int, ...], tensor: Tensor, backend: str) -> list[Order]:
    """The orders that fit the stored shape, the likelier one first."""
    fitting = [order for order in _candidates(len(shape)) if permuted(shape, order) == tensor.shape]
    if not fitting:
        raise BackendError(f"backend '{backend}': '{tensor.name}' is {list(tensor.shape)}, the model has {list(shape)}")
    return fitting


def _candidates(rank: int) -> list[Order]:
    return list(dict.fromkeys([channels_last_order(rank), identity_order(rank)]))


def _try(
    interpreter: Interpreter, graph: Graph, source: Source, orders: Sequence[Order], expected: list[NDArray[Any]]
) -> tuple[float, Sequence[Order], list[Order]]:
    """Run with these input orders: the worst relative error, and the best order of each output."""
    arrays = [
        np.ascontiguousarray(as_array(leaf).transpose(order).astype(tensor.dtype, copy=False))
        for leaf, order, tensor in zip(source.example_call(), orders, graph.inputs, strict=True)
    ]
    worst, chosen = 0.0, []
    for got, reference in zip(interpreter.run(arrays), expected, strict=True):
        error, order = min((_error(got, reference, order), order) for order in _candidates(reference.ndim))
        worst = max(worst, error)
        chosen.append(order)
    return worst, orders, chosen


def _error(got: NDArray[Any], reference: NDArray[Any], order: Order) -> float:
    if got.shape != permuted(reference.shape, order):
        return float("inf")
    moved = got.transpose([order.index(axis) for axis in range(len(order))]).astype(np.float64)
    difference = np.abs(moved - reference.astype(np.float64)).max(initial=0.0)
    return float(difference / max(1.0, np.abs(reference.astype(np.float64)).max(initial=0.0)))
