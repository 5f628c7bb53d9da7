"""``quantize="auto"`` through ``convert``: the metric sees the model as PyTorch has it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

import mobilekit
from mobilekit.errors import BarMissedError
from mobilekit.render.conversion_text import conversion_text
from mobilekit.render.html import Page, render_page


def make() -> nn.Module:
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1), nn.Flatten()]
    return nn.Sequential(*layers).eval()


IMAGES = [torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(8)]


def minus_largest_error(model) -> float:
    """0 at best."""
    net = make()
    with torch.no_grad():
        return -max(float((model(image) - net(image)).abs().max()) for image in IMAGES)


def test_the_metric_sees_pytorchs_shapes_layout_and_types() -> None:
    seen = []

    def metric(model) -> float:
        seen.append(model(IMAGES[0]))
        assert isinstance(model(IMAGES[0].numpy()), np.ndarray)
        return 1.0

    result = mobilekit.convert(make(), IMAGES[0], quantize=mobilekit.Auto(metric=metric), calibration=IMAGES)
    assert all(isinstance(out, torch.Tensor) and out.shape == (1, 256) for out in seen)
    with torch.no_grad():  # the first call is the float graph: sums of 72 products below 1 in another order
        torch.testing.assert_close(seen[0], make()(IMAGES[0]), atol=1e-5, rtol=0)
    assert result.report.quantize == "int8"
    assert (result.report.search.metric, result.report.search.chosen) == ("metric", "int8")
    assert [point.label for point in result.report.search.curve] == ["float32", "int8"]


def test_auto_by_name_measures_agreement_with_float_and_says_so() -> None:
    report = mobilekit.convert(make(), IMAGES[0], quantize="auto", calibration=IMAGES).report
    assert "agreement with float" in report.search.metric
    assert report.search.float_metric == pytest.approx(1.0, abs=1e-9)
    # The bar of 0.99 over all images is an SQNR of 20 dB; the median image stays within 3 dB of that.
    assert report.verification.outputs[0].sqnr_db > 17
    text = io.StringIO()
    Console(width=100, file=text).print(conversion_text(report))
    assert "searched by agreement with float" in " ".join(text.getvalue().split())
    page = render_page(Page("net", report))
    assert "Search for a precision" in page
    assert "Chosen: int8" in page


def test_a_bar_that_int8_misses_and_fp16_meets() -> None:
    # Float16 weights are off by 2**-12 of each; an int8 output alone by half of a 255th of its range.
    wanted = mobilekit.Auto(metric=minus_largest_error, max_drop=1e-3, prefer=("int8", "fp16"))
    result = mobilekit.convert(make(), IMAGES[0], quantize=wanted, calibration=IMAGES)
    assert result.report.quantize == result.report.search.chosen == "fp16"


def test_float_is_kept_where_nothing_else_meets_the_bar() -> None:
    wanted = mobilekit.Auto(metric=minus_largest_error, max_drop=0, prefer=("int8", "float32"))
    result = mobilekit.convert(make(), IMAGES[0], quantize=wanted, calibration=IMAGES)
    assert result.report.quantize == "none"
    assert result.report.search.chosen == "float32"
    assert result.report.verification.passed


def test_a_bar_that_nothing_meets_is_exit_code_2() -> None:
    wanted = mobilekit.Auto(metric=minus_largest_error, max_drop=0, prefer=("int8",))
    with pytest.raises(BarMissedError, match="no quantization in int8 keeps the metric") as caught:
        mobilekit.convert(make(), IMAGES[0], quantize=wanted, calibration=IMAGES)
    assert caught.value.exit_code == 2
