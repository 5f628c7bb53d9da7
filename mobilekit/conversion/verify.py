"""Run the written bytes in LiteRT against PyTorch and compare every output.

All comparing is in float64, after dequantization. A float file passes at max |d| <= 1e-3 * max(1, max |ref|): rounding
of float32 in sums taken in another order stays orders below it, a wrong op does not. A quantized file passes at a
median SQNR of 10 dB at every real-valued output (the error's root mean square under a third of the signal's), a bar for
"broken"; whether the task is still done well is for the task's own metric to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.results import OutputComparison, VerificationReport

FLOAT_TOLERANCE = 1e-3
MIN_SQNR_DB = 10.0


def compare_output(name: str, pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> OutputComparison:
    """Compare one output over several samples; each pair is (reference, got)."""
    sqnr, cosine, agreements = [], [], []
    max_error = max_reference = 0.0
    mismatch = False
    shapes = ""
    for reference, got in pairs:
        if reference.shape != got.shape:
            shapes = shapes or f"{list(got.shape)} where the reference has {list(reference.shape)}"
            continue
        if reference.dtype.kind == "U":  # text that the model returns beside its tensors
            reference, got = np.zeros(reference.shape), np.asarray(reference != got)
        ref, out = reference.astype(np.float64), got.astype(np.float64)
        finite = np.isfinite(ref) & np.isfinite(out)
        # NaN against NaN and the same infinity agree; anything else that is not finite does not.
        mismatch |= not np.array_equal(ref[~finite], out[~finite], equal_nan=True)
        ref, out = ref[finite], out[finite]
        max_error = max(max_error, float(np.abs(ref - out).max(initial=0.0)))
        max_reference = max(max_reference, float(np.abs(ref).max(initial=0.0)))
        sqnr.append(sqnr_db(ref, out))
        cosine.append(_cosine(ref, out))
        if reference.ndim == 2 and reference.shape[0] > 0 and reference.shape[1] > 1:
            agreements.append(np.mean(np.argmax(reference, -1) == np.argmax(got, -1)))
    return OutputComparison(
        name=name,
        shape=tuple(pairs[0][0].shape),
        sqnr_db=float(np.median(sqnr)) if sqnr else float("nan"),
        sqnr_db_per_sample=tuple(sqnr),
        max_abs_error=max_error,
        max_abs_reference=max_reference,
        cosine=float(np.median(cosine)) if cosine else float("nan"),
        top1_agreement=float(np.mean(agreements)) if agreements else None,
        nan_mismatch=mismatch,
        real_valued=pairs[0][0].dtype.kind == "f",
        shape_mismatch=shapes,
    )


def sqnr_db(reference: NDArray[np.float64], got: NDArray[np.float64]) -> float:
    """10 log10(sum ref^2 / sum (ref - got)^2); infinite when equal, minus infinite when only the reference is zero."""
    noise = float(np.square(reference - got).sum())
    signal = float(np.square(reference).sum())
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else float("-inf")


def _cosine(reference: NDArray[np.float64], got: NDArray[np.float64]) -> float:
    norms = float(np.linalg.norm(reference) * np.linalg.norm(got))
    if norms == 0:
        return 1.0 if np.array_equal(reference, got) else 0.0
    return float(reference @ got / norms)


def judge(
    samples: Iterable[tuple[Sequence[NDArray[Any]], Sequence[NDArray[Any]]]],
    names: Sequence[str],
    *,
    quantized: bool,
    data: str,
    reference: str,
    runtime: str,
) -> VerificationReport:
    """Compare all outputs over all samples, each (reference outputs, outputs of the file), and say if they pass."""
    columns: list[list[tuple[NDArray[Any], NDArray[Any]]]] = [[] for _ in names]
    count = 0
    for expected, got in samples:
        count += 1
        for column, ref, out in zip(columns, expected, got, strict=True):
            column.append((np.asarray(ref), np.asarray(out)))
    outputs = tuple(compare_output(name, column) for name, column in zip(names, columns, strict=True) if column)
    failures = tuple(text for output in outputs for text in _failures(output, quantized))
    criterion = (
        f"median SQNR >= {MIN_SQNR_DB:g} dB at every output"
        if quantized
        else f"max |d| <= {FLOAT_TOLERANCE:g} * max(1, max |ref|) at every output"
    )
    return VerificationReport(count, data, reference, runtime, outputs, criterion, not failures, failures)


def _failures(output: OutputComparison, quantized: bool) -> list[str]:
    found = []
    if output.shape_mismatch:
        return [f"'{output.name}' has shape {output.shape_mismatch}"]
    if output.nan_mismatch:
        found.append(f"'{output.name}' has NaN or Inf where the reference has none, or the reverse")
    limit = FLOAT_TOLERANCE * max(1.0, output.max_abs_reference)
    if not quantized and not output.max_abs_error <= limit:
        found.append(f"'{output.name}' is off by {output.max_abs_error:.3g}, at most {limit:.3g} is allowed")
    if quantized and output.real_valued and not output.sqnr_db >= MIN_SQNR_DB:
        found.append(f"'{output.name}' has an SQNR of {output.sqnr_db:.1f} dB, at least {MIN_SQNR_DB:g} is asked")
    return found
