"""Models quantized in PyTorch (PT2E) keep their scales in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.errors import InputError
from mobilekit.graph.reader import read

pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e", reason="needs torchao")
xnnpack = pytest.importorskip("torchao.testing.pt2e._xnnpack_quantizer", reason="needs torchao")


class Net(nn.Module):
    def __init__(self, softmax: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.head, self.softmax = nn.Linear(8, 5), softmax

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x))
        x = x + torch.relu(self.second(x))
        x = self.head(x.mean((2, 3)))
        return x.softmax(1) if self.softmax else x


def images(count: int) -> list[torch.Tensor]:
    return [torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in range(count)]


def quantized(model: nn.Module) -> Any:
    quantizer = xnnpack.XNNPACKQuantizer().set_global(xnnpack.get_symmetric_quantization_config(is_per_channel=True))
    prepared = pt2e.prepare_pt2e(torch.export.export(model.eval(), (images(1)[0],)).module(), quantizer)
    for image in images(8):
        prepared(image)
    return torch.export.export(pt2e.convert_pt2e(prepared), (images(1)[0],))


def scales_of(program: Any) -> list[float]:
    """Of every activation that the program quantizes."""
    nodes = [
        n for n in program.graph.nodes if "quantize_per_tensor" in str(n.target) and "dequant" not in str(n.target)
    ]
    return sorted({round(float(np.float32(node.args[1])), 9) for node in nodes})


def test_scales_are_kept_and_the_numbers_are_those_of_pytorch() -> None:
    torch.manual_seed(0)
    program = quantized(Net())
    result = mobilekit.convert(program)
    assert result.report.quantize == "given"
    graph = read(result.bytes)
    stored = {round(float(t.quantization.scale[0]), 9) for t in graph.tensors() if t.dtype == "int8" and t.quantization}
    assert set(scales_of(program)) <= stored
    assert result.report.float_islands == ()
    assert result.report.full_integer
    # Both round to the same steps; float sums against int32 sums may fall on two sides of a rounding in each of the
    # five quantized layers, and a step of one layer is at most a step or so of the next: two of the output's steps.
    step = float(next(op for op in graph.ops if op.kind == "FULLY_CONNECTED").output.quantization.scale[0])
    for image in images(8):
        reference = program.module()(image)
        assert float((result(image) - reference).abs().max()) <= 2 * step + 1e-6


def test_what_has_no_scale_stays_in_float_and_is_listed() -> None:
    torch.manual_seed(0)
    report = mobilekit.convert(quantized(Net(softmax=True))).report
    assert [island.kind for island in report.float_islands] == ["SOFTMAX"]
    assert not report.full_integer


def test_a_recipe_on_top_is_refused() -> None:
    with pytest.raises(InputError, match="is quantized already and holds its own scales: leave quantize= out"):
        mobilekit.convert(quantized(Net()), quantize="int8", calibration=images(2))
