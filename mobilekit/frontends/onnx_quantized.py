"""An ONNX file that is quantized already (QDQ): what its QuantizeLinear and DequantizeLinear nodes say, kept.

Given     W int8 -> DequantizeLinear -> Conv ; x -> QuantizeLinear -> DequantizeLinear -> Conv
Result    W float, exactly its integers times their scale, the scale remembered ; the pair around x stays

Activations go through onnx2torch as the nodes that PyTorch's own quantization makes, so that one lowering and
``quantize/given.py`` serve both. What TFLite has no kernel for (4 bits, blocks, scales a channel of activations) and
the other format (QLinearConv and its like) are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobilekit.errors import ModelLoadError
from mobilekit.graph.ir import Quantization

Array = NDArray[Any]

_PAIR = ("QuantizeLinear", "DequantizeLinear")
# onnxruntime.quantization writes the pair in this domain too (use_qdq_contrib_ops).
_DOMAINS = ("", "ai.onnx", "com.microsoft")
# Integer arithmetic inside the node, or scales that are computed anew from every input.
_OPERATORS = (
    "QLinear",
    "QGemm",
    "QAttention",
    "QEmbed",
    "ConvInteger",
    "MatMulInteger",
    "DynamicQuantize",
    "MatMulNBits",
)
_RANGE = {"int8": (-128, 127), "uint8": (0, 255)}
_TORCH = {"int8": torch.int8, "uint8": torch.uint8}
_BIAS = "int32"


def is_quantized(model: Any) -> bool:
    """Whether the file (an ``onnx.ModelProto``) holds nodes of a quantized model, of either format."""
    return any(_is_pair(node) or node.op_type.startswith(_OPERATORS) for node in model.graph.node)


def quantizes_activations(unwrapped: Any) -> bool:
    """Whether a model that :func:`unwrap` gave still rounds anything."""
    return any(_is_pair(node) for node in unwrapped.graph.node)


def unwrap(model: Any, path: Path) -> tuple[Any, tuple[Quantization, ...]]:
    """A copy whose constants are float, with their int8 scales; the pairs around activations stay.

    Raises :class:`ModelLoadError`, which names the node, for what TFLite's int8 cannot say.
    """
    return _Unwrap(model, path).run()


def register_converters() -> None:
    """Teach onnx2torch the pair: the nodes of PyTorch's own quantization, with the numbers of the file."""
    # The import registers torch.ops.quantized_decomposed.
    import torch.ao.quantization.fx._decomposed  # noqa: F401
    from onnx2torch.node_converters import registry
    from onnx2torch.utils.common import OnnxMapping, OperationConverterResult

    def converter(node: Any, graph: Any) -> Any:
        # unwrap() left nothing but plain numbers as scale and zero point.
        scale, zero = (graph.initializers[name].to_numpy() for name in node.input_values[1:])
        module = _Step(node.operation_type == _PAIR[0], float(scale), int(zero), str(zero.dtype))
        return OperationConverterResult(module, OnnxMapping(inputs=node.input_values[:1], outputs=node.output_values))

    known = {(key.operation_type, key.version) for key in registry._CONVERTER_REGISTRY}
    for kind in _PAIR:
        if (kind, 10) not in known:
            # Later versions add types and blocks, which unwrap() refuses.
            registry.add_converter(operation_type=kind, version=10)(converter)


class _Step(torch.nn.Module):
    def __init__(self, quantizes: bool, scale: float, zero: int, dtype: str) -> None:
        super().__init__()
        ops = torch.ops.quantized_decomposed
        self.call = ops.quantize_per_tensor.default if quantizes else ops.dequantize_per_tensor.default
        self.arguments = (scale, zero, *_RANGE[dtype], _TORCH[dtype])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.call(x, *self.arguments)
        return result


def _is_pair(node: Any) -> bool:
    return node.op_type in _PAIR and node.domain in _DOMAINS


class _Unwrap:
    def __init__(self, model: Any, path: Path) -> None:
        import onnx

        self.onnx, self.path = onnx, path
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        # Only what the pair reads is looked at: the other weights may be large.
        read = {name for node in self.graph.node if _is_pair(node) for name in node.input}
        self.constants: dict[str, Array] = {
            tensor.name: self.array(tensor) for tensor in self.graph.initializer if tensor.name in read
        }
        self.inputs = {value.name for value in self.graph.input} - self.constants.keys()
        self.written: dict[str, Any] = {}
        """Output name -> the QuantizeLinear of an activation."""
        self.scales: list[Quantization] = []

    def run(self) -> tuple[Any, tuple[Quantization, ...]]:
        others = sorted({node.op_type for node in self.graph.node if node.op_type.startswith(_OPERATORS)})
        if others:
            raise ModelLoadError(
                f"'{self.path}' is quantized in the operator format ({', '.join(others)}), which is not read: give the "
                "QDQ format (quantize_static(..., quant_format=QuantFormat.QDQ)), or the float model and quantize="
            )
        kept = []
        for node in self.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self.constants[node.output[0]] = self.array(node.attribute[0].t)
            if not _is_pair(node):
                kept.append(node)
            elif node.op_type == "QuantizeLinear":
                kept += self.quantize(node)
            else:
                kept += self.dequantize(node)
        self.refuse_open_ends()
        del self.graph.node[:]
        self.graph.node.extend(kept)
        return self.model, tuple(self.scales)

    def quantize(self, node: Any) -> list[Any]:
        """The node as it stays, or nothing where it rounds a constant here and now."""
        dtype = self.dtype_written(node)
        if dtype not in _RANGE:
            raise self.refused(node, f"it quantizes to {dtype}; activations and weights are int8 or uint8")
        affine = self.affine(node, dtype)
        source = self.constants.get(node.input[0])
        if source is not None:
            self.constants[node.output[0]] = affine.quantize(source, dtype)
            return []
        self.want_per_tensor(node, affine)
        self.written[node.output[0]] = node
        return [self.plain(node, affine, dtype)]

    def dequantize(self, node: Any) -> list[Any]:
        stored = self.constants.get(node.input[0])
        if stored is None:
            maker = self.written.get(node.input[0])
            if maker is None:
                what = "an input of the model" if node.input[0] in self.inputs else "what no QuantizeLinear writes"
                raise self.refused(node, f"it reads '{node.input[0]}', {what}; keep the pair around every activation")
            dtype = self.dtype_written(maker)
            affine = self.affine(node, dtype)
            self.want_per_tensor(node, affine)
            return [self.plain(node, affine, dtype)]
        dtype = str(stored.dtype)
        if dtype not in (*_RANGE, _BIAS):
            raise self.refused(node, f"it holds {dtype}; weights are int8 or uint8, biases int32")
        affine = self.affine(node, dtype, stored)
        if dtype in _RANGE:
            self.check_axis(node, affine)
            shift = 128 if dtype == "uint8" else 0  # TFLite's integers are int8
            self.scales.append(replace(affine, zero_point=affine.zero_point - shift))
        self.add(node.output[0], affine.dequantize(stored).astype(np.float32))
        return []

    # -- what the nodes say --------------------------------------------------------------------------------------

    def affine(self, node: Any, dtype: str, data: Array | None = None) -> Quantization:
        """Scale and zero point, checked. ``data``: the constant that they belong to."""
        if self.attribute(node, "block_size"):
            raise self.refused(node, "its scales belong to blocks of values; TFLite has one a tensor or one a channel")
        scale = self.constants.get(node.input[1]) if len(node.input) > 1 else None
        if scale is None:
            raise self.refused(node, f"its scale '{(*node.input, '')[1]}' is no constant of the file")
        zero_name = node.input[2] if len(node.input) > 2 else ""
        zero = self.constants.get(zero_name) if zero_name else np.zeros(scale.shape, dtype)
        if zero is None:
            raise self.refused(node, f"its zero point '{zero_name}' is no constant of the file")
        if scale.dtype != np.float32:
            raise self.refused(node, f"its scales are {scale.dtype}; those of TFLite are float32")
        if scale.size == 0 or zero.size != scale.size or not (np.isfinite(scale) & (scale > 0)).all():
            raise self.refused(node, "its scales are no positive numbers with a zero point each")
        if str(zero.dtype) != dtype:
            raise self.refused(node, f"its zero point is {zero.dtype}, its integers are {dtype}")
        if scale.ndim > 1:
            raise self.refused(node, "its scales belong to blocks of values; TFLite has one a tensor or one a channel")
        if scale.size == 1:
            return Quantization(scale.reshape(1), zero.reshape(1).astype(np.int64))
        axis = int(self.attribute(node, "axis", 1))
        if data is None:
            data = self.constants.get(node.input[0])
        if data is None:
            return Quantization(scale, zero.astype(np.int64), axis)
        if not -data.ndim <= axis < data.ndim or data.shape[axis] != scale.size:
            raise self.refused(
                node, f"it has {scale.size} scales along axis {axis} of a constant of shape {list(data.shape)}"
            )
        return Quantization(scale, zero.astype(np.int64), axis % data.ndim)

    def dtype_written(self, node: Any) -> str:
        """What a QuantizeLinear writes: the zero point's type, or the attribute's, or uint8."""
        if len(node.input) > 2 and node.input[2] in self.constants:
            return str(self.constants[node.input[2]].dtype)
        chosen = self.attribute(node, "output_dtype")
        return str(self.onnx.helper.tensor_dtype_to_np_dtype(chosen)) if chosen else "uint8"

    def want_per_tensor(self, node: Any, affine: Quantization) -> None:
        if affine.is_per_axis:
            raise self.refused(
                node, f"it gives the activation '{node.input[0]}' a scale a channel; TFLite's activations have one"
            )

    def check_axis(self, node: Any, affine: Quantization) -> None:
        """Scales a channel stand along the output channels, for those ops whose weights have any."""
        if not affine.is_per_axis:
            return
        for reader in self.readers(node.output[0]):
            wanted = self.channel_axis(reader, node.output[0])
            if wanted is None:
                raise self.refused(
                    node, f"it has a scale a channel, and {reader.op_type} reads it, which takes one scale"
                )
            if wanted != affine.axis:
                raise self.refused(
                    node,
                    f"its scales stand along axis {affine.axis}, the output channels of {reader.op_type} along axis "
                    f"{wanted}: quantize per channel along these",
                )

    def channel_axis(self, reader: Any, name: str) -> int | None:
        """The axis of the output channels of the weights ``name``; None where no kernel takes scales a channel."""
        if list(reader.input).index(name) != 1:
            return None
        rank = self.constants[self.producer_data(name)].ndim
        return {
            "Conv": 0,
            "ConvTranspose": 1,
            "Gemm": 0 if self.attribute(reader, "transB") else 1,
            "MatMul": rank - 1,
        }.get(reader.op_type)

    def producer_data(self, name: str) -> str:
        return next(str(node.input[0]) for node in self.graph.node if name in node.output)

    def readers(self, name: str) -> Iterator[Any]:
        return (node for node in self.graph.node if name in node.input)

    def refuse_open_ends(self) -> None:
        """Integers that leave the file, or that an op other than a DequantizeLinear reads."""
        outputs = {value.name for value in self.graph.output}
        for name, node in self.written.items():
            if name in outputs or any(reader.op_type != _PAIR[1] for reader in self.readers(name)):
                raise self.refused(
                    node, f"its integers '{name}' are read as they are; keep the pair around every activation"
                )

    # -- small things --------------------------------------------------------------------------------------------

    def array(self, tensor: Any) -> Array:
        return np.asarray(self.onnx.numpy_helper.to_array(tensor))

    def attribute(self, node: Any, name: str, default: int = 0) -> int:
        return next((int(a.i) for a in node.attribute if a.name == name), default)

    def add(self, name: str, values: Array) -> None:
        self.graph.initializer.append(self.onnx.numpy_helper.from_array(values, name))

    def plain(self, node: Any, affine: Quantization, dtype: str) -> Any:
        """The node with initializers of its own: the file's may be Constant nodes, lists of one, or left out."""
        scale, zero = f"{node.output[0]}/scale", f"{node.output[0]}/zero_point"
        self.add(scale, affine.scale.reshape(()))
        self.add(zero, affine.zero_point.reshape(()).astype(dtype))
        return self.onnx.helper.make_node(node.op_type, [node.input[0], scale, zero], list(node.output), node.name)

    def refused(self, node: Any, reason: str) -> ModelLoadError:
        return ModelLoadError(
            f"'{self.path}' cannot keep its scales: {node.op_type} '{node.name or node.output[0]}': {reason}"
        )
