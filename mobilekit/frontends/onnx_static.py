"""Make an imported ONNX program static: what only shapes decide becomes a Python number.

ONNX passes shapes, axes and sizes as tensors, and onnx2torch reads them in forward; torch.export cannot follow that,
although with fixed input shapes each of them has one value. The program is run once on the example; every node that
depends on no input's values is replaced by its result, and the modules that read such results are replaced by PyTorch
calls with plain numbers.

Given     y = Reshape(x, Concat(Slice(Shape(x)), [-1]))
Result    y = torch.reshape(x, (1, 25, 480))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx

# Modules of onnx2torch whose result depends on the shape of its input alone.
_OF_SHAPE = frozenset({"OnnxShape", "OnnxSize", "OnnxConstantOfShape"})

Call = Callable[[torch.nn.Module, list[Any], torch.Tensor], tuple[Callable[..., Any], dict[str, Any]]]
"""(module, values of its arguments, its result) -> what to call instead on its first argument, and with what."""


def make_static(module: fx.GraphModule, example: Sequence[torch.Tensor]) -> fx.GraphModule:
    """Rewrite ``module`` in place for the shapes of ``example``."""
    recorder = _Recorder(module)
    with torch.no_grad():
        recorder.run(*example)
    static = _static_nodes(module)
    for node in list(module.graph.nodes):
        if node.op != "call_module" or node in static:
            continue
        child = module.get_submodule(str(node.target))
        rewrite = _REWRITES.get(type(child).__name__)
        arguments = [recorder.values.get(a, a) if isinstance(a, fx.Node) else a for a in node.args]
        result = recorder.values[node]
        others = [a for a in (*node.args[1:], *node.kwargs.values()) if isinstance(a, fx.Node)]
        if rewrite is None or not others or not all(a in static for a in others):
            continue
        function, keywords = rewrite(child, arguments, result)
        with module.graph.inserting_before(node):
            new = module.graph.call_function(function, (node.args[0],), keywords)
        node.replace_all_uses_with(new)
        module.graph.erase_node(node)
    _freeze(module, static, recorder.values)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


class _Recorder(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        self.values[n] = result
        return result


def _static_nodes(module: fx.GraphModule) -> set[fx.Node]:
    """Nodes whose value no input can change, its shape being fixed."""
    static: set[fx.Node] = set()
    for node in module.graph.nodes:
        if node.op == "get_attr":
            static.add(node)
        elif node.op in ("call_module", "call_function", "call_method"):
            of_shape = node.op == "call_module" and type(module.get_submodule(str(node.target))).__name__ in _OF_SHAPE
            if of_shape or all(source in static for source in node.all_input_nodes):
                static.add(node)
    return static


def _freeze(module: fx.GraphModule, static: set[fx.Node], values: dict[fx.Node, Any]) -> None:
    """Replace computed static nodes that others read by buffers."""
    for index, node in enumerate(list(module.graph.nodes)):
        if node not in static or node.op == "get_attr" or all(user in static for user in node.users):
            continue
        if not isinstance(values[node], torch.Tensor):
            continue
        name = f"static_{index}"
        module.register_buffer(name, values[node].detach().clone())
        with module.graph.inserting_before(node):
            new = module.graph.get_attr(name)
        node.replace_all_uses_with(new)


# -- what is called instead, one function a module of onnx2torch ----------------------------------------------------


def _to_shape(module: torch.nn.Module, arguments: list[Any], result: torch.Tensor) -> tuple[Any, dict[str, Any]]:
    return torch.reshape, {"shape": tuple(result.shape)}


def _resize(module: torch.nn.Module, arguments: list[Any], result: torch.Tensor) -> tuple[Any, dict[str, Any]]:
    spatial = result.dim() - 2
    modes = {"nearest": "nearest", "linear": ("linear", "bilinear", "trilinear")[spatial - 1], "cubic": "bicubic"}
    align = getattr(module, "align_corners", None)
    mode = modes[str(module.onnx_mode)]
    keywords = {"size": tuple(result.shape[2:]), "mode": mode}
    return torch.nn.functional.interpolate, keywords if align is None else keywords | {"align_corners": align}


def _expand(module: torch.nn.Module, arguments: list[Any], result: torch.Tensor) -> tuple[Any, dict[str, Any]]:
    return torch.broadcast_to, {"size": tuple(result.shape)}


def _tile(module: torch.nn.Module, arguments: list[Any], result: torch.Tensor) -> tuple[Any, dict[str, Any]]:
    return torch.tile, {"dims": tuple(arguments[1].tolist())}


def _slice(module: torch.nn.Module, arguments: list[Any], result: torch.Tensor) -> tuple[Any, dict[str, Any]]:
    starts, ends, axes, steps = (
        a.tolist() if isinstance(a, torch.Tensor) else a for a in (*arguments[1:], None, None)[:4]
    )
    axes = axes if axes is not None else list(range(len(starts)))
    steps = steps if steps is not None else [1] * len(starts)
    return slice_tensor, {"slices": list(zip(axes, starts, ends, steps, strict=True))}


def _split(module: torch.nn.Module, arguments: list[Any], result: Any) -> tuple[Any, dict[str, Any]]:
    axis = int(module.axis)  # type: ignore[arg-type]  # onnx2torch sets an int
    return torch.split, {"split_size_or_sections": [part.shape[axis] for part in result], "dim": axis}


def slice_tensor(x: torch.Tensor, slices: Sequence[tuple[int, int, int, int]]) -> torch.Tensor:
    """ONNX's Slice: (axis, start, end, step), negative steps included, ends clamped to the axis."""
    for axis, start, end, step in slices:
        first, last, stride = slice(start, end, step).indices(x.shape[axis])
        if stride < 0:  # read backwards: the same elements of the flipped axis
            x = torch.flip(x, [axis])
            size = x.shape[axis]
            first, last, stride = size - 1 - first, size - 1 - last, -stride
        x = x[(slice(None),) * (axis % x.dim()) + (slice(first, last, stride),)]
    return x


_REWRITES: dict[str, Call] = {
    "OnnxReshape": _to_shape,
    "OnnxUnsqueezeDynamicAxes": _to_shape,
    "OnnxSqueezeDynamicAxes": _to_shape,
    "OnnxResize": _resize,
    "OnnxExpand": _expand,
    "OnnxTile": _tile,
    "OnnxSlice": _slice,
    "OnnxSplit13": _split,
}
