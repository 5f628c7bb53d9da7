"""Integer ops with the scales that a model was given in training, instead of scales from calibration.

Given     %a = DEQUANTIZE(QUANTIZE(%x, s1)) ; %y = CONV_2D(%a, weights float32) ; DEQUANTIZE(QUANTIZE(%y, s2))
Result    %x int8 s1                        ; %y = CONV_2D(%x, weights int8) int8 s2

An op becomes an integer op where everything it reads and everything it writes has a scale; the others stay in float as
the model computes them. Where TFLite's kernels have another scale built in, or ask inputs and output to share one, a
requantizing QUANTIZE stands behind or before the op, and a note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.quantize import parameters
from mobilekit.quantize.engine import QuantizeResult, not_integer
from mobilekit.quantize.plan import OpPlan, Plan, Value, activation_inputs
from mobilekit.quantize.recipe import Recipe
from mobilekit.quantize.rewrite import write_plan
from mobilekit.quantize.rules import RULES, OpRule

# Ops whose result is a mean of inputs: without a scale of its own it would be rounded where the model does not round.
_COMPUTE = frozenset({"AVERAGE_POOL_2D", "RESIZE_BILINEAR"})
# Weights that are a scale times an integer, computed in float32, are off by 127 * 2^-24 of a step.
_WHOLE = 1e-3


def has_given_scales(graph: Graph) -> bool:
    """Whether the graph quantizes activations itself."""
    return any(op.kind == "QUANTIZE" and op.output.dtype == "int8" for op in graph.ops)


def quantize_as_given(graph: Graph, scales: Sequence[Quantization]) -> QuantizeResult:
    """Make integer ops of what stands between DEQUANTIZE and QUANTIZE. ``scales``: those of the constants, in int8.

    A constant is known by its values, which are its scale times integers: passes have moved its axes since.

    The graph's edges stay float32, as the model has them. The input graph is not changed.
    """
    return _Importer(graph, list(scales)).run()


class _Importer:
    def __init__(self, graph: Graph, scales: list[Quantization]) -> None:
        self.graph, self.scales = graph, scales
        self.readers = graph.consumers()
        self.scale: dict[Tensor, Quantization] = {}
        self.renamed: dict[Tensor, Tensor] = {}
        self.ops: list[Op] = []
        self.plans: dict[Op, OpPlan] = {}
        self.weights: dict[Tensor, Quantization] = {}
        self.notes: list[str] = []
        self.rounded: list[str] = []
        """Ops whose biases are no multiples of the scale that TFLite gives them."""

    def asked(self, tensor: Tensor) -> Quantization | None:
        """The one scale that every reader of ``tensor`` quantizes it by; None if one reads the real value."""
        found = self.readers.get(tensor, [])
        if tensor in self.graph.outputs or not found or any(op.kind != "QUANTIZE" for op in found):
            return None
        first = found[0].output.quantization
        same = first is not None and all(first.equals(op.output.quantization) for op in found)
        return first if same else None

    def run(self) -> QuantizeResult:
        for op in self.graph.ops:
            self.add(replace(op, inputs=[self.renamed.get(t, t) if t is not None else None for t in op.inputs]), op)
        self.note_biases()
        outputs = [self.renamed.get(t, t) for t in self.graph.outputs]
        signatures = [
            Signature(s.key, s.inputs, tuple((n, self.renamed.get(t, t)) for n, t in s.outputs))
            for s in self.graph.signatures
        ]
        source = replace(self.graph, ops=self.ops, outputs=outputs, signatures=signatures)
        quantization = {Value(t, "int8"): q for t, q in self.scale.items()}
        plan = Plan(self.plans, quantization, set())
        recipe = Recipe(name="given", precision="int8", io_dtype="float32", bias_correction=False)
        rewritten = write_plan(source, recipe, plan, self.weights)
        loose = not_integer(rewritten.graph)
        return QuantizeResult(
            graph=rewritten.graph, float_islands=rewritten.islands, full_integer=not loose, samples=0,
            observer="given", equalized=False, notes=tuple(self.notes), home=rewritten.home, factors={},
            calibration=None, reference=source, source=source, caps={}, plan=plan, recipe=recipe,
        )  # fmt: skip

    def add(self, op: Op, original: Op) -> None:
        if op.kind == "QUANTIZE" and op.output.dtype == "int8":
            self.quantize(op)
        elif op.kind == "DEQUANTIZE" and op.inputs[0] is not None and op.inputs[0] in self.scale:
            self.renamed[op.output] = op.inputs[0]
        elif op.kind == "DEQUANTIZE" and op.inputs[0] is not None and _is_stored(op.inputs[0]):
            self.renamed[op.output] = self.real(op.inputs[0], op.output.name)
        else:
            self.plan(op)

    def real(self, stored: Tensor, name: str) -> Tensor:
        """A constant of integers as real values that know their scale."""
        assert stored.data is not None
        assert stored.quantization is not None
        values = stored.quantization.dequantize(stored.data).astype(np.float32)
        tensor = Tensor(name, stored.shape, "float32", values)
        self.scale[tensor] = stored.quantization
        return tensor

    def quantize(self, op: Op) -> None:
        """Nothing to do where the tensor has this scale already; else a QUANTIZE that stays."""
        (tensor,) = op.present_inputs()
        wanted = op.output.quantization
        assert wanted is not None
        if tensor in self.scale and wanted.equals(self.scale[tensor]):
            self.renamed[op.output] = tensor
            return
        if tensor in self.scale:
            self.notes.append(f"'{tensor.name}' is requantized to the scale that the model gives it: {wanted}")
        self.renamed[op.output] = self.requantized(tensor, wanted, op.output.name)

    def requantized(self, tensor: Tensor, wanted: Quantization, name: str) -> Tensor:
        real = Tensor(name, tensor.shape, "float32")
        step = Op("QUANTIZE", [tensor], [real])
        self.scale[real] = wanted
        self.ops.append(step)
        self.plans[step] = OpPlan("int8", rule=OpRule())
        return real

    def plan(self, op: Op) -> None:
        """An integer op, with its inputs at the scale that it asks for, or a float op with the reason."""
        self.ops.append(op)
        if not any(t.dtype == "float32" for t in (*op.present_inputs(), *op.outputs)):
            self.plans[op] = OpPlan("other")
            return
        rule = RULES.get(op.kind)
        reason = self._reason(op, rule)
        if rule is None or reason:
            self.plans[op] = OpPlan("float32", reason, rule)
            return
        self.plans[op] = OpPlan("int8", rule=rule)
        inputs = [(position, t) for position, t in activation_inputs(op, rule)]
        for tensor in op.outputs:
            asked = self.asked(tensor)
            if "int8" in rule.fixed:
                self.scale[tensor] = Quantization.per_tensor(*rule.fixed["int8"])
            elif rule.sharing == "output_takes_input":
                self.scale[tensor] = self.scale[inputs[0][1]]
            elif asked is not None:
                self.scale[tensor] = asked
        if rule.sharing == "inputs_take_output":
            self._share(op, inputs)
        for _, tensor in inputs:
            if tensor.is_constant and tensor not in self.scale:
                self.scale[tensor] = self._of_constant(tensor)
        if rule.weights is not None:
            self._weigh(op, rule)

    def _reason(self, op: Op, rule: OpRule | None) -> str:
        if rule is None or "int8" not in rule.dtypes:
            return f"LiteRT has no int8 kernel for {op.custom_code or op.kind}"
        reason = rule.check(op)
        if reason:
            return reason
        loose = [t.name for _, t in activation_inputs(op, rule) if not t.is_constant and t not in self.scale]
        if loose:
            return f"the model gives its input '{loose[0]}' no scale"
        moves = rule.sharing == "output_takes_input" and op.kind not in _COMPUTE
        bare = [t.name for t in op.outputs if t.dtype == "float32" and self.asked(t) is None]
        return f"the model gives its output '{bare[0]}' no scale" if bare and not moves else ""

    def _share(self, op: Op, inputs: list[tuple[int, Tensor]]) -> None:
        wanted = self.scale[op.outputs[0]]
        self.ops.pop()
        for position, tensor in inputs:
            if not tensor.is_constant and not wanted.equals(self.scale[tensor]):
                self.notes.append(
                    f"'{tensor.name}' is requantized for {op.kind} '{op.name}', whose tensors share a scale"
                )
                op.inputs[position] = self.requantized(tensor, wanted, f"{tensor.name}_for_{op.name}_{position}")
        self.ops.append(op)

    def _of_constant(self, tensor: Tensor) -> Quantization:
        """The scale of a constant that is read as an activation: its own, or one for its range."""
        assert tensor.data is not None
        single = [scale for scale in self.scales if not scale.is_per_axis]
        found = _fitting([(scale, tensor.data / scale.scale.astype(np.float64) + scale.zero_point) for scale in single])
        if found is not None:
            return found
        if np.unique(tensor.data).size > 1:
            self.notes.append(f"the constant '{tensor.name}' has no scale in the model: it is rounded to 8 bits")
        low, high = float(tensor.data.min()), float(tensor.data.max())
        return parameters.activation(low, high, "int8")

    def _weigh(self, op: Op, rule: OpRule) -> None:
        assert rule.weights is not None
        weight = op.inputs[rule.weights.weight]
        assert weight is not None
        assert weight.data is not None
        channels = weight.shape[rule.weights.axis]
        shape = [1] * weight.rank
        shape[rule.weights.axis] = -1
        symmetric = [q for q in self.scales if q.scale.size in (1, channels) and not q.zero_point.any()]
        found = _fitting([(q, weight.data / q.scale.astype(np.float64).reshape(shape)) for q in symmetric])
        if found is None:
            self.notes.append(f"weights of '{op.name}' have no symmetric scale in the model: they are rounded anew")
            return
        full = np.broadcast_to(found.scale, (channels,)).astype(np.float32)
        self.weights[weight] = Quantization(full, np.zeros(channels, np.int64), rule.weights.axis)
        if int(np.rint(weight.data / full.reshape(shape)).min()) < -127:
            self.notes.append(f"weights of '{op.name}' hold -128, which TFLite leaves out: stored as -127")
        data = next(tensor for _, tensor in activation_inputs(op, rule))
        step = float(self.scale[data].scale[0]) * full.astype(np.float64)
        bias = op.inputs[rule.weights.bias] if rule.weights.bias < len(op.inputs) else None
        if bias is not None and bias.data is not None and not _is_multiple(bias.data.reshape(-1), step):
            self.rounded.append(op.name)

    def note_biases(self) -> None:
        if self.rounded:
            self.notes.append(
                f"biases of {len(self.rounded)} of {len(self.weights)} layers are rounded, by half a step at most, to "
                f"TFLite's int32 at the scale input times weight ('{self.rounded[0]}' first)"
            )


def _fitting(
    candidates: Sequence[tuple[Quantization, NDArray[np.float64]]], low: int = -128, high: int = 127
) -> Quantization | None:
    """The scale under which the values, given with it as they would be stored, are integers of 8 bits.

    The nearest of several: scales of two tensors may be so close that the values fit both.
    """
    best, least = None, _WHOLE
    for quantization, stored in candidates:
        whole = np.rint(stored)
        off = float(np.abs(stored - whole).max(initial=0.0))
        if off < least and whole.min(initial=0.0) >= low and whole.max(initial=0.0) <= high:
            best, least = quantization, off
    return best


def _is_multiple(bias: NDArray[np.float32], step: NDArray[np.float64]) -> bool:
    """Whether a bias is integers times ``step``, up to float32: the value and the step are rounded to 24 bits each."""
    steps = bias.astype(np.float64) / step
    return bool((np.abs(steps - np.rint(steps)) <= _WHOLE + np.abs(steps) * 2.0**-22).all())


def _is_stored(tensor: Tensor) -> bool:
    quantization = tensor.quantization
    return tensor.is_constant and tensor.dtype == "int8" and quantization is not None and not quantization.is_per_axis
