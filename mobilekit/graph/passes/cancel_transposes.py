"""Merge neighbouring transposes, and carry one past pointwise ops to where it meets its opposite.

Given     y = TRANSPOSE(x, p);  z = TRANSPOSE(y, q)
Result    z = TRANSPOSE(x, p after q), which remove_identity drops if it moves nothing

Given     y = TRANSPOSE(x, p);  z = RELU(y);  w = TRANSPOSE(z, inverse of p)
Result    w = RELU(x)
"""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor

# Ops with one input that treat every element alike.
_POINTWISE = frozenset(
    [
        "ABS",
        "CEIL",
        "COS",
        "ELU",
        "EXP",
        "FLOOR",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOG",
        "LOGISTIC",
        "NEG",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "ROUND",
        "RSQRT",
        "SIN",
        "SQRT",
        "SQUARE",
        "TANH",
        "CAST",
        "QUANTIZE",
        "DEQUANTIZE",
    ]
)


def cancel_transposes(graph: Graph) -> int:
    """Merge pairs; swap TRANSPOSE and a pointwise op when another TRANSPOSE follows."""
    return _merge_pairs(graph) or _sink_to_partner(graph)


def permutation_of(op: Op | None) -> list[int] | None:
    """The constant permutation of a TRANSPOSE, else None."""
    if op is None or op.kind != "TRANSPOSE" or op.inputs[1] is None or op.inputs[1].data is None:
        return None
    return [int(axis) for axis in op.inputs[1].data]


def _merge_pairs(graph: Graph) -> int:
    producers = graph.producers()
    merged = 0
    for op in graph.ops:
        second = permutation_of(op)
        source = op.inputs[0] if second is not None else None
        before = producers.get(source) if source is not None else None
        first = permutation_of(before)
        if first is None or second is None or before is None:
            continue
        combined = np.array([first[axis] for axis in second], np.int32)
        op.inputs = [before.inputs[0], Tensor(f"{op.name}/permutation", (len(combined),), "int32", combined)]
        merged += 1
    return merged


def _sink_to_partner(graph: Graph) -> int:
    """TRANSPOSE, pointwise, TRANSPOSE: swap the first two, so that the transposes become neighbours."""
    consumers, producers = graph.consumers(), graph.producers()
    for op in graph.ops:
        if op.kind not in _POINTWISE or op.inputs[0] is None:
            continue
        before = producers.get(op.inputs[0])
        permutation = permutation_of(before)
        if permutation is None or before is None or before.inputs[0] is None:
            continue
        result = op.output
        readers = consumers.get(result, [])
        if result in graph.outputs or len(consumers[op.inputs[0]]) != 1 or not readers:
            continue
        if any(permutation_of(reader) is None for reader in readers):
            continue
        quantization = result.quantization
        if quantization is not None and quantization.is_per_axis:
            continue
        source = before.inputs[0]
        middle = Tensor(f"{result.name}/untransposed", source.shape, result.dtype, quantization=quantization)
        op.inputs = [source, *op.inputs[1:]]
        op.outputs = [middle]
        before.inputs = [middle, before.inputs[1]]
        before.outputs = [result]
        # The pointwise op now comes first.
        position = graph.ops.index(before)
        graph.ops.remove(op)
        graph.ops.insert(position, op)
        return 1
    return 0
