"""Small graphs and ops for the compat tests, in as few words as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.compat.site import Site, Surroundings
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor


class Names:
    """Fresh tensor names, so that every graph is well formed."""

    count = 0

    @classmethod
    def new(cls) -> str:
        cls.count += 1
        return f"t{cls.count}"


def tensor(*shape: int, dtype: str = "float32", scale: Any = None, zero: Any = 0, axis: int = 0, **more: Any) -> Tensor:
    """A value computed at run time."""
    quantization = None
    if scale is not None:
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        quantization = Quantization(scales, np.broadcast_to(np.asarray(zero, np.int64), scales.shape).copy(), axis)
    return Tensor(Names.new(), shape, dtype, quantization=quantization, **more)


def const(values: Any, dtype: str = "float32", **more: Any) -> Tensor:
    data = np.asarray(values, dtype)
    made = tensor(*data.shape, dtype=dtype, **more)
    made.data = data
    return made


def weights(*shape: int, dtype: str = "float32", **more: Any) -> Tensor:
    """A constant of this shape."""
    if dtype in ("int4", "int2"):
        made = tensor(*shape, dtype=dtype, **more)
        made.data = np.zeros((int(np.prod(shape)) * (4 if dtype == "int4" else 2) + 7) // 8, np.uint8)
        return made
    return const(np.ones(shape), dtype, **more)


def ints(*values: int, dtype: str = "int32") -> Tensor:
    return const(values, dtype)


def op(
    kind: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], version: int | None = None, **options: Any
) -> Op:
    custom = options.pop("custom_code", None)
    return Op(kind, list(inputs), list(outputs), options, version=version, custom_code=custom)


def graph_of(ops: Sequence[Op], outputs: Sequence[Tensor] | None = None) -> Graph:
    """A graph whose inputs are what no op makes and whose outputs (unless given) are what no op reads."""
    made = [result for each in ops for result in each.outputs]
    read = [value for each in ops for value in each.present_inputs()]
    inputs = list(dict.fromkeys(v for v in read if v not in made and not v.is_constant))
    last = [result for result in made if result not in read]
    return Graph("test", inputs, list(outputs) if outputs is not None else last, list(ops))


def site(kind: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], **more: Any) -> Site:
    settings = {key: more.pop(key) for key in ("level", "flags", "folds_constants") if key in more}
    made = op(kind, inputs, outputs, **more)
    return Site(made, Surroundings.of(graph_of([made])), **settings)


def conv(
    size: int = 8, channels: int = 4, out: int = 6, *, x: Tensor | None = None, dtype: str = "float32", **options: Any
) -> Op:
    """A 3x3 CONV_2D with SAME padding, float or int8 per channel."""
    settings = {"stride_h": 1, "stride_w": 1, "padding": "SAME", **options}
    if dtype == "float32":
        image = x if x is not None else tensor(1, size, size, channels)
        return op(
            "CONV_2D", [image, weights(out, 3, 3, channels), weights(out)], [tensor(1, size, size, out)], **settings
        )
    image = x if x is not None else tensor(1, size, size, channels, dtype="int8", scale=0.1)
    kernel = weights(out, 3, 3, channels, dtype="int8", scale=[0.01] * out)
    bias = weights(out, dtype="int32", scale=[0.001] * out)
    return op("CONV_2D", [image, kernel, bias], [tensor(1, size, size, out, dtype="int8", scale=0.1)], **settings)


def unary(kind: str, x: Tensor, **options: Any) -> Op:
    """An op with one input and an output like it."""
    result = tensor(*x.shape, dtype=x.dtype)
    result.quantization = x.quantization
    return op(kind, [x], [result], **options)
