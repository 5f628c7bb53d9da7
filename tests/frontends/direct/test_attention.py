"""Scaled dot-product attention and the modules around it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import mobilekit
from tests.frontends.direct.harness import check_lowering, random


def attend(**options: Any) -> Any:
    return lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options)


def qkv(heads: int = 2, shared: int = 2, length: int = 5, keys: int = 7) -> list[torch.Tensor]:
    return [random(2, heads, length, 4), random(2, shared, keys, 4, seed=1), random(2, shared, keys, 6, seed=2)]


@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}], ids=str)
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_options(options: dict[str, Any], delegate: str) -> None:
    check_lowering(attend(**options), *qkv(), delegate=delegate)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_halves_causal(dtype: torch.dtype) -> None:
    """PyTorch rounds scores, shares and result to 8 bits in bfloat16, the file only its inputs."""
    check_lowering(attend(is_causal=True), *(x.to(dtype) for x in qkv()), tolerance=2.0**-6)


@pytest.mark.parametrize("shape", [(5, 4), (3, 5, 4), (2, 1, 3, 5, 4)])
def test_ranks(shape: tuple[int, ...]) -> None:
    check_lowering(attend(), random(*shape), random(*shape, seed=1), random(*shape, seed=2))


def test_grouped_queries() -> None:
    check_lowering(attend(enable_gqa=True), *qkv(6, 2))
    check_lowering(attend(enable_gqa=True, is_causal=True), *qkv(4, 1, 7, 7))


def test_constant_masks() -> None:
    seen = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) > 0.4
    seen[:, 0] = True
    check_lowering(attend(attn_mask=seen), *qkv())
    check_lowering(attend(attn_mask=torch.zeros(5, 7).masked_fill(~seen, -torch.inf)), *qkv())
    check_lowering(attend(attn_mask=random(5, 7)), *qkv())


@pytest.mark.parametrize("whole_row", [False, True])
def test_computed_masks(whole_row: bool) -> None:
    """A row that is masked whole gives zeros, as in PyTorch."""
    seen = torch.rand(2, 1, 5, 7, generator=torch.Generator().manual_seed(0)) > 0.4
    seen[..., 0] = True
    if whole_row:
        seen[0, 0, 2] = False

    def net(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    check_lowering(net, *qkv(), seen)
    check_lowering(net, *qkv(), torch.zeros(seen.shape).masked_fill(~seen, -torch.inf))


@pytest.mark.parametrize(
    "options", [{}, {"batch_first": True}, {"bias": False}, {"add_bias_kv": True}, {"kdim": 6, "vdim": 5}], ids=str
)
@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_attention(options: dict[str, Any], need_weights: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.attention = nn.MultiheadAttention(8, 2, **options)

        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> Any:
            return self.attention(q, k, v, need_weights=need_weights)

    widths = (8, options.get("kdim", 8), options.get("vdim", 8))
    check_lowering(Net(), *(random(3, 3, width, seed=seed) for seed, width in enumerate(widths)))


def test_masks_of_multihead_attention() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: torch.Tensor, padding: torch.Tensor) -> Any:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.attention(x, x, x, key_padding_mask=padding, attn_mask=mask, is_causal=True)

    check_lowering(Net(), random(2, 4, 8), torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1]]).float() * -10)


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_and_decoder_layers(norm_first: bool) -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {"batch_first": True, "norm_first": norm_first}
    check_lowering(nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", **options), random(2, 5, 8))
    check_lowering(nn.TransformerDecoderLayer(8, 2, 16, **options), random(2, 5, 8), random(2, 3, 8, seed=1))


@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_rows_of_minus_infinity_are_told_from_rows_of_the_lowest_number(delegate: str) -> None:
    """PyTorch gives zeros for the first and equal shares for the second."""
    lowest = torch.finfo(torch.float32).min
    mask = torch.zeros(2, 1, 5, 7)
    mask[0, 0, 0] = -torch.inf
    mask[0, 0, 1] = lowest
    if delegate == "xnnpack":  # LiteRT's own ADD clamps minus infinity to the lowest number
        mask[0, 0, 2, :4] = lowest
        mask[0, 0, 2, 4:] = -torch.inf
    mask[0, 0, 3, 2:] = -torch.inf
    mask[1, 0, 0] = -1e9

    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    check_lowering(attention, *qkv(), mask, delegate=delegate)
    check_lowering(lambda x: torch.ops.aten._safe_softmax(x, -1), mask, delegate=delegate)


def test_a_computed_mask_leaves_the_graph_whole_for_xnnpack() -> None:
    """It takes neither comparisons nor SELECT_V2: each would cut the graph into pieces."""

    class Net(nn.Module):
        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    counts = mobilekit.convert(Net().eval(), (*qkv(), torch.zeros(5, 7))).report.op_counts
    assert not {"LESS_EQUAL", "EQUAL", "SELECT", "SELECT_V2"}.intersection(counts)
