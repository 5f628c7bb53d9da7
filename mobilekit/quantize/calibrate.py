"""Watch a float graph run on samples: the statistics of every activation.

The graph itself runs in LiteRT without a delegate, all tensors kept, so one observer serves every frontend and what is
observed is what the file computes. Samples stream: memory does not grow with their number (a few are kept, with the
float outputs, to measure the error of a choice later).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import CalibrationError
from mobilekit.graph.ir import Graph, Tensor
from mobilekit.graph.writer import write
from mobilekit.quantize.observers import OBSERVERS, Range, percentile
from mobilekit.quantize.statistics import TensorStatistics
from mobilekit.runtime import Interpreter

Sample = Sequence[NDArray[Any]]
Progress = Callable[[str, int, int | None], None]
"""Called as progress(step, done, total); total is None while it is not known."""

# Ranges that may still grow in the last quarter of the samples: if growth came at random moments, a quarter would.
_STILL_GROWING = 0.10
# Samples that set channel factors and means: as many as the judges.
CHANNEL_SAMPLES = 8
# Samples kept for measuring: enough that one odd image does not decide (their error is averaged), few enough that
# measuring a candidate costs a tenth of a second.
KEPT_SAMPLES = 8


@dataclass
class Calibration:
    """Statistics by tensor name, and a few samples with the float graph's outputs on them."""

    statistics: dict[str, TensorStatistics]
    samples: int = 0
    equalized: dict[str, TensorStatistics] = field(default_factory=dict)
    """The same of tensors divided by their channel factors, where factors were given."""
    kept_inputs: list[Sample] = field(default_factory=list)
    kept_outputs: list[list[NDArray[Any]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """What makes the ranges useless for other data, rather than worse: a warning to whoever converts."""

    def range(
        self, name: str, observer: str, levels: int = 256, kept: float = 99.99, *, equalized: bool = False
    ) -> Range:
        """The range of one tensor by one observer; ``equalized`` asks for it after division by its factors."""
        statistics = self.equalized.get(name, self.statistics[name]) if equalized else self.statistics[name]
        if observer == "percentile":
            return percentile(statistics, levels, kept)
        return OBSERVERS[observer](statistics, levels)


def calibrate(
    graph: Graph,
    samples: Iterable[Sample],
    *,
    factors: dict[str, NDArray[np.float64]] | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Run ``graph`` on every sample and collect statistics of its float activations.

    ``factors``, by tensor name, are what equalisation would divide the channels by: those tensors are observed both as
    they are and divided, in the same run.

    Each sample is one array per graph input, in the file's own shape, layout and dtype. Raises
    :class:`CalibrationError` when there is no sample, one has the wrong count, shape or dtype, or holds NaN or Inf, and
    when the float graph itself computes NaN.
    """
    watched = [t for op in graph.ops for t in op.outputs if t.dtype == "float32"]
    interpreter = Interpreter(write(graph), delegate="reference", keep_all=True)
    index = interpreter.tensor_indices()
    float_inputs = [(position, t) for position, t in enumerate(graph.inputs) if t.dtype == "float32"]
    result = Calibration({t.name: TensorStatistics() for t in (*watched, *(t for _, t in float_inputs))})
    inverse = {name: (1.0 / factor).astype(np.float32) for name, factor in (factors or {}).items()}
    result.equalized = {name: TensorStatistics() for name in inverse}
    total = len(samples) if isinstance(samples, Sized) else None
    shapes: list[tuple[int, ...]] = [t.shape for t in graph.inputs]
    for number, sample in enumerate(samples):
        check_sample(graph, sample, number)
        if [tuple(a.shape) for a in sample] != shapes:
            shapes = [tuple(a.shape) for a in sample]
            interpreter.resize(shapes)
        outputs = interpreter.run(sample)
        for position, tensor in float_inputs:
            result.statistics[tensor.name].add(sample[position])
        for tensor in watched:
            statistics = result.statistics[tensor.name]
            values = interpreter.tensor(index[tensor.name])
            statistics.add(values)
            if tensor.name in inverse:
                result.equalized[tensor.name].add(values * inverse[tensor.name])
            if statistics.has_nan:
                raise CalibrationError(_nan_text(graph, tensor, number))
        result.samples += 1
        _keep(result, sample, outputs)
        if progress is not None:
            progress("calibrate", result.samples, total)
    if not result.samples:
        raise CalibrationError("there is no calibration sample; give at least one, 16 or more are better")
    _note_oddities(graph, result)
    return result


def _keep(result: Calibration, sample: Sample, outputs: list[NDArray[Any]]) -> None:
    """Keep the judges: samples 8 to 15, since channel statistics come from 0 to 7; fewer samples judge themselves."""
    if result.samples >= KEPT_SAMPLES + CHANNEL_SAMPLES:
        return
    if len(result.kept_inputs) == KEPT_SAMPLES:
        del result.kept_inputs[0], result.kept_outputs[0]
    result.kept_inputs.append([np.array(a) for a in sample])
    result.kept_outputs.append(outputs)


def check_sample(graph: Graph, sample: Sample, number: int) -> None:
    """Raise :class:`CalibrationError` unless the arrays are what the graph's inputs take."""
    if len(sample) != len(graph.inputs):
        raise CalibrationError(
            f"calibration sample {number} has {len(sample)} arrays, the model has {len(graph.inputs)} inputs"
        )
    for tensor, array in zip(graph.inputs, sample, strict=True):
        if not _shape_fits(tensor, array) or array.dtype != np.dtype(tensor.dtype):
            raise CalibrationError(
                f"calibration sample {number} gives {array.dtype.name}{list(array.shape)} for input '{tensor.name}', "
                f"which takes {tensor}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = int(array.size - np.isfinite(array).sum())
            raise CalibrationError(f"calibration sample {number} holds {bad} NaN or Inf in input '{tensor.name}'")


def _shape_fits(tensor: Tensor, array: NDArray[Any]) -> bool:
    wanted = tensor.shape_signature or tensor.shape
    return len(wanted) == array.ndim and all(w in (-1, got) for w, got in zip(wanted, array.shape, strict=True))


def _nan_text(graph: Graph, tensor: Tensor, number: int) -> str:
    op = graph.producers()[tensor]
    place = f" ({op.source})" if op.source is not None else ""
    return f"the float model itself computes NaN in {op.kind} '{tensor.name}' on calibration sample {number}{place}"


def _note_oddities(graph: Graph, result: Calibration) -> None:
    """Say what makes the ranges doubtful: few samples, ranges that still grow, inputs that never change."""
    if result.samples == 1:
        result.notes.append("only one calibration sample: ranges of other data may be wider")
    inputs = {t.name: result.statistics[t.name] for t in graph.inputs if t.name in result.statistics}
    result.doubts = [
        f"input '{name}' is the constant {s.minimum:g} in every calibration sample: "
        "the ranges say nothing about real data"
        for name, s in inputs.items()
        if s.minimum == s.maximum
    ]
    growing = sum(s.last_growth > 0.75 * s.arrays for s in result.statistics.values())
    if result.samples >= 4 and (not inputs or len(result.doubts) < len(inputs)):
        share = growing / max(len(result.statistics), 1)
        verdict = "more samples would help" if share > _STILL_GROWING else "enough samples"
        result.notes.append(
            f"{verdict}: in the last quarter of {result.samples}, {share:.0%} of the ranges grew by more than 5 %"
        )
