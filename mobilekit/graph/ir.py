"""The one IR: a graph of TFLite ops over named tensors, NHWC, in topological order.

A :class:`Graph` is a list of ops. There are no use-lists to keep in step: who makes and who reads a tensor is
computed when asked (:meth:`Graph.producers`, :meth:`Graph.consumers`). Tensors and ops compare by identity.

Options of an op carry the TFLite schema's own field names in snake_case (``stride_w``, ``dilation_h_factor``), and the
two enums that people read are strings (``padding="SAME"``, ``fused_activation_function="RELU6"``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import GraphError
from mobilekit.source import SourceLocation

# TFLite types that NumPy has no dtype for are stored under these names; their constants are raw bytes (uint8).
OPAQUE_DTYPES = frozenset(
    {"string", "resource", "variant", "bfloat16", "int2", "int4", "uint4", "float8_e4m3fn", "float8_e5m2"}
)


@dataclass(frozen=True)
class Quantization:
    """Affine quantization: real = scale * (stored - zero_point), per tensor or along ``axis``.

    ``scale`` is float32 of shape [1] or [channels], ``zero_point`` int64 of the same shape.
    Source: TFLite 8-bit quantization specification.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int = 0

    @staticmethod
    def per_tensor(scale: float, zero_point: int = 0) -> Quantization:
        return Quantization(np.array([scale], np.float32), np.array([zero_point], np.int64))

    @property
    def is_per_axis(self) -> bool:
        return self.scale.size > 1

    def equals(self, other: Quantization | None) -> bool:
        return (
            other is not None
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
            and (self.axis == other.axis or not self.is_per_axis)
        )

    def dequantize(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Real values in float64, so that comparing adds no rounding of its own."""
        scale, zero_point = self._broadcast(stored.ndim)
        return (stored.astype(np.float64) - zero_point) * scale

    def quantize(self, real: NDArray[Any], dtype: str) -> NDArray[Any]:
        """Stored values: round half to even, clamped to the range of ``dtype``."""
        info = np.iinfo(dtype)
        scale, zero_point = self._broadcast(real.ndim)
        stored = np.rint(real.astype(np.float64) / scale) + zero_point
        return np.clip(stored, info.min, info.max).astype(dtype)

    def _broadcast(self, rank: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scale, zero_point = self.scale.astype(np.float64), self.zero_point.astype(np.float64)
        if not self.is_per_axis:
            return scale.reshape(()), zero_point.reshape(())
        shape = [1] * rank
        shape[self.axis] = -1
        return scale.reshape(shape), zero_point.reshape(shape)

    def __str__(self) -> str:
        if self.is_per_axis:
            return f"q[{self.scale.size} on axis {self.axis}]"
        return f"q({float(self.scale[0]):.6g}, {int(self.zero_point[0])})"


@dataclass(eq=False)
class Tensor:
    """A named value: an input, a constant (``data`` is set) or the result of one op."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """A NumPy dtype name, or one of :data:`OPAQUE_DTYPES`."""
    data: NDArray[Any] | None = None
    quantization: Quantization | None = None
    shape_signature: tuple[int, ...] | None = None
    """The shape with -1 for dynamic dimensions; None when all are fixed."""
    is_variable: bool = False
    sparsity: Any = None
    """The schema's own object, carried through untouched; ``data`` then holds only the stored values, rank 1."""

    @property
    def is_constant(self) -> bool:
        return self.data is not None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __str__(self) -> str:
        shown = self.shape if self.shape_signature is None else self.shape_signature
        dims = ",".join("?" if d < 0 else str(d) for d in shown)
        text = f"{self.dtype}[{dims}]"
        return text if self.quantization is None else f"{text} {self.quantization}"


@dataclass(eq=False)
class Op:
    """One TFLite operator; ``kind`` is the schema's BuiltinOperator name (``CONV_2D``), or ``CUSTOM``."""

    kind: str
    inputs: list[Tensor | None]
    """In the schema's order; None where an optional input is left out."""
    outputs: list[Tensor]
    options: dict[str, Any] = field(default_factory=dict)
    source: SourceLocation | None = None
    version: int | None = None
    """The op version a file gave; None lets the writer choose the lowest that allows what the op uses."""
    options_type: str | None = None
    """Schema class of ``options`` as a file gave it ("NONE": no options); None: the writer looks it up by ``kind``."""
    custom_code: str | None = None
    custom_options: bytes | None = None
    intermediates: list[Tensor] = field(default_factory=list)

    @property
    def name(self) -> str:
        """An op is named by its first output, as TFLite's own tools do."""
        return self.outputs[0].name if self.outputs else self.kind

    @property
    def output(self) -> Tensor:
        """The only output; an error if there are several."""
        if len(self.outputs) != 1:
            raise GraphError(f"{self.kind} '{self.name}' has {len(self.outputs)} outputs, one was expected")
        return self.outputs[0]

    def present_inputs(self) -> Iterator[Tensor]:
        return (tensor for tensor in self.inputs if tensor is not None)


@dataclass(frozen=True)
class Signature:
    """A named entry point: user-facing names of the inputs and outputs of one graph."""

    key: str
    inputs: tuple[tuple[str, Tensor], ...]
    outputs: tuple[tuple[str, Tensor], ...]


@dataclass(eq=False)
class Graph:
    """Ops in topological order, with the graph's inputs and outputs in the caller's order."""

    name: str = "main"
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    metadata: dict[str, bytes] = field(default_factory=dict)
    description: str = ""
    subgraphs: list[Graph] = field(default_factory=list)
    """Further graphs of the same file, for control flow; options name them by position, this graph being 0."""

    def tensors(self) -> list[Tensor]:
        """Every tensor once, in the order of first use: inputs, then op by op, then outputs."""
        seen: dict[int, Tensor] = {}
        for tensor in self._all_uses():
            seen.setdefault(id(tensor), tensor)
        return list(seen.values())

    def _all_uses(self) -> Iterator[Tensor]:
        yield from self.inputs
        for op in self.ops:
            yield from op.present_inputs()
            yield from op.outputs
            yield from op.intermediates
        yield from self.outputs

    def constants(self) -> list[Tensor]:
        return [tensor for tensor in self.tensors() if tensor.is_constant]

    def producers(self) -> dict[Tensor, Op]:
        return {tensor: op for op in self.ops for tensor in op.outputs}

    def consumers(self) -> dict[Tensor, list[Op]]:
        """The ops that read each tensor (an op that reads it twice is listed once)."""
        readers: dict[Tensor, list[Op]] = {}
        for op in self.ops:
            for tensor in dict.fromkeys(op.present_inputs()):
                readers.setdefault(tensor, []).append(op)
        return readers

    def replace_uses(self, old: Tensor, new: Tensor) -> None:
        """Let every reader of ``old`` (ops, graph outputs, signatures) read ``new``."""
        for op in self.ops:
            op.inputs = [new if tensor is old else tensor for tensor in op.inputs]
        self.outputs = [new if tensor is old else tensor for tensor in self.outputs]
        self.signatures = [
            Signature(s.key, s.inputs, tuple((n, new if t is old else t) for n, t in s.outputs))
            for s in self.signatures
        ]

    def remove_ops(self, dead: Iterable[Op]) -> None:
        gone = {id(op) for op in dead}
        self.ops = [op for op in self.ops if id(op) not in gone]

    def op_counts(self) -> dict[str, int]:
        """How often each kind of op occurs, subgraphs included, most frequent first; custom ops under their code."""
        counts: dict[str, int] = {}
        for op in (op for graph in (self, *self.subgraphs) for op in graph.ops):
            key = op.custom_code or op.kind if op.kind == "CUSTOM" else op.kind
            counts[key] = counts.get(key, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def check(self) -> None:
        """Raise :class:`GraphError` unless the invariants of the IR hold.

        Names are unique; every tensor is made once and before it is read; constants have the shape and dtype they
        declare; per-axis quantization matches its dimension; inputs are not constants; signatures name the graph's
        own inputs and outputs.
        """
        problems = list(self._problems())
        for subgraph in self.subgraphs:
            problems += [f"{subgraph.name}: {text}" for text in subgraph._problems()]
        if problems:
            raise GraphError(f"graph '{self.name}' is not well formed: " + "; ".join(problems[:8]))

    def _problems(self) -> Iterator[str]:
        names: dict[str, Tensor] = {}
        for tensor in self.tensors():
            if names.setdefault(tensor.name, tensor) is not tensor:
                yield f"two tensors are named '{tensor.name}'"
            yield from _tensor_problems(tensor)
        ready = set(self.inputs)
        for tensor in self.inputs:
            if tensor.is_constant:
                yield f"input '{tensor.name}' is a constant"
        for op in self.ops:
            for tensor in op.present_inputs():
                if tensor not in ready and not tensor.is_constant and not tensor.is_variable:
                    yield f"{op.kind} '{op.name}' reads '{tensor.name}' before it is made"
            for tensor in op.outputs:
                if tensor in ready or tensor.is_constant:
                    yield f"{op.kind} makes '{tensor.name}', which exists already"
                ready.add(tensor)
        for tensor in self.outputs:
            if tensor not in ready and not tensor.is_constant and not tensor.is_variable:
                yield f"output '{tensor.name}' is never made"
        for signature in self.signatures:
            for name, tensor in signature.inputs:
                if tensor not in self.inputs:
                    yield f"signature '{signature.key}' names '{name}', which is no input of the graph"
            for name, tensor in signature.outputs:
                if tensor not in self.outputs:
                    yield f"signature '{signature.key}' names '{name}', which is no output of the graph"

    def __str__(self) -> str:
        from mobilekit.graph.printer import format_graph

        return format_graph(self)


def _tensor_problems(tensor: Tensor) -> Iterator[str]:
    if any(dim < 0 for dim in tensor.shape):
        yield f"'{tensor.name}' has a negative dimension in {tensor.shape}"
    if tensor.data is not None and tensor.dtype not in OPAQUE_DTYPES:
        if tensor.sparsity is None and tuple(tensor.data.shape) != tensor.shape:
            yield f"constant '{tensor.name}' is {tuple(tensor.data.shape)}, declared {tensor.shape}"
        if tensor.data.dtype != np.dtype(tensor.dtype):
            yield f"constant '{tensor.name}' is {tensor.data.dtype}, declared {tensor.dtype}"
    q = tensor.quantization
    if q is not None:
        if q.scale.size != q.zero_point.size:
            yield f"'{tensor.name}' has {q.scale.size} scales and {q.zero_point.size} zero points"
        if q.is_per_axis and not (q.axis < tensor.rank and tensor.shape[q.axis] == q.scale.size):
            yield f"'{tensor.name}' has {q.scale.size} scales on axis {q.axis} of {tensor.shape}"
