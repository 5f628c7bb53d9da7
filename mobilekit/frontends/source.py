"""What is to be converted, in a form that every frontend can start from: a PyTorch model or an ONNX file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, TensorArgument
from torch.utils import _pytree as pytree

from mobilekit.errors import BackendError, InputError
from mobilekit.frontends.arrays import as_arrays, dtype_name
from mobilekit.frontends.direct.capture import capture
from mobilekit.frontends.direct.dynamic import dynamic_axes
from mobilekit.graph.ir import Quantization
from mobilekit.results import InputOrigin

if TYPE_CHECKING:
    from mobilekit.frontends.direct.lower import Lowered

Reference = Callable[[Sequence[Any]], list[NDArray[Any]]]
"""Flattened inputs -> flattened outputs as arrays, computed by what the user trusts (PyTorch, ONNX Runtime)."""
References = Callable[[Iterable[Sequence[Any]]], Iterator[tuple[Sequence[Any], list[NDArray[Any]]]]]
"""The same for a stream of calls, each given back with its outputs: what is slow to start is started once."""


@dataclass(frozen=True)
class TensorSignature:
    """One tensor among the flattened inputs."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    leaf: int
    """Position among the flattened arguments."""
    open_axes: frozenset[int] = frozenset()
    """Axes of any size (dynamic shapes)."""


@dataclass(frozen=True)
class Source:
    """A model with an example call, and the reference that a converted file must equal."""

    name: str
    inputs: tuple[TensorSignature, ...]
    example: tuple[Any, ...]
    """The flattened arguments of one call."""
    in_structure: pytree.TreeSpec
    out_structure: pytree.TreeSpec
    reference: Reference = field(repr=False)
    reference_name: str
    reset: Callable[[], None] = field(repr=False, default=lambda: None)
    """Let the reference begin anew, where buffers change in forward."""
    states: tuple[str, ...] = ()
    """Buffers that change in forward, by name."""
    module: torch.nn.Module | None = field(repr=False, default=None)
    program: ExportedProgram | None = field(repr=False, default=None)
    resized: ExportedProgram | None = field(repr=False, default=None)
    """The same model captured at a second size, when it has dynamic shapes."""
    further_sizes: tuple[tuple[Any, ...], ...] = ()
    """Flattened arguments at other sizes, to verify on."""
    no_program: str = ""
    """Why there is no captured program, if there is none."""
    onnx: Path | None = None
    origins: tuple[InputOrigin, ...] = ()
    notes: tuple[str, ...] = ()
    references: References | None = field(repr=False, default=None)
    """How to compute :attr:`reference` for many calls, where that is not one by one."""
    ready: Lowered | None = field(repr=False, default=None)
    """The graph, where the source is one already (a .tflite file) and no backend has to make it."""
    given_scales: tuple[Quantization, ...] | None = field(repr=False, default=None)
    """Not None for a model that was quantized before it came here, which ``direct`` alone keeps as it is: the scales of
    constants that its program holds as float values."""
    made_by: str = ""
    """Who made :attr:`ready`: "tflite" (the user's file) or "tensorflow"."""

    def compared(self, calls: Iterable[Sequence[Any]]) -> Iterator[tuple[Sequence[Any], list[NDArray[Any]]]]:
        """Each call's flattened arguments with what the reference computes of them."""
        if self.references is not None:
            return self.references(calls)
        return ((leaves, self.reference(leaves)) for leaves in calls)

    def need_program(self, backend: str) -> ExportedProgram:
        if self.program is None:
            raise BackendError(f"backend '{backend}' needs a captured PyTorch program: {self.no_program}")
        return self.program

    def example_call(self) -> tuple[Any, ...]:
        """The example's tensors in the order of :attr:`inputs`."""
        return tuple(self.example[signature.leaf] for signature in self.inputs)


def from_torch(
    model: torch.nn.Module | ExportedProgram,
    example_args: Any = None,
    example_kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    name: str | None = None,
) -> Source:
    """Capture a PyTorch model; errors are those of :func:`~mobilekit.frontends.direct.capture.capture`.

    With ``dynamic_shapes`` the program is captured three times: open, to know what may vary and within what limits, and
    at two fixed sizes, which is what gets lowered.
    """
    captured = capture(model, example_args, example_kwargs)
    resized: ExportedProgram | None = None
    further: tuple[tuple[Any, ...], ...] = ()
    open_axes: Mapping[int, Mapping[int, int]] = {}
    if dynamic_shapes is not None:
        if isinstance(model, ExportedProgram):
            raise InputError("dynamic_shapes needs the nn.Module: an ExportedProgram's shapes are settled")
        open_program = capture(model, captured.example_args, captured.example_kwargs, dynamic_shapes).program
        leaves, nesting = pytree.tree_flatten((captured.example_args, captured.example_kwargs))
        axes, others = dynamic_axes(open_program)
        open_axes = axes.sizes
        further = (tuple(axes.resized(leaves)), tuple(others.resized(leaves)))
        args, kwargs = pytree.tree_unflatten(list(further[0]), nesting)
        resized = capture(model, args, kwargs).program
    program = captured.program
    in_structure = program.call_spec.in_spec
    # A program captured elsewhere has no module of its own.
    module = None if isinstance(model, ExportedProgram) else model
    runnable = program.module() if module is None else module
    states = tuple(dict.fromkeys(program.graph_signature.buffers_to_mutate.values()))
    reference, reset = torch_reference(runnable, in_structure, states)

    return Source(
        name=name or ("model" if isinstance(model, ExportedProgram) else type(model).__name__),
        inputs=tuple(_signatures(program, open_axes)),
        example=tuple(pytree.tree_flatten((captured.example_args, captured.example_kwargs))[0]),
        in_structure=in_structure,
        out_structure=program.call_spec.out_spec,
        reference=reference,
        reference_name=f"torch {torch.__version__} (eager)",
        reset=reset,
        states=states,
        module=module,
        program=program,
        resized=resized,
        further_sizes=further,
        origins=captured.origins,
        given_scales=() if _is_quantized(program) else None,
    )


def _is_quantized(program: ExportedProgram) -> bool:
    """Whether PyTorch quantized the program (PT2E): it holds its scales itself."""
    return any("quantized_decomposed.quantize" in str(node.target) for node in program.graph.nodes)


def torch_reference(
    module: torch.nn.Module, in_structure: pytree.TreeSpec, states: Sequence[str]
) -> tuple[Reference, Callable[[], None]]:
    """``module`` as a :data:`Reference`, and what lets it begin anew where the buffers ``states`` change in forward."""
    # The reference changes buffers of its own: the user's module stays as it is.
    buffers: dict[str, torch.Tensor] = {}

    def reset() -> None:
        held = dict(module.named_buffers())
        buffers.update({name: held[name].detach().clone() for name in states})

    def reference(leaves: Sequence[Any]) -> list[NDArray[Any]]:
        args, kwargs = pytree.tree_unflatten(list(leaves), in_structure)
        with torch.no_grad(), one_thread():
            result = torch.func.functional_call(module, buffers, args, kwargs) if states else module(*args, **kwargs)
            return as_arrays(pytree.tree_leaves(result))

    reset()
    return reference, reset


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread: on a busy machine its threads spend their time waiting for each other.

    MobileNetV2 on 16 photos, two cores, one of them busy: 0.3 s on one thread, 1.6 to 2.1 s on two.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _signatures(program: ExportedProgram, open_axes: Mapping[int, Mapping[int, int]]) -> list[TensorSignature]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    found, leaf = [], 0
    for spec in program.graph_signature.input_specs:
        if spec.kind != InputKind.USER_INPUT:
            continue
        value = values.get(spec.arg.name)
        if isinstance(spec.arg, TensorArgument) and isinstance(value, torch.Tensor):
            shape = tuple(int(dim) for dim in value.shape)
            found.append(
                TensorSignature(spec.arg.name, shape, dtype_name(value.dtype), leaf, frozenset(open_axes.get(leaf, ())))
            )
        leaf += 1
    return found
