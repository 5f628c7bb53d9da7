"""Op versions, against what LiteRT's own op_version.cc answers for the same op.

tests/graph/test_tensorflow_files.py compares with whole files that TensorFlow's converter wrote.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit.graph import versions
from mobilekit.graph.ir import Op, Quantization, Tensor
from mobilekit.graph.schema import KIND_TO_CODE
from mobilekit.graph.versions import op_version


def make(kind: str, dtypes: str, shapes: tuple[tuple[int, ...], ...] | None = None, **options: Any) -> Op:
    """``"int8,int8->int8"`` in words; ``-`` for a left-out input, ``int8*`` for per-channel weights."""
    left, right = dtypes.split("->")
    names = left.split(",") if left else []
    sizes = shapes or tuple((1, 4, 4, 8) for _ in names)

    def tensor(name: str, shape: tuple[int, ...]) -> Tensor | None:
        if name == "-":
            return None
        q = Quantization(np.ones(8, np.float32), np.zeros(8, np.int64), 3) if name.endswith("*") else None
        return Tensor(name, shape, name.rstrip("*"), quantization=q)

    inputs = [tensor(name, shape) for name, shape in zip(names, sizes, strict=True)]
    return Op(kind, inputs, [Tensor("out", (1,), name) for name in right.split(",")], options)


@pytest.mark.parametrize(
    ("op", "version"),
    [
        (make("CONV_2D", "float32,float32,float32->float32"), 1),
        (make("CONV_2D", "float32,int8,float32->float32"), 2),
        (make("CONV_2D", "float32,int8*,float32->float32"), 5),
        (make("CONV_2D", "int8,int8,int32->int8"), 3),
        (make("CONV_2D", "int16,int8,int64->int16"), 4),
        (make("CONV_2D", "int8,int4,int32->int8"), 7),
        (make("CONV_2D", "float32,float32,float32->float32", ((1, 4, 4, 8), (8, 3, 3, 2), (8,))), 6),
        (make("DEPTHWISE_CONV_2D", "float32,float32,float32->float32"), 1),
        (make("DEPTHWISE_CONV_2D", "float32,float32,float32->float32", dilation_w_factor=2), 2),
        (make("DEPTHWISE_CONV_2D", "int8,int8,int32->int8"), 3),
        (make("DEPTHWISE_CONV_2D", "int16,int8,int64->int16"), 5),
        (make("FULLY_CONNECTED", "float32,float32,float32->float32"), 1),
        (make("FULLY_CONNECTED", "float32,float32->float32"), 6),
        (make("FULLY_CONNECTED", "float32,float32,float32->float32", keep_num_dims=True), 5),
        (make("FULLY_CONNECTED", "int8,int8,int32->int8"), 4),
        (make("FULLY_CONNECTED", "int16,int8,int64->int16"), 7),
        (make("ADD", "float32,float32->float32"), 1),
        (make("ADD", "int8,int8->int8"), 2),
        (make("SUB", "float32,float32->float32", ((1, 2, 3, 4, 5), (5,))), 3),
        (make("MUL", "int64,int64->int64"), 5),
        (make("TRANSPOSE", "float32,int32->float32", ((1, 2, 3, 4, 5), (5,))), 4),
        (make("RESIZE_BILINEAR", "float32,int32->float32", half_pixel_centers=True), 3),
        (make("QUANTIZE", "float32->int8"), 1),
        (make("QUANTIZE", "float32->int16"), 2),
        (make("DEQUANTIZE", "int8->float32"), 2),
        (make("DEQUANTIZE", "float16->float32"), 3),
        (make("BROADCAST_TO", "float32,int32->float32"), 2),
        (make("RESHAPE", "float32,int32->float32"), 1),
        (make("CAST", "bool->float32"), 1),
    ],
    ids=lambda value: value.kind if isinstance(value, Op) else str(value),
)
def test_lowest_version_that_allows_it(op: Op, version: int) -> None:
    assert op_version(op) == version


def test_a_version_from_a_file_stays() -> None:
    op = make("ADD", "float32,float32->float32")
    op.version = 42
    assert op_version(op) == 42


def test_every_rule_is_for_an_op_of_the_schema() -> None:
    assert set(versions._RULES) <= set(KIND_TO_CODE)


def test_no_version_is_ruled_twice_in_one_op() -> None:
    """A list is read from the top: a second rule for a version is a slip more often than an alternative."""
    for kind, rules in versions._RULES.items():
        numbers = [version for version, _ in rules]
        assert len(numbers) == len(set(numbers)), kind
        assert min(numbers) >= 2, kind
