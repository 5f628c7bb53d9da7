"""Let the weights beside a GATHER of channels put them in order.

Given     y = CONV_2D(x, w, b);  z = GATHER(y, order) {axis=last};  out = DEPTH_TO_SPACE(z)
Result    z = CONV_2D(x, w with its filters in that order, b likewise);  out = DEPTH_TO_SPACE(z)

Given     z = GATHER(x, order) {axis=last};  out = CONV_2D(z, w, b)
Result    out = CONV_2D(x, w with its input channels in that order, b)

Pixel shuffle and unshuffle number their channels otherwise than TFLite's DEPTH_TO_SPACE and SPACE_TO_DEPTH.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes.names import Names

# The axis of the weights that runs over input channels; that over output channels is 0.
_INPUT_AXIS = {"CONV_2D": 3, "FULLY_CONNECTED": 1}


def fold_channel_order(graph: Graph) -> int:
    """Fold where nobody else reads what lies between, and the weights are constants of one group."""
    producers, consumers, names = graph.producers(), graph.consumers(), Names(graph)
    folded: list[Op] = []
    for op in graph.ops:
        order, source = _order(op), op.inputs[0] if op.inputs else None
        if order is None or source is None:
            continue
        before, readers = producers.get(source), consumers.get(op.output, [])
        if before is not None and _has_weights(before) and consumers[source] == [op] and source not in graph.outputs:
            before.inputs[1] = _taken(before.inputs[1], order, 0, names)
            before.inputs[2] = _taken(before.inputs[2], order, 0, names)
            before.outputs = [op.output]
            producers[op.output] = before
            folded.append(op)
        elif len(readers) == 1 and op.output not in graph.outputs and _reads_all(readers[0], op.output, order):
            reader = readers[0]
            reader.inputs[0] = source
            reader.inputs[1] = _taken(reader.inputs[1], np.argsort(order), _INPUT_AXIS[reader.kind], names)
            consumers[source] = [reader if user is op else user for user in consumers[source]]
            folded.append(op)
    graph.remove_ops(folded)
    return len(folded)


def _order(op: Op) -> NDArray[Any] | None:
    """The permutation of the last axis that a GATHER makes, else None."""
    if op.kind != "GATHER" or op.inputs[0] is None or op.inputs[1] is None or op.inputs[1].data is None:
        return None
    source, order = op.inputs[0], op.inputs[1].data
    if order.ndim != 1 or op.options.get("axis", 0) % source.rank != source.rank - 1 or op.options.get("batch_dims"):
        return None
    whole = np.array_equal(np.sort(order), np.arange(source.shape[-1]))
    return order if whole and source.dtype == "float32" else None


def _has_weights(op: Op) -> bool:
    """A convolution of one group or a linear layer, its weights and bias float constants."""
    if op.kind not in _INPUT_AXIS or len(op.inputs) < 3 or op.inputs[0] is None:
        return False
    weights, bias = op.inputs[1], op.inputs[2]
    if weights is None or bias is None or weights.data is None or bias.data is None or weights.dtype != "float32":
        return False
    return weights.shape[_INPUT_AXIS[op.kind]] == op.inputs[0].shape[-1]


def _reads_all(op: Op, tensor: Tensor, order: NDArray[Any]) -> bool:
    return (
        _has_weights(op) and op.inputs[0] is tensor and tensor not in op.inputs[1:] and len(order) == tensor.shape[-1]
    )


def _taken(tensor: Tensor | None, order: NDArray[Any], axis: int, names: Names) -> Tensor:
    """A new constant: the old one may have other readers."""
    assert tensor is not None
    assert tensor.data is not None
    data = np.ascontiguousarray(tensor.data.take(order, axis))
    return Tensor(names.fresh(f"{tensor.name}/ordered"), tensor.shape, tensor.dtype, data)
