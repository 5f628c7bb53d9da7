"""Write ops that have no integer kernel as ops that have one, where both compute the same.

Given                                Result
    %y = SQUARE(%x)                      %y = MUL(%x, %x)
    %y = POW(%x, 2)                      %y = MUL(%x, %x)
    %y = NEG(%x)                         %y = MUL(%x, -1)
    %y = DIV(%x, constant)               %y = MUL(%x, 1 / constant)
    %y = ADD_N(%a, %b, %c)               %t = ADD(%a, %b) ; %y = ADD(%t, %c)
    %w = DEQUANTIZE(float16) ; CONV(%w)  CONV(float32)
    %y = DEPTHWISE_CONV_2D(%x, W)        %y = DEPTHWISE_CONV_2D(%x, W, 0)

The last is for the runtime's sake: without a bias its float kernel reads past its inputs and takes the process down.
Names of tensors stay; the input graph is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mobilekit.errors import GraphError
from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.quantize.rules import RULES

_NO_ACTIVATION = {"fused_activation_function": "NONE"}


def prepare(graph: Graph) -> Graph:
    """A graph that computes the same with ops that integers know; ``graph`` itself if there is nothing to do.

    Raises :class:`GraphError` for weights that hold NaN or Inf: no scale stands for them.
    """
    _check_constants(graph)
    graph = _fold_stored_weights(graph)
    ops: list[Op] = []
    for op in graph.ops:
        substitute = _SUBSTITUTES.get(op.kind)
        replaced = substitute(op) if substitute is not None and op.output.dtype == "float32" else None
        ops += [op] if replaced is None else replaced
    if len(ops) == len(graph.ops) and all(new is old for new, old in zip(ops, graph.ops, strict=True)):
        return graph
    return replace(graph, ops=ops)


def _check_constants(graph: Graph) -> None:
    for op in graph.ops:
        rule = RULES.get(op.kind)
        if rule is None or rule.weights is None:
            continue
        for position in (rule.weights.weight, rule.weights.bias):
            tensor = op.inputs[position] if position < len(op.inputs) else None
            if tensor is not None and tensor.data is not None and tensor.dtype == "float32":
                bad = int(tensor.size - np.isfinite(tensor.data).sum())
                if bad:
                    place = f" ({op.source})" if op.source is not None else ""
                    raise GraphError(f"{op.kind} '{op.name}': {bad} weights in '{tensor.name}' are NaN or Inf{place}")


def _fold_stored_weights(graph: Graph) -> Graph:
    """Constants behind a DEQUANTIZE (files with float16 or int8 weights) as float32 constants."""
    folded: dict[Tensor, Tensor] = {}
    for op in graph.ops:
        source = op.inputs[0] if op.kind == "DEQUANTIZE" else None
        if source is None or source.data is None or source.dtype not in ("float16", "int8", "int16"):
            continue
        real = source.data if source.quantization is None else source.quantization.dequantize(source.data)
        folded[op.output] = replace(op.output, data=np.asarray(real, np.float32).reshape(op.output.shape))
    if not folded:
        return graph
    ops = [
        replace(op, inputs=[folded.get(t, t) if t is not None else None for t in op.inputs])
        for op in graph.ops
        if op.outputs[0] not in folded
    ]
    return replace(graph, ops=ops)


def _product(op: Op, first: Tensor, second: Tensor, activation: object = "NONE") -> list[Op]:
    return [Op("MUL", [first, second], op.outputs, {"fused_activation_function": activation}, op.source)]


def _square(op: Op) -> list[Op] | None:
    (x,) = op.present_inputs()
    return _product(op, x, x)


def _power(op: Op) -> list[Op] | None:
    x, exponent = op.present_inputs()
    if exponent.data is None or not np.all(exponent.data == 2) or x.shape != op.output.shape:
        return None
    return _product(op, x, x)


def _negate(op: Op) -> list[Op] | None:
    (x,) = op.present_inputs()
    return _product(op, x, _scalar(f"{op.name}/minus_one", -1.0))


def _divide(op: Op) -> list[Op] | None:
    x, divisor = op.present_inputs()
    if divisor.data is None or np.any(divisor.data == 0):
        return None
    inverse = replace(
        divisor, name=f"{op.name}/reciprocal", data=(1.0 / divisor.data.astype(np.float64)).astype("float32")
    )
    return _product(op, x, inverse, op.options.get("fused_activation_function", "NONE"))


def _add_all(op: Op) -> list[Op] | None:
    first, *others = op.present_inputs()
    if not others:
        return None
    chain = []
    for number, other in enumerate(others, start=1):
        last = number == len(others)
        total = op.output if last else Tensor(f"{op.name}/partial_{number}", op.output.shape, "float32")
        chain.append(Op("ADD", [first, other], [total], dict(_NO_ACTIVATION), op.source))
        first = total
    return chain


def _with_bias(op: Op) -> list[Op] | None:
    if len(op.inputs) > 2 and op.inputs[2] is not None:
        return None
    rows = op.output.shape[-1]
    zeros = Tensor(f"{op.name}/bias", (rows,), "float32", np.zeros(rows, np.float32))
    return [replace(op, inputs=[*op.inputs[:2], zeros])]


def _scalar(name: str, value: float) -> Tensor:
    return Tensor(name, (), "float32", np.array(value, np.float32))


_SUBSTITUTES: dict[str, Callable[[Op], list[Op] | None]] = {
    "SQUARE": _square,
    "POW": _power,
    "NEG": _negate,
    "DIV": _divide,
    "ADD_N": _add_all,
    "CONV_2D": _with_bias,
    "DEPTHWISE_CONV_2D": _with_bias,
}
