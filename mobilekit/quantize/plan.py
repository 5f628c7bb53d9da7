"""Decide before rewriting: what each op computes in, and which tensors share one scale.

A *value* is a tensor seen in one dtype: where an int8 op and a float op read the same tensor, there are two. Values
that an op forces to one scale are tied into a class (union-find); a tie that would cost too much precision, or that two
fixed scales make impossible, is cut and a requantizing QUANTIZE will stand on that edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.quantize import parameters
from mobilekit.quantize.observers import Range
from mobilekit.quantize.recipe import ACTIVATION_DTYPE, Recipe
from mobilekit.quantize.rules import RULES, OpRule

# A tie may cost a value with other readers at most one bit: its range must be half of the shared one or more.
_WORTH_A_REQUANTIZE = 2.0
# A range that leaves a fixed output's interval by rounding noise still fits.
_FIXED_SLACK = 1.01

RangeOf = Callable[[Tensor, str], Range]
"""(tensor, dtype) -> the range chosen for it."""
Kept = Mapping[str, str]
"""Name of an op that is to stay in float although integers could do it -> the reason."""


@dataclass(frozen=True)
class OpPlan:
    """What an op computes in: "int8", "int16", "float32", or "other" where it touches no real values."""

    domain: str
    reason: str = ""
    """Why it stays in float; empty for integer ops."""
    rule: OpRule | None = None

    @property
    def fixed(self) -> Quantization | None:
        """The scale of the outputs where the kernel has one built in."""
        built_in = None if self.rule is None else self.rule.fixed.get(self.domain)
        return None if built_in is None else Quantization.per_tensor(*built_in)


@dataclass(frozen=True)
class Value:
    """A tensor in one dtype; ``edge`` names the reader that has a requantized copy of its own."""

    tensor: Tensor
    dtype: str
    edge: tuple[int, int] | None = None


@dataclass
class Plan:
    """All decisions: a plan per op, the quantization of every integer value, and the edges to requantize."""

    ops: dict[Op, OpPlan]
    quantization: dict[Value, Quantization]
    cut: set[tuple[int, int]]
    """(position of the op, position of the input)."""


def plan_ops(graph: Graph, recipe: Recipe, kept: Kept | None = None) -> dict[Op, OpPlan]:
    """Each op in integers if the recipe wants it, LiteRT has a kernel and it fits; else float, with a reason."""
    plans = {op: _plan_op(op, recipe) for op in graph.ops}
    for op, plan in plans.items():
        if kept is not None and op.name in kept and plan.domain == "int8":
            plans[op] = OpPlan("float32", kept[op.name], plan.rule)
    return plans


def _plan_op(op: Op, recipe: Recipe) -> OpPlan:
    if not any(tensor.dtype == "float32" for tensor in (*op.present_inputs(), *op.outputs)):
        return OpPlan("other")
    precision = recipe.settings(op).precision
    dtype = ACTIVATION_DTYPE.get(precision)
    if dtype is None:
        return OpPlan("float32", f"the recipe keeps it in {precision}", RULES.get(op.kind))
    rule = RULES.get(op.kind)
    if rule is None:
        return OpPlan("float32", f"LiteRT has no {dtype} kernel for {op.custom_code or op.kind}")
    if dtype not in rule.dtypes:
        return OpPlan("float32", f"LiteRT has no {dtype} kernel for {op.kind}", rule)
    reason = rule.check(op)
    return OpPlan("float32", reason, rule) if reason else OpPlan(dtype, rule=rule)


def activation_inputs(op: Op, rule: OpRule) -> Iterator[tuple[int, Tensor]]:
    """Position and tensor of each real-valued input that is no weight or bias."""
    skip = () if rule.weights is None else (rule.weights.weight, rule.weights.bias)
    for position, tensor in enumerate(op.inputs):
        if tensor is not None and tensor.dtype == "float32" and position not in skip:
            yield position, tensor


def make_plan(graph: Graph, recipe: Recipe, range_of: RangeOf, kept: Kept | None = None) -> Plan:
    """Plan the ops, tie the values, and give each class its scale."""
    ops = plan_ops(graph, recipe, kept)
    classes = _Classes(graph, ops, recipe, range_of)
    for number, op in enumerate(graph.ops):
        classes.add_op(number, op)
    return Plan(ops, classes.quantizations(), classes.cut)


@dataclass
class _Class:
    members: list[Value]
    fixed: Quantization | None = None
    inner: set[Value] = field(default_factory=set)
    """Members whose values all occur in another member too: they do not set the range."""


class _Classes:
    """Union-find over values, in the order of the ops."""

    def __init__(self, graph: Graph, ops: dict[Op, OpPlan], recipe: Recipe, range_of: RangeOf) -> None:
        self._ops = ops
        self._range_of = range_of
        self._class: dict[Value, _Class] = {}
        self.cut: set[tuple[int, int]] = set()
        consumers = graph.consumers()
        outputs = set(graph.outputs)
        self._readers = {t: len(consumers.get(t, ())) + (t in outputs) for t in graph.tensors()}
        if recipe.io_dtype != "float32":
            for tensor in (*graph.inputs, *graph.outputs):
                if tensor.dtype == "float32":
                    self._get(Value(tensor, recipe.io_dtype))

    def _get(self, value: Value) -> _Class:
        return self._class.setdefault(value, _Class([value]))

    def add_op(self, number: int, op: Op) -> None:
        plan = self._ops[op]
        if plan.rule is None or plan.domain in ("float32", "other"):
            return
        dtype, rule = plan.domain, plan.rule
        inputs = [(position, Value(tensor, dtype)) for position, tensor in activation_inputs(op, rule)]
        outputs = [Value(tensor, dtype) for tensor in op.outputs if tensor.dtype == "float32"]
        for value in (*(v for _, v in inputs), *outputs):
            self._get(value)
        if plan.fixed is not None:
            for value in outputs:
                self._get(value).fixed = plan.fixed
        elif rule.sharing == "output_takes_input":
            for output in outputs:
                self._unite(inputs[0][1], output, inner=output)
        elif rule.sharing == "inputs_take_output":
            for position, value in inputs:
                if not value.tensor.is_constant:
                    self._tie_input(number, position, value, outputs[0])

    def _tie_input(self, number: int, position: int, value: Value, output: Value) -> None:
        """Let an input share the scale of the op's output, or cut the edge and requantize there."""
        mine, other = self._get(value), self._get(output)
        if mine is other:
            return
        if self._tie_is_cheap(value, output):
            contained = _inside(self._range(mine), self._range(other)) or self._readers[value.tensor] <= 1
            self._unite(output, value, inner=value if contained else None)
            return
        edge = Value(value.tensor, value.dtype, (number, position))
        self.cut.add((number, position))
        self._unite(output, edge, inner=edge)

    def _tie_is_cheap(self, value: Value, output: Value) -> bool:
        mine, other = self._get(value), self._get(output)
        if mine.fixed is not None and other.fixed is not None:
            return mine.fixed.equals(other.fixed)
        if mine.fixed is not None:
            return self._fits_fixed(mine.fixed, other, value.dtype)
        if other.fixed is not None:
            return self._fits_fixed(other.fixed, mine, value.dtype)
        if self._readers[value.tensor] <= 1 and len(mine.members) == 1:
            return True
        return _width(self._range(mine)) * _WORTH_A_REQUANTIZE >= _width(self._range(other))

    def _fits_fixed(self, fixed: Quantization, other: _Class, dtype: str) -> bool:
        low, high = parameters.range_of(fixed, dtype)
        mine, theirs = (low * _FIXED_SLACK, high * _FIXED_SLACK), self._range(other)
        return _inside(theirs, mine) and _width(theirs) * _WORTH_A_REQUANTIZE >= high - low

    def _unite(self, keeper: Value, joined: Value, inner: Value | None) -> None:
        first, second = self._get(keeper), self._get(joined)
        if inner is not None:
            first.inner.add(inner)
        if first is second:
            return
        first.members += second.members
        first.inner |= second.inner
        first.fixed = first.fixed or second.fixed
        for member in second.members:
            self._class[member] = first

    def _range(self, group: _Class) -> Range:
        """The union of the ranges of the members that set it."""
        outer = [v for v in group.members if v not in group.inner] or group.members
        ranges = [self._range_of(v.tensor, v.dtype) for v in outer]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def quantizations(self) -> dict[Value, Quantization]:
        chosen: dict[int, Quantization] = {}
        for value, group in self._class.items():
            if id(group) not in chosen:
                chosen[id(group)] = group.fixed or parameters.activation(*self._range(group), value.dtype)
        return {value: chosen[id(group)] for value, group in self._class.items()}


def _width(interval: Range) -> float:
    return max(interval[1], 0.0) - min(interval[0], 0.0)


def _inside(inner: Range, outer: Range) -> bool:
    return min(inner[0], 0.0) >= min(outer[0], 0.0) and max(inner[1], 0.0) <= max(outer[1], 0.0)
