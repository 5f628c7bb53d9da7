"""Views."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontends.direct.harness import check_lowering, random, stored_channels_last


def test_views() -> None:
    check_lowering(
        lambda x: (
            x.movedim(1, 2), x.swapdims(0, 1), x.swapaxes(-1, 0), x[0].T, x.mT, x.unflatten(2, (2, -1)), x.flatten(1),
            x.flatten(), x.squeeze(), x.squeeze(0), x.unsqueeze(-1), x.unsqueeze(-4), x.expand(2, 2, 3, 4),
            x.broadcast_to(2, 2, 3, 4), x.view_as(x), x.ravel(), x.reshape(4, -1), x.permute(2, 0, 1),
            x.expand_as(x), x[:, :1].expand(-1, 5, -1),
            torch.broadcast_tensors(x, x[:1]), x.view(-1)[None].squeeze((0,)),
        ),
        random(2, 3, 4),
    )  # fmt: skip


_FACTORS = [
    [24],
    [2, 12],
    [4, 6],
    [2, 3, 4],
    [3, 8],
    [1, 24, 1],
    [2, 2, 6],
    [2, 2, 3, 2],
    [6, 1, 4],
    [1, 2, 1, 3, 4, 1],
]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sampled_from(_FACTORS), st.sampled_from(_FACTORS), st.data())
def test_reshape_after_permute(before: list[int], after: list[int], data: st.DataObject) -> None:
    """Whatever order the axes are stored in, reshape sees PyTorch's."""
    order = data.draw(st.permutations(range(len(before))))
    check_lowering(lambda x: x.permute(order).reshape(after).mul(2), random(*before))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.sampled_from([[2, 60], [2, 3, 20], [2, 12, 5], [120], [2, 3, 2, 2, 5], [6, 4, 5], [2, 3, 1, 4, 5], [24, 5]]))
def test_reshape_of_an_image_stored_channels_last(after: list[int]) -> None:
    check_lowering(stored_channels_last(lambda x: x.reshape(after) * 2), random(2, 3, 4, 5))


def test_splitting_the_channels_of_an_image_transposes_nothing() -> None:
    outcome = check_lowering(stored_channels_last(lambda x: x.view(2, 2, 3, 4, 5) * 2 + 1), random(2, 6, 4, 5))
    # The result leaves the file in PyTorch's own order, which takes the one transpose at the end.
    assert outcome.kinds.get("TRANSPOSE", 0) <= 1


def test_channel_shuffle() -> None:
    def function(x: torch.Tensor) -> Any:
        return x.view(1, 2, 3, 4, 4).transpose(1, 2).reshape(1, 6, 4, 4), torch.nn.functional.channel_shuffle(x, 3)

    check_lowering(stored_channels_last(function), random(1, 6, 4, 4), delegate="both")


def test_views_of_nothing_and_of_rank_zero() -> None:
    check_lowering(
        lambda s, e: (
            s.reshape(1, 1), s[None], s.view(-1), s.expand(3), s.flatten(), e.reshape(0, 2), e * 2, e.sum(),
            e.permute(1, 0),
        ),
        torch.tensor(2.0),
        torch.zeros(2, 0),
    )  # fmt: skip


def test_non_contiguous_inputs() -> None:
    x = random(4, 3, 2)
    check_lowering(lambda a, b: (a + 1, b.reshape(-1)), x.permute(2, 0, 1), x[::2, :, 1])
