"""Activations, all of torch.nn's, on values stored channels last as well as not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.frontends.direct.harness import check_lowering, integers, random

MODULES: list[nn.Module] = [
    nn.ReLU(),
    nn.ReLU6(),
    nn.Hardtanh(),
    nn.Hardtanh(-0.5, 1.5),
    nn.Hardtanh(0, 6),
    nn.LeakyReLU(0.2),
    nn.PReLU(),
    nn.PReLU(3),
    nn.RReLU(),
    nn.RReLU(0.2, 0.4),
    nn.ELU(),
    nn.ELU(0.7),
    nn.SELU(),
    nn.CELU(),
    nn.CELU(2.0),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.Mish(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Hardsigmoid(),
    nn.Hardswish(),
    nn.LogSigmoid(),
    nn.Softplus(),
    nn.Softplus(2.0),
    nn.Softplus(1.0, 1.5),
    nn.Softplus(0.5, 3.0),
    nn.Hardshrink(),
    nn.Hardshrink(1.0),
    nn.Softshrink(),
    nn.Softshrink(1.25),
    nn.Tanhshrink(),
    nn.Softsign(),
    nn.Threshold(0.5, -3.0),
    nn.Threshold(0.0, 0.0),
    nn.Softmin(1),
    nn.Softmax(1),
    nn.Softmax(-1),
    nn.LogSoftmax(2),
    nn.Softmax2d(),
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module(module: nn.Module) -> None:
    """As PyTorch stores it, and behind a convolution, which stores channels last. Wide enough for both ends."""
    x = random(2, 3, 4, 5, low=-8, high=8)
    check_lowering(module, x)
    torch.manual_seed(0)
    check_lowering(nn.Sequential(nn.Conv2d(3, 3, 1), module), x)


@pytest.mark.parametrize(
    "module", [m for m in MODULES if not isinstance(m, nn.Softmax2d) and "Log" not in str(m)], ids=str
)
def test_module_on_large_and_special_numbers(module: nn.Module) -> None:
    x = torch.tensor([[-100.0, -20.0, -1.5, -0.5, 0.0], [0.5, 1.5, 20.0, 80.0, 100.0], [-1.0, 1.0, 2.0, -2.0, 3.0]])
    if isinstance(module, nn.Softmax) and module.dim == 1:
        x = x.T
    check_lowering(module, x.reshape(1, 3, 5, 1) if "num_parameters=3" in str(module) else x[None, :, :, None])


@pytest.mark.parametrize("dim", [-1, 0, 1, 2])
def test_glu(dim: int) -> None:
    check_lowering(nn.GLU(dim), random(2, 4, 6, 8))


def test_glu_of_an_image() -> None:
    torch.manual_seed(0)
    assert "TRANSPOSE" not in check_lowering(nn.Sequential(nn.Conv2d(3, 8, 1), nn.GLU(1)), random(1, 3, 4, 4)).kinds


FUNCTIONS: list[Callable[[torch.Tensor], Any]] = [
    lambda x: x.clamp(-1, 0.5),
    lambda x: x.clamp(min=-0.25),
    lambda x: x.clamp(max=0.25),
    lambda x: x.clamp(1.0, -1.0),
    lambda x: torch.clip(x, 0, 1),
    lambda x: F.relu(x * 1, inplace=True),
    lambda x: F.elu(x * 1, 1.0, True),
    lambda x: F.softmax(x, 1, dtype=torch.float32),
    lambda x: F.prelu(x, x.mean((0, 2)).abs()),
]


@pytest.mark.parametrize("index", range(len(FUNCTIONS)))
def test_function(index: int) -> None:
    check_lowering(FUNCTIONS[index], random(2, 3, 4))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_clamp_and_relu_of_integers(dtype: torch.dtype) -> None:
    x = integers(3, 4, low=-9, high=9, dtype=dtype)
    check_lowering(lambda x: (x.clamp(-3, 4), F.relu(x), x.clamp(min=0.5)), x)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int64], ids=str)
def test_clamp_to_bounds_that_the_dtype_does_not_hold(dtype: torch.dtype) -> None:
    """A bound must not wrap around: -3 would be 253 in uint8."""
    far = 2**40 if dtype == torch.int64 else 99_999
    x = integers(9, low=0, high=120, dtype=dtype)
    check_lowering(lambda x: (x.clamp(-3, 4), x.clamp(min=-far), x.clamp(max=far), x.clamp(-far, far)), x)


def test_softmax_of_a_number_and_a_vector() -> None:
    check_lowering(lambda x: (F.softmax(x, 0), F.log_softmax(x[0], 0)), random(5))


def test_each_image_activation_keeps_the_layout() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softmax(1), nn.PReLU(4)), random(1, 3, 4, 4)).kinds
    assert kinds == {"CONV_2D": 1, "SOFTMAX": 1, "PRELU": 1}
