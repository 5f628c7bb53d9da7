"""Rank tensors and weights by the noise that each adds alone.

Given:
    %y = CONV_2D(%x, W) ; %z = ADD(%y, ...)
Measured, once for each tensor:
    %y = CONV_2D(%x, W) ; %q = QUANTIZE(%y) ; %r = DEQUANTIZE(%q) ; %z = ADD(%r, ...)      everything else in float

Deep networks answer a rounding here with a flipped rounding there, so differences between two fully quantized graphs
are mostly chance (about 0.3 dB on MobileNetV2). Noise added alone to the float graph is a clean figure, and the figures
of all tensors add up to about what the quantized graph shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.graph.writer import write
from mobilekit.quantize.calibrate import Progress, Sample
from mobilekit.quantize.plan import Plan
from mobilekit.results.quantization import NoiseShare
from mobilekit.runtime import Interpreter

if TYPE_CHECKING:
    from mobilekit.quantize.engine import QuantizeResult

# Samples that each measurement runs on: noise is an average over all outputs already.
_SAMPLES = 4


def sensitivity(result: QuantizeResult, *, progress: Progress | None = None) -> tuple[NoiseShare, ...]:
    """Noise at the outputs from each activation and each op's weights alone, largest first.

    Tensors that share one scale are measured together. Takes one pass of the float graph over four calibration samples
    for each tensor and each op with weights.
    """
    if result.calibration is None:
        raise InputError("sensitivity needs a result with integer activations; this recipe leaves them in float")
    inputs = result.calibration.kept_inputs[:_SAMPLES]
    reference = _outputs(_with_caps(result.source, result.caps), inputs)
    trials = [*_activation_trials(result), *_weight_trials(result)]
    noises = []
    for number, (_, altered) in enumerate(trials, start=1):
        noises.append(_noise(altered, inputs, reference))
        if progress is not None:
            progress("sensitivity", number, len(trials))
    total = np.sum(noises, axis=0)
    shares = [replace(share, noise=_share(noise, total)) for (share, _), noise in zip(trials, noises, strict=True)]
    return tuple(sorted(shares, key=lambda s: (-s.noise, s.name)))


def _outputs(graph: Graph, inputs: Sequence[Sample]) -> list[list[NDArray[Any]]]:
    interpreter = Interpreter(write(graph))
    outputs = []
    for sample in inputs:
        if [tuple(a.shape) for a in sample] != [i.shape for i in interpreter.inputs]:
            interpreter.resize([a.shape for a in sample])
        outputs.append(interpreter.run(sample))
    return outputs


def _noise(graph: Graph, inputs: Sequence[Sample], reference: Sequence[Sequence[NDArray[Any]]]) -> NDArray[np.float64]:
    """Noise power at each real-valued output, summed over all samples."""
    got = _outputs(graph, inputs)
    noise = []
    for number, tensor in enumerate(graph.outputs):
        if tensor.dtype == "float32":
            exact = [np.clip(r[number].astype(np.float64), -1e30, 1e30) for r in reference]
            noise.append(sum(float(np.sum((g[number] - e) ** 2)) for g, e in zip(got, exact, strict=True)))
    return np.array(noise)


def _share(noise: NDArray[np.float64], total: NDArray[np.float64]) -> float:
    """Share of each output's total noise, mean over outputs: so an output with little signal counts like the others."""
    return float(np.mean(noise[total > 0] / total[total > 0])) if (total > 0).any() else 0.0


def _classes(source: Graph, plan: Plan) -> Iterator[tuple[list[Tensor], list[tuple[Tensor, Quantization]]]]:
    """Tensors that share one int8 scale, and those of them whose values are rounded first; fixed scales left as is."""
    makers = source.producers()
    classes: dict[int, list[tuple[Tensor, Quantization]]] = {}
    for value, quantization in plan.quantization.items():
        if value.edge is None and not value.tensor.is_constant and value.dtype == "int8":
            classes.setdefault(id(quantization), []).append((value.tensor, quantization))
    for members in classes.values():
        tensors = [tensor for tensor, _ in members]
        inside = set(tensors)
        # What a tensor that only moves values gets from the class has been rounded already.
        roots = [(t, q) for t, q in members if t not in makers or not _moves(makers[t], inside)]
        if roots:
            yield tensors, roots


def _rounded(graph: Graph, roots: Sequence[tuple[Tensor, Quantization]]) -> Graph:
    for tensor, quantization in roots:
        graph = _with_rounding(graph, tensor, quantization)
    return graph


def _activation_trials(result: QuantizeResult) -> Iterator[tuple[NoiseShare, Graph]]:
    graph = result.source
    capped = _with_caps(graph, result.caps)
    makers, readers = graph.producers(), graph.consumers()
    edges = {*graph.inputs, *graph.outputs} if result.recipe.io_dtype != "float32" else set()
    for tensors, roots in _classes(graph, result.plan):
        touching = [op for t in tensors for op in (*([makers[t]] if t in makers else []), *readers.get(t, []))]
        ops = {} if edges.intersection(tensors) else dict.fromkeys(op.name for op in touching)
        yield NoiseShare(roots[0][0].name, "activation", 0.0, tuple(ops)), _rounded(capped, roots)


def _moves(op: Op, inside: set[Tensor]) -> bool:
    return any(t in inside for t in op.present_inputs())


def _with_rounding(graph: Graph, tensor: Tensor, quantization: Quantization) -> Graph:
    """Every reader of ``tensor`` reads it rounded to int8 and back."""
    stored = Tensor(f"{tensor.name}/rounded", tensor.shape, "int8", quantization=quantization,
                    shape_signature=tensor.shape_signature)  # fmt: skip
    real = Tensor(f"{tensor.name}/back", tensor.shape, "float32", shape_signature=tensor.shape_signature)
    pair = [Op("QUANTIZE", [tensor], [stored]), Op("DEQUANTIZE", [stored], [real])]
    return _after(graph, tensor, pair, real)


def _with_caps(graph: Graph, caps: dict[str, float]) -> Graph:
    """The clamps that saturation does in the integer graph, as ops."""
    for tensor in [t for op in graph.ops for t in op.outputs if t.name in caps]:
        cap = Tensor(f"{tensor.name}/cap", (), "float32", np.array(caps[tensor.name], np.float32))
        clamped = Tensor(f"{tensor.name}/capped", tensor.shape, "float32", shape_signature=tensor.shape_signature)
        graph = _after(graph, tensor, [Op("MINIMUM", [tensor, cap], [clamped])], clamped)
    return graph


def _after(graph: Graph, tensor: Tensor, added: list[Op], result: Tensor) -> Graph:
    """``graph`` with ``added`` behind ``tensor``, whose readers read ``result`` instead."""
    ops: list[Op] = [] if any(tensor in op.outputs for op in graph.ops) else list(added)
    for op in graph.ops:
        ops.append(replace(op, inputs=[result if t is tensor else t for t in op.inputs]))
        if tensor in op.outputs:
            ops += added
    return replace(graph, ops=ops, outputs=[result if t is tensor else t for t in graph.outputs], signatures=[])


def _weight_trials(result: QuantizeResult) -> Iterator[tuple[NoiseShare, Graph]]:
    capped = _with_caps(result.source, result.caps)
    integer = {op.outputs[0].name: op for op in result.graph.ops if op.outputs}
    for number, (op, plan) in enumerate(result.plan.ops.items()):
        twin = integer.get(result.home[op.outputs[0].name])
        if plan.rule is None or plan.rule.weights is None or plan.domain == "float32" or twin is None:
            continue
        swap: dict[Tensor, Tensor] = {}
        for position in (plan.rule.weights.weight, plan.rule.weights.bias):
            stored = twin.inputs[position] if position < len(twin.inputs) else None
            real = op.inputs[position] if position < len(op.inputs) else None
            if stored is None or real is None or stored.data is None or stored.quantization is None:
                continue
            data = stored.quantization.dequantize(stored.data).astype(np.float32).reshape(real.shape)
            swap[real] = replace(real, name=f"{real.name}/rounded_{number}", data=data)
        name = op.outputs[0].name
        ops = [
            replace(o, inputs=[swap.get(t, t) if t is not None else None for t in o.inputs])
            if o.outputs[0].name == name
            else o
            for o in capped.ops
        ]
        yield NoiseShare(op.name, "weights", 0.0, (op.name,)), replace(capped, ops=ops, signatures=[])
