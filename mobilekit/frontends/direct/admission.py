"""What is turned away at the door: modules and example inputs that no .tflite file can stand for, each with its reason.

Everything here is known before torch.export runs, so the answer takes no time and is said in the user's own terms
instead of torch.export's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from mobilekit.errors import CaptureError, InputError

_NORMS_WITH_STATISTICS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.instancenorm._InstanceNorm)
_DROPOUTS = (torch.nn.modules.dropout._DropoutNd,)
# How many modules an error names; the rest are counted.
_MOST_NAMED = 3


def unwrapped(model: torch.nn.Module) -> torch.nn.Module:
    """The plain module inside what torch.compile made; :class:`CaptureError` for TorchScript, which has none."""
    while isinstance(model, torch._dynamo.eval_frame.OptimizedModule):
        model = model._orig_mod
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            where = f"its part '{path}'" if path else "the model"
            raise CaptureError(
                f"{where} is TorchScript (torch.jit.{'trace' if _is_traced(module) else 'script'}), which torch.export "
                "does not take: give the nn.Module that it was made from"
            )
    return model


def _is_traced(module: torch.jit.ScriptModule) -> bool:
    return type(module).__name__ == "TopLevelTracedModule"


def check_module(model: torch.nn.Module) -> None:
    """Raise :class:`InputError` for a module in training mode or with parameters that TFLite has no kernels for."""
    active = list(_training_effects(model))
    if active:
        more = f" and {len(active) - _MOST_NAMED} more" if len(active) > _MOST_NAMED else ""
        raise InputError(f"training mode: {'; '.join(active[:_MOST_NAMED])}{more}: call model.eval() before converting")
    if model.training:
        raise InputError(
            "the model is in training mode, where dropout and batch norm compute something else: call model.eval()"
        )
    for name, parameter in model.named_parameters():
        if parameter.dtype == torch.float64:
            raise InputError(
                f"parameter '{name}' is float64, and TFLite computes in float32: call model.float() and check that "
                "the model is still good"
            )
        if parameter.is_complex() or parameter.layout != torch.strided:
            kind = "complex" if parameter.is_complex() else str(parameter.layout).removeprefix("torch.")
            raise InputError(f"parameter '{name}' is {kind}: TFLite holds real, dense tensors only")


def _training_effects(model: torch.nn.Module) -> Iterator[str]:
    """Modules that compute something else in training than in inference, by path."""
    for path, module in model.named_modules():
        if not module.training:
            continue
        label = f"'{path or 'the model itself'}' ({type(module).__name__})"
        if isinstance(module, _NORMS_WITH_STATISTICS) and module.track_running_stats:
            yield f"{label} updates its running statistics"
        elif isinstance(module, _DROPOUTS) and module.p > 0:
            yield f"{label} drops values at random"
        elif isinstance(module, torch.nn.RNNBase) and module.dropout > 0:
            yield f"{label} drops values at random between its layers"


def check_inputs(args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` for example inputs that a .tflite file cannot take."""
    leaves = pytree.tree_flatten_with_path((tuple(args), dict(kwargs)))[0]
    for path, leaf in leaves:
        name = _shown(path)
        if isinstance(leaf, (str, bytes)):
            raise InputError(
                f"{name} is the string {leaf!r}: a file computes on numbers; settle it in a wrapper module that calls "
                "the model with it"
            )
        if not isinstance(leaf, torch.Tensor):
            continue
        if leaf.layout != torch.strided:
            kind = str(leaf.layout).removeprefix("torch.")
            raise InputError(f"{name} is {kind}: TFLite has dense tensors only, pass {name}.to_dense()")
        if leaf.is_complex():
            raise InputError(
                f"{name} is {str(leaf.dtype).removeprefix('torch.')}: TFLite has no complex kernels; pass the real and "
                "the imaginary part as two tensors (torch.view_as_real)"
            )
        if leaf.dtype == torch.float64:
            raise InputError(
                f"{name} is float64, and TFLite computes in float32: pass {name}.float(), or cast it in the app"
            )
    if not any(isinstance(leaf, torch.Tensor) for _, leaf in leaves):
        raise InputError(
            "the model has no tensor among its inputs: its outputs are constants, and there is nothing to convert"
        )


def _shown(path: tuple[Any, ...]) -> str:
    """``input 0``, ``input 1['mask']``, ``input mask``: the place of a leaf as the caller wrote it."""
    _side, first, *rest = path if len(path) > 1 else (path[0], path[0])
    key = getattr(first, "idx", getattr(first, "key", ""))
    return f"input {key}" + pytree.keystr(tuple(rest)) if rest else f"input {key}"


def check_outputs(program: torch.export.ExportedProgram) -> None:
    """Raise :class:`InputError` for an output that a .tflite file has no type for: float64 or complex."""
    output = next(node for node in program.graph.nodes if node.op == "output")
    names = [spec.arg.name if hasattr(spec.arg, "name") else None for spec in program.graph_signature.output_specs]
    for index, (raw, name) in enumerate(zip(output.args[0], names, strict=True)):
        value = raw.meta.get("val") if isinstance(raw, torch.fx.Node) else raw
        if isinstance(value, torch.Tensor) and (value.dtype == torch.float64 or value.is_complex()):
            kind = str(value.dtype).removeprefix("torch.")
            instead = "return x.float()" if value.dtype == torch.float64 else "return torch.view_as_real(x)"
            raise InputError(f"output {index} ('{name}') is {kind}, which TFLite does not compute in: {instead}")
