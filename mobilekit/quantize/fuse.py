"""Find hard-swish that a converter has written out, and write it as the one op that it is.

Given                                               Result
    %a = ADD(%x, 3) RELU6                               %y = HARD_SWISH(%x)
    %m = MUL(%x, %a)
    %y = MUL(%m, 1/6)

    %a = ADD(%x, 3) RELU6                               %m = HARD_SWISH(%x)
    %m = MUL(%x, %a)                                    %y = CONV_2D(%m, 6 * W)
    %y = CONV_2D(%m, W)

Each op that is gone is one rounding to 8 bits less: the ADD's output spreads 256 levels over [0, 6], and the product
multiplies that rounding by x. The int8 kernel is a table and rounds once. Only int8 has it, so 16x8 keeps the parts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor

_READERS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# Constants like 1/6 come through float32 and sometimes float16.
_TOLERANCE = 1e-3


def fuse_hard_swish(graph: Graph) -> Graph:
    """``graph`` with HARD_SWISH ops where the pattern stands; itself if there is none. The input is not changed."""
    consumers = graph.consumers()
    outputs = set(graph.outputs)
    replaced: dict[Op, Op | None] = {}
    weights: dict[Op, Op] = {}

    def only_reader(tensor: Tensor) -> Op | None:
        readers = consumers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in outputs else None

    for add in graph.ops:
        x = _shifted(add)
        product = only_reader(add.output) if x is not None else None
        if x is None or product is None or not _is_product(product, x, add.output):
            continue
        sixth = only_reader(product.output)
        if sixth is not None and _is_scaling(sixth, product.output, 1 / 6):
            replaced.update({add: None, product: None, sixth: Op("HARD_SWISH", [x], sixth.outputs, {}, product.source)})
            continue
        readers = None if product.output in outputs else _weighted_readers(product.output, consumers, outputs)
        if readers is not None:
            replaced.update({add: None, product: Op("HARD_SWISH", [x], product.outputs, {}, product.source)})
            weights.update({reader: _times_six(weights.get(reader, reader)) for reader in readers})
    if not replaced:
        return graph
    ops = [new for op in graph.ops if (new := replaced.get(op, weights.get(op, op))) is not None]
    return replace(graph, ops=ops)


def _shifted(op: Op) -> Tensor | None:
    """The x of RELU6(x + 3)."""
    if op.kind != "ADD" or op.options.get("fused_activation_function") != "RELU6":
        return None
    for x, other in (op.inputs, op.inputs[::-1]):
        if x is not None and not x.is_constant and x.shape == op.output.shape and _is_all(other, 3.0):
            return x
    return None


def _is_product(op: Op, first: Tensor, second: Tensor) -> bool:
    none = op.options.get("fused_activation_function", "NONE") in ("NONE", 0)
    return op.kind == "MUL" and none and {id(t) for t in op.inputs} == {id(first), id(second)}


def _is_scaling(op: Op, tensor: Tensor, factor: float) -> bool:
    none = op.options.get("fused_activation_function", "NONE") in ("NONE", 0)
    return (
        op.kind == "MUL" and none and any(t is tensor for t in op.inputs) and any(_is_all(t, factor) for t in op.inputs)
    )


def _is_all(tensor: Tensor | None, value: float) -> bool:
    return tensor is not None and tensor.data is not None and bool(np.all(np.abs(tensor.data / value - 1) < _TOLERANCE))


def _weighted_readers(tensor: Tensor, consumers: dict[Tensor, list[Op]], outputs: set[Tensor]) -> list[Op] | None:
    """The ops with constant weights that read ``tensor``, through pads; None if anything else reads it."""
    found: list[Op] = []
    for op in consumers.get(tensor, []):
        weight = op.inputs[1] if len(op.inputs) > 1 else None
        if op.kind in _READERS and op.inputs[0] is tensor and weight is not None and weight.is_constant:
            found.append(op)
        elif op.kind == "PAD" and op.output not in outputs:
            behind = _weighted_readers(op.output, consumers, outputs)
            if behind is None:
                return None
            found += behind
        else:
            return None
    return found or None


def _times_six(op: Op) -> Op:
    weight = op.inputs[1]
    assert weight is not None
    assert weight.data is not None
    data = (weight.data.astype(np.float64) * 6).astype(np.float32)
    return replace(
        op, inputs=[op.inputs[0], replace(weight, name=f"{op.name}/weights_times_6", data=data), *op.inputs[2:]]
    )
