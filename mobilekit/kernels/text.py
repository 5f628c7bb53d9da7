"""Text recognition scores -> text: CTC, greedy and by prefix beam. The rules: cpp/include/mobilekit/text.h."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels import checks, native, reference

MAX_BEAM = 256


@dataclass(frozen=True)
class Reading:
    """``symbols``: n classes, int32; ``steps``: where each was first seen, int32; ``scores``: there, float32."""

    symbols: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.symbols)

    def text(self, charset: Sequence[str]) -> str:
        """The text, where ``charset[c]`` is the string of class c (any string for the blank)."""
        return _spell(self.symbols, charset)


@dataclass(frozen=True)
class Hypothesis:
    """One sequence of :func:`ctc_beam`: its classes, and the probability of all alignments that spell it."""

    symbols: npt.NDArray[np.int32]
    probability: float

    def text(self, charset: Sequence[str]) -> str:
        """As :meth:`Reading.text`."""
        return _spell(self.symbols, charset)


def ctc_greedy(output: npt.NDArray[Any], *, blank: int = 0, scale: float = 1.0, zero_point: int = 0) -> Reading:
    """Best class of every step, repeats merged, blanks dropped.

    :param output: (steps, classes), with or without a batch axis of 1; float32 (probabilities or logits), or int8 with
        ``scale`` and ``zero_point``, compared as it is.
    :param blank: the class that means none: 0 in PaddleOCR and PyTorch, the last one in TensorFlow.
    """
    table = _steps("output", checks.model_output("output", output))
    _blank(blank, table)
    checks.quantization("a float32 output is", table, scale, zero_point)
    extension = native.extension()
    if extension is None:
        symbols, steps = reference.ctc_greedy(table, blank)
        scores = table[steps, symbols].astype(np.float32)
        if table.dtype == np.int8:
            scores = np.float32(scale) * (scores - np.float32(zero_point))
        return Reading(symbols, steps, scores)
    if table.dtype == np.float32:
        return Reading(*extension.ctc_greedy_f32(table, blank))
    return Reading(*extension.ctc_greedy_i8(table, blank, scale, zero_point))


def ctc_beam(
    probabilities: npt.NDArray[np.float32], *, blank: int = 0, beam_width: int = 16, results: int = 1
) -> list[Hypothesis]:
    """The most probable sequences, best first: prefix beam search, without a language model.

    :param probabilities: (steps, classes) float32 after softmax, with or without a batch axis of 1; NaN and
        negative count as 0.
    :param beam_width: prefixes kept after each step, and classes tried in it: 1 to 256.
    :param results: how many sequences at most: 1 to ``beam_width``.
    """
    if isinstance(probabilities, np.ndarray):
        probabilities = checks.without_batch(probabilities, 2)
    checks.array("probabilities", probabilities, np.float32, 2)
    table = _steps("probabilities", probabilities)
    _blank(blank, table)
    checks.count("beam_width", beam_width, MAX_BEAM)
    checks.count("results", results, beam_width)
    if len(table) * beam_width > 1 << 24:
        raise InputError(f"beam_width: expected at most {(1 << 24) // len(table)} for {len(table)} steps")
    extension = native.extension()
    search = reference.ctc_beam if extension is None else extension.ctc_beam
    return [Hypothesis(symbols, float(p)) for symbols, p in search(table, blank, int(beam_width), int(results))]


def _steps(name: str, value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    table = checks.without_batch(value, 2)
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"{name}: expected shape (steps, classes), got {value.shape}")
    checks.contiguous(name, table)
    return table


def _blank(blank: int, table: npt.NDArray[Any]) -> None:
    if isinstance(blank, bool) or not isinstance(blank, (int, np.integer)) or not 0 <= blank < table.shape[1]:
        raise InputError(f"blank: expected a class from 0 to {table.shape[1] - 1}, got {blank!r}")


def _spell(symbols: npt.NDArray[np.int32], charset: Sequence[str]) -> str:
    largest = int(symbols.max(initial=-1))
    if largest >= len(charset):
        raise InputError(f"charset: expected a string for each class, got {len(charset)} and class {largest}")
    return "".join(charset[c] for c in symbols)
