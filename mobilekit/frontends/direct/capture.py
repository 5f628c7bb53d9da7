"""nn.Module -> torch.export's ExportedProgram, with errors in the user's own terms."""

from __future__ import annotations

import contextlib
import io
import logging
import operator
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind

from mobilekit.errors import CaptureError, InputError
from mobilekit.frontends.direct.admission import check_inputs, check_module, check_outputs, unwrapped
from mobilekit.frontends.direct.detection import whole_batched_nms
from mobilekit.frontends.direct.explain import TORCH_FOLDER, explain
from mobilekit.results import InputOrigin
from mobilekit.source import SourceLocation

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in \S+\n\s*(?P<code>.*)')

# Ops that write into their input but are harmless once the result simply replaces the input (see needs_functional).
_VIEW_OPS = frozenset(
    [
        "alias",
        "as_strided",
        "chunk",
        "detach",
        "diagonal",
        "expand",
        "expand_as",
        "flatten",
        "movedim",
        "narrow",
        "permute",
        "pixel_shuffle",
        "reshape",
        "reshape_as",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "swapaxes",
        "t",
        "transpose",
        "unbind",
        "unfold",
        "unflatten",
        "unsqueeze",
        "view",
        "view_as",
        "contiguous",
        "to",
    ]
)


@dataclass(frozen=True)
class Captured:
    """A captured program and the example inputs it was captured with."""

    program: ExportedProgram
    example_args: tuple[Any, ...]
    example_kwargs: dict[str, Any]
    origins: tuple[InputOrigin, ...]
    """Inputs that were not given, and how they were inferred."""


def capture(
    model: torch.nn.Module | ExportedProgram,
    example_args: Sequence[Any] | None = None,
    example_kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> Captured:
    """Capture ``model`` with torch.export.

    Raises :class:`CaptureError` when the model raises in forward or cannot be traced, with the user's source line, and
    :class:`InputError` for example inputs that cannot be known or have the wrong form.
    """
    if isinstance(model, ExportedProgram):
        args, kwargs = model.example_inputs if model.example_inputs is not None else ((), {})
        return Captured(_admitted(model), tuple(args), dict(kwargs), ())
    model = unwrapped(model)
    check_module(model)
    origins: tuple[InputOrigin, ...] = ()
    if example_args is None and not example_kwargs:
        example_args, origins = infer_inputs(model)
    args = (example_args,) if isinstance(example_args, torch.Tensor) else tuple(example_args or ())
    kwargs = dict(example_kwargs or {})
    check_inputs(args, kwargs)
    with torch.no_grad(), _quiet_torch(), whole_batched_nms():
        try:
            program = torch.export.export(model, args, kwargs, dynamic_shapes=dynamic_shapes)
        except Exception as error:  # torch.export raises anything the model's own code raises
            raise CaptureError(explain(error, model, args, kwargs)) from error
    return Captured(_admitted(program), args, kwargs, origins)


def _admitted(program: ExportedProgram) -> ExportedProgram:
    """The program without in-place ops that matter; an error where it writes into what belongs to the caller."""
    functional = _functional(program)
    for spec in functional.graph_signature.output_specs:
        if spec.kind in (OutputKind.USER_INPUT_MUTATION, OutputKind.PARAMETER_MUTATION):
            raise CaptureError(_written(program, str(spec.target), spec.kind))
    check_outputs(functional)
    return functional


def _written(program: ExportedProgram, target: str, kind: OutputKind) -> str:
    """Which line writes into an input or a parameter, and what to write instead."""
    thing = f"the input '{target}'" if kind == OutputKind.USER_INPUT_MUTATION else f"the parameter '{target}'"
    holders = {
        node
        for spec, node in zip(
            program.graph_signature.input_specs, program.graph.find_nodes(op="placeholder"), strict=False
        )
        if target in (spec.target, getattr(spec.arg, "name", None))
    }
    place = ""
    for node in program.graph.nodes:
        given = node.args[0] if node.args else None
        if given not in holders:
            continue
        if _is_view(node):
            holders.add(node)
        elif isinstance(node.target, torch._ops.OpOverload) and _writes_first_argument(node.target):
            place = f" at {source_of(node)}"
            break
    return (
        f"the model writes into {thing} in place{place}\n  instead: write on a copy (x = x.clone()): a file cannot "
        "change what it is given"
    )


@contextlib.contextmanager
def _quiet_torch() -> Iterator[None]:
    """Keep torch's log of a failed export, hundreds of lines, off the terminal: the error says it in two."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    said = io.StringIO()
    try:
        # torch.export prints the half-made graph; what was said during an export that works (warnings) goes through.
        with contextlib.redirect_stderr(said):
            yield
        sys.stderr.write(said.getvalue())
    finally:
        logger.setLevel(level)


def infer_inputs(model: torch.nn.Module) -> tuple[tuple[torch.Tensor, ...], tuple[InputOrigin, ...]]:
    """Example inputs from what the model itself says: Lightning, timm, or a first convolution.

    Raises :class:`InputError` when nothing says it.
    """
    example = getattr(model, "example_input_array", None)
    if example is not None:
        tensors = (example,) if isinstance(example, torch.Tensor) else tuple(example)
        return tensors, _origins(tensors, "the model's example_input_array")
    config = getattr(model, "default_cfg", None) or getattr(model, "pretrained_cfg", None)
    size = config.get("input_size") if isinstance(config, Mapping) else getattr(config, "input_size", None)
    if size:
        image = (_example_image(1, *size),)
        return image, _origins(image, "the model's default_cfg")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            image = (_example_image(1, module.in_channels, 224, 224),)
            return image, _origins(image, f"the {module.in_channels} channels of '{name}', at an assumed 224 x 224")
        if isinstance(module, (torch.nn.Embedding, torch.nn.RNNBase, torch.nn.Linear, torch.nn.Conv1d)):
            break
    raise InputError(
        "the model's inputs cannot be inferred: give example_inputs, e.g. (torch.rand(1, 3, 224, 224),), or "
        "--input-shape 1,3,224,224"
    )


def _example_image(*shape: int) -> torch.Tensor:
    # A generator of its own: the global one belongs to the user.
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _origins(tensors: Sequence[torch.Tensor], reason: str) -> tuple[InputOrigin, ...]:
    return tuple(
        InputOrigin(f"input {index}", tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), reason)
        for index, tensor in enumerate(tensors)
    )


def _functional(program: ExportedProgram) -> ExportedProgram:
    """Remove in-place ops where simply renaming the result would be wrong; it costs as much time as the export."""
    return program.run_decompositions({}) if _needs_functional(program) else program


def _needs_functional(program: ExportedProgram) -> bool:
    """Whether an in-place op writes into memory that something else sees: an input, a buffer, or a view."""
    parts = [part for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    for node in (node for part in parts for node in part.graph.nodes):
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        if not _writes_first_argument(node.target):
            continue
        target = node.args[0] if node.args else None
        if not isinstance(target, torch.fx.Node) or target.op != "call_function" or _is_view(target):
            return True
        if any(_is_view(user) for user in target.users):
            return True
    return False


def _writes_first_argument(target: torch._ops.OpOverload) -> bool:
    return target._schema.is_mutable


def _is_view(node: torch.fx.Node) -> bool:
    name = getattr(getattr(node.target, "overloadpacket", None), "__name__", "")
    return node.op == "call_function" and (name in _VIEW_OPS or node.target is operator.getitem)


def source_of(node: torch.fx.Node) -> SourceLocation | None:
    """The innermost line of the user's code (the innermost of PyTorch's own, if there is no other) behind a node."""
    frames = list(_FRAME.finditer(node.meta.get("stack_trace") or ""))
    if not frames:
        return None
    # "<...>" is code that torch made up while tracing.
    own = [frame for frame in frames if not frame["file"].startswith((TORCH_FOLDER, "<"))]
    frame = (own or frames)[-1]
    return SourceLocation(frame["file"], int(frame["line"]), frame["code"].strip(), module_path(node))


def module_path(node: torch.fx.Node) -> str:
    """Path of the innermost module that made a node, as ``named_modules`` has it."""
    stack = node.meta.get("nn_module_stack") or {}
    path = next(reversed(stack.values()), ("", None))[0] if stack else ""
    return str(path).removeprefix("L['self'].").removeprefix("L['self']")
