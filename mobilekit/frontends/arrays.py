"""Between PyTorch's tensors and NumPy's arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


def as_arrays(values: Iterable[Any]) -> list[NDArray[Any]]:
    """Tensors as NumPy arrays (bfloat16 as float32, which holds all its values); numbers as 0-d arrays."""
    return [as_array(value) for value in values]


def as_array(value: Any) -> NDArray[Any]:
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        array: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
        return array
    return np.asarray(value)


def dtype_name(dtype: torch.dtype) -> str:
    """``torch.float32`` -> ``float32``."""
    return str(dtype).removeprefix("torch.")
