"""A source with rewrites applied: the file is verified against the rewritten model, that against the original.

Both figures are needed. An op's declared error says little about the model's output, which the layers behind it may
magnify; and a file compared with the original alone could hide a wrong op behind the approximation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from mobilekit.conversion.verify import compare_output
from mobilekit.errors import InputError
from mobilekit.frontends.direct.capture import capture
from mobilekit.frontends.direct.rewrites.apply import apply_rewrites
from mobilekit.frontends.direct.rewrites.base import Rewrite
from mobilekit.frontends.source import Reference, Source, torch_reference
from mobilekit.results import AppliedRewrite, ConversionReport, OutputComparison

Pair = tuple[Sequence[NDArray[Any]], Sequence[NDArray[Any]]]


@dataclass
class Rewritten:
    """The rewritten source, and what there is to tell of it."""

    source: Source
    applied: tuple[AppliedRewrite, ...]
    asked: Sequence[Rewrite]
    seen: list[Pair] = field(default_factory=list)
    """(original outputs, rewritten outputs) of every sample that the verification asked for."""

    def told(self, report: ConversionReport) -> ConversionReport:
        """``report`` with what was rewritten where, and how far the rewritten model is from the original."""
        distance = tuple(self._distance())
        notes = (*report.notes, *self._notes(distance))
        return dataclasses.replace(report, rewrites=self.applied, rewrite_distance=distance, notes=notes)

    def _distance(self) -> Iterator[OutputComparison]:
        count = len(self.seen[0][0]) if self.seen else 0
        for index in range(count):
            name = "output" if count == 1 else f"output_{index}"
            yield compare_output(name, [(np.asarray(a[index]), np.asarray(b[index])) for a, b in self.seen])

    def _notes(self, distance: Sequence[OutputComparison]) -> Iterator[str]:
        for rewrite in self.asked:
            count = sum(applied.rewrite == rewrite.name for applied in self.applied)
            if not count:
                yield f"rewrite {rewrite.name} found no {rewrite.op} that it applies to"
                continue
            size = f"off by at most {rewrite.error:.3g} at each" if rewrite.error else "equal in real numbers"
            yield f"rewrite {rewrite.name} replaced {rewrite.op} in {count} place{'s'[: count != 1]}, {size}"
        if not self.applied:
            return
        if not distance:
            yield "the file is that of the rewritten model; without verify its distance to the original is unknown"
        for output in distance:
            yield (
                f"verified against the rewritten model; that is off from the original by at most "
                f"{output.max_abs_error:.3g} at '{output.name}' (largest value {output.max_abs_reference:.3g}, "
                f"{output.sqnr_db:.1f} dB)"
            )


def rewrite_source(source: Source, rewrites: Sequence[Rewrite]) -> Rewritten:
    """``source`` with its program rewritten and a reference that is the rewritten program in PyTorch.

    Raises :class:`InputError` where there is no captured program (a .tflite file, a SavedModel).
    """
    if source.program is None:
        raise InputError(f"rewrites= needs a captured PyTorch program: {source.no_program}")
    program, applied = apply_rewrites(source.program, rewrites)
    if not applied:
        return Rewritten(source, (), rewrites)
    resized = None if source.resized is None else apply_rewrites(source.resized, rewrites)[0]
    compute, reset = torch_reference(program.module(), program.call_spec.in_spec, source.states)
    at_size: dict[tuple[torch.Size, ...], Reference] = {_sizes(source.example): compute}
    seen: list[Pair] = []

    def reference(leaves: Sequence[Any]) -> list[NDArray[Any]]:
        size = _sizes(leaves)
        if resized is not None and size not in at_size:
            at_size[size] = _captured_at(source, leaves, rewrites)
        results = at_size.get(size, compute)(leaves)
        seen.append((source.reference(leaves), results))
        return results

    def reset_both() -> None:
        source.reset()
        reset()

    changed = dataclasses.replace(
        source,
        program=program,
        resized=resized,
        reference=reference,
        references=None,
        reference_name=f"{source.reference_name}, rewritten",
        reset=reset_both,
    )
    return Rewritten(changed, tuple(applied), rewrites, seen)


def _sizes(leaves: Sequence[Any]) -> tuple[torch.Size, ...]:
    return tuple(leaf.shape for leaf in leaves if isinstance(leaf, torch.Tensor))


def _captured_at(source: Source, leaves: Sequence[Any], rewrites: Sequence[Rewrite]) -> Reference:
    """With dynamic shapes a captured program is that of one size: one more capture for each other."""
    assert source.module is not None
    args, kwargs = pytree.tree_unflatten(list(leaves), source.in_structure)
    program, _ = apply_rewrites(capture(source.module, args, kwargs).program, rewrites)
    return torch_reference(program.module(), program.call_spec.in_spec, source.states)[0]
