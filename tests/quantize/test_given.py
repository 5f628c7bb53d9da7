"""Given scales where TFLite's rules forbid them: requantized, and said."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.graph.writer import write
from mobilekit.quantize.given import has_given_scales, quantize_as_given
from mobilekit.runtime import Interpreter

FINE, COARSE = Quantization.per_tensor(1 / 64, 0), Quantization.per_tensor(1 / 16, -20)


class Maker:
    """A float graph with QUANTIZE and DEQUANTIZE pairs, as the frontends make it."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def rounded(self, tensor: Tensor, scale: Quantization) -> Tensor:
        stored = Tensor(f"{tensor.name}_q", tensor.shape, "int8", quantization=scale)
        real = Tensor(f"{tensor.name}_dq", tensor.shape, "float32")
        self.ops += [Op("QUANTIZE", [tensor], [stored]), Op("DEQUANTIZE", [stored], [real])]
        return real


def inputs(*names: str) -> list[Tensor]:
    return [Tensor(name, (1, 4), "float32") for name in names]


def arrays(count: int) -> list[np.ndarray]:
    return [np.random.default_rng(seed).uniform(-1, 1, (1, 4)).astype(np.float32) for seed in range(count)]


def test_concat_shares_a_scale_so_its_inputs_are_requantized() -> None:
    m, (a, b) = Maker(), inputs("a", "b")
    parts = [m.rounded(a, FINE), m.rounded(b, COARSE)]
    joined = Tensor("joined", (1, 8), "float32")
    m.ops.append(Op("CONCATENATION", list(parts), [joined], {"axis": 1, "fused_activation_function": "NONE"}))
    graph = Graph(inputs=[a, b], outputs=[m.rounded(joined, COARSE)], ops=m.ops)
    assert has_given_scales(graph)
    expected = Interpreter(write(graph), delegate="reference").run(arrays(2))[0]
    result = quantize_as_given(graph, [])
    assert result.full_integer
    assert result.notes == ("'a_q' is requantized for CONCATENATION 'joined', whose tensors share a scale",)
    got = Interpreter(write(result.graph), delegate="reference").run(arrays(2))[0]
    # The same roundings in the same order; a tie may be broken the other way by a requantizing multiplier: one step.
    assert np.abs(got - expected).max() <= 1 / 16 + 1e-6


def test_softmax_keeps_its_own_scale_and_is_requantized_to_the_given() -> None:
    m, (x,) = Maker(), inputs("x")
    inner = m.rounded(x, FINE)
    y = Tensor("y", (1, 4), "float32")
    m.ops.append(Op("SOFTMAX", [inner], [y], {"beta": 1.0}))
    given = Quantization.per_tensor(1 / 128, -128)
    graph = Graph(inputs=[x], outputs=[m.rounded(y, given)], ops=m.ops)
    expected = Interpreter(write(graph), delegate="reference").run(arrays(1))[0]
    result = quantize_as_given(graph, [])
    softmax = next(op for op in result.graph.ops if op.kind == "SOFTMAX")
    assert softmax.output.quantization is not None
    assert float(softmax.output.quantization.scale[0]) == 1 / 256
    assert result.notes == ("'y' is requantized to the scale that the model gives it: q(0.0078125, -128)",)
    got = Interpreter(write(result.graph), delegate="reference").run(arrays(1))[0]
    # A step of the kernel's own 1/256, and one of the given scale.
    assert np.abs(got - expected).max() <= 1 / 256 + 1 / 128


def test_asymmetric_weights_are_rounded_anew_and_said() -> None:
    m, (x,) = Maker(), inputs("x")
    weight = Tensor("w", (2, 4), "float32", np.linspace(0.013, 0.9, 8, dtype=np.float32).reshape(2, 4))
    y = Tensor("y", (1, 2), "float32")
    options = {"fused_activation_function": "NONE", "weights_format": 0, "keep_num_dims": True}
    m.ops = []
    inner = m.rounded(x, FINE)
    m.ops.append(Op("FULLY_CONNECTED", [inner, weight, None], [y], options))
    result = quantize_as_given(Graph(inputs=[x], outputs=[m.rounded(y, COARSE)], ops=m.ops), [])
    assert result.notes == ("weights of 'y' have no symmetric scale in the model: they are rounded anew",)
    assert result.full_integer
