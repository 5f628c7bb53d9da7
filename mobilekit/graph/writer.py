"""Graph -> bytes of a .tflite file. Deterministic: the same graph gives the same bytes."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.builder import BuilderSizeError
from numpy.typing import NDArray

from mobilekit.errors import GraphError
from mobilekit.graph.ir import Graph, Op, Signature, Tensor
from mobilekit.graph.schema import DTYPE_TO_CODE, FILE_IDENTIFIER, KIND_TO_CODE, pack_options
from mobilekit.graph.versions import op_version

# The schema asks for 16 (force_align on Buffer.data); the object API only aligns to the element size.
_BUFFER_ALIGNMENT = 16
# One byte of the old operator-code field; newer ops store this and the real code in the wide field.
_PLACEHOLDER_CODE = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES
# Offsets inside a flatbuffer are 32 bits, and signed in places.
_MAX_BYTES = 2**31


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the generated schema has no types
    """A buffer whose bytes start at a multiple of 16 in the file, as kernels that map the file expect."""

    @staticmethod
    def of(data: NDArray[Any]) -> _AlignedBuffer:
        buffer = _AlignedBuffer()
        buffer.data = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        return buffer

    def Pack(self, builder: flatbuffers.Builder) -> Any:  # noqa: N802  # the schema's name
        vector = None
        if self.data is not None:
            raw = self.data.tobytes()
            builder.StartVector(1, len(raw), _BUFFER_ALIGNMENT)
            head = builder.Head() - len(raw)
            builder.head = head
            builder.Bytes[head : head + len(raw)] = raw
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


class _Packer:
    """Collects the tables that all subgraphs of one file share: buffers and operator codes."""

    def __init__(self) -> None:
        # Buffer 0 is empty by convention and stands for "no data".
        self.buffers: list[schema.BufferT] = [schema.BufferT()]
        self.codes: dict[tuple[str, str | None, int], int] = {}
        self._shared: dict[tuple[int, int], int] = {}

    def buffer(self, tensor: Tensor) -> int:
        if tensor.data is None:
            # A variable needs a buffer of its own, or the runtime takes it for a shared empty one.
            return self._add(schema.BufferT()) if tensor.is_variable else 0
        if not tensor.data.flags.c_contiguous or not tensor.data.nbytes:
            return self._add(_AlignedBuffer.of(tensor.data))
        key = _memory(tensor.data)
        if key not in self._shared:
            self._shared[key] = self._add(_AlignedBuffer.of(tensor.data))
        return self._shared[key]

    def _add(self, buffer: schema.BufferT) -> int:
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def code(self, op: Op) -> int:
        if op.kind not in KIND_TO_CODE:
            raise GraphError(f"'{op.kind}' is not an op of the TFLite schema")
        key = (op.kind, op.custom_code, op_version(op))
        return self.codes.setdefault(key, len(self.codes))

    def operator_codes(self) -> list[schema.OperatorCodeT]:
        result = []
        for kind, custom_code, version in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode = KIND_TO_CODE[kind]
            code.deprecatedBuiltinCode = min(code.builtinCode, _PLACEHOLDER_CODE)
            code.customCode = custom_code
            code.version = version
            result.append(code)
        return result


def write(graph: Graph) -> bytes:
    """The bytes of a .tflite file for ``graph`` and its subgraphs, after checking the invariants.

    Raises :class:`GraphError` for a graph that is not well formed, or larger than a flatbuffer can be (2 GiB).
    """
    graph.check()
    graphs = (graph, *graph.subgraphs)
    # Before anything is copied: a model that is too large should say so in no time and in no memory.
    tensors = [tensor for g in graphs for tensor in g.tensors()]
    weight_bytes = sum({_memory(t.data): t.data.nbytes for t in tensors if t.data is not None}.values())
    if weight_bytes >= _MAX_BYTES:
        raise _too_large(weight_bytes)
    packer = _Packer()
    model = schema.ModelT()
    model.version = 3
    model.description = graph.description
    numberings = [_number(g) for g in graphs]
    model.subgraphs = [_pack_subgraph(g, numbers, packer) for g, numbers in zip(graphs, numberings, strict=True)]
    model.signatureDefs = [
        _pack_signature(signature, index, numbers)
        for index, (g, numbers) in enumerate(zip(graphs, numberings, strict=True))
        for signature in g.signatures
    ]
    model.metadata = [_pack_metadata(name, data, packer) for name, data in sorted(graph.metadata.items())]
    model.operatorCodes = packer.operator_codes()
    model.buffers = packer.buffers
    # A builder that runs out doubles its memory, and fails past 2 GiB: ask for enough at once. A tensor with its name
    # and its part of an op takes 100 to 300 bytes; memory that is asked for and not used is never touched.
    table_bytes = 2**20 + 1024 * len(tensors) + sum(map(len, graph.metadata.values()))
    try:
        builder = flatbuffers.Builder(min(weight_bytes + table_bytes, _MAX_BYTES))
        builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    except BuilderSizeError as error:
        raise _too_large(weight_bytes) from error
    return bytes(builder.Output())


def _memory(data: NDArray[Any]) -> tuple[int, int]:
    """Where an array lies and how long it is: equal for two constants that can share one buffer."""
    return data.__array_interface__["data"][0], data.nbytes


def _too_large(weight_bytes: int) -> GraphError:
    return GraphError(
        f"the weights take {weight_bytes / 2**30:.1f} GiB, a .tflite file holds less than 2; "
        "quantize the weights or split the model"
    )


def _number(graph: Graph) -> dict[Tensor, int]:
    return {tensor: index for index, tensor in enumerate(graph.tensors())}


def _pack_subgraph(graph: Graph, numbers: dict[Tensor, int], packer: _Packer) -> schema.SubGraphT:
    subgraph = schema.SubGraphT()
    subgraph.name = graph.name
    subgraph.tensors = [_pack_tensor(tensor, packer) for tensor in numbers]
    subgraph.inputs = _indices(graph.inputs, numbers)
    subgraph.outputs = _indices(graph.outputs, numbers)
    subgraph.operators = [_pack_op(op, numbers, packer) for op in graph.ops]
    return subgraph


def _indices(tensors: list[Tensor], numbers: dict[Tensor, int]) -> np.ndarray:
    return np.array([numbers[tensor] for tensor in tensors], np.int32)


def _pack_tensor(tensor: Tensor, packer: _Packer) -> schema.TensorT:
    if tensor.dtype not in DTYPE_TO_CODE:
        raise GraphError(f"tensor '{tensor.name}': TFLite has no type '{tensor.dtype}'")
    packed = schema.TensorT()
    packed.name = tensor.name
    packed.shape = np.array(tensor.shape, np.int32)
    packed.hasRank = True
    if tensor.shape_signature is not None:
        packed.shapeSignature = np.array(tensor.shape_signature, np.int32)
    packed.type = DTYPE_TO_CODE[tensor.dtype]
    packed.buffer = packer.buffer(tensor)
    packed.isVariable = tensor.is_variable
    packed.sparsity = tensor.sparsity
    if tensor.quantization is not None:
        parameters = schema.QuantizationParametersT()
        parameters.scale = tensor.quantization.scale.astype(np.float32)
        parameters.zeroPoint = tensor.quantization.zero_point.astype(np.int64)
        parameters.quantizedDimension = tensor.quantization.axis
        packed.quantization = parameters
    return packed


def _pack_op(op: Op, numbers: dict[Tensor, int], packer: _Packer) -> schema.OperatorT:
    packed = schema.OperatorT()
    packed.opcodeIndex = packer.code(op)
    packed.inputs = np.array([-1 if t is None else numbers[t] for t in op.inputs], np.int32)
    packed.outputs = _indices(op.outputs, numbers)
    if op.intermediates:
        packed.intermediates = _indices(op.intermediates, numbers)
    if op.custom_options is not None:
        packed.customOptions = np.frombuffer(op.custom_options, np.uint8)
    pack_options(packed, op.kind, op.options_type, op.options)
    return packed


def _pack_signature(signature: Signature, subgraph: int, numbers: dict[Tensor, int]) -> schema.SignatureDefT:
    packed = schema.SignatureDefT()
    packed.signatureKey = signature.key
    packed.subgraphIndex = subgraph
    packed.inputs = [_pack_name(name, numbers[tensor]) for name, tensor in signature.inputs]
    packed.outputs = [_pack_name(name, numbers[tensor]) for name, tensor in signature.outputs]
    return packed


def _pack_name(name: str, index: int) -> schema.TensorMapT:
    packed = schema.TensorMapT()
    packed.name, packed.tensorIndex = name, index
    return packed


def _pack_metadata(name: str, data: bytes, packer: _Packer) -> schema.MetadataT:
    packed = schema.MetadataT()
    packed.name = name
    tensor = Tensor(name, (len(data),), "uint8", np.frombuffer(data, np.uint8))
    packed.buffer = packer.buffer(tensor)
    return packed
