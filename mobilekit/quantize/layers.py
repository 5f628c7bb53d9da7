"""Where a quantized graph loses precision: SQNR of every tensor against the float graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mobilekit.errors import CalibrationError
from mobilekit.graph.ir import Graph
from mobilekit.graph.writer import write
from mobilekit.quantize.calibrate import Sample
from mobilekit.quantize.engine import QuantizeResult
from mobilekit.quantize.measure import sqnr_db, to_real, to_stored
from mobilekit.results.conversion import LayerError
from mobilekit.runtime import Interpreter

# A tensor is "bad" where it is this far below the tensors it is made from. 6 dB is one bit lost in one op.
_DROP_DB = 6.0


def layer_errors(graph: Graph, result: QuantizeResult, samples: Iterable[Sample]) -> tuple[LayerError, ...]:
    """SQNR in dB of every tensor of ``graph`` (the one given to ``quantize``) that the quantized graph still holds.

    In the order of the ops. Both graphs run on the same samples, so an error is what has piled up from the input to
    there. ``samples`` are as for :func:`~mobilekit.quantize.engine.quantize`. Infinite where a tensor is equal; minus
    infinite where the float tensor is all zero and the other is not.
    """
    names = {tensor.name for tensor in graph.tensors()}
    reference = Interpreter(write(result.reference), delegate="reference", keep_all=True)
    quantized = Interpreter(write(result.graph), delegate="reference", keep_all=True)
    float_index, integer_index = reference.tensor_indices(), quantized.tensor_indices()
    by_name = {t.name: t for t in result.graph.tensors()}
    pairs = [
        (op, tensor, by_name[result.home[tensor.name]])
        for op in result.reference.ops
        for tensor in op.outputs
        if tensor.dtype == "float32" and tensor.name in names and tensor.name in result.home
    ]
    signal, noise = np.zeros(len(pairs)), np.zeros(len(pairs))
    count = 0
    for sample in samples:
        reference.run(sample)
        quantized.run([to_stored(tensor, array) for tensor, array in zip(result.graph.inputs, sample, strict=True)])
        for row, (_, tensor, stored) in enumerate(pairs):
            wanted = np.clip(reference.tensor(float_index[tensor.name]).astype(np.float64), -1e30, 1e30)
            if tensor.name in result.factors:
                wanted = wanted / result.factors[tensor.name]
            got = to_real(stored, quantized.tensor(integer_index[stored.name]))
            signal[row] += np.sum(wanted**2)
            noise[row] += np.sum((wanted - got) ** 2)
        count += 1
    if not count:
        raise CalibrationError("there is no sample to compare the graphs on")
    return tuple(
        LayerError(tensor.name, op.kind, sqnr_db(float(signal[row]), float(noise[row])), op.source)
        for row, (op, tensor, _) in enumerate(pairs)
    )


def first_bad_layer(graph: Graph, errors: Sequence[LayerError]) -> LayerError | None:
    """The first tensor that lost more than one bit (6 dB) against the worst tensor its op reads, or None."""
    sqnr = {error.name: error.sqnr_db for error in errors}
    makers = {tensor.name: op for tensor, op in graph.producers().items()}
    for error in errors:
        known = [sqnr[t.name] for t in makers[error.name].present_inputs() if t.name in sqnr]
        # What an op reads from outside the list (the graph's input) counts as 8 bits well used.
        if error.sqnr_db < min([*known, _INPUT_SQNR_DB]) - _DROP_DB:
            return error
    return None


# A uniform signal in 8 bits: 20 log10(256) = 48 dB; images and activations use about half of that range well.
_INPUT_SQNR_DB = 36.0
