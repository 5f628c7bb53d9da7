"""Whatever a user calls a model -> a Graph to check, and the ops of it that have no lowering.

A .tflite file is read; a PyTorch model is captured and lowered, but not converted: no file, no verification. torch is
imported only for the latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilekit.errors import InputError, ModelLoadError, UnsupportedOp
from mobilekit.graph.ir import Graph

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

    Model = Graph | Module | ExportedProgram | str | Path | bytes


@dataclass(frozen=True)
class Checkable:
    """A graph, what it is called, and what of the model it does not hold."""

    graph: Graph
    name: str
    unsupported: tuple[UnsupportedOp, ...] = ()
    """Ops without a lowering; the graph reads their results as inputs, so that all others can be checked."""


def checkable(model: Model, example_inputs: Sequence[Any] | None = None, quantize: str | None = None) -> Checkable:
    """The graph behind ``model``, as the recipe ``quantize`` would quantize it if one is named.

    The ranges come from seeded noise, one sample: which ops a target takes depends on types far more than on ranges,
    but a rule on the ratio of scales may come out differently with real data.
    """
    found = _float(model, example_inputs)
    if quantize is None:
        return found
    return replace(found, graph=_quantized(found.graph, quantize))


def _quantized(graph: Graph, recipe: str) -> Graph:
    import numpy as np

    from mobilekit.quantize import preset
    from mobilekit.quantize import quantize as quantize_graph

    rng = np.random.default_rng(0)
    sample = [
        (rng.standard_normal(tensor.shape) if tensor.dtype.startswith("float") else np.zeros(tensor.shape)).astype(
            tensor.dtype
        )
        for tensor in graph.inputs
    ]
    return quantize_graph(graph, [sample], preset(recipe)).graph


def _float(model: Model, example_inputs: Sequence[Any] | None) -> Checkable:
    """The graph behind ``model``: a Graph, the path or bytes of a .tflite file, an nn.Module, an ExportedProgram, or
    what a command line takes (``path.py:function``, ``package.module:function``, a .pt2 or .onnx file).

    ``example_inputs``: for an nn.Module, if it cannot be known. Raises :class:`ModelLoadError` or
    :class:`CorruptModelError` for files, :class:`CaptureError` for a model that raises or cannot be traced.
    """
    if isinstance(model, Graph):
        return Checkable(model, model.name)
    if isinstance(model, (str, Path)):
        return _named(model, example_inputs)
    if isinstance(model, (bytes, bytearray)):
        from mobilekit.graph.reader import read

        graph = read(bytes(model))
        return Checkable(graph, graph.name)
    if not _is_torch(model):
        raise InputError(
            f"cannot check a {type(model).__name__}; give an nn.Module, an ExportedProgram, a Graph, "
            "or the path or bytes of a .tflite file"
        )
    return _captured(model, example_inputs, type(model).__name__)


def _is_torch(model: Any) -> bool:
    """By the names of its classes, so that asking does not import torch."""
    return any(base.__module__.partition(".")[0] == "torch" for base in type(model).__mro__)


def _named(model: str | Path, example_inputs: Sequence[Any] | None) -> Checkable:
    from mobilekit.loading import load_model

    if Path(model).suffix.lower() == ".tflite":
        from mobilekit.graph.reader import read_file

        return Checkable(read_file(model), Path(model).stem)
    loaded = load_model(str(model))
    if loaded.kind == "onnx":
        from mobilekit.frontends.onnx_model import from_onnx

        source = from_onnx(loaded.model, example_inputs)
        if source.program is None:
            raise ModelLoadError(f"'{model}' cannot be checked before it is converted: {source.no_program}")
        return _captured(source.program, source.example, loaded.name)
    return _captured(loaded.model, example_inputs if example_inputs is not None else loaded.example_inputs, loaded.name)


def _captured(model: Any, example_inputs: Sequence[Any] | None, name: str) -> Checkable:
    from mobilekit.frontends.direct.capture import capture
    from mobilekit.frontends.direct.lower import lower
    from mobilekit.graph.passes import run_passes

    if getattr(model, "training", False):
        model.eval()  # Of no consequence for what is supported, and a check should not fail on it.
    captured = capture(model, example_inputs)
    lowered = lower(captured.program, name, partial=True)
    graph = lowered.graph
    if lowered.unsupported:
        _close(graph)
    run_passes(graph)
    return Checkable(graph, name, tuple(lowered.unsupported))


def _close(graph: Graph) -> None:
    """Make what unsupported ops would compute inputs of the graph, so that it is well formed without them."""
    made = {tensor for op in graph.ops for tensor in op.outputs} | set(graph.inputs)
    read = [tensor for op in graph.ops for tensor in op.present_inputs()]
    missing = dict.fromkeys(tensor for tensor in read if tensor not in made and not tensor.is_constant)
    graph.inputs = [*graph.inputs, *missing]
    made |= set(missing)
    graph.outputs = [tensor for tensor in graph.outputs if tensor in made or tensor.is_constant]
    graph.signatures = []
