"""Carry a RESHAPE past pointwise ops, so that a convolution meets its batch norm, its activation and the next one.

Given     y = RESHAPE(x, [n,w,c]);  z = MUL(y, s);  out = RELU(z)                    x: [n,1,w,c], from a CONV_2D
Result    z = MUL(x, s);  r = RELU(z);  out = RESHAPE(r, [n,w,c])

Given     a' = RESHAPE(a, s);  b' = RESHAPE(b, s);  out = ADD(a', b')                a and b of one shape
Result    r = ADD(a, b);  out = RESHAPE(r, s)

A stack of 1d convolutions arrives as 2d ones, each between two RESHAPEs; after this and merge_reshapes the only ones
left stand at its ends. The number of RESHAPEs never grows.
"""

from __future__ import annotations

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes.names import Names
from mobilekit.graph.passes.pointwise import POINTWISE

_BINARY = frozenset({"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"})


def sink_reshape(graph: Graph) -> int:
    """Move each RESHAPE with one reader behind that reader, and on, as far as it goes."""
    sinker = _Sinker(graph)
    moved, index = 0, 0
    while index < len(graph.ops):
        if sinker.sink_before(index):
            moved += 1
        index += 1
    if moved:
        read = {tensor for op in graph.ops for tensor in op.present_inputs()}.union(graph.outputs)
        graph.remove_ops([op for op in graph.ops if op.kind == "RESHAPE" and op.output not in read])
    return moved


class _Sinker:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.names, self.outputs = graph, Names(graph), set(graph.outputs)
        self.producers, self.consumers = graph.producers(), graph.consumers()

    def sink_before(self, index: int) -> bool:
        """Put the RESHAPEs that the op at ``index`` reads behind it, if that is the same."""
        op = self.graph.ops[index]
        count = 1 if op.kind in POINTWISE else 2 if op.kind in _BINARY else 0
        reshapes = [self._reshape(tensor, op) for tensor in op.inputs[:count]]
        found = [reshape for reshape in reshapes if reshape is not None]
        shapes = {source.shape for reshape in found for source in reshape.inputs[:1] if source is not None}
        if len(shapes) != 1 or op.output.shape_signature is not None:
            return False
        shape = shapes.pop()
        inputs = [
            self._constant(tensor, op.output.shape, shape) if reshape is None else reshape.inputs[0]
            for tensor, reshape in zip(op.inputs, reshapes, strict=False)
        ]
        if None in inputs:
            return False
        result = op.output
        middle = Tensor(self.names.fresh(f"{result.name}/flat"), shape, result.dtype, quantization=result.quantization)
        op.inputs, op.outputs = [*inputs, *op.inputs[count:]], [middle]
        sunk = Op("RESHAPE", [middle, *found[0].inputs[1:]], [result], found[0].options, op.source)
        self.graph.ops.insert(index + 1, sunk)
        self.producers[middle], self.producers[result], self.consumers[middle] = op, sunk, [sunk]
        return True

    def _reshape(self, tensor: Tensor | None, reader: Op) -> Op | None:
        """The RESHAPE that makes ``tensor`` for ``reader`` alone, without broadcasting."""
        op = self.producers.get(tensor) if tensor is not None else None
        if op is None or tensor is None or op.kind != "RESHAPE" or tensor.shape != reader.output.shape:
            return None
        if self.consumers[tensor] != [reader] or tensor in self.outputs:
            return None
        known = (tensor, *op.present_inputs())
        movable = all(t.shape_signature is None and not _is_per_axis(t) for t in (*known, *reader.outputs))
        return op if movable else None

    def _constant(self, tensor: Tensor | None, seen: tuple[int, ...], stored: tuple[int, ...]) -> Tensor | None:
        """A constant operand beside ``stored`` instead of ``seen``: one number, or one a channel that stays last."""
        if tensor is None or tensor.data is None or tensor.quantization is not None:
            return None
        per_channel = tensor.shape[-1:] == seen[-1:] == stored[-1:] and tensor.size == seen[-1]
        if tensor.size != 1 and not per_channel:
            return None
        shape = (tensor.size,) if tensor.size > 1 else ()
        if tensor.shape == shape:
            return tensor
        return Tensor(self.names.fresh(f"{tensor.name}/flat"), shape, tensor.dtype, tensor.data.reshape(shape))


def _is_per_axis(tensor: Tensor) -> bool:
    return tensor.quantization is not None and tensor.quantization.is_per_axis
