"""Dtypes: what PyTorch calls them, what the file holds, what TFLite kernels compute in, and PyTorch's promotion.

PyTorch      stored     computed in
float32      float32    float32
float16      float32    float32    more precise than PyTorch, which rounds after every op
bfloat16     float32    float32    likewise
float64      float32    float32    less precise: TFLite has next to no float64 kernels
int64        int32      int32      delegates refuse int64; constants and inputs are checked to fit
int32        int32      int32
int8..uint8  as is      int32      TFLite's 8 and 16 bit kernels are for quantized numbers (several crash without a
                                   scale, LiteRT 2.3); int32 and a cast back wrap exactly as PyTorch does
bool         bool       int32, or LOGICAL_* ops
"""

from __future__ import annotations

from typing import Any

import torch

from mobilekit.frontends.direct.values import Value

_STORED = {"int64": "int32", "float64": "float32", "bfloat16": "float32", "float16": "float32"}


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def torch_dtype(name: str) -> torch.dtype:
    dtype = getattr(torch, name)
    assert isinstance(dtype, torch.dtype)
    return dtype


def stored(dtype: str) -> str:
    """What the file holds for a tensor that PyTorch sees as ``dtype``."""
    return _STORED.get(dtype, dtype)


def computed(dtype: str) -> str:
    """The dtype in which arithmetic on ``dtype`` is done: float32 or int32."""
    return "float32" if is_float(dtype) else "int32"


def is_float(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat"))


def promote(*operands: Any) -> str:
    """The dtype of PyTorch's result for operands that are Values or Python numbers."""
    result = _probe(operands[0])
    for operand in operands[1:]:
        # result_type of a pair keeps its category (tensor, 0-d tensor, number), so folding pairs is PyTorch's rule
        # as long as a tensor with axes stands first.
        result = _merge(result, _probe(operand))
    return name_of(torch.result_type(result, result) if not isinstance(result, torch.Tensor) else result.dtype)


def _probe(operand: Any) -> Any:
    """A tensor without memory that takes part in promotion as ``operand`` does."""
    if not isinstance(operand, Value):
        return operand
    return torch.empty((1,) * operand.rank, dtype=torch_dtype(operand.dtype), device="meta")


def _merge(first: Any, second: Any) -> Any:
    dtype = torch.result_type(first, second)
    ranks = [probe.dim() for probe in (first, second) if isinstance(probe, torch.Tensor)]
    if not ranks:
        return second if torch.result_type(second, second) == dtype else first
    return torch.empty((1,) * max(ranks), dtype=dtype, device="meta")


def floating(dtype: str) -> str:
    """PyTorch's result dtype of true division and of functions such as exp: integers become the default float."""
    return dtype if is_float(dtype) else name_of(torch.get_default_dtype())
