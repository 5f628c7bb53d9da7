"""Merge neighbouring transposes, and carry one past pointwise ops to where it meets its opposite.

Given     y = TRANSPOSE(x, p);  z = TRANSPOSE(y, q)
Result    z = TRANSPOSE(x, p after q), which remove_identity drops if it moves nothing

Given     y = TRANSPOSE(x, p);  z = RELU(y);  w = TRANSPOSE(z, inverse of p)
Result    w = RELU(x)
"""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes.names import Names
from mobilekit.graph.passes.pointwise import POINTWISE


def cancel_transposes(graph: Graph) -> int:
    """Merge pairs; swap TRANSPOSE and a pointwise op when another TRANSPOSE follows."""
    return _merge_pairs(graph) or _sink_to_partner(graph)


def permutation_of(op: Op | None) -> list[int] | None:
    """The constant permutation of a TRANSPOSE, else None."""
    if op is None or op.kind != "TRANSPOSE" or op.inputs[1] is None or op.inputs[1].data is None:
        return None
    return [int(axis) for axis in op.inputs[1].data]


def _merge_pairs(graph: Graph) -> int:
    producers, names = graph.producers(), Names(graph)
    merged = 0
    for op in graph.ops:
        second = permutation_of(op)
        source = op.inputs[0] if second is not None else None
        before = producers.get(source) if source is not None else None
        first = permutation_of(before)
        if first is None or second is None or before is None:
            continue
        combined = np.array([first[axis] for axis in second], np.int32)
        op.inputs = [before.inputs[0], Tensor(names.fresh(f"{op.name}/permutation"), combined.shape, "int32", combined)]
        merged += 1
    return merged


def _sink_to_partner(graph: Graph) -> int:
    """TRANSPOSE, pointwise, TRANSPOSE: swap the first two, so that the transposes become neighbours."""
    consumers, producers = graph.consumers(), graph.producers()
    for op in graph.ops:
        if op.kind not in POINTWISE or op.inputs[0] is None:
            continue
        before = producers.get(op.inputs[0])
        permutation = permutation_of(before)
        if permutation is None or before is None or before.inputs[0] is None:
            continue
        result = op.output
        readers = consumers.get(result, [])
        if result in graph.outputs or op.inputs[0] in graph.outputs or len(consumers[op.inputs[0]]) != 1:
            continue
        if not readers or any(permutation_of(reader) is None for reader in readers):
            continue
        if any(t.quantization is not None and t.quantization.is_per_axis for t in (op.inputs[0], result)):
            continue  # its axis would have to move too
        source = before.inputs[0]
        middle = Tensor(
            Names(graph).fresh(f"{result.name}/untransposed"),
            source.shape,
            result.dtype,
            quantization=result.quantization,
            shape_signature=source.shape_signature,
        )
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
