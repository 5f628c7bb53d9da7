"""What we write: read back the same, run by LiteRT, aligned, shared, deterministic; or refused in words."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from mobilekit import runtime
from mobilekit.errors import GraphError
from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter
from tests.graph.build import assert_same, constant, one_op, small_cnn


def test_round_trip() -> None:
    graph = small_cnn()
    graph.ops[0].source = None  # A file has no place for the user's source line; the sidecar and the report keep it.
    data = write(graph)
    again = read(data)
    assert_same(graph_with_file_facts(graph, again), again)
    assert write(again) == data


def graph_with_file_facts(graph: Graph, again: Graph) -> Graph:
    """``graph`` with the options at their defaults spelled out, as a file has them."""
    for op, copy in zip(graph.ops, again.ops, strict=True):
        assert op.options.items() <= copy.options.items()
        op.options = copy.options
    return graph


def test_it_runs() -> None:
    """The file computes what NumPy computes from the same graph (conv, depthwise, mean, dense)."""
    graph = small_cnn()
    image = np.random.default_rng(1).standard_normal((1, 8, 8, 3), np.float32)
    stem = np.clip(_conv(image, *_data(graph.ops[0]), stride=2), 0, 6)
    weights, bias = _data(graph.ops[1])
    depthwise = _conv(
        stem, np.stack([np.diag(tap) for tap in weights[0].reshape(9, 12)], -2).reshape(12, 3, 3, 12), bias, 1
    )
    expected = depthwise.mean((1, 2)) @ graph.ops[3].inputs[1].data.T  # type: ignore[union-attr]
    (got,) = Interpreter(write(graph)).run([image])
    # Sums of at most 108 float32 products of size about 10: the rounding is some 108 * 10 * 2^-24, below 1e-4.
    np.testing.assert_allclose(got, expected, atol=1e-4)


def _data(op: Op) -> list[Any]:
    return [tensor.data for tensor in op.present_inputs() if tensor.data is not None]


def _conv(image: Any, weights: Any, bias: Any, stride: int) -> Any:
    """SAME padding as TFLite defines it: the odd pixel goes to the bottom and right."""
    size = image.shape[1] // stride
    total = max((size - 1) * stride + 3 - image.shape[1], 0)
    padded = np.pad(image, ((0, 0), *[(total // 2, total - total // 2)] * 2, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))[:, ::stride, ::stride]
    return np.einsum("nhwcyx,oyxc->nhwo", windows, weights) + bias


def test_same_graph_same_bytes() -> None:
    assert write(small_cnn()) == write(small_cnn())


def buffers_of(data: bytes) -> list[tuple[int, int]]:
    """(offset in the file, length) of every buffer that holds data."""
    model = schema.Model.GetRootAs(data, 0)
    base = np.frombuffer(data, np.uint8).ctypes.data
    return [
        (buffer.DataAsNumpy().ctypes.data - base, buffer.DataLength())
        for buffer in (model.Buffers(i) for i in range(model.BuffersLength()))
        if buffer.DataLength()
    ]


@given(st.lists(st.integers(1, 70), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_buffers_start_at_multiples_of_16(lengths: list[int]) -> None:
    """Kernels that map the file load vectors straight from it; odd lengths before must not move them."""
    parts = [constant(f"part_{i}", np.arange(n, dtype=np.uint8)) for i, n in enumerate(lengths)]
    output = Tensor("all", (sum(lengths),), "uint8")
    buffers = buffers_of(write(one_op("CONCATENATION", list(parts), output, axis=0)))
    assert [length for _, length in buffers] == lengths
    assert all(offset % 16 == 0 for offset, _ in buffers)


def test_one_array_is_stored_once() -> None:
    table = np.arange(12, dtype=np.float32)
    a, b = constant("a", table), constant("b", table)
    # The same memory in another shape, the same bytes elsewhere, and the same memory in another order.
    c, d, e = constant("c", table.reshape(3, 4)), constant("d", table.copy()), constant("e", table.reshape(3, 4).T)
    outputs = [Tensor(f"out_{t.name}", t.shape, "float32") for t in (a, b, c, d, e)]
    ops = [Op("ABS", [t], [out]) for t, out in zip((a, b, c, d, e), outputs, strict=True)]
    graph = Graph(outputs=outputs, ops=ops)
    data = write(graph)
    assert [length for _, length in buffers_of(data)] == [48, 48, 48]
    for tensor, original in zip(read(data).constants(), (a, b, c, d, e), strict=True):
        np.testing.assert_array_equal(tensor.data, original.data)


DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
DTYPES += ["float16", "float32", "float64", "complex64", "complex128"]


@given(st.data(), st.sampled_from(DTYPES))
@settings(max_examples=100, deadline=None)
def test_constants_of_every_type_and_shape(data: st.DataObject, dtype: str) -> None:
    """Scalars, empty arrays, NaN and all: the bytes come back."""
    shapes = st_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3)
    array = data.draw(st_numpy.arrays(dtype, shapes))
    (again,) = read(write(Graph(outputs=[constant("c", array)]))).constants()
    assert (again.shape, again.dtype) == (array.shape, dtype)
    assert (again.data.shape, again.data.dtype) == (array.shape, array.dtype)
    assert again.data.tobytes() == array.tobytes()


def test_an_empty_constant_is_still_a_constant() -> None:
    """Concatenating with nothing: LiteRT runs it, and the tensor does not turn into one that nobody makes."""
    x, empty = Tensor("x", (2, 3), "float32"), constant("empty", np.empty((2, 0), np.float32))
    data = write(one_op("CONCATENATION", [x, empty], Tensor("y", (2, 3), "float32"), axis=1))
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(Interpreter(data).run([image])[0], image)
    again = read(data)
    assert [tensor.name for tensor in again.constants()] == ["empty"]
    assert write(again) == data


@pytest.mark.skipif(
    runtime.describe().startswith("tflite-runtime"), reason="tflite-runtime 2.14 has no int4 DEQUANTIZE"
)
def test_int4_weights() -> None:
    """Two values a byte, the first in the low half: LiteRT reads 1, -2, 7, -8 from 0xE1, 0x87."""
    packed = np.array([0xE1, 0x87], np.uint8)
    weights = Tensor("w", (4,), "int4", packed, Quantization.per_tensor(0.5))
    data = write(one_op("DEQUANTIZE", [weights], Tensor("y", (4,), "float32")))
    again = read(data).constants()[0]
    assert (again.dtype, again.shape, bytes(again.data)) == ("int4", (4,), packed.tobytes())
    np.testing.assert_array_equal(Interpreter(data, delegate="reference").run([])[0], [0.5, -1.0, 3.5, -4.0])


def test_quantization_comes_back() -> None:
    per_channel = Quantization(np.array([0.1, 0.2], np.float32), np.array([0, 0], np.int64), axis=1)
    x = Tensor("x", (3,), "int8", quantization=Quantization.per_tensor(0.25, -7))
    w = constant("w", np.zeros((3, 2), np.int8), per_channel)
    again = {t.name: t for t in read(write(one_op("ADD", [x, w], Tensor("y", (3, 2), "int8")))).tensors()}
    assert again["x"].quantization.equals(x.quantization)
    assert again["w"].quantization.equals(per_channel)
    assert again["w"].quantization.axis == 1
    assert again["y"].quantization is None


def test_dynamic_dimensions_variables_and_subgraphs() -> None:
    state = Tensor("state", (1, 2), "float32", is_variable=True)
    x = Tensor("x", (1, 2), "float32", shape_signature=(-1, 2))
    main = one_op("ADD", [x, state], Tensor("y", (1, 2), "float32"))
    main.inputs = [x]
    body_in, body_out = Tensor("x", (3,), "int32"), Tensor("y", (3,), "int32")
    body = Graph("body", [body_in], [body_out], [Op("NEG", [body_in], [body_out])])
    body.signatures = [Signature("negate", (("value", body_in),), (("negated", body_out),))]
    main.subgraphs = [body]
    again = read(write(main))
    assert_same(graph_with_file_facts(main, again), again)
    assert again.inputs[0].shape_signature == (-1, 2)
    assert [t.name for t in again.tensors() if t.is_variable] == ["state"]
    assert [s.key for s in again.subgraphs[0].signatures] == ["negate"]


def test_more_than_a_file_can_hold() -> None:
    """3 GiB of weights, as a view of four bytes: refused before a byte is copied."""
    huge = np.broadcast_to(np.float32(1), (3 * 2**28,))
    graph = Graph(outputs=[constant("huge", huge)])
    message = r"^the weights take 3\.0 GiB, a \.tflite file holds less than 2; quantize the weights or split the model$"
    with pytest.raises(GraphError, match=message):
        write(graph)


def test_tables_that_do_not_fit_beside_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights just below the limit: the flatbuffer library runs out while packing, and the error is still ours."""
    monkeypatch.setattr(flatbuffers.Builder, "MAX_BUFFER_SIZE", 4096)
    with pytest.raises(GraphError, match=r"a \.tflite file holds less than 2; quantize the weights or split the model"):
        write(small_cnn())


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Graph(outputs=[Tensor("x", (1,), "float32")]), "output 'x' is never made"),
        (one_op("CONV_9D", [Tensor("x", (1,), "float32")], Tensor("y", (1,), "float32")), "'CONV_9D' is not an op"),
        (
            one_op("ADD", [Tensor("x", (1,), "float32")], Tensor("y", (1,), "float32"), axis=1),
            r"ADD has no option 'axis' \(it has \['fused_activation_function', 'pot_scale_int16'\]\)",
        ),
        (
            one_op("MAX_POOL_2D", [Tensor("x", (1,), "float32")], Tensor("y", (1,), "float32"), padding="SOME"),
            "MAX_POOL_2D: option padding cannot be 'SOME'",
        ),
        (
            one_op("FLOOR", [Tensor("x", (1,), "float32")], Tensor("y", (1,), "float32"), axis=1),
            r"FLOOR takes no options, was given \['axis'\]",
        ),
        (
            one_op("ABS", [Tensor("x", (1,), "float7")], Tensor("y", (1,), "float7")),
            "tensor 'x': TFLite has no type 'float7'",
        ),
    ],
)
def test_refused_in_words(graph: Graph, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        write(graph)
