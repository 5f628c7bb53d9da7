"""Scores of characters become text: repeats merged, blanks dropped, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit.errors import InputError
from mobilekit.sidecar import AffineSpec, DetectionSpec, RecognitionSpec, Sidecar
from mobilekit.tasks.recognition import Postprocess
from tests.tasks.test_detection import sidecar as any_sidecar
from tests.tasks.test_detection import tensor

CHARSET = ("_", "a", "b", "c")


def sidecar(shape: tuple[int, ...], **changes: Any) -> Sidecar:
    return any_sidecar(shape, **{"postprocess": RecognitionSpec(), "labels": CHARSET, **changes})


def spelled(word: str) -> np.ndarray:
    """One step a letter, its score 0.5; 1 x steps x classes."""
    scores = np.zeros((1, len(word), len(CHARSET)), np.float32)
    for step, letter in enumerate(word):
        scores[0, step, CHARSET.index(letter)] = 0.5
    return scores


def test_repeats_and_blanks() -> None:
    scores = spelled("_aa_ab_bcc_")
    scores[0, 5, 2] = 0.25
    found = Postprocess.from_sidecar(sidecar(scores.shape))(scores)
    assert found.text == "aabbc"
    assert found.symbols == (1, 1, 2, 2, 3)
    assert found.score == np.float32((4 * 0.5 + 0.25) / 5)


def test_int8_and_nothing() -> None:
    affine = AffineSpec(scale=0.5, zero_point=-10)
    stored = (spelled("_ca") / 0.5 - 10).astype(np.int8)
    document = sidecar(stored.shape, outputs=(tensor(stored.shape, "int8", affine),))
    assert Postprocess.from_sidecar(document)(stored) == Postprocess.from_sidecar(sidecar(stored.shape))(spelled("_ca"))
    nothing = Postprocess.from_sidecar(sidecar((1, 3, 4)))(spelled("___"))
    assert (nothing.text, nothing.score, nothing.symbols) == ("", 0.0, ())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (sidecar((1, 3, 4), labels=None), "no labels: recognition needs the character of every class"),
        (sidecar((1, 3, 5)), "4 labels for 5 classes"),
        (sidecar((2, 3, 4)), r"output 'out' is \[2, 3, 4\]: no steps x classes"),
        (sidecar((1, 3, 4), postprocess=RecognitionSpec(blank=4)), "blank is class 4, the output has 4 classes"),
        (sidecar((1, 3, 4), outputs=(tensor((1, 3, 4), "uint8"),)), "is uint8: recognition reads int8 and float32"),
        (sidecar((1, 3, 4), postprocess=DetectionSpec(decoder="yolov8")), "does not describe a text recogniser"),
    ],
)
def test_errors(document: Sidecar, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Postprocess.from_sidecar(document)
