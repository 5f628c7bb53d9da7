"""What an op costs, from shapes alone: multiply-accumulates, bytes of a tensor, memory of a whole graph."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor

# Bits of the types that NumPy does not have.
_BITS = {"int2": 2, "int4": 4, "uint4": 4, "bfloat16": 16, "float8_e4m3fn": 8, "float8_e5m2": 8}


def tensor_bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's values; dynamic dimensions count as the file gives them (1). 0 for strings and resources."""
    if tensor.dtype in _BITS:
        return (tensor.size * _BITS[tensor.dtype] + 7) // 8
    if tensor.dtype in ("string", "resource", "variant"):
        return 0
    return tensor.size * np.dtype(tensor.dtype).itemsize


def macs(op: Op) -> int:
    """Multiply-accumulates of one op; 0 for those that do no sums of products."""
    if not op.outputs or len(op.inputs) < 2 or op.inputs[1] is None or op.inputs[0] is None:
        return 0
    output, weights = op.outputs[0], op.inputs[1]
    if op.kind in ("CONV_2D", "CONV_3D") and weights.rank >= 4:
        # CONV_2D: [out, h, w, in/groups]; CONV_3D: [d, h, w, in, out]. Each output value needs all but one of the dims.
        per_value = weights.size // max(weights.shape[0 if op.kind == "CONV_2D" else -1], 1)
        return output.size * per_value
    if op.kind == "DEPTHWISE_CONV_2D" and weights.rank == 4:
        return output.size * weights.shape[1] * weights.shape[2]
    if op.kind == "TRANSPOSE_CONV" and len(op.inputs) > 2 and op.inputs[2] is not None and weights.rank == 4:
        return op.inputs[2].size * weights.size // max(weights.shape[3], 1)
    if op.kind == "FULLY_CONNECTED" and weights.rank == 2:
        return output.size * weights.shape[1]
    if op.kind == "BATCH_MATMUL" and op.inputs[0].rank >= 2:
        depth = op.inputs[0].shape[-2 if op.options.get("adj_x") else -1]
        return output.size * depth
    return 0


def peak_memory(graph: Graph) -> int:
    """Bytes of activations alive at once at the worst op, run in order with every tensor freed after its last use.

    A lower bound of the arena that the runtime plans: no alignment, no scratch buffers, no constants.
    """
    last: dict[Tensor, int] = {}
    for index, op in enumerate(graph.ops):
        for tensor in (*op.present_inputs(), *op.outputs):
            last[tensor] = index
    last.update(dict.fromkeys(graph.outputs, len(graph.ops)))
    alive = sum(tensor_bytes(tensor) for tensor in graph.inputs)
    peak = alive
    for index, op in enumerate(graph.ops):
        alive += sum(tensor_bytes(tensor) for tensor in op.outputs)
        peak = max(peak, alive)
        done = {t for t in (*op.present_inputs(), *op.outputs) if last[t] == index and not t.is_constant}
        alive -= sum(tensor_bytes(tensor) for tensor in done)
    return peak
