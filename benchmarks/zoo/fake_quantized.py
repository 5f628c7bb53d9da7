"""What the best int8 file with the same scales could be: the same graph in float, its values rounded to the same grids.

Given     y:int8 = CONV_2D(x:int8, w:int8, b:int32)
Result    y = CONV_2D(x, w', b') in float32, w' and b' dequantized;  y8:int8 = QUANTIZE(y);  y' = DEQUANTIZE(y8)

That is a fake-quantized model: integer grids for weights, biases and every activation, float32 sums between them. It is
made from the quantized file's own graph, so scales, equalisation and bias correction are the same, and run in LiteRT's
plain float kernels, like PyTorch's fake_quantize runs in PyTorch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor

_GRIDS = ("int8", "int16", "int32")


def fake_quantized(graph: Graph) -> Graph:
    """The float twin of a quantized graph, with its inputs and outputs. The given graph is not changed.

    Raises ValueError for an op that keeps quantized state inside (an integer LSTM): its twin is no float op.
    """
    return _Twin(graph).run()


class _Twin:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._ops: list[Op] = []
        self._real: dict[Tensor, Tensor] = {}
        """A quantized tensor -> the float tensor that holds its values, rounded to its grid."""
        self._names = {tensor.name for tensor in graph.tensors()}

    def run(self) -> Graph:
        for op in self._graph.ops:
            self._emit(op)
        graph = self._graph
        return Graph(
            name=graph.name, inputs=list(graph.inputs), outputs=list(graph.outputs), ops=self._ops,
            signatures=list(graph.signatures), subgraphs=graph.subgraphs,
        )  # fmt: skip

    def _emit(self, op: Op) -> None:
        if op.intermediates:
            raise ValueError(f"{op.kind} keeps quantized state inside")
        if op.kind == "DEQUANTIZE" and _on_grid(op.inputs[0]):
            # Reads what lies on the grid already; the copy keeps the name that a graph output may have.
            self._ops.append(Op("DEQUANTIZE", list(op.inputs), list(op.outputs)))
            return
        inputs = [self._in_float(tensor) for tensor in op.inputs]
        if op.kind == "QUANTIZE":
            self._ops.append(Op("QUANTIZE", inputs, list(op.outputs)))
            return
        outputs = [self._new(tensor, "_unrounded") if _on_grid(tensor) else tensor for tensor in op.outputs]
        self._ops.append(
            Op(
                op.kind, inputs, outputs, options=dict(op.options), source=op.source, options_type=op.options_type,
                custom_code=op.custom_code, custom_options=op.custom_options,
            )
        )  # fmt: skip
        for float_tensor, stored in zip(outputs, op.outputs, strict=True):
            if float_tensor is not stored:
                self._ops.append(Op("QUANTIZE", [float_tensor], [stored]))

    def _in_float(self, tensor: Tensor | None) -> Tensor | None:
        if tensor is None or not _on_grid(tensor):
            return tensor
        if tensor not in self._real:
            real = self._new(tensor, "_rounded")
            if tensor.data is not None:
                assert tensor.quantization is not None
                real.data = tensor.quantization.dequantize(tensor.data).astype(np.float32)
            else:
                self._ops.append(Op("DEQUANTIZE", [tensor], [real]))
            self._real[tensor] = real
        return self._real[tensor]

    def _new(self, tensor: Tensor, suffix: str) -> Tensor:
        name, number = tensor.name + suffix, 1
        while name in self._names:
            number += 1
            name = f"{tensor.name}{suffix}_{number}"
        self._names.add(name)
        return Tensor(name, tensor.shape, "float32", shape_signature=tensor.shape_signature)


def _on_grid(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.dtype in _GRIDS and tensor.quantization is not None


def median_sqnr_db(result: Any, model: Any, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """SQNR against PyTorch of an int8 ``Converted`` and of its fake-quantized twin, on the same seeded noise.

    Both in dB, median over the samples, of the worst real-valued output; the twin's is None where it cannot be made.
    """
    import torch

    from benchmarks.zoo.jobs import _leaves
    from mobilekit.conversion.calibration import synthetic
    from mobilekit.conversion.verify import sqnr_db
    from mobilekit.graph.writer import write
    from mobilekit.runtime import Interpreter

    adapter = result._adapter
    found: dict[str, Any] = {"sqnr_db": None, "fake_quantized_db": None}
    runs = {"sqnr_db": Interpreter(result.bytes)}
    try:
        runs["fake_quantized_db"] = Interpreter(write(fake_quantized(result._quantized.graph)), delegate="reference")
    except ValueError as error:
        found["no_twin"] = str(error)
    values: dict[str, list[list[float]]] = {key: [] for key in runs}
    for call in synthetic(inputs):
        with torch.no_grad():
            references = [np.asarray(leaf) for leaf in _leaves(model(*call))]
        leaves = adapter.leaves(call)
        stored = adapter.stored(adapter.real(leaves))
        for key, interpreter in runs.items():
            outputs = adapter.flat_outputs(interpreter.run(stored), leaves)
            values[key].append(
                [
                    sqnr_db(ref.astype(np.float64), np.asarray(out, np.float64))
                    for ref, out in zip(references, outputs, strict=True)
                    if ref.dtype.kind == "f"
                ]
            )
    # A file that is exactly right has no noise; JSON has no infinity.
    return found | {key: float(np.clip(np.median(rows, axis=0).min(), -99, 199)) for key, rows in values.items()}
