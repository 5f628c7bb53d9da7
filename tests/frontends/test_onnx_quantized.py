"""ONNX files that are quantized already: scales, zero points and integers as they are, and what is refused."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.errors import BackendError, InputError, ModelLoadError
from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.reader import read

onnx = pytest.importorskip("onnx", reason="needs mobilekit[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs mobilekit[onnx]")
pytest.importorskip("onnx2torch", reason="needs mobilekit[onnx]")
quantization = pytest.importorskip("onnxruntime.quantization", reason="needs onnxruntime's quantization")


class Cnn(nn.Module):
    """A convolution, a depthwise and a pointwise one, a pool, a residual add, a mean, a head."""

    shape = (1, 3, 16, 16)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.depth = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.point, self.second = nn.Conv2d(8, 12, 1), nn.Conv2d(12, 12, 3, 1, 1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.depth(torch.relu(self.first(x))))
        x = nn.functional.max_pool2d(torch.relu(self.point(x)), 2)
        x = x + torch.relu(self.second(x))
        return self.head(x.mean((2, 3)))


class Mlp(nn.Module):
    shape = (1, 6, 16)

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(torch.relu(self.up(x)))


class Block(Mlp):
    """The MLP, then attention over six tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = super().forward(x)
        weights = torch.softmax(self.q(x) @ self.k(x).transpose(1, 2) * 0.25, -1)
        return x + self.o(weights @ self.v(x))


def arrays(shape: tuple[int, ...], count: int = 8) -> list[np.ndarray]:
    return [np.random.default_rng(seed).standard_normal(shape).astype(np.float32) for seed in range(count)]


class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.calls: Iterator[Any] = iter([{"x": array} for array in arrays(shape)])

    def get_next(self) -> Any:
        return next(self.calls, None)


def quantized(folder: Path, model: nn.Module, activations: str, weights: str, **options: Any) -> Path:
    """``model`` through onnxruntime.quantization, in the QDQ format."""
    source, path = folder / "float.onnx", folder / "net.onnx"
    kinds = quantization.QuantType
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(model.shape)  # type: ignore[arg-type]
        torch.onnx.export(model.eval(), (example,), str(source), input_names=["x"], opset_version=17, dynamo=False)
    logging.disable(logging.WARNING)  # it asks for its own pre-processing, which renames nodes
    try:
        quantization.quantize_static(
            str(source), str(path), Reader(model.shape), quant_format=options.pop("quant_format", None)  # type: ignore[arg-type]
            or quantization.QuantFormat.QDQ, activation_type=kinds[activations], weight_type=kinds[weights], **options,
        )  # fmt: skip
    finally:
        logging.disable(logging.NOTSET)
    return path


# -- what an ONNX file says, as TFLite would say it ------------------------------------------------------------------

Affine = tuple[float, int]


class File:
    def __init__(self, path: Path) -> None:
        graph = onnx.load(str(path)).graph
        self.constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        self.nodes = list(graph.node)
        self.maker = {name: node for node in graph.node for name in node.output}

    def affine(self, node: Any) -> list[Affine]:
        scale, zero = (np.atleast_1d(self.constants[name]) for name in node.input[1:3])
        shift = 128 if zero.dtype == np.uint8 else 0
        return [(float(s), int(z) - shift) for s, z in zip(scale, zero, strict=True)]

    def quantizes(self) -> set[Affine]:
        """Of every activation, and of constants that the file holds in float."""
        return {self.affine(node)[0] for node in self.nodes if node.op_type == "QuantizeLinear"}

    def stored(self, name: str) -> tuple[np.ndarray, list[Affine]] | None:
        """The integers behind a constant that a node reads, and their scales."""
        node = self.maker.get(name)
        if node is None or node.op_type != "DequantizeLinear" or node.input[0] not in self.constants:
            return None
        return self.constants[node.input[0]], self.affine(node)

    def arithmetic_constants(self) -> set[Affine]:
        read = [self.stored(name) for node in self.nodes if node.op_type in ("Add", "Mul") for name in node.input]
        return {stored[1][0] for stored in read if stored is not None}

    def layers(self) -> list[Any]:
        kinds = ("Conv", "Gemm", "MatMul")
        return [n for n in self.nodes if n.op_type in kinds and self.stored(n.input[1]) is not None]

    def after(self, node: Any) -> list[Affine]:
        """The scale of what a node writes, behind its activation function."""
        (reader,) = [n for n in self.nodes if node.output[0] in n.input]
        return self.affine(reader) if reader.op_type == "QuantizeLinear" else self.after(reader)

    def tflite_weights(self, node: Any) -> np.ndarray:
        values = self.stored(node.input[1])[0]  # type: ignore[index]
        if node.op_type == "MatMul":
            return values.T
        if values.ndim == 2:
            return values
        return values.transpose(1, 2, 3, 0) if values.shape[1] == 1 else values.transpose(0, 2, 3, 1)


LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def scales(tensor: Tensor | None) -> list[Affine]:
    assert tensor is not None
    assert tensor.quantization is not None
    q = tensor.quantization
    return [(float(s), int(z)) for s, z in zip(q.scale, q.zero_point, strict=True)]


def activations(graph: Graph) -> set[Affine]:
    return {scales(t)[0] for t in graph.tensors() if t.dtype == "int8" and t.data is None}


def layers(graph: Graph) -> list[Op]:
    return [op for op in graph.ops if op.kind in LAYERS]


WAYS = [("QInt8", "QInt8", False), ("QUInt8", "QInt8", True), ("QInt8", "QInt8", True)]


@pytest.mark.parametrize(("activation", "weight", "per_channel"), WAYS)
@pytest.mark.parametrize("make", [Cnn, Mlp, Block])
def test_every_tensor_keeps_its_scale_zero_point_and_integers(
    tmp_path: Path, make: Callable[[], nn.Module], activation: str, weight: str, per_channel: bool
) -> None:
    torch.manual_seed(0)
    path = quantized(tmp_path, make(), activation, weight, per_channel=per_channel)
    # Unverified: the next tests compare numbers, and a timing beside the float file would add its own note.
    file, result = File(path), mobilekit.convert(path, verify=False)
    assert result.report.quantize == "given"
    assert result.report.full_integer
    assert result.report.float_islands == ()
    graph = read(result.bytes)
    assert len(file.layers()) == len(layers(graph)) > 0
    for node, op in zip(file.layers(), layers(graph), strict=True):
        stored = file.stored(node.input[1])
        assert stored is not None
        assert scales(op.inputs[0]) == file.affine(file.maker[node.input[0]])
        assert scales(op.output) == file.after(node)
        assert set(scales(op.inputs[1])) == set(stored[1])
        np.testing.assert_array_equal(op.inputs[1].data, file.tflite_weights(node))  # type: ignore[union-attr]
        if len(node.input) > 2:
            bias = file.stored(node.input[2])
            assert bias is not None
            np.testing.assert_array_equal(op.inputs[2].data, bias[0])  # type: ignore[union-attr]
            # TFLite has no say in this scale: the product, of which ONNX Runtime keeps the same float32.
            assert set(scales(op.inputs[2])) == set(bias[1])
    # Softmax's kernel writes 1/256 whatever the model says; nothing else has a scale that the file does not give.
    own = {(1 / 256, -128)} if make is Block else set()
    constants = {
        scales(t)[0] for op in graph.ops if op.kind in ("ADD", "MUL") for t in op.present_inputs() if t.is_constant
    }
    assert activations(graph) | constants == file.quantizes() | file.arithmetic_constants() | own
    softmax = ("'Softmax/softmax' is requantized to the scale that the model gives it: q(0.00392157, -128)",)
    assert result.report.notes == (softmax if make is Block else ())


def as_written(path: Path) -> Any:
    """ONNX Runtime on the roundings that the file asks for, without its integer kernels."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def step(path: Path, name: str) -> float:
    return float(File(path).constants[f"{name}_scale"])


@pytest.mark.parametrize(("activation", "weight", "per_channel"), WAYS)
@pytest.mark.parametrize("make", [Cnn, Mlp])
def test_the_numbers_are_those_of_onnx_runtime(
    tmp_path: Path, make: Callable[[], Any], activation: str, weight: str, per_channel: bool
) -> None:
    torch.manual_seed(0)
    model = make()
    path = quantized(tmp_path, model, activation, weight, per_channel=per_channel)
    result, session = mobilekit.convert(path), as_written(path)
    (out,) = session.get_outputs()
    for array in arrays(model.shape, 16):
        # The same integers are summed and rounded to the same steps. The multiplier's 31 bits against float32's 24
        # decide a sum within 2^-16 of a step of a tie otherwise, one in some ten thousand: a flip in the last layer is
        # one step, in a layer before it less (no weight row adds up to a whole output step for one input step).
        expected = session.run(None, {"x": array})[0]
        assert np.abs(result(array) - expected).max() <= step(path, out.name) * 1.001


def test_softmax_costs_what_its_own_scale_costs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Block()
    path = quantized(tmp_path, model, "QUInt8", "QInt8", per_channel=True)
    result, session = mobilekit.convert(path), as_written(path)
    # Half a step each: the kernel's rounding to 1/256, its exponential, the requantizing, the reference's rounding.
    weights = 2 / 255
    values = max(abs(s) for s in (0 - step_range(path, "/v/Add_output_0")[0], step_range(path, "/v/Add_output_0")[1]))
    # What differs by e before it is rounded differs by e and a step after it. Six tokens; then the rows of o.
    mixed = 6 * values * weights + step(path, "/MatMul_1_output_0")
    rows = float(model.o.weight.detach().abs().sum(1).max())
    projected = rows * mixed + step(path, "/o/MatMul_output_0") + step(path, "/o/Add_output_0")
    (out,) = session.get_outputs()
    bound = projected + step(path, out.name)
    for array in arrays(model.shape, 16):
        expected = session.run(None, {"x": array})[0]
        assert bound < np.abs(expected).max() / 4  # it says something
        assert np.abs(result(array) - expected).max() <= bound


def step_range(path: Path, name: str) -> tuple[float, float]:
    file = File(path)
    scale, zero = float(file.constants[f"{name}_scale"]), file.constants[f"{name}_zero_point"]
    info = np.iinfo(zero.dtype)
    return (info.min - int(zero)) * scale, (info.max - int(zero)) * scale


def test_asymmetric_weights_are_rounded_anew_and_said(tmp_path: Path) -> None:
    """TFLite's weights have the zero point 0, those of this file have not."""
    torch.manual_seed(0)
    report = mobilekit.convert(quantized(tmp_path, Cnn(), "QUInt8", "QUInt8"), verify=False).report
    assert "weights of 'd/Conv/conv2d_1' have no symmetric" not in report.notes  # names are the file's
    assert [
        note for note in report.notes if note.endswith("have no symmetric scale in the model: they are rounded anew")
    ]
    assert report.full_integer


def test_weights_alone_are_no_scales_of_activations(tmp_path: Path) -> None:
    """A file of stored weights has nothing to compute in integers: it is a float file, and says so."""
    path = hand_made(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    kept = [node for node in model.graph.node if node.name in ("weights", "product")]
    kept[1].input[0], kept[1].output[0] = "x", "y"
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.save(model, str(path))
    report = mobilekit.convert(path).report
    assert report.quantize == "none"
    assert (
        "the file quantizes constants only: they are float32 again, with the values that it gives them" in report.notes
    )


def test_a_recipe_or_another_backend_is_refused(tmp_path: Path) -> None:
    path = quantized(tmp_path, Mlp(), "QInt8", "QInt8")
    with pytest.raises(InputError, match="is quantized already and holds its own scales: leave quantize= out"):
        mobilekit.convert(path, quantize="int8", calibration=arrays(Mlp.shape))
    with pytest.raises(BackendError, match="is quantized already, and backend 'onnx2tf' would lose its scales"):
        mobilekit.convert(path, backend="onnx2tf")


# -- bad input -------------------------------------------------------------------------------------------------------


def hand_made(
    path: Path, *, zero: Any = None, scale: Any = 0.1, weight_scale: Any = None, weight_axis: int = 1,
    weight_dtype: Any = np.int8, drop: str = "", reader: str = "MatMul", **attributes: Any,
) -> Path:  # fmt: skip
    """x -> pair -> MatMul with stored weights [4, 3] -> pair; ``drop``: a constant that becomes an input instead."""
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    zero = np.array(3, np.uint8) if zero is None else zero
    weight_scale = np.array(0.01, np.float32) if weight_scale is None else np.asarray(weight_scale, np.float32)
    weights = np.arange(12).reshape(4, 3) % 7 - (0 if np.dtype(weight_dtype).kind == "u" else 3)
    constants = {
        "s": np.asarray(scale, np.float32), "z": zero, "ws": weight_scale, "w": weights.astype(weight_dtype),
        "wz": np.zeros(weight_scale.shape, weight_dtype),
    }  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"], "first", **attributes),
        node("DequantizeLinear", ["q", "s", "z"], ["a"], "second", **attributes),
        node("DequantizeLinear", ["w", "ws", "wz"], ["b"], "weights", axis=weight_axis),
        node(reader, ["a", "b"], ["c"], "product"),
        node("QuantizeLinear", ["c", "s", "z"], ["d"], "third", **attributes),
        node("DequantizeLinear", ["d", "s", "z"], ["y"], "last", **attributes),
    ]
    inputs = [value("x", 1, [4, 4])] + ([value(drop, 1, [])] if drop else [])
    graph = onnx.helper.make_graph(
        nodes, "g", inputs, [value("y", 1, [4, 3])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if name != drop],
    )  # fmt: skip
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10), str(path))
    return path


def test_the_hand_made_file_is_sound(tmp_path: Path) -> None:
    """What the cases below break."""
    result = mobilekit.convert(hand_made(tmp_path / "net.onnx", weight_scale=[0.01, 0.02, 0.03]))
    (layer,) = layers(read(result.bytes))
    assert [scale for scale, _ in scales(layer.inputs[1])] == np.array([0.01, 0.02, 0.03], np.float32).tolist()
    assert scales(layer.inputs[0]) == [(float(np.float32(0.1)), 3 - 128)]


def ml_dtype(name: str) -> Any:
    return onnx.helper.tensor_dtype_to_np_dtype(getattr(onnx.TensorProto, name))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "16 bits": ({"zero": np.array(3, np.uint16)}, "QuantizeLinear 'first': it quantizes to uint16; .* int8 or uint8"),
    "4 bits": ({"weight_dtype": "INT4"}, "DequantizeLinear 'weights': it holds int4; weights are int8 or uint8"),
    "4-bit activations": ({"zero": "UINT4"}, "QuantizeLinear 'first': it quantizes to uint4"),
    "blocks": (
        {"weight_scale": np.full((2, 3), 0.01)},
        "DequantizeLinear 'weights': its scales belong to blocks of values; TFLite has one a tensor or one a channel",
    ),
    "blocks by name": ({"block_size": 2}, "QuantizeLinear 'first': its scales belong to blocks of values"),
    "wrong axis": (
        {"weight_scale": np.full(4, 0.01), "weight_axis": 0},
        "its scales stand along axis 0, the output channels of MatMul along axis 1: quantize per channel along these",
    ),
    "wrong length": (
        {"weight_scale": np.full(4, 0.01), "weight_axis": 1},
        r"it has 4 scales along axis 1 of a constant of shape \[4, 3\]",
    ),
    "no weights": (
        {"weight_scale": np.full(3, 0.01), "reader": "Add"}, "it has a scale a channel, and Add reads it",
    ),
    "channels of an activation": (
        {"scale": np.full(4, 0.1), "zero": np.full(4, 3, np.uint8)},
        "QuantizeLinear 'first': it gives the activation 'x' a scale a channel; TFLite's activations have one",
    ),
    "no scale": ({"drop": "s"}, "QuantizeLinear 'first': its scale 's' is no constant of the file"),
    "no scale of weights": ({"drop": "ws"}, "DequantizeLinear 'weights': its scale 'ws' is no constant of the file"),
    "zero scale": ({"scale": 0.0}, "QuantizeLinear 'first': its scales are no positive numbers with a zero point each"),
    "NaN": ({"scale": np.nan}, "QuantizeLinear 'first': its scales are no positive numbers with a zero point each"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_tflite_cannot_say_is_refused_by_name(tmp_path: Path, case: str) -> None:
    changes, message = BAD[case]
    changes = dict(changes)
    if isinstance(changes.get("weight_dtype"), str):
        changes["weight_dtype"] = ml_dtype(changes["weight_dtype"])
    if isinstance(changes.get("zero"), str):
        changes["zero"] = np.array(3).astype(ml_dtype(changes["zero"]))
    with pytest.raises(ModelLoadError, match=f"cannot keep its scales: .*{message}"):
        mobilekit.convert(hand_made(tmp_path / "net.onnx", **changes))


def test_the_operator_format_is_refused(tmp_path: Path) -> None:
    path = quantized(tmp_path, Cnn(), "QUInt8", "QUInt8", quant_format=quantization.QuantFormat.QOperator)
    with pytest.raises(
        ModelLoadError, match=r"quantized in the operator format \(.*QLinearConv.*\), which is not read"
    ):
        mobilekit.convert(path)


def test_integers_at_the_edges_are_refused(tmp_path: Path) -> None:
    path = hand_made(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    del model.graph.node[-1]
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("d", onnx.TensorProto.UINT8, [4, 3]))
    onnx.save(model, str(path))
    with pytest.raises(
        ModelLoadError, match="QuantizeLinear 'third': its integers 'd' are read as they are; keep the pair"
    ):
        mobilekit.convert(path)
    model = onnx.load(str(hand_made(path)))
    del model.graph.node[0]
    model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("q", onnx.TensorProto.UINT8, [4, 4]))
    onnx.save(model, str(path))
    with pytest.raises(
        ModelLoadError, match="DequantizeLinear 'second': it reads 'q', an input of the model; keep the"
    ):
        mobilekit.convert(path)
