"""One tensor for equal small constants: axes, shapes, zero biases.

Given     a = RESHAPE(x, [1,-1] as c1);  b = RESHAPE(y, [1,-1] as c2)
Result    both read c1
"""

from __future__ import annotations

import hashlib

from mobilekit.graph.ir import Graph, Quantization, Tensor

# Weights are rarely equal and slow to hash; axes, shapes and biases of a thousand channels are below this.
_MAX_BYTES = 4096


def share_constants(graph: Graph) -> int:
    """Merge constants of equal bytes, shape, dtype and quantization; those that are graph outputs keep their name."""
    kept: dict[tuple[object, ...], Tensor] = {}
    merged: dict[Tensor, Tensor] = {}
    for tensor in graph.constants():
        if tensor.data is None or tensor.data.nbytes > _MAX_BYTES or tensor in graph.outputs or tensor.is_variable:
            continue
        if tensor.sparsity is not None:
            continue
        digest = hashlib.sha256(tensor.data.tobytes()).digest()
        key = (digest, tensor.shape, tensor.dtype, *_quantization_key(tensor.quantization))
        first = kept.setdefault(key, tensor)
        if first is not tensor:
            merged[tensor] = first
    for op in graph.ops:
        op.inputs = [merged.get(tensor, tensor) if tensor is not None else None for tensor in op.inputs]
    return len(merged)


def _quantization_key(quantization: Quantization | None) -> tuple[object, ...]:
    if quantization is None:
        return ()
    # The scale's own bytes: printed with few digits, two different scales look alike.
    return (quantization.scale.tobytes(), quantization.zero_point.tobytes(), quantization.axis)
