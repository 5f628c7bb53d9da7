"""Let the weights of a linear layer absorb the transpose of the image before it.

Given     y = TRANSPOSE(x, 0,3,1,2);  z = RESHAPE(y, [n, c*h*w]);  out = FULLY_CONNECTED(z, w, b)
Result    z = RESHAPE(x, [n, h*w*c]);  out = FULLY_CONNECTED(z, w with its columns moved, b)
"""

from __future__ import annotations

import math

import numpy as np

from mobilekit.graph.ir import Graph, Tensor
from mobilekit.graph.passes.cancel_transposes import permutation_of
from mobilekit.graph.passes.names import Names


def fold_transpose_into_weights(graph: Graph) -> int:
    """Fold where each of the three has one reader and the reshape flattens all but the first axis."""
    producers, consumers = graph.producers(), graph.consumers()
    for op in graph.ops:
        weights = op.inputs[1] if op.kind == "FULLY_CONNECTED" else None
        if weights is None or weights.data is None or weights.quantization is not None or op.inputs[0] is None:
            continue
        reshape = producers.get(op.inputs[0])
        if reshape is None or reshape.kind != "RESHAPE" or reshape.inputs[0] is None:
            continue
        transpose = producers.get(reshape.inputs[0])
        permutation = permutation_of(transpose)
        if transpose is None or permutation is None or permutation[0] != 0 or transpose.inputs[0] is None:
            continue
        seen = transpose.output.shape
        if reshape.output.shape != (seen[0], math.prod(seen[1:])) or reshape.output in graph.outputs:
            continue
        if len(consumers[reshape.output]) != 1 or len(consumers[transpose.output]) != 1:
            continue
        if transpose.output in graph.outputs or weights.shape[1] != math.prod(seen[1:]):
            continue
        # Column j of the weights belongs to element j of the transposed image; give it the stored image's position.
        inverse = np.argsort(permutation)
        columns = np.arange(math.prod(seen[1:])).reshape(seen[1:]).transpose(inverse[1:] - 1).reshape(-1)
        moved = np.ascontiguousarray(weights.data[:, columns])
        op.inputs[1] = Tensor(Names(graph).fresh(f"{weights.name}/columns_moved"), weights.shape, weights.dtype, moved)
        reshape.inputs[0] = transpose.inputs[0]
        graph.remove_ops([transpose])
        return 1  # producers and consumers are stale now; the pipeline comes again
    return 0
