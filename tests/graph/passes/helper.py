"""One way to test a pass: the edges stay, the graph stays well formed, the numbers in LiteRT agree before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.graph.passes import Pass
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter

# Passes that fold numbers round them once more (float64, then float32): a few units in the last place of sums of at
# most some hundred terms of size about one.
ROUNDING = 1e-5


def check_pass(rewrite: Pass, graph: Graph, *, fires: int, tolerance: float = 0.0) -> Graph:
    """Run ``rewrite`` on ``graph`` in place; it must report ``fires`` rewrites.

    ``tolerance`` 0: the numbers must be equal bit for bit, as for every pass that only moves data.
    """
    graph.check()
    edges, before = _edges(graph), _run(graph)
    text = str(graph)
    assert rewrite(graph) == fires
    if fires == 0:
        assert str(graph) == text, "the pass reports nothing, yet changed the graph"
    graph.check()
    assert _edges(graph) == edges
    for expected, got in zip(before, _run(graph), strict=True):
        assert got.dtype == expected.dtype
        scale = max(1.0, float(np.abs(expected.astype(np.float64)).max(initial=0.0)))
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)
    return graph


def _edges(graph: Graph) -> list[Any]:
    """Names, shapes and dtypes of inputs and outputs, and what the signatures call them."""
    tensors = [(t.name, t.shape, t.dtype, t.shape_signature) for t in (*graph.inputs, *graph.outputs)]
    named = [(s.key, [(n, t.name) for n, t in s.inputs], [(n, t.name) for n, t in s.outputs]) for s in graph.signatures]
    return [*tensors, *named]


def _run(graph: Graph) -> list[Any]:
    random = np.random.default_rng(0)
    inputs = [
        random.integers(-100, 100, t.shape).astype(t.dtype)
        if t.dtype.startswith("int")
        else random.standard_normal(t.shape, np.float32)
        for t in graph.inputs
    ]
    return Interpreter(write(graph), delegate="reference").run(inputs)


class Build:
    """Builds a graph line by line: ``g = Build(); x = g.input(1, 4); y = g.op("RELU", [x], (1, 4))``."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._random = np.random.default_rng(1)
        self._count = 0

    def input(self, *shape: int, dtype: str = "float32", scale: float | None = None) -> Tensor:
        tensor = Tensor(self._name("input"), shape, dtype, quantization=_quantization(scale))
        self.graph.inputs.append(tensor)
        return tensor

    def constant(self, data: Any, quantization: Quantization | None = None) -> Tensor:
        array = np.asarray(data)
        if array.dtype == np.int64:
            array = array.astype(np.int32)
        elif array.dtype == np.float64:
            array = array.astype(np.float32)
        return Tensor(self._name("constant"), array.shape, array.dtype.name, array, quantization)

    def weights(self, *shape: int) -> Tensor:
        return self.constant(self._random.standard_normal(shape))

    def op(
        self,
        kind: str,
        inputs: list[Tensor | None],
        shape: tuple[int, ...],
        dtype: str | None = None,
        scale: float | None = None,
        **options: Any,
    ) -> Tensor:
        first = next(tensor for tensor in inputs if tensor is not None)
        result = Tensor(self._name(kind.lower()), shape, dtype or first.dtype, quantization=_quantization(scale))
        self.graph.ops.append(Op(kind, inputs, [result], options))
        return result

    def transpose(self, x: Tensor, *permutation: int, scale: float | None = None) -> Tensor:
        shape = tuple(x.shape[axis] for axis in permutation)
        return self.op("TRANSPOSE", [x, self.constant(permutation)], shape, scale=scale)

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        wanted = self.constant(shape)
        return self.op("RESHAPE", [x, wanted], shape, new_shape=wanted.data)

    def conv(self, x: Tensor, channels: int, kernel: int = 1, bias: Tensor | None = None, **options: Any) -> Tensor:
        """CONV_2D, VALID, stride one unless the options say otherwise."""
        settings = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
        settings |= {"fused_activation_function": "NONE"} | options
        n, h, w, c = x.shape
        size = [
            -(-full // stride) if settings["padding"] == "SAME" else (full - kernel) // stride + 1
            for full, stride in ((h, settings["stride_h"]), (w, settings["stride_w"]))
        ]
        filters = self.weights(channels, kernel, kernel, c)
        return self.op("CONV_2D", [x, filters, bias or self.weights(channels)], (n, *size, channels), **settings)

    def binary(self, kind: str, x: Tensor, y: Tensor) -> Tensor:
        return self.op(kind, [x, y], np.broadcast_shapes(x.shape, y.shape), fused_activation_function="NONE")

    def done(self, *outputs: Tensor) -> Graph:
        """The graph with ``outputs`` and a signature that names its edges."""
        graph = self.graph
        graph.outputs = list(outputs)
        graph.signatures = [
            Signature(
                "serving_default",
                tuple((f"in_{i}", tensor) for i, tensor in enumerate(graph.inputs)),
                tuple((f"out_{i}", tensor) for i, tensor in enumerate(outputs)),
            )
        ]
        return graph

    def _name(self, base: str) -> str:
        self._count += 1
        return f"{base}_{self._count}"


def _quantization(scale: float | None) -> Quantization | None:
    return None if scale is None else Quantization.per_tensor(scale)
