"""Let an elementwise op broadcast its operand itself.

Given     b = BROADCAST_TO(a, [n, c]);  z = DIV(x, b)
Result    z = DIV(x, a)

XNNPACK takes DIV at any broadcast and BROADCAST_TO not at all: the op would cut the delegate's part in two, which costs
more than the copy.
"""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor

_ELEMENTWISE = frozenset({"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"})
# Above it the oldest kernels refuse operands of unequal shapes.
_MAX_RANK = 4


def absorb_broadcast(graph: Graph) -> int:
    """Read what was broadcast where the op's own broadcasting gives the same shape; dead copies go later."""
    producers = graph.producers()
    absorbed = 0
    for op in graph.ops:
        if op.kind not in _ELEMENTWISE or op.output.rank > _MAX_RANK:
            continue
        for position in (0, 1):
            tensor = op.inputs[position]
            maker = producers.get(tensor) if tensor is not None else None
            if maker is None or maker.kind != "BROADCAST_TO":
                continue
            source, other = maker.inputs[0], op.inputs[1 - position]
            if source is not None and other is not None and _gives(op, source, other):
                op.inputs[position] = source
                absorbed += 1
    return absorbed


def _gives(op: Op, source: Tensor, other: Tensor) -> bool:
    fixed = all(tensor.shape_signature is None for tensor in (source, other, op.output))
    return fixed and np.broadcast_shapes(source.shape, other.shape) == op.output.shape
