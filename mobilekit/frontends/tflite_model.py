"""A float .tflite file, whoever made it, as a source: its ops are the graph, and LiteRT running it is the reference.

Given      images float32 [?, 8, 8, 3] ;  SHAPE -> STRIDED_SLICE -> PACK -> RESHAPE
Result     images float32 [1, 8, 8, 3] ;  RESHAPE                      (the sizes of the example everywhere)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from mobilekit.errors import InputError, ModelLoadError, RuntimeUnavailableError
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.lower import InputSpec, Lowered, OutputSpec
from mobilekit.frontends.direct.values import identity_order
from mobilekit.frontends.source import References, Source, TensorSignature
from mobilekit.graph.ir import OPAQUE_DTYPES, Graph, Tensor
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write
from mobilekit.results import InputOrigin
from mobilekit.runtime import Interpreter, describe

NAME = "tflite"


def from_tflite(path: Path, example_inputs: Any = None, name: str | None = None) -> Source:
    """Read ``path``; ``example_inputs`` (arrays or tensors in the file's order) fix sizes that the file leaves open.

    Raises :class:`ModelLoadError` for a file that cannot be read, run, or is quantized already, and
    :class:`InputError` for an open size that nothing settles.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
    return from_bytes(data, str(path), example_inputs, name or path.stem)


def from_bytes(data: bytes, path: str, example_inputs: Any, name: str) -> Source:
    """The bytes of a .tflite file; ``path`` is what errors call it."""
    graph = read(data, f"'{path}'")
    refuse_quantized(graph, path)
    given = given_arrays(example_inputs)
    shapes, origins = _shapes(graph, given)
    example = given if given is not None else [_noise(t, s) for t, s in zip(graph.inputs, shapes, strict=True)]
    arrays = [np.ascontiguousarray(as_array(a)) for a in example]
    for tensor, array in zip(graph.inputs, arrays, strict=True):
        if array.dtype.name != tensor.dtype:
            raise InputError(f"input '{tensor.name}' of '{path}' is {tensor.dtype}, the example is {array.dtype.name}")
    try:
        settle(graph, arrays)
        interpreter = Interpreter(data)
    except RuntimeUnavailableError as error:
        raise ModelLoadError(f"'{path}' does not run: {error}") from error

    def references(calls: Iterable[Sequence[Any]]) -> Iterator[tuple[Sequence[Any], list[NDArray[Any]]]]:
        for leaves in calls:
            yield leaves, interpreter.run([np.ascontiguousarray(as_array(leaf)) for leaf in leaves])

    outputs = [_named(graph, "outputs", tensor) for tensor in graph.outputs]
    return ready_source(
        graph, name, arrays, outputs, references, f"{describe()}, the file itself", made_by=NAME, origins=origins
    )


def ready_source(
    graph: Graph,
    name: str,
    example: Sequence[NDArray[Any]],
    output_names: Sequence[str],
    references: References,
    reference_name: str,
    *,
    made_by: str,
    out_structure: Any = None,
    origins: tuple[InputOrigin, ...] = (),
) -> Source:
    """A source whose graph is there already; inputs and outputs keep the file's order and axes.

    ``out_structure``: a nesting with one leaf an output; by default the one output, or a list of them.
    """
    signatures = [
        TensorSignature(_named(graph, "inputs", tensor), tensor.shape, tensor.dtype, leaf)
        for leaf, tensor in enumerate(graph.inputs)
    ]
    inputs = [
        InputSpec(s.name, identity_order(len(s.shape)), s.shape, s.dtype, tensor, s.leaf)
        for s, tensor in zip(signatures, graph.inputs, strict=True)
    ]
    outputs = [
        OutputSpec(label, identity_order(tensor.rank), tensor.shape, tensor.dtype, tensor)
        for label, tensor in zip(output_names, graph.outputs, strict=True)
    ]
    if out_structure is None:
        out_structure = 0 if len(outputs) == 1 else [0] * len(outputs)
    return Source(
        name=name,
        inputs=tuple(signatures),
        example=tuple(torch.from_numpy(np.array(array)) for array in example),
        in_structure=pytree.tree_flatten((tuple(0 for _ in example), {}))[1],
        out_structure=pytree.tree_flatten(out_structure)[1],
        reference=lambda leaves: next(iter(references([leaves])))[1],
        reference_name=reference_name,
        references=references,
        ready=Lowered(graph, inputs, outputs, []),
        made_by=made_by,
        no_program=f"it is a file of {made_by}, not of PyTorch",
        origins=origins,
    )


def refuse_quantized(graph: Graph, path: str) -> None:
    """:class:`ModelLoadError` for a file whose ops read integers of a scale; float16 weights are float."""
    for op in graph.ops:
        for tensor in op.present_inputs():
            if tensor.quantization is not None and np.any(tensor.quantization.scale) and tensor.dtype != "float32":
                raise ModelLoadError(
                    f"'{path}' is quantized already ({op.kind} '{op.name}' reads {tensor.dtype}): give the float "
                    "model; check, verify and bench take this file as it is"
                )


def given_arrays(example_inputs: Any) -> list[Any] | None:
    """Example inputs in whatever nesting people give them, as a list."""
    if example_inputs is None:
        return None
    if isinstance(example_inputs, (torch.Tensor, np.ndarray)):
        return [example_inputs]
    return list(example_inputs.values()) if isinstance(example_inputs, Mapping) else list(example_inputs)


def _shapes(graph: Graph, given: Sequence[Any] | None) -> tuple[list[tuple[int, ...]], tuple[InputOrigin, ...]]:
    """A fixed shape for every input, and which of them were assumed."""
    if not graph.inputs:
        raise InputError("the file has no input: there is nothing to convert")
    if given is not None and len(given) != len(graph.inputs):
        raise InputError(f"the file has {len(graph.inputs)} inputs, {len(given)} examples were given")
    shapes, origins = [], []
    for index, tensor in enumerate(graph.inputs):
        label, wanted = _named(graph, "inputs", tensor), list(tensor.shape_signature or tensor.shape)
        if tensor.dtype in OPAQUE_DTYPES:
            raise InputError(f"input '{label}' is a {tensor.dtype}, which is no number")
        if given is not None:
            shape = tuple(as_array(given[index]).shape)
            if len(shape) != len(wanted) or any(w not in (-1, g) for w, g in zip(wanted, shape, strict=True)):
                raise InputError(f"input '{label}' is {_open(wanted)}, the example is {list(shape)}")
        elif any(dim < 0 for dim in wanted[1:]):
            raise InputError(f"input '{label}' has open dimensions {_open(wanted)}: give example_inputs of the shape")
        else:
            shape = tuple(max(dim, 1) if dim < 0 else dim for dim in wanted)
            if wanted and wanted[0] < 0:
                origins.append(InputOrigin(label, shape, "", "the batch, left open in the file, is one"))
        shapes.append(shape)
    return shapes, tuple(origins)


def _open(shape: Sequence[int]) -> str:
    return "[" + ", ".join("?" if dim < 0 else str(dim) for dim in shape) + "]"


def settle(graph: Graph, arrays: Sequence[NDArray[Any]]) -> None:
    """Give every tensor the shape that it has on this call, and let SHAPE be the constant that it then is."""
    if all(tensor.shape_signature is None for tensor in graph.tensors()):
        return
    interpreter = Interpreter(write(graph), delegate="reference", keep_all=True)
    interpreter.run(arrays)
    index = interpreter.tensor_indices()
    shape_ops = [op for op in graph.ops if op.kind == "SHAPE" and op.output not in graph.outputs]
    for op in shape_ops:
        op.output.data = np.array(interpreter.tensor(index[op.output.name]))
    graph.remove_ops(shape_ops)
    for tensor in graph.tensors():
        if tensor.shape_signature is not None:
            if not tensor.is_constant:
                tensor.shape = tuple(int(dim) for dim in interpreter.tensor(index[tensor.name]).shape)
            tensor.shape_signature = None


def _named(graph: Graph, side: str, tensor: Tensor) -> str:
    """What the signature calls a tensor, else its own name."""
    for signature in graph.signatures[:1]:
        for label, named in getattr(signature, side):
            if named is tensor:
                return str(label)
    return tensor.name


def _noise(tensor: Tensor, shape: tuple[int, ...]) -> NDArray[Any]:
    generator = np.random.default_rng(0)
    kind = np.dtype(tensor.dtype)
    return generator.random(shape).astype(kind) if kind.kind == "f" else np.zeros(shape, kind)
