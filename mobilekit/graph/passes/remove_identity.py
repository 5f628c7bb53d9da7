"""Remove ops that give back what they are given.

Given     y = RESHAPE(x, shape of x);  z = TRANSPOSE(y, 0,1,2,3);  return RELU(z)
Result    return RELU(x)
"""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor


def remove_identity(graph: Graph) -> int:
    """Drop reshapes to the same shape, transposes that move nothing, and pads, slices and casts that change nothing."""
    removed = []
    for op in graph.ops:
        if len(op.outputs) != 1 or not _is_identity(op) or op.output in graph.outputs:
            continue
        source = op.inputs[0]
        assert source is not None
        graph.replace_uses(op.output, source)
        removed.append(op)
    graph.remove_ops(removed)
    return len(removed)


def _is_identity(op: Op) -> bool:
    source = op.inputs[0] if op.inputs else None
    if source is None or source.dtype != op.output.dtype or source.shape != op.output.shape:
        return False
    if source.shape_signature is not None or op.output.shape_signature is not None:
        return False
    if source.is_variable or not _same_quantization(source, op.output):
        return False
    if op.kind in ("RESHAPE", "SLICE", "BROADCAST_TO", "CAST", "SQUEEZE", "EXPAND_DIMS"):
        return True  # with equal shapes none of these can change a value
    if op.kind in ("PAD", "PADV2", "MIRROR_PAD"):
        return True
    permutation = op.inputs[1] if op.kind == "TRANSPOSE" else None
    if permutation is not None and permutation.data is not None:
        return np.array_equal(permutation.data, np.arange(source.rank))
    return op.kind == "CONCATENATION" and len(op.inputs) == 1


def _same_quantization(first: Tensor, second: Tensor) -> bool:
    if first.quantization is None:
        return second.quantization is None
    return first.quantization.equals(second.quantization)
