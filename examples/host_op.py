"""A model with an op that no TFLite op says: the file is cut there, and a function of one's own runs in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import mobilekit


@torch.library.custom_op("mylib::subtract_median", mutates_args=())
def subtract_median(x: torch.Tensor, share: float) -> torch.Tensor:
    return x - share * x.flatten(1).median(1).values[:, None, None, None]


@subtract_median.register_fake
def _(x: torch.Tensor, share: float) -> torch.Tensor:
    return torch.empty_like(x)


@mobilekit.custom_op("mylib::subtract_median")
def subtract_median_beside_the_file(x: NDArray[np.float32], share: float) -> NDArray[Any]:
    values = np.sort(x.reshape(len(x), -1), 1)
    median = values[:, (values.shape[1] - 1) // 2]  # the lower of two, as PyTorch has it
    return x - np.float32(share) * median[:, None, None, None]


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before = torch.nn.Conv2d(3, 4, 3, stride=2)
        self.after = torch.nn.Conv2d(4, 8, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.after(subtract_median(self.before(image), 0.5)).mean((2, 3))


def make() -> Net:
    torch.manual_seed(0)
    return Net().eval()


def main() -> mobilekit.Converted:
    result = mobilekit.convert(make(), torch.rand(1, 3, 16, 16))
    print("\n".join(result.report.stages))
    return result


if __name__ == "__main__":
    main()
