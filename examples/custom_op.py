"""A model with an op of its own, converted: the op is said in TFLite ops, and the file verified."""

from __future__ import annotations

import torch

import mobilekit
from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.values import Value


@torch.library.custom_op("mylib::scaled_softsign", mutates_args=())
def scaled_softsign(x: torch.Tensor, scale: float) -> torch.Tensor:
    return scale * x / (1 + x.abs())


@scaled_softsign.register_fake
def _(x: torch.Tensor, scale: float) -> torch.Tensor:
    return torch.empty_like(x)


@mobilekit.lowering("mylib::scaled_softsign")
def lower_scaled_softsign(b: Builder, x: Value, scale: float) -> Value:
    shape = x.tensor.shape
    size = b.emit("ABS", [x.tensor], shape)
    below = b.emit("ADD", [size, b.scalar(1.0, "float32")], shape, fused_activation_function="NONE")
    ratio = b.emit("DIV", [x.tensor, below], shape, fused_activation_function="NONE")
    return b.like(x, b.emit("MUL", [ratio, b.scalar(scale, "float32")], shape, fused_activation_function="NONE"))


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return scaled_softsign(self.conv(image), 2.0).mean((2, 3))


def main() -> mobilekit.Converted:
    torch.manual_seed(0)
    result = mobilekit.convert(Net().eval(), torch.rand(1, 3, 32, 32))
    assert result.report.verification is not None
    print(result.report.op_counts)
    print(f"largest difference from PyTorch: {result.report.verification.outputs[0].max_abs_error:.1e}")
    return result


if __name__ == "__main__":
    main()
