"""Calibration data in any form people have it -> the model's calls, one batch of the file at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mobilekit.errors import CalibrationError
from mobilekit.frontends.source import TensorSignature

# Samples of noise when nothing is given: enough for every tensor to see a range, little enough to cost half a second.
SYNTHETIC_SAMPLES = 8


def calls(data: Iterable[Any], inputs: Sequence[TensorSignature]) -> Iterator[tuple[torch.Tensor, ...]]:
    """One tuple of tensors a call of the file, from an iterable of inputs.

    An item is a tensor (or array) for a model of one input, a tuple or list of them, or a mapping by input name. Items
    of a DataLoader work as they are: what follows the model's inputs in an item (labels) is ignored, batches are cut
    and put together to the file's size (a rest that fills no whole one is left out), and a sample without the batch
    axis gets one. Nothing is held but the batch at hand.

    Raises :class:`CalibrationError` for an empty iterable, a wrong shape or dtype, NaN or Inf.
    """
    number, given, rest = -1, 0, None
    for number, item in enumerate(data):
        tensors = _tensors(item, inputs, number)
        if rest is None and tensors[0].shape[:1] == inputs[0].shape[:1]:
            given += 1
            yield tensors
            continue
        rest = tensors if rest is None else tuple(torch.cat(pair) for pair in zip(rest, tensors, strict=True))
        size = inputs[0].shape[0]
        while rest is not None and 0 < size <= len(rest[0]):
            given += 1
            yield tuple(tensor[:size] for tensor in rest)
            rest = tuple(tensor[size:] for tensor in rest) if len(rest[0]) > size else None
    if number < 0:
        raise CalibrationError("the calibration data is empty: give at least one input, better 16 to 128")
    if not given and rest is not None:
        raise CalibrationError(
            f"the calibration data hold a batch of {len(rest[0])}, the model was captured with a batch of "
            f"{inputs[0].shape[0]}: give more, or convert with a batch of one"
        )


def synthetic(example: Sequence[torch.Tensor]) -> list[tuple[torch.Tensor, ...]]:
    """The example and seeded noise like it; integers repeat the example, since noise would leave their range."""
    generator = torch.Generator().manual_seed(0)
    samples = [tuple(example)]
    for _ in range(SYNTHETIC_SAMPLES - 1):
        samples.append(tuple(_noise_like(tensor, generator) for tensor in example))
    return samples


def _noise_like(tensor: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    low, high = (float(tensor.min()), float(tensor.max())) if tensor.numel() else (0.0, 0.0)
    if low < high:
        return (torch.rand(tensor.shape, generator=generator) * (high - low) + low).to(tensor.dtype)
    return torch.randn(tensor.shape, generator=generator).to(tensor.dtype)


def _tensors(item: Any, inputs: Sequence[TensorSignature], number: int) -> tuple[torch.Tensor, ...]:
    if isinstance(item, Mapping):
        missing = [spec.name for spec in inputs if spec.name not in item]
        if missing:
            raise CalibrationError(
                f"calibration item {number} has no input '{missing[0]}' (it has {sorted(map(str, item))})"
            )
        parts = [item[spec.name] for spec in inputs]
    elif isinstance(item, (list, tuple)):
        parts = list(item[: len(inputs)])
    else:
        parts = [item]
    if len(parts) != len(inputs):
        raise CalibrationError(f"calibration item {number} has {len(parts)} inputs, the model takes {len(inputs)}")
    return tuple(_tensor(part, spec, number) for part, spec in zip(parts, inputs, strict=True))


def _tensor(part: Any, spec: TensorSignature, number: int) -> torch.Tensor:
    if isinstance(part, np.ndarray):
        part = torch.from_numpy(np.ascontiguousarray(part))
    if not isinstance(part, torch.Tensor):
        raise CalibrationError(
            f"calibration item {number}: '{spec.name}' is a {type(part).__name__}, not a tensor or array"
        )
    if part.dim() == len(spec.shape) - 1:
        part = part.unsqueeze(0)
    if part.dim() != len(spec.shape) or not all(
        part.shape[axis] == spec.shape[axis] or axis in spec.open_axes for axis in range(1, part.dim())
    ):
        raise CalibrationError(
            f"calibration item {number}: '{spec.name}' has shape {list(part.shape)}, the model takes {list(spec.shape)}"
        )
    wanted: torch.dtype = getattr(torch, spec.dtype)
    if part.is_floating_point() != wanted.is_floating_point:
        raise CalibrationError(f"calibration item {number}: '{spec.name}' is {part.dtype}, the model takes {wanted}")
    if part.is_floating_point() and not bool(torch.isfinite(part).all()):
        raise CalibrationError(f"calibration item {number}: '{spec.name}' holds NaN or Inf")
    result: torch.Tensor = part.detach().to(wanted)
    return result
