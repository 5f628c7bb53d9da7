"""Remove ops whose results nobody reads.

Given     y = RELU(x);  z = TANH(x);  return y
Result    y = RELU(x);  return y
"""

from __future__ import annotations

from mobilekit.graph.ir import Graph, Op

# Ops that act on something beside their outputs.
_EFFECTS = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE", "WHILE", "IF", "CUSTOM", "HASHTABLE_IMPORT", "VAR_HANDLE"})


def remove_dead_ops(graph: Graph) -> int:
    """Drop ops without readers, back to front, so that chains go at once."""
    needed = set(graph.outputs)
    for signature in graph.signatures:
        needed.update(tensor for _, tensor in signature.outputs)
    kept: list[Op] = []
    for op in reversed(graph.ops):
        has_effect = op.kind in _EFFECTS or any(t.is_variable for t in op.present_inputs())
        if has_effect or any(tensor in needed for tensor in op.outputs):
            kept.append(op)
            needed.update(op.present_inputs())
    removed = len(graph.ops) - len(kept)
    graph.ops = kept[::-1]
    return removed
