"""Classification: scores of classes -> the best answers, and a picture -> its answers in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError, ModelLoadError
from mobilekit.kernels import softmax, top_k
from mobilekit.results.photos import Answer
from mobilekit.runtime import Interpreter
from mobilekit.sidecar import AffineSpec, ClassificationSpec, Sidecar
from mobilekit.tasks.preprocess import Preprocess


class Postprocess:
    """The best ``k`` classes of one row of scores, float32 or int8 as the file gives them."""

    def __init__(
        self,
        spec: ClassificationSpec | None = None,
        labels: tuple[str, ...] | None = None,
        quantization: AffineSpec | None = None,
    ) -> None:
        self.spec = spec or ClassificationSpec()
        self.labels = labels
        self.quantization = quantization

    @staticmethod
    def from_sidecar(sidecar: Sidecar | str | Path) -> Postprocess:
        """:class:`InputError` where the sidecar is not that of a classifier, or has another number of labels."""
        document = sidecar if isinstance(sidecar, Sidecar) else Sidecar.read(sidecar)
        if not isinstance(document.postprocess, ClassificationSpec):
            raise InputError(f"the sidecar of '{document.model}' does not describe a classifier")
        output = document.outputs[0]
        if document.labels is not None and len(document.labels) != output.shape[-1]:
            raise InputError(
                f"the sidecar of '{document.model}' has {len(document.labels)} labels for {output.shape[-1]} classes"
            )
        return Postprocess(document.postprocess, document.labels, output.quantization)

    def __call__(self, scores: NDArray[Any]) -> tuple[Answer, ...]:
        """Answers, best first. Scores of one picture; equal scores keep the order of the classes."""
        scale, zero_point = 1.0, 0
        if self.quantization is not None and scores.dtype == np.int8:
            scale, zero_point = self.quantization.scale, self.quantization.zero_point
        scores = np.ascontiguousarray(scores)
        indices, values = top_k(scores, min(self.spec.k, scores.size), scale=scale, zero_point=zero_point)
        if self.spec.softmax:
            values = softmax(scores, scale=scale, zero_point=zero_point)[indices]
        return tuple(
            Answer(int(index), self.label(int(index)), float(value))
            for index, value in zip(indices, values, strict=True)
        )

    def label(self, index: int) -> str:
        return self.labels[index] if self.labels is not None else f"class {index}"


class Classifier:
    """A .tflite classifier with its sidecar: ``Classifier.open("net.tflite")(picture)`` -> answers, best first."""

    def __init__(self, model: bytes, sidecar: Sidecar, *, threads: int = 1) -> None:
        self.preprocess = Preprocess.from_sidecar(sidecar)
        self.postprocess = Postprocess.from_sidecar(sidecar)
        self._interpreter = Interpreter(model, threads=threads)

    @staticmethod
    def open(path: str | Path, *, threads: int = 1) -> Classifier:
        """Read a .tflite file and the sidecar beside it (the same name with ``.json``)."""
        path = Path(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
        return Classifier(data, Sidecar.read(path.with_suffix(".json")), threads=threads)

    def __call__(self, picture: Any) -> tuple[Answer, ...]:
        """Answers for a PIL image or a uint8 array of height x width x 3."""
        return self.postprocess(self._interpreter.run([self.preprocess(picture)])[0])
