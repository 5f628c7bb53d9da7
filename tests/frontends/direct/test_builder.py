"""What lowerings build with."""

from __future__ import annotations

import numpy as np
import pytest

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError
from mobilekit.frontends.direct.values import Value, channels_last_order, identity_order
from mobilekit.graph.ir import Tensor


def _image(b: Builder, *stored: int) -> Value:
    return Value(Tensor(b.unique_name("image"), stored, "float32"), channels_last_order(len(stored)), "float32")


def test_names_are_unique() -> None:
    b = Builder("main")
    assert [b.unique_name("x") for _ in range(3)] == ["x", "x_1", "x_2"]
    assert b.unique_name("x_1") == "x_1_1"


def test_constants_narrow_to_what_kernels_take() -> None:
    b = Builder("main")
    assert b.constant(np.array([1, 2])).dtype == "int32"
    assert b.constant(np.array([1.0])).dtype == "float32"
    assert b.constant(np.array([True])).dtype == "bool"
    with pytest.raises(UnsupportedError, match="outside int32"):
        b.constant(np.array([2**40]))


def test_constants_and_ones_are_reordered_for_free() -> None:
    b = Builder("main")
    weight = b.constant_value(np.arange(6, dtype=np.float32).reshape(2, 3))
    turned = b.reorder(weight, (1, 0))
    assert turned.shape == (2, 3)
    np.testing.assert_array_equal(turned.tensor.data, np.arange(6).reshape(2, 3).T)
    b.logical(_image(b, 1, 4, 1, 1))
    assert [op.kind for op in b.graph.ops] == ["RESHAPE"]


def test_reordering_twice_gives_the_same_tensor() -> None:
    b = Builder("main")
    image = _image(b, 1, 4, 5, 3)
    assert b.logical(image) is b.logical(image)
    assert [op.kind for op in b.graph.ops] == ["TRANSPOSE"]


def test_align_moves_the_smaller_operand() -> None:
    b = Builder("main")
    image = _image(b, 1, 4, 5, 3)
    bias = b.constant_value(np.zeros((3, 1, 1), np.float32))
    (first, second), order = b.align([bias, image])
    assert order == image.order
    assert second is image.tensor
    assert first.shape == (1, 1, 1, 3)
    assert b.graph.ops == []


def test_align_flattens_single_numbers() -> None:
    b = Builder("main")
    number = b.constant_value(np.float32([2.0]))
    (_, second), _ = b.align([_image(b, 1, 4, 5, 3), number])
    assert second.shape == ()


def test_last_moves_one_axis_only() -> None:
    b = Builder("main")
    image = _image(b, 1, 4, 5, 3)
    assert b.last(image, 1) is image
    assert b.last(image, 2).order == (0, 3, 1, 2)


def test_emit_records_the_source_and_names_by_scope() -> None:
    b = Builder("main")
    b.scope = "block/add"
    x = Tensor("x", (2,), "float32")
    out = b.emit("ADD", [x, x], (2,), fused_activation_function="NONE")
    assert out.name == "block/add"
    assert out.dtype == "float32"
    assert b.value(out).order == identity_order(1)
