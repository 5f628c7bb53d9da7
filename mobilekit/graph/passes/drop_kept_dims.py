"""Let a reduction drop its axes itself.

Given     y = MEAN(x, [1, 2]) {keep_dims};  z = RESHAPE(y, [n, c])
Result    z = MEAN(x, [1, 2])
"""

from __future__ import annotations

from mobilekit.graph.ir import Graph

_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"})


def drop_kept_dims(graph: Graph) -> int:
    """Drop where the reshape removes exactly the reduced axes and is the only reader."""
    producers, consumers = graph.producers(), graph.consumers()
    dropped = []
    for op in graph.ops:
        source = op.inputs[0] if op.kind == "RESHAPE" else None
        host = producers.get(source) if source is not None else None
        if source is None or host is None or host.kind not in _REDUCTIONS or not host.options.get("keep_dims"):
            continue
        axes = host.inputs[1]
        if axes is None or axes.data is None or source in graph.outputs or len(consumers[source]) != 1:
            continue
        reduced = {int(axis) % source.rank for axis in axes.data.reshape(-1)}
        if op.output.shape != tuple(size for axis, size in enumerate(source.shape) if axis not in reduced):
            continue
        if source.shape_signature is not None or op.output.shape_signature is not None:
            continue
        host.options["keep_dims"] = False
        host.outputs = [op.output]
        dropped.append(op)
    graph.remove_ops(dropped)
    return len(dropped)
