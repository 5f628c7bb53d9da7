"""A PAD before a convolution becomes SAME where the zeros are the same."""

from __future__ import annotations

import pytest

from mobilekit.graph.ir import Tensor
from mobilekit.graph.passes import fold_padding
from tests.graph.passes.helper import Build, check_pass


def _pad(g: Build, x: Tensor, before: int, after: int) -> Tensor:
    n, h, w, c = x.shape
    amounts = [(0, 0), (before, after), (before, after), (0, 0)]
    return g.op("PAD", [x, g.constant(amounts)], (n, h + before + after, w + before + after, c))


@pytest.mark.parametrize(("size", "stride", "pads"), [(7, 1, (1, 1)), (7, 2, (1, 1)), (8, 2, (0, 1))])
def test_it_folds_same(size: int, stride: int, pads: tuple[int, int]) -> None:
    g = Build()
    y = g.conv(_pad(g, g.input(1, size, size, 3), *pads), 4, 3, stride_h=stride, stride_w=stride)
    graph = check_pass(fold_padding, g.done(y), fires=1)
    assert graph.op_counts() == {"CONV_2D": 1}
    assert graph.ops[0].options["padding"] == "SAME"


def test_it_leaves_zeros_in_other_places() -> None:
    g = Build()  # PyTorch's padding 1 at stride 2 on an even size: SAME would put its only zero at the end
    check_pass(fold_padding, g.done(g.conv(_pad(g, g.input(1, 8, 8, 3), 1, 1), 4, 3, stride_h=2, stride_w=2)), fires=0)


def test_it_leaves_a_padded_image_with_two_readers_or_as_output() -> None:
    g = Build()
    padded = _pad(g, g.input(1, 7, 7, 3), 1, 1)
    check_pass(fold_padding, g.done(g.conv(padded, 4, 3), g.op("ABS", [padded], padded.shape)), fires=0)
    g = Build()
    padded = _pad(g, g.input(1, 7, 7, 3), 1, 1)
    check_pass(fold_padding, g.done(padded, g.conv(padded, 4, 3)), fires=0)


def test_it_leaves_an_image_that_can_be_resized_at_stride_two() -> None:
    """Where SAME puts its zeros depends on the size then."""
    g = Build()
    x = g.input(1, 7, 7, 3)
    x.shape_signature = (1, -1, -1, 3)
    check_pass(fold_padding, g.done(g.conv(_pad(g, x, 1, 1), 4, 3, stride_h=2, stride_w=2)), fires=0)
