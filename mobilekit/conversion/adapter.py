"""Between what the model's user passes and what the file holds: nesting, axis order, dtypes, quantization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from mobilekit.errors import InputError
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.lower import InputSpec, Lowered, OutputSpec, StateSpec
from mobilekit.frontends.source import Source, TensorSignature
from mobilekit.graph.ir import Graph, Quantization


@dataclass(frozen=True)
class Adapter:
    """Flattens and stores inputs as the file takes them; reads outputs back as the model gives them.

    ``stored_inputs`` and ``stored_outputs`` are (dtype, quantization) of the file's tensors, in the file's order.
    """

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    in_structure: pytree.TreeSpec
    out_structure: pytree.TreeSpec
    stored_inputs: tuple[tuple[str, Quantization | None], ...]
    stored_outputs: tuple[tuple[str, Quantization | None], ...]
    states: tuple[StateSpec, ...] = ()
    """Buffers that change in forward: the file's last inputs and outputs."""

    @staticmethod
    def of(source: Source, lowered: Lowered, graph: Graph) -> Adapter:
        """For ``graph``, which computes what ``lowered`` does and may be quantized."""
        return Adapter(
            tuple(lowered.inputs),
            tuple(lowered.outputs),
            source.in_structure,
            source.out_structure,
            tuple((tensor.dtype, tensor.quantization) for tensor in graph.inputs),
            tuple((tensor.dtype, tensor.quantization) for tensor in graph.outputs),
            tuple(lowered.states),
        )

    # -- in ----------------------------------------------------------------------------------------------------

    def leaves(self, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> list[Any]:
        """The flattened arguments of one call; :class:`InputError` when they nest differently from the example."""
        flat, structure = pytree.tree_flatten((tuple(args), dict(kwargs or {})))
        if structure != self.in_structure:
            raise InputError(
                f"the model takes {len(self.inputs)} input{'s' if len(self.inputs) != 1 else ''} "
                f"({', '.join(spec.name for spec in self.inputs)}), nested as in its example; this call nests otherwise"
            )
        return list(flat)

    def signatures(self) -> list[TensorSignature]:
        """The tensors of one call, as PyTorch has them."""
        return [TensorSignature(s.name, s.shape, s.dtype, s.leaf, frozenset(_open_axes(s))) for s in self.inputs]

    def spread(self, call: Sequence[Any], others: Sequence[Any] | None = None) -> list[Any]:
        """Tensors in the order of :attr:`inputs`, put where forward's flattened arguments have them.

        ``others`` fills the places that are no tensors (numbers, None); left out where nobody reads them.
        """
        leaves = list(others) if others is not None else [None] * self.in_structure.num_leaves
        for spec, tensor in zip(self.inputs, call, strict=True):
            leaves[spec.leaf] = tensor
        return leaves

    def initial_state(self) -> list[NDArray[Any]]:
        """What the buffers that change in forward hold before the first call, as real numbers."""
        return [np.array(state.initial) for state in self.states]

    def real(self, leaves: Sequence[Any], state: Sequence[NDArray[Any]] | None = None) -> list[NDArray[Any]]:
        """One call's tensors in the file's order and axis order, still real numbers (int64 narrowed to int32).

        ``state``: of :meth:`next_state`; None for the first call.
        Raises :class:`InputError` naming the input with a wrong shape or dtype, or an integer outside its limits.
        """
        given = [self._real(spec, leaves[spec.leaf]) for spec in self.inputs]
        held = self.initial_state() if state is None else state
        for spec, array in zip((s.input for s in self.states), held, strict=True):
            _check_integers(spec, array, "buffer")
        return [*given, *held]

    def _real(self, spec: InputSpec, given: Any) -> NDArray[Any]:
        array = as_array(given)
        if not _fits(array.shape, spec):
            raise InputError(f"input '{spec.name}' has shape {list(array.shape)}, the model takes {_shown(spec)}")
        if (
            array.dtype.name not in (spec.dtype, spec.tensor.dtype)
            and array.dtype.kind != np.dtype(spec.tensor.dtype).kind
        ):
            raise InputError(f"input '{spec.name}' is {array.dtype.name}, the model takes {spec.dtype}")
        _check_integers(spec, array, "input")
        # Not ascontiguousarray, which gives a 0-d array an axis.
        return np.require(array.transpose(spec.order).astype(spec.tensor.dtype, copy=False), requirements="C")

    def stored(self, real: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Quantize what the file holds as integers of a scale."""
        return [
            array if quantization is None else quantization.quantize(array, dtype)
            for array, (dtype, quantization) in zip(real, self.stored_inputs, strict=True)
        ]

    # -- out ---------------------------------------------------------------------------------------------------

    def flat_outputs(self, stored: Sequence[NDArray[Any]], leaves: Sequence[Any]) -> list[Any]:
        """The model's flattened outputs (NumPy arrays, float64 where dequantized) from the file's."""
        results, position = [], 0
        for spec in self.outputs:
            if spec.tensor is None:
                results.append(self._passed(spec, leaves))
                continue
            dtype_and_quantization = self.stored_outputs[position]
            array = np.asarray(stored[position])  # the runtime gives 0-d results as NumPy numbers
            position += 1
            if dtype_and_quantization[1] is not None:
                array = dtype_and_quantization[1].dequantize(array)
            results.append(array.transpose([spec.order.index(axis) for axis in range(len(spec.order))]))
        return results

    def next_state(self, stored: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The buffers after a call, from the file's outputs, to be given to :meth:`real` in the next one."""
        first = len(stored) - len(self.states)
        pairs = zip(stored[first:], self.stored_outputs[first:], self.states, strict=True)
        return [
            np.asarray(array if q is None else q.dequantize(array)).astype(state.input.tensor.dtype)
            for array, (_, q), state in pairs
        ]

    def _passed(self, spec: OutputSpec, leaves: Sequence[Any]) -> Any:
        if spec.input_index is None:
            return spec.constant
        given = leaves[self.inputs[spec.input_index].leaf]
        return as_array(given).transpose(spec.permutation)

    def rebuild(self, flat: Sequence[Any], *, as_torch: bool) -> Any:
        """The flattened outputs in the model's own dtypes and nesting."""
        leaves = [
            _convert(array, spec.dtype, as_torch) if isinstance(array, np.ndarray) else array
            for array, spec in zip(flat, self.outputs, strict=True)
        ]
        return pytree.tree_unflatten(leaves, self.out_structure)


def _check_integers(spec: InputSpec, array: NDArray[Any], label: str) -> None:
    """Raise :class:`InputError` for integers that the file cannot hold, or that overflow in the middle of it."""
    if array.dtype.kind not in "iu" or not array.size:
        return
    lowest, highest = int(array.min()), int(array.max())
    if spec.dtype == "int64" and not (lowest >= -(2**31) and highest < 2**31):
        raise InputError(f"{label} '{spec.name}' holds integers outside int32, which the file cannot hold")
    if spec.limits is not None and not (lowest >= spec.limits[0] and highest <= spec.limits[1]):
        raise InputError(
            f"{label} '{spec.name}' holds {lowest if lowest < spec.limits[0] else highest}, the file is right for "
            f"{spec.limits[0]} to {spec.limits[1]}: beyond that its int32 overflows where the model computes in int64"
        )


def _open_axes(spec: InputSpec) -> set[int]:
    """PyTorch's axes of any size."""
    signature = spec.tensor.shape_signature or ()
    return {spec.order[stored] for stored, size in enumerate(signature) if size < 0}


def _fits(shape: Sequence[int], spec: InputSpec) -> bool:
    if len(shape) != len(spec.shape):
        return False
    loose = _open_axes(spec)
    return all(given == size or axis in loose for axis, (given, size) in enumerate(zip(shape, spec.shape, strict=True)))


def _shown(spec: InputSpec) -> str:
    loose = _open_axes(spec)
    return "[" + ", ".join("?" if axis in loose else str(size) for axis, size in enumerate(spec.shape)) + "]"


def _convert(array: NDArray[Any], dtype: str, as_torch: bool) -> Any:
    if as_torch:
        return torch.from_numpy(np.array(array)).to(getattr(torch, dtype))
    # NumPy has no bfloat16; float32 holds all its values.
    return np.require(array.astype("float32" if dtype == "bfloat16" else dtype, copy=False), requirements="C")
