"""torch.cond, torch.while_loop, map and scan as TFLite's IF and WHILE: a body becomes a subgraph of the file.

Given     y = torch.cond(p, f, g, (x, w))                 with w a weight
Result    y = IF(p, x){then: f', else: g'}                f' and g' hold w as a constant of their own

Given     i', x' = torch.while_loop(c, f, (i, x), (n,))
Result    i', x', _ = WHILE(i, x, n){cond: c', body: f'}  the body hands n through

Given     ys = map(f, xs, w)                              with xs of length N; scan carries values as well
Result    _, ys, _ = WHILE(0, zeros, xs){cond: i < N, body: i + 1, ys[i] <- f(xs[i]), xs}

What enters or leaves a body is stored in PyTorch's own axis order, so that both branches and every turn agree.
Constants are read where they are (the file stores their bytes once): weights are not carried from turn to turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils import _pytree as pytree

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError
from mobilekit.frontends.direct.values import Value, identity_order
from mobilekit.graph.ir import Graph, Tensor


class Walk(Protocol):
    """What control flow needs of the walk that lowers the program."""

    builder: Builder
    subgraphs: list[Graph]

    def inline(self, part: torch.fx.GraphModule, operands: Sequence[Any]) -> Any: ...


Body = Callable[[list[Value]], list[Any]]


def lower_cond(walk: Walk, predicate: Any, then: Any, otherwise: Any, operands: Sequence[Any]) -> list[Value]:
    """torch.cond; a predicate that is known leaves the branch that is taken."""
    if not isinstance(predicate, Value):
        return list(walk.inline(then if predicate else otherwise, operands))
    if predicate.tensor.data is not None:
        return list(walk.inline(then if predicate.tensor.data.item() else otherwise, operands))
    given = [operand for operand in operands if _is_made(operand)]

    def branch(part: Any) -> Body:
        return lambda values: list(walk.inline(part, _put(operands, values)))

    one, results = _subgraph(walk, "then", branch(then), given)
    two, others = _subgraph(walk, "else", branch(otherwise), given)
    for mine, other in zip(results, others, strict=True):
        if mine.tensor.shape != other.tensor.shape or mine.dtype != other.dtype:
            raise UnsupportedError("its branches give other shapes or dtypes", "bring both to one shape")
    b = walk.builder
    inputs = [b.reshape(b.logical(predicate), (1,)), *(b.logical(value) for value in given)]
    made = b.emit_many(
        "IF",
        inputs,
        [value.tensor.shape for value in results],
        [value.tensor.dtype for value in results],
        then_subgraph_index=one,
        else_subgraph_index=two,
    )
    return [b.value(tensor, dtype=value.dtype) for tensor, value in zip(made, results, strict=True)]


def lower_while(walk: Walk, condition: Any, body: Any, carried: Sequence[Any], extra: Sequence[Any]) -> list[Value]:
    """torch.while_loop; ``extra`` is what its functions close over."""
    count = len(carried)

    def goes_on(values: list[Value]) -> list[Any]:
        return [walk.inline(condition, [*values[:count], *_put(extra, values[count:])])]

    def turn(values: list[Value]) -> list[Any]:
        return list(walk.inline(body, [*values[:count], *_put(extra, values[count:])]))

    return _loop(walk, goes_on, turn, list(carried), [operand for operand in extra if _is_made(operand)])


def lower_map(walk: Walk, body: Any, mapped: Sequence[Any], extra: Sequence[Any]) -> list[Value]:
    """map: one turn for each entry along the first axis."""
    return _scan(walk, body, [], mapped, extra)


def lower_scan(walk: Walk, body: Any, carried: Sequence[Any], scanned: Sequence[Any], extra: Sequence[Any]) -> Any:
    """scan along the first axis: what is carried at the end, and the results of all turns stacked."""
    return _scan(walk, body, carried, scanned, extra)


LOWERINGS: dict[str, Callable[..., list[Value]]] = {
    "cond": lower_cond,
    "while_loop": lower_while,
    "map_impl": lower_map,
    "scan": lower_scan,
}
"""Name of the higher-order op -> how it is lowered, given the walk and the op's arguments."""


def _scan(
    walk: Walk, part: torch.fx.GraphModule, carried: Sequence[Any], scanned: Sequence[Any], extra: Sequence[Any]
) -> list[Value]:
    b = walk.builder
    length = scanned[0].shape[0]
    given = [value for value in (*scanned, *extra) if _is_made(value)]
    stacked = _results_of(part)[len(carried) :]
    start = [b.constant_value(np.zeros((), np.int32)), *carried]
    for example in stacked:
        zeros = torch.zeros((length, *example.shape), dtype=example.dtype)
        start.append(b.constant_value(zeros.numpy(), dtype=str(example.dtype).removeprefix("torch.")))
    first_stack = 1 + len(carried)

    def goes_on(values: list[Value]) -> list[Any]:
        limit = b.constant(np.array(length, np.int32))
        return [b.value(b.emit("LESS", [values[0].tensor, limit], (), "bool"))]

    def turn(values: list[Value]) -> list[Any]:
        position = values[0].tensor
        kept, stacks = values[1:first_stack], values[first_stack : len(start)]
        filled = _put([*scanned, *extra], values[len(start) :])
        entries = [_entry(b, value, position) for value in filled[: len(scanned)]]
        results = list(walk.inline(part, [*kept, *entries, *filled[len(scanned) :]]))
        one = b.constant(np.array(1, np.int32))
        following = b.emit("ADD", [position, one], (), fused_activation_function="NONE")
        written = [
            _write(b, stack, result, position) for stack, result in zip(stacks, results[len(kept) :], strict=True)
        ]
        return [b.value(following), *results[: len(kept)], *written]

    return _loop(walk, goes_on, turn, start, given)[1:]


def _results_of(part: torch.fx.GraphModule) -> list[torch.Tensor]:
    output = next(node for node in part.graph.nodes if node.op == "output")
    return [node.meta["val"] for node in pytree.tree_leaves(output.args[0])]


def _entry(b: Builder, value: Value, position: Tensor) -> Value:
    """``value[position]``."""
    stored = b.logical(value)
    return b.value(b.emit("GATHER", [stored, position], stored.shape[1:], axis=0, batch_dims=0), dtype=value.dtype)


def _write(b: Builder, stack: Value, result: Value, position: Tensor) -> Value:
    """``stack`` with ``result`` at ``position``."""
    shape = stack.tensor.shape
    entry = b.reshape(b.logical(result), (1, *shape[1:]))
    start = b.reshape(position, (1,))
    if len(shape) > 1:
        zeros = b.constant(np.zeros(len(shape) - 1, np.int32))
        start = b.emit("CONCATENATION", [start, zeros], (len(shape),), axis=0, fused_activation_function="NONE")
    return b.like(stack, b.emit("DYNAMIC_UPDATE_SLICE", [stack.tensor, entry, start], shape))


def _loop(walk: Walk, goes_on: Body, turn: Body, carried: list[Any], given: list[Value]) -> list[Value]:
    """WHILE over ``carried`` (given back) and ``given`` (read only, handed through)."""
    b = walk.builder
    for value in carried:
        if not isinstance(value, Value):
            raise UnsupportedError("it carries a Python number", "carry a tensor: torch.tensor(0)")
    everything = [*carried, *given]
    condition, _ = _subgraph(walk, "condition", goes_on, everything)
    body, results = _subgraph(walk, "body", lambda values: [*turn(values), *values[len(carried) :]], everything)
    inputs = [b.logical(value) for value in everything]
    for tensor, result in zip(inputs, results, strict=True):
        if tensor.shape != result.tensor.shape or tensor.dtype != result.tensor.dtype:
            raise UnsupportedError("what it carries changes its shape or dtype", "carry tensors of one shape and dtype")
    made = b.emit_many(
        "WHILE",
        inputs,
        [tensor.shape for tensor in inputs],
        [tensor.dtype for tensor in inputs],
        cond_subgraph_index=condition,
        body_subgraph_index=body,
    )
    return [b.value(tensor, dtype=value.dtype) for tensor, value in zip(made, carried, strict=False)]


def _is_made(operand: Any) -> bool:
    """Whether a value is computed at run time; constants are read in a body as they are."""
    return isinstance(operand, Value) and not operand.is_constant


def _put(operands: Sequence[Any], values: Sequence[Value]) -> list[Any]:
    """``operands`` with ``values`` in the places of those that are computed at run time."""
    fresh = iter(values)
    return [next(fresh) if _is_made(operand) else operand for operand in operands]


def _subgraph(walk: Walk, label: str, body: Body, given: Sequence[Value]) -> tuple[int, list[Value]]:
    """Lower ``body`` into a graph of its own: its index in the file, and its results in PyTorch's axis order."""
    b = walk.builder
    scope, source = b.scope, b.source
    outer, b.graph = b.graph, Graph(name=b.unique_name(f"{scope}/{label}"))
    try:
        inner = [
            b.value(Tensor(b.unique_name(f"{scope}/{label}/in"), value.shape, value.tensor.dtype), dtype=value.dtype)
            for value in given
        ]
        results = [_as_result(b, value) for value in body(inner)]
        b.graph.inputs = [value.tensor for value in inner]
        b.graph.outputs = [value.tensor for value in results]
        walk.subgraphs.append(b.graph)
        return len(walk.subgraphs), results  # the main graph is number 0
    finally:
        b.graph, b.scope, b.source = outer, scope, source


def _as_result(b: Builder, value: Any) -> Value:
    if not isinstance(value, Value):
        raise UnsupportedError("its body gives back a Python number", "give back tensors")
    return b.reorder(value, identity_order(value.rank))
