"""Fold a multiply or an add of constants, one a channel, into the weights of the op before it.

Given     y = CONV_2D(x, w, b);  z = MUL(y, s);  out = ADD(z, t)
Result    out = CONV_2D(x, w * s, b * s + t)

Batch norm arrives as this MUL and ADD.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes.names import Names

# Axis of the weights that runs over output channels, and where the bias stands among the inputs; the weights are
# always the second.
_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_BIAS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}


def fold_batch_norm(graph: Graph) -> int:
    """Fold where the host's result has one reader, weights and bias are constants, and the operand is one a channel."""
    folded = []
    producers, consumers, names = graph.producers(), graph.consumers(), Names(graph)
    for op in graph.ops:
        if op.kind not in ("MUL", "ADD"):
            continue
        match = _match(op, producers, consumers, graph)
        if match is None:
            continue
        host, per_channel = match
        _apply(host, op.kind, per_channel, names)
        host.outputs = [op.output]
        host.options["fused_activation_function"] = op.options.get("fused_activation_function", "NONE")
        producers[op.output] = host
        folded.append(op)
    graph.remove_ops(folded)
    return len(folded)


def _match(
    op: Op, producers: dict[Tensor, Op], consumers: dict[Tensor, list[Op]], graph: Graph
) -> tuple[Op, NDArray[Any]] | None:
    for source, operand in (op.inputs[:2], op.inputs[1::-1]):
        if source is None or operand is None or operand.data is None:
            continue
        host = producers.get(source)
        if host is None or host.kind not in _CHANNEL_AXIS or source in graph.outputs or len(consumers[source]) != 1:
            continue
        if host.options.get("fused_activation_function", "NONE") != "NONE" or source.shape != op.output.shape:
            continue
        weights, bias = host.inputs[1], host.inputs[_BIAS[host.kind]] if len(host.inputs) > _BIAS[host.kind] else None
        if weights is None or weights.data is None or bias is None or bias.data is None or weights.dtype != "float32":
            continue
        per_channel = _per_channel(operand.data, source)
        if per_channel is not None:
            return host, per_channel
    return None


def _per_channel(data: NDArray[Any], source: Tensor) -> NDArray[Any] | None:
    """The operand as one number a channel (the last axis), or None if it varies along anything else."""
    channels = source.shape[-1]
    if data.size == 1:
        return np.full(channels, data.reshape(-1)[0])
    if data.shape[-1:] == (channels,) and data.size == channels:
        return data.reshape(-1)
    return None


def _apply(host: Op, kind: str, per_channel: NDArray[Any], names: Names) -> None:
    place = _BIAS[host.kind]
    weights, bias = host.inputs[1], host.inputs[place]
    assert weights is not None
    assert bias is not None
    assert weights.data is not None
    assert bias.data is not None
    if kind == "ADD":
        host.inputs[place] = _folded(bias, bias.data.astype(np.float64) + per_channel, names)
        return
    axis = _CHANNEL_AXIS[host.kind]
    shape = [1] * weights.rank
    shape[axis] = -1
    # In float64, rounded once.
    scaled = weights.data.astype(np.float64) * per_channel.astype(np.float64).reshape(shape)
    host.inputs[1] = _folded(weights, scaled, names)
    host.inputs[place] = _folded(bias, bias.data.astype(np.float64) * per_channel, names)


def _folded(old: Tensor, data: NDArray[Any], names: Names) -> Tensor:
    """A new tensor, not the old one changed: two layers may share it, each with a norm of its own."""
    return Tensor(names.fresh(f"{old.name}/folded"), old.shape, "float32", data.astype(np.float32))
