"""Text recognition: scores of characters over time -> the text, told by the sidecar alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError
from mobilekit.kernels import ctc_greedy
from mobilekit.sidecar import RecognitionSpec, Sidecar, TensorSpec


@dataclass(frozen=True)
class Text:
    """``symbols``: classes of the characters; ``score``: the mean of their scores (PaddleOCR's), 0 for no text."""

    text: str
    score: float
    symbols: tuple[int, ...]


class Postprocess:
    """Steps x classes as the file gives them (float32 or int8) -> the text, by greedy CTC.

    ``labels`` is the character of every class, the blank's (any string) included.
    """

    def __init__(self, spec: RecognitionSpec, tensor: TensorSpec, labels: tuple[str, ...] | None) -> None:
        """:class:`InputError` where the sidecar contradicts itself or does not name the characters."""
        shape = tensor.shape
        if tensor.dtype not in ("int8", "float32"):
            raise InputError(f"output '{tensor.name}' is {tensor.dtype}: recognition reads int8 and float32")
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != 1) or min(shape) < 1:
            raise InputError(f"output '{tensor.name}' is {list(shape)}: no steps x classes")
        if labels is None:
            raise InputError("the sidecar has no labels: recognition needs the character of every class")
        if len(labels) != shape[-1]:
            raise InputError(f"the sidecar has {len(labels)} labels for {shape[-1]} classes")
        if spec.blank >= shape[-1]:
            raise InputError(f"blank is class {spec.blank}, the output has {shape[-1]} classes")
        self.spec, self.labels, self.shape = spec, labels, shape
        self.quantization = tensor.quantization if tensor.dtype == "int8" else None

    @staticmethod
    def from_sidecar(sidecar: Sidecar | str | Path) -> Postprocess:
        """:class:`InputError` where the sidecar is not that of a recogniser of one output."""
        document = sidecar if isinstance(sidecar, Sidecar) else Sidecar.read(sidecar)
        if not isinstance(document.postprocess, RecognitionSpec):
            raise InputError(f"the sidecar of '{document.model}' does not describe a text recogniser")
        if len(document.outputs) != 1:
            raise InputError(f"'{document.model}' has {len(document.outputs)} outputs, a recogniser has one")
        return Postprocess(document.postprocess, document.outputs[0], document.labels)

    def __call__(self, output: NDArray[Any]) -> Text:
        q = self.quantization
        reading = ctc_greedy(
            np.ascontiguousarray(output).reshape(self.shape),
            blank=self.spec.blank,
            scale=1.0 if q is None else q.scale,
            zero_point=0 if q is None else q.zero_point,
        )
        # One after the other in float64, rounded once: the app's sum, bit for bit.
        total = sum(float(score) for score in reading.scores)
        score = float(np.float32(total / len(reading))) if len(reading) else 0.0
        return Text(reading.text(self.labels), score, tuple(int(symbol) for symbol in reading.symbols))
