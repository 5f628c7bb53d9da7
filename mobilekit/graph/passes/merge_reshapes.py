"""One reshape instead of a chain.

Given     y = RESHAPE(x, a);  z = RESHAPE(y, b)
Result    z = RESHAPE(x, b)
"""

from __future__ import annotations

from mobilekit.graph.ir import Graph

_RESHAPES = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS"})


def merge_reshapes(graph: Graph) -> int:
    """Let a RESHAPE read past the reshape before it; that one goes when nobody else reads it."""
    producers = graph.producers()
    merged = 0
    for op in graph.ops:
        source = op.inputs[0] if op.kind == "RESHAPE" else None
        before = producers.get(source) if source is not None else None
        if before is None or before.kind not in _RESHAPES or before.inputs[0] is None:
            continue
        if any(tensor.shape_signature is not None for tensor in (before.inputs[0], before.output, op.output)):
            continue
        op.inputs[0] = before.inputs[0]
        merged += 1
    return merged
