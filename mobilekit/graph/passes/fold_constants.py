"""Compute ops whose inputs are all constants, once, in LiteRT itself.

Given     s = TRANSPOSE(w, 1,0);  y = FULLY_CONNECTED(x, s, b)      with w a constant
Result    y = FULLY_CONNECTED(x, s', b)                             with s' a constant
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import MobilekitError
from mobilekit.graph.ir import OPAQUE_DTYPES, Graph, Op, Tensor

# Random and stateful ops have no constant result; DEQUANTIZE of weights is how fp16 and weight-only files stay small;
# DENSIFY is the same for sparse ones. Ops that name subgraphs cannot be run alone.
_KEPT = frozenset(
    {
        "ASSIGN_VARIABLE",
        "BUCKETIZE",
        "CALL",
        "CALL_ONCE",
        "CUSTOM",
        "DELEGATE",
        "DENSIFY",
        "DEQUANTIZE",
        "HASHTABLE",
        "IF",
        "MULTINOMIAL",
        "RANDOM_STANDARD_NORMAL",
        "RANDOM_UNIFORM",
        "READ_VARIABLE",
        "VAR_HANDLE",
        "WHILE",
    }
)
# A constant that grows the file by more than this is left to be computed: BROADCAST_TO of a scalar, RANGE, FILL.
_MAX_GROWTH_BYTES = 1 << 20


def fold_constants(graph: Graph) -> int:
    """Replace each foldable op by its result, chains at once; what the runtime cannot compute stays as it is."""
    folded = []
    for op in graph.ops:  # in topological order: what is folded here is a constant to the ops after it
        results = _compute(op) if _is_foldable(op, graph) else None
        if results is None:
            continue
        for tensor, data in zip(op.outputs, results, strict=True):
            tensor.data, tensor.shape, tensor.shape_signature = data, tuple(data.shape), None
        folded.append(op)
    graph.remove_ops(folded)
    return len(folded)


def _is_foldable(op: Op, graph: Graph) -> bool:
    if op.kind in _KEPT or op.kind.startswith("STABLEHLO_") or any(tensor in graph.outputs for tensor in op.outputs):
        return False
    inputs = list(op.present_inputs())
    if not inputs or not all(tensor.is_constant and not tensor.is_variable for tensor in inputs):
        return False
    if any(t.dtype in OPAQUE_DTYPES or t.sparsity is not None or t.is_variable for t in (*inputs, *op.outputs)):
        return False
    grown = sum(t.size * np.dtype(t.dtype).itemsize for t in op.outputs)
    given = sum(t.data.nbytes for t in inputs if t.data is not None)
    return grown <= given + _MAX_GROWTH_BYTES


def _compute(op: Op) -> list[NDArray[Any]] | None:
    """The outputs of one op on its own, or None where the runtime refuses it."""
    from mobilekit.graph.writer import write
    from mobilekit.runtime import Interpreter

    outputs = [Tensor(t.name, t.shape, t.dtype, quantization=t.quantization) for t in op.outputs]
    alone = Graph(
        outputs=outputs,
        ops=[Op(op.kind, op.inputs, outputs, op.options, version=op.version, options_type=op.options_type)],
    )
    try:
        # "reference": the kernels that every delegate is measured against.
        return Interpreter(write(alone), delegate="reference").run([])
    except MobilekitError:
        return None
