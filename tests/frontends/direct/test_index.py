"""Reading by position."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last

_IMAGE = (2, 3, 5, 4)


def test_constant_indices() -> None:
    check_lowering(
        lambda x: (
            x[:, 0], x[..., None], x[:, [0, 1]], x[torch.tensor([0, 1]), torch.tensor([1, 2])],
            x[:, 1:, ::2], x[:, :, -1],
            x[:, [2, 0, 1]][:, ::2], x[:, torch.tensor([[0, 1], [2, -1]])], x[[1, 0], :, [1, 2]], x[:, [0, 1], [1, 2]],
            x[:, torch.tensor([True, False, True])], x[[[0], [1]], [[0, 2]]],
        ),
        random(2, 3, 4),
        delegate="both",
    )  # fmt: skip


def test_computed_indices() -> None:
    """Negative ones count from the end."""
    check_lowering(
        lambda x, i, j: (
            x[:, i], x[j, i], x[j], x[j, :, j], x.index_select(1, i.abs()), x[:, :, j], x[j[:, None], i[None]],
            x.take(i),
        ),
        random(2, 3, 4),
        integers(3, low=-3, high=3),
        integers(3, high=2),
    )  # fmt: skip


def test_images_stored_channels_last() -> None:
    check_lowering(
        stored_channels_last(
            lambda x, i, j: (
                x[:, i], x[j, i], x[:, i, j], x[:, :, j], x[j, :, j], x[:, :, i, j], x[..., j], x.unfold(2, 3, 1),
                x.diagonal(0, 2, 3), x.gather(1, i.abs().reshape(1, 3, 1, 1).expand(2, 3, 5, 4)),
            )
        ),
        random(*_IMAGE),
        integers(3, low=-3, high=3),
        integers(3, high=2),
    )  # fmt: skip


def test_an_index_on_one_axis_transposes_nothing() -> None:
    outcome = check_lowering(
        stored_channels_last(lambda x, i: (x[:, i], x[:, :, i])), random(*_IMAGE), integers(2, high=3)
    )
    assert "TRANSPOSE" not in outcome.kinds


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.data())
def test_gather(shape: list[int], data: st.DataObject) -> None:
    """The index may be smaller than the tensor on the other axes."""
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    smaller = [data.draw(st.integers(1, size)) for size in shape]
    index = integers(*smaller, high=shape[dim])
    check_lowering(lambda x, i: x.gather(dim, i), random(*shape), index)


def test_take_along_a_sorted_axis() -> None:
    x = random(2, 3, 4)
    check_lowering(lambda x, i: (torch.take_along_dim(x, i, 1), x.gather(-1, i), torch.take(x, i)), x, x.argsort(1))


def test_windows_and_diagonals() -> None:
    check_lowering(
        lambda x: (
            x.unfold(1, 2, 1), x.unfold(-1, 3, 1), x.unfold(0, 1, 1), x.as_strided((2, 2), (1, 2)), x.diagonal(0, 1, 2),
            x.diagonal(1, 0, 2), x.diagonal(-1, 1, 2), torch.diag(x[0]), x[0, 0].diag(), torch.trace(x[0]),
        ),
        random(2, 3, 4),
    )  # fmt: skip


def test_one_hot() -> None:
    check_lowering(lambda i: torch.nn.functional.one_hot(i, 5), integers(2, 3, high=5))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int16, torch.uint8, torch.bool], ids=str)
def test_other_dtypes(dtype: torch.dtype) -> None:
    x = integers(3, 4, high=2).to(dtype)
    check_lowering(lambda x, i: (x[i], x[i, i], x.gather(1, i[:, None])), x, integers(3, high=3))


@pytest.mark.parametrize("function", [lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: x.masked_select(x > 0)])
def test_results_of_unknown_size_are_refused(function: object) -> None:
    with pytest.raises(UnsupportedOpsError, match="depends on the data"):
        check_lowering(function, random(3))


def test_embedding_style_lookup_of_an_empty_index() -> None:
    check_lowering(lambda x, i: x[i], random(3, 2), torch.zeros(0, dtype=torch.int64))


def test_as_strided_of_a_view_is_refused() -> None:
    """It counts in the memory behind the view, which is not in the graph."""
    for view in (random(4, 3).t(), random(12)[2:]):
        with pytest.raises(UnsupportedOpsError, match="write it with reshape, expand and slices"):
            check_lowering(lambda x: x.as_strided((2, 2), (1, 2)) * 1, view)
