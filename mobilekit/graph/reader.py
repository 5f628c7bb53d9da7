"""Bytes of a .tflite file -> Graph. Reads what any converter wrote; what it cannot read is a clear error."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from mobilekit.errors import CorruptModelError, GraphError, ModelLoadError
from mobilekit.graph.ir import OPAQUE_DTYPES, Graph, Op, Quantization, Signature, Tensor
from mobilekit.graph.schema import CODE_TO_DTYPE, CODE_TO_KIND, FILE_IDENTIFIER, unpack_options

# What walking a damaged flatbuffer raises: offsets out of range, wrong vtables, broken UTF-8, counts without end.
# UnicodeDecodeError is a ValueError, KeyError and IndexError are LookupErrors, OverflowError is an ArithmeticError.
_DAMAGE = (
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
)


def read_file(path: str | Path) -> Graph:
    """Read a .tflite file.

    Raises :class:`ModelLoadError` if it cannot be opened, :class:`CorruptModelError` if it is no well-formed file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
    return read(data, str(path))


def read(data: bytes, name: str = "the file") -> Graph:
    """Read the bytes of a .tflite file into a checked :class:`Graph`; constants are views into ``data``."""
    if len(data) < 8 or data[4:8] != FILE_IDENTIFIER:
        raise CorruptModelError(f"{name} is not a .tflite file ({len(data)} bytes, no TFL3 mark at byte 4)")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        graphs = _unpack_model(model, data)
        for graph in graphs:
            graph.check()
    except GraphError as error:
        raise CorruptModelError(f"{name} cannot be read: {error}") from error
    except (CorruptModelError, *_DAMAGE) as error:
        raise CorruptModelError(f"{name} is damaged or truncated ({len(data)} bytes): {error}") from error
    main = graphs[0]
    main.subgraphs = graphs[1:]
    return main


def _unpack_model(model: Any, data: bytes) -> list[Graph]:
    if not model.subgraphs:
        raise CorruptModelError("it holds no graph")
    buffers = [_unpack_buffer(buffer, data) for buffer in model.buffers or []]
    tensors_of = [[_unpack_tensor(t, buffers) for t in _some(subgraph.tensors)] for subgraph in model.subgraphs]
    for tensors in tensors_of:
        _make_unique(tensors)
    graphs = [
        Graph(
            name=_text(subgraph.name) or "main",
            inputs=_pick(subgraph.inputs, tensors),
            outputs=_pick(subgraph.outputs, tensors),
            ops=[_unpack_op(operator, model.operatorCodes, tensors) for operator in _some(subgraph.operators)],
        )
        for subgraph, tensors in zip(model.subgraphs, tensors_of, strict=True)
    ]
    for graph in graphs:
        _fill_empty_constants(graph)
    graphs[0].description = _text(model.description)
    graphs[0].metadata = {_text(m.name): _bytes(buffers[m.buffer]) for m in _some(model.metadata)}
    for packed in _some(model.signatureDefs):
        signature = _unpack_signature(packed, tensors_of[packed.subgraphIndex])
        graphs[packed.subgraphIndex].signatures.append(signature)
    return graphs


def _fill_empty_constants(graph: Graph) -> None:
    """A file has no bytes for a constant without elements; what nobody makes and nothing can fill is one."""
    made = {*graph.inputs, *(tensor for op in graph.ops for tensor in op.outputs)}
    for tensor in graph.tensors():
        if tensor.data is None and tensor.size == 0 and tensor not in made and not tensor.is_variable:
            opaque = tensor.dtype in OPAQUE_DTYPES
            tensor.data = np.empty(0, np.uint8) if opaque else np.empty(tensor.shape, tensor.dtype)


def _some(items: Any) -> Any:
    return items if items is not None else []


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else (value or "")


def _bytes(data: Any) -> bytes:
    return b"" if data is None else bytes(data.tobytes())


def _unpack_buffer(buffer: Any, data: bytes) -> Any:
    """The bytes of a buffer as uint8, or None if it is empty."""
    if buffer.offset > 1:  # Stored behind the flatbuffer: how files over 2 GiB are written.
        end = buffer.offset + buffer.size
        if end > len(data):
            raise CorruptModelError(f"a buffer ends at byte {end} of {len(data)}")
        return np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
    if buffer.data is None or (isinstance(buffer.data, int) and buffer.data == 0) or len(buffer.data) == 0:
        return None
    return np.asarray(buffer.data, np.uint8)


def _unpack_tensor(packed: Any, buffers: list[Any]) -> Tensor:
    dtype = CODE_TO_DTYPE[packed.type]
    shape = tuple(int(d) for d in _some(packed.shape))
    signature = tuple(int(d) for d in _some(packed.shapeSignature)) or None
    name = _text(packed.name)
    raw = buffers[packed.buffer]
    return Tensor(
        name=name,
        shape=shape,
        dtype=dtype,
        data=None if raw is None else _constant(name, raw, dtype, None if packed.sparsity else shape),
        quantization=_unpack_quantization(packed.quantization),
        shape_signature=signature,
        is_variable=bool(packed.isVariable),
        sparsity=packed.sparsity,
    )


def _constant(name: str, raw: Any, dtype: str, shape: tuple[int, ...] | None) -> Any:
    """``raw`` bytes as an array of ``shape``; None for sparse values, whose number only the sparsity tells."""
    if dtype in OPAQUE_DTYPES:
        return raw
    kind = np.dtype(dtype)
    # math.prod: a damaged shape must not wrap around 64 bits into the right number.
    expected = raw.size - raw.size % kind.itemsize if shape is None else math.prod(shape) * kind.itemsize
    if raw.size != expected:
        raise CorruptModelError(
            f"constant '{name}' holds {raw.size} bytes, its shape {shape} of {dtype} needs {expected}"
        )
    aligned = raw if raw.ctypes.data % kind.itemsize == 0 else raw.copy()
    values = aligned.view(kind)
    return values if shape is None else values.reshape(shape)


def _unpack_quantization(packed: Any) -> Quantization | None:
    if packed is None:
        return None
    if packed.detailsType != schema.QuantizationDetails.NONE:
        raise GraphError("quantization in blocks or of a custom kind is not supported")
    if packed.scale is None or len(packed.scale) == 0:
        return None
    scale = np.array(packed.scale, np.float32)
    zero_point = np.zeros(scale.size, np.int64) if packed.zeroPoint is None else np.array(packed.zeroPoint, np.int64)
    if zero_point.size == 1 and scale.size > 1:
        zero_point = np.repeat(zero_point, scale.size)
    return Quantization(scale, zero_point, int(packed.quantizedDimension))


def _make_unique(tensors: list[Tensor]) -> None:
    """Files may give several tensors one name, or none; the IR names each once."""
    taken: set[str] = set()
    for index, tensor in enumerate(tensors):
        name = tensor.name or f"tensor_{index}"
        while name in taken:
            name = f"{tensor.name or 'tensor'}_{index}"
            index += len(tensors)
        taken.add(name)
        tensor.name = name


def _pick(indices: Any, tensors: list[Tensor]) -> list[Tensor]:
    return [_at(int(index), tensors) for index in _some(indices)]


def _at(index: int, tensors: list[Tensor]) -> Tensor:
    if not 0 <= index < len(tensors):
        raise CorruptModelError(f"tensor {index} is named, there are {len(tensors)}")
    return tensors[index]


def _unpack_op(packed: Any, codes: Any, tensors: list[Tensor]) -> Op:
    code = codes[packed.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    if number not in CODE_TO_KIND:
        raise GraphError(f"operator code {number} is newer than the schema that is installed; upgrade ai-edge-litert")
    type_name, options = unpack_options(packed)
    return Op(
        kind=CODE_TO_KIND[number],
        inputs=[None if i < 0 else _at(int(i), tensors) for i in _some(packed.inputs)],
        outputs=_pick(packed.outputs, tensors),
        options=options,
        version=int(code.version),
        options_type=type_name,
        custom_code=_text(code.customCode) or None,
        custom_options=None if packed.customOptions is None else bytes(bytearray(packed.customOptions)),
        intermediates=_pick(packed.intermediates, tensors),
    )


def _unpack_signature(packed: Any, tensors: list[Tensor]) -> Signature:
    def names(maps: Any) -> tuple[tuple[str, Tensor], ...]:
        return tuple((_text(m.name), _at(int(m.tensorIndex), tensors)) for m in _some(maps))

    return Signature(_text(packed.signatureKey), names(packed.inputs), names(packed.outputs))
