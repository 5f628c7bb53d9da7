"""Compute ops whose inputs are all constants, once, in LiteRT itself.

Given     s = TRANSPOSE(w, 1,0);  y = FULLY_CONNECTED(x, s, b)      with w a constant
Result    y = FULLY_CONNECTED(x, s', b)                             with s' a constant
"""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import OPAQUE_DTYPES, Graph, Op, Tensor

# Random and stateful ops have no constant result; DEQUANTIZE of weights is how fp16 and weight-only files stay small.
_KEPT = frozenset(
    {
        "RANDOM_UNIFORM",
        "RANDOM_STANDARD_NORMAL",
        "MULTINOMIAL",
        "CUSTOM",
        "CALL_ONCE",
        "IF",
        "WHILE",
        "VAR_HANDLE",
        "DEQUANTIZE",
    }
)
# A constant that grows the file by more than this is left to be computed: BROADCAST_TO of a scalar, RANGE, FILL.
_MAX_GROWTH_BYTES = 1 << 20


def fold_constants(graph: Graph) -> int:
    """Replace each foldable op by its result; what the runtime cannot compute stays as it is."""
    foldable = [op for op in graph.ops if _is_foldable(op, graph)]
    for op in foldable:
        for tensor, data in zip(op.outputs, _compute(op), strict=True):
            tensor.data = data
            tensor.shape = tuple(data.shape)
    graph.remove_ops(foldable)
    return len(foldable)


def _is_foldable(op: Op, graph: Graph) -> bool:
    if op.kind in _KEPT or not op.inputs or any(tensor in graph.outputs for tensor in op.outputs):
        return False
    if not all(tensor.is_constant and tensor.dtype not in OPAQUE_DTYPES for tensor in op.present_inputs()):
        return False
    grown = sum(t.size * np.dtype(t.dtype).itemsize for t in op.outputs)
    given = sum(t.data.nbytes for t in op.present_inputs() if t.data is not None)
    return grown <= given + _MAX_GROWTH_BYTES


def _compute(op: Op) -> list[np.ndarray]:
    from mobilekit.graph.writer import write
    from mobilekit.runtime import Interpreter

    # The constants stay constants (many kernels demand it); a dummy input makes it a graph that can be run.
    outputs = [Tensor(t.name, t.shape, t.dtype, quantization=t.quantization) for t in op.outputs]
    alone = Graph(
        outputs=outputs,
        ops=[Op(op.kind, op.inputs, outputs, op.options, version=op.version, options_type=op.options_type)],
    )
    return Interpreter(write(alone), delegate="reference").run([])
