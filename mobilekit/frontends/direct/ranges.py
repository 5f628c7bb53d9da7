"""Which values int64 may take so that int32 holds every number in between: intervals through the lowered graph.

The file computes int64 in int32. That is the same arithmetic as long as no result leaves int32, so every op that stands
for int64 in PyTorch is held to it; what PyTorch itself computes in 8, 16 or 32 bits wraps alike and is let be.

Given     ids: int64 -> MUL 31 -> ADD 7 -> FLOOR_MOD 1024
Result    ids within [-2^26, 2^26]: checked at every call, and written in the sidecar

The graph that is judged is the lowered one, not PyTorch's: it has a tenth of the ops to know, and what a lowering
computes on its own account (the flat place of an index, the halves of a bitwise AND) is judged with the rest.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mobilekit.errors import UnsupportedOp, UnsupportedOpsError
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.lower import InputSpec, Lowered
from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.source import SourceLocation

Interval = tuple[Any, Any]
"""The lowest and the highest value: Python integers for integer tensors, floats (may be infinite) for others."""

INT32: Interval = (-(2**31), 2**31 - 1)
_ANY_FLOAT: Interval = (-math.inf, math.inf)
_BIT: Interval = (0, 1)

# An open dimension has no size to multiply by. 2^20 is a square of 1024 pixels, or a text of a million tokens.
_OPEN_SIZE = 1 << 20
# Below this an unproven number is refused, not assumed: 2^16 is above every side of an image and every vocabulary index
# of two bytes, so that an assumption above it holds in all but odd models, and is told anyway.
_LEAST_ASSUMED = 16
# Larger constants are weights, whose extremes no integer depends on.
_MOST_CONSTANTS = 1 << 20
# Turns of a loop after which what still grows is taken to grow for ever.
_LOOP_TURNS = 3

_INSTEAD = (
    "keep every number below 2**31: take the remainder before multiplying ((x % m) * c with m * c < 2**31), subtract a "
    "base from large timestamps, use float32 where 24 bits are enough, or compute it in the app and pass it in"
)
_INSTEAD_OF_CAST = (
    "bound the floats before they become integers, x.clamp(low, high).long(), so that what follows stays below 2**31"
)


@dataclass(frozen=True)
class Assumption:
    """An integer that nothing bounds (a cast of any float, what a loop adds up): the file is right within these."""

    what: str
    low: int
    high: int
    source: SourceLocation | None = None

    def __str__(self) -> str:
        at = "" if self.source is None else f" at {self.source}"
        return f"{self.what}{at} is taken to stay within [{self.low}, {self.high}]: nothing in the model bounds it"


def prove(lowered: Lowered, example: Sequence[Any], *, open_sizes: bool = False) -> Lowered:
    """``lowered`` with the limits of its integer inputs, within which no int64 leaves int32.

    ``example``: forward's flattened arguments; their values are within the limits, which are else as wide as powers of
    two allow. ``open_sizes``: dimensions may be larger than the graph's.

    Raises :class:`UnsupportedOpsError` naming each op that leaves int32 on the example's own values.
    """
    if not lowered.wide:
        return lowered
    specs = [*lowered.inputs, *(state.input for state in lowered.states)]
    variables: dict[Any, list[Interval]] = {}
    for spec in specs:
        if spec.tensor.dtype == "int32" and spec.dtype in ("int64", "int32"):
            given = next((s.initial for s in lowered.states if s.input is spec), None)
            variables[spec.tensor] = _choices(_extent(example[spec.leaf] if given is None else given))
    walk, levels = _widest(lowered, variables, open_sizes)
    limits = {spec.name: variables[spec.tensor][levels[spec.tensor]] for spec in specs if spec.tensor in variables}

    def limited(spec: InputSpec) -> InputSpec:
        found = limits.get(spec.name, INT32)
        return spec if found == INT32 else dataclasses.replace(spec, limits=found)

    return dataclasses.replace(
        lowered,
        inputs=[limited(spec) for spec in lowered.inputs],
        states=[dataclasses.replace(state, input=limited(state.input)) for state in lowered.states],
        assumed=[str(assumption) for assumption in walk.assumed.values()],
    )


def _extent(example: Any) -> Interval:
    array = as_array(example) if isinstance(example, torch.Tensor) else np.asarray(example)
    return (int(array.min()), int(array.max())) if array.size else (0, 0)


def _choices(extent: Interval) -> list[Interval]:
    """Intervals around the example's values, each inside the one before, the example's own last."""
    low, high = extent
    both: list[Interval] = [INT32, *((-(2**k), 2**k) for k in range(30, -1, -1))]
    positive: list[Interval] = [(0, 2**k - 1) for k in range(31, 0, -1)] if low >= 0 else []
    # Symmetric as long as that leaves some room; a timestamp of 1.7e9 is held to one side.
    nested = [c for c in both if c[0] <= low and high <= c[1]]
    tighter = [c for c in positive if high <= c[1] and (not nested or c[1] <= nested[-1][1])]
    chain = [*nested, *tighter, extent]
    return [c for i, c in enumerate(chain) if i == 0 or c != chain[i - 1]]


def _assumable(known: Interval) -> list[Interval]:
    """What an unproven integer may be assumed to be, given what is known of it."""
    low, high = (max(known[0], INT32[0]), min(known[1], INT32[1]))
    chain = [(low, high), *((max(low, -(2**k)), min(high, 2**k)) for k in range(30, _LEAST_ASSUMED - 1, -1))]
    return [c for c in chain if c[0] <= c[1]]


def _widest(lowered: Lowered, variables: dict[Any, list[Interval]], open_sizes: bool) -> tuple[_Walk, dict[Any, int]]:
    """The widest interval of each variable with which nothing overflows: first all alike, then each by itself."""

    def run(levels: Mapping[Any, int]) -> _Walk:
        walk = _Walk(lowered, variables, levels, open_sizes)
        walk.run()
        return walk

    levels: dict[Any, int] = dict.fromkeys(variables, 0)
    walk = run(levels)
    if not walk.overflows:
        return walk, levels
    # The first walk has found the casts and loops that need an assumption, and made variables of them.
    longest = max((len(choices) for choices in variables.values()), default=1) - 1
    level = _first(longest, lambda at: not run(_all_at(variables, at)).overflows)
    levels = _all_at(variables, level)
    walk = run(levels)
    if walk.overflows:
        instead = _INSTEAD_OF_CAST if walk.assumed else _INSTEAD
        raise UnsupportedOpsError([dataclasses.replace(op, suggestion=instead) for op in walk.overflows.values()])
    for key in list(variables):
        here = levels[key]
        levels[key] = _first(here, lambda at, key=key: not run({**levels, key: at}).overflows)  # type: ignore[misc]
    return run(levels), levels


def _all_at(variables: Mapping[Any, list[Interval]], level: int) -> dict[Any, int]:
    return {key: min(level, len(choices) - 1) for key, choices in variables.items()}


def _first(last: int, holds: Callable[[int], bool]) -> int:
    """The first of 0..last that holds, if all after one that holds do too; ``last`` if none does."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


@dataclass
class _Walk:
    """One pass over the graph, with each variable at one of its intervals."""

    lowered: Lowered
    variables: dict[Any, list[Interval]]
    levels: Mapping[Any, int]
    open_sizes: bool
    overflows: dict[Op, UnsupportedOp] = field(default_factory=dict)
    assumed: dict[Any, Assumption] = field(default_factory=dict)
    tainted: set[Tensor] = field(default_factory=set)
    """What is computed from an overflow: only the first op is to be named."""

    def run(self) -> None:
        graph = self.lowered.graph
        given = {tensor: self._variable(tensor, _whole(tensor.dtype)) for tensor in graph.inputs}
        self._graph(graph, given)

    def _variable(self, key: Any, otherwise: Interval) -> Interval:
        return self.variables[key][self.levels.get(key, 0)] if key in self.variables else otherwise

    def _graph(self, graph: Graph, found: dict[Tensor, Interval]) -> dict[Tensor, Interval]:
        for op in graph.ops:
            inputs = [(0, 0) if tensor is None else self._of(tensor, found) for tensor in op.inputs]
            if op.kind in ("IF", "WHILE"):
                results = self._if(op, inputs) if op.kind == "IF" else self._while(op, inputs)
            else:
                results = [self._result(op, tensor, inputs, index) for index, tensor in enumerate(op.outputs)]
            found.update(zip(op.outputs, results, strict=True))
            if op in self.overflows or not self.tainted.isdisjoint(op.present_inputs()):
                self.tainted.update(op.outputs)
        return found

    def _of(self, tensor: Tensor, found: Mapping[Tensor, Interval]) -> Interval:
        if tensor in found:
            return found[tensor]
        if tensor.data is None or tensor.data.size > _MOST_CONSTANTS or tensor.data.dtype.kind not in "iufb":
            return _whole(tensor.dtype)
        if tensor.data.size == 0:
            return (0, 0)
        low, high = tensor.data.min(), tensor.data.max()
        if tensor.data.dtype.kind == "f":
            return (float(low), float(high)) if not math.isnan(low + high) else _ANY_FLOAT
        return int(low), int(high)

    def _result(self, op: Op, tensor: Tensor, inputs: list[Interval], index: int) -> Interval:
        whole, label = _whole(tensor.dtype), self.lowered.wide.get(op)
        if tensor.dtype == "bool":
            return whole
        transfer = TRANSFERS.get(op.kind)
        integer = np.dtype(tensor.dtype).kind in "iu"
        if op.kind == "CAST":
            result: Interval | None = self._cast(op, tensor, inputs[0])
        elif transfer is None or (not integer and op.kind in _ROUNDED_SUMS):
            result = None
        else:
            result = transfer(Site(op, inputs, index, self.open_sizes))
        stated = self.lowered.bounds.get(tensor)
        if stated is not None:
            result = stated if result is None else (max(result[0], stated[0]), min(result[1], stated[1]))
        if not integer:
            return whole if result is None or math.isnan(result[0] + result[1]) else result
        if result is None:
            return self._assume(op, label, whole) if label is not None and tensor.dtype == "int32" else whole
        if whole[0] <= result[0] and result[1] <= whole[1]:
            return result
        if label is not None and tensor.dtype == "int32" and self.tainted.isdisjoint(op.present_inputs()):
            worst = result[0] if abs(result[0]) > abs(result[1]) else result[1]
            reason = f"its int64 result can reach {_shown(worst)}, and the file computes int64 in int32"
            self.overflows[op] = UnsupportedOp(label, op.name, reason, op.source)
        return whole

    def _cast(self, op: Op, tensor: Tensor, given: Interval) -> Interval:
        source = op.inputs[0]
        assert source is not None
        if np.dtype(tensor.dtype).kind == "f" or source.dtype == "bool" or np.dtype(source.dtype).kind in "iu":
            return given
        low, high = _slack(given)
        known = (math.trunc(max(low, INT32[0])), math.trunc(min(high, INT32[1])))
        label = self.lowered.wide.get(op)
        if label is not None and tensor.dtype == "int32" and (low < INT32[0] or high > INT32[1]):
            return self._assume(op, label, known)
        return known

    def _assume(self, op: Op, label: str, known: Interval, key: Any = None) -> Interval:
        """The interval at which the search has this unproven integer."""
        key = (op, key)
        choices = self.variables.setdefault(key, _assumable(known))
        low, high = choices[min(self.levels.get(key, 0), len(choices) - 1)]
        self.assumed[key] = Assumption(f"the result of {label} ({op.name})", low, high, op.source)
        return low, high

    # -- control flow ------------------------------------------------------------------------------------------

    def _call(self, op: Op, option: str, inputs: Sequence[Interval]) -> tuple[Graph, dict[Tensor, Interval]]:
        graph = self.lowered.graph.subgraphs[op.options[option] - 1]
        return graph, self._graph(graph, dict(zip(graph.inputs, inputs, strict=True)))

    def _outputs(self, op: Op, option: str, inputs: Sequence[Interval]) -> list[Interval]:
        graph, found = self._call(op, option, inputs)
        return [self._of(tensor, found) for tensor in graph.outputs]

    def _if(self, op: Op, inputs: list[Interval]) -> list[Interval]:
        one, two = (self._outputs(op, f"{branch}_subgraph_index", inputs[1:]) for branch in ("then", "else"))
        return [_hull(a, b) for a, b in zip(one, two, strict=True)]

    def _while(self, op: Op, start: list[Interval]) -> list[Interval]:
        """What holds before and after every turn: a few turns, then what still grows is let go, and caught again."""

        def turn(now: Sequence[Interval]) -> list[Interval]:
            after = self._outputs(op, "body_subgraph_index", self._going_on(op, now))
            return [_hull(a, b) for a, b in zip(start, after, strict=True)]

        # Turns on intervals that are only tried leave no trace.
        kept_notes = dict(self.overflows), dict(self.assumed), set(self.tainted)

        def forget() -> None:
            self.overflows, self.assumed, self.tainted = dict(kept_notes[0]), dict(kept_notes[1]), set(kept_notes[2])

        now = list(start)
        for _ in range(_LOOP_TURNS):
            grown = [_hull(a, b) for a, b in zip(now, turn(now), strict=True)]
            if grown == now:
                return now
            now = grown
            forget()
        grown = turn(now)
        forget()
        wholes = [_let_go(a, b, _whole(tensor.dtype)) for a, b, tensor in zip(now, grown, op.outputs, strict=True)]
        caught = turn(wholes)
        while not all(map(_inside, caught, wholes)):  # at most once for each value: what stood still may grow now
            pairs = zip(wholes, caught, op.outputs, strict=True)
            wholes = [a if _inside(b, a) else _whole(tensor.dtype) for a, b, tensor in pairs]
            forget()
            caught = turn(wholes)
        forget()
        before, now = now, []
        for position, (tensor, whole, kept) in enumerate(zip(op.outputs, wholes, caught, strict=True)):
            caught_again = _inside(kept, INT32) and not _touches(kept, whole, INT32)
            free = whole != before[position] and not caught_again and tensor.dtype == "int32"
            now.append(self._assume(op, "a loop", whole, position) if free else kept)
        turn(now)
        return now

    def _going_on(self, op: Op, now: Sequence[Interval]) -> list[Interval]:
        """``now`` where the loop's condition is a comparison of what it carries with a bound."""
        graph, found = self._call(op, "cond_subgraph_index", now)
        makers, result = graph.producers(), list(now)
        pending = [graph.outputs[0]]
        while pending:
            maker = makers.get(pending.pop())
            if maker is None:
                continue
            if maker.kind in ("RESHAPE", "LOGICAL_AND"):
                pending += [t for t in maker.present_inputs() if t.dtype == "bool"]
            if maker.kind not in _LIMITS:
                continue
            left, right = (t for t in maker.present_inputs())
            for tensor, other, side in ((left, right, _LIMITS[maker.kind]), (right, left, _MIRROR[maker.kind])):
                origin = _through_reshapes(tensor, makers)
                if origin in graph.inputs and origin.dtype == "int32" and origin.size == 1:
                    place = graph.inputs.index(origin)
                    bound = self._of(other, found)
                    low, high = result[place]
                    low = max(low, bound[0] + side[1]) if side[0] == "low" else low
                    high = min(high, bound[1] + side[1]) if side[0] == "high" else high
                    result[place] = (math.floor(min(low, high)), math.ceil(max(low, high)))
        return result


_LIMITS = {"LESS": ("high", -1), "LESS_EQUAL": ("high", 0), "GREATER": ("low", 1), "GREATER_EQUAL": ("low", 0)}
_MIRROR = {"LESS": ("low", 1), "LESS_EQUAL": ("low", 0), "GREATER": ("high", -1), "GREATER_EQUAL": ("high", 0)}


def _through_reshapes(tensor: Tensor, makers: Mapping[Tensor, Op]) -> Tensor:
    while tensor in makers and makers[tensor].kind == "RESHAPE":
        given = makers[tensor].inputs[0]
        assert given is not None
        tensor = given
    return tensor


def _whole(dtype: str) -> Interval:
    if dtype == "bool":
        return _BIT
    if not dtype.startswith(("int", "uint")):
        return _ANY_FLOAT
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)


def _hull(*intervals: Interval) -> Interval:
    return min(i[0] for i in intervals), max(i[1] for i in intervals)


def _inside(inner: Interval, outer: Interval) -> bool:
    return bool(outer[0] <= inner[0] and inner[1] <= outer[1])


def _let_go(now: Interval, grown: Interval, whole: Interval) -> Interval:
    """``now`` without the ends at which it still grows."""
    return whole[0] if grown[0] < now[0] else now[0], whole[1] if grown[1] > now[1] else now[1]


def _touches(kept: Interval, free: Interval, whole: Interval) -> bool:
    """Whether an end that was let go stayed where it was put."""
    low: bool = free[0] == whole[0] and kept[0] <= whole[0]
    high: bool = free[1] == whole[1] and kept[1] >= whole[1]
    return low or high


def _shown(number: Any) -> str:
    return str(number) if abs(number) < 10**12 else f"about {float(number):.1e}" if abs(number) < 1e300 else "any size"


# -- what an op does to intervals --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """An op with the intervals of its inputs, asked for output ``index``."""

    op: Op
    inputs: list[Interval]
    index: int
    open_sizes: bool

    def tensor(self, position: int) -> Tensor:
        found = self.op.inputs[position]
        assert found is not None
        return found

    def size(self, size: int) -> int:
        """A number of elements; more where dimensions are open."""
        return max(size, _OPEN_SIZE) if self.open_sizes else size


def _multiply(x: Any, y: Any) -> Any:
    return 0 if x == 0 or y == 0 else x * y  # 0 times a bound that is infinite is 0


def _corners(x: Interval, y: Interval, function: Callable[[Any, Any], Any]) -> Interval:
    values = [function(a, b) for a in x for b in y]
    return min(values), max(values)


def _product(x: Interval, y: Interval) -> Interval:
    return _corners(x, y, _multiply)


def _times(x: Interval, count: int) -> Interval:
    """A sum of up to ``count`` of them."""
    return min(x[0], _multiply(x[0], count)), max(x[1], _multiply(x[1], count))


def _sum(x: Interval, count: int) -> Interval:
    return _multiply(x[0], count), _multiply(x[1], count)


def _square(x: Interval) -> Interval:
    edges = (_multiply(x[0], x[0]), _multiply(x[1], x[1]))
    return (0 if x[0] <= 0 <= x[1] else min(edges)), max(edges)


def _divide(s: Site) -> Interval | None:
    """Division by zero is an error in PyTorch for integers, so the divisor keeps away from it."""
    x, y = s.inputs
    if s.op.outputs[0].dtype.startswith("float"):
        return None if y[0] <= 0 <= y[1] or math.inf in map(abs, (*x, *y)) else _corners(x, y, lambda a, b: a / b)
    divisors = [d for d in (y[0], y[1], -1, 1) if d != 0 and y[0] <= d <= y[1]]
    quotients = [a // d for a in x for d in divisors] + [-(-a // d) for a in x for d in divisors]
    return (min(quotients), max(quotients)) if quotients else None


def _floor_divide(s: Site) -> Interval | None:
    x, y = s.inputs
    if s.op.outputs[0].dtype.startswith("float"):
        return None
    divisors = [d for d in (y[0], y[1], -1, 1) if d != 0 and y[0] <= d <= y[1]]
    quotients = [a // d for a in x for d in divisors]
    return (min(quotients), max(quotients)) if quotients else None


def _floor_mod(s: Site) -> Interval:
    x, y = s.inputs
    step = 0 if s.op.outputs[0].dtype.startswith("float") else 1
    if y[0] > 0 and x[0] >= 0:
        return 0, min(x[1], y[1] - step)
    return (min(0, y[0] + step) if y[0] < 0 else 0), (max(0, y[1] - step) if y[1] > 0 else 0)


def _absolute(x: Interval) -> Interval:
    edges = abs(x[0]), abs(x[1])
    return (0 if x[0] <= 0 <= x[1] else min(edges)), max(edges)


def _power(s: Site) -> Interval | None:
    x, y = s.inputs
    if s.op.outputs[0].dtype.startswith("float") or y[1] > 64:
        return None if s.op.outputs[0].dtype.startswith("float") else (-(2**99), 2**99)
    top = max(abs(x[0]), abs(x[1]), 1) ** max(int(y[1]), 0)
    return (-top if x[0] < 0 else 0), top


def _xor(s: Site) -> Interval:
    """The bits of the result are among those of the larger operand."""
    bits = max(int(edge if edge >= 0 else ~edge).bit_length() for interval in s.inputs for edge in interval)
    negative = any(interval[0] < 0 for interval in s.inputs)
    return (-(1 << bits) if negative else 0), (1 << bits) - 1


def _data(*positions: int) -> Callable[[Site], Interval]:
    """Ops that move values: the hull of these inputs, or of all."""
    return lambda s: _hull(*(s.inputs[p] for p in positions) if positions else s.inputs)


def _same(function: Callable[[Interval], Interval]) -> Callable[[Site], Interval]:
    return lambda s: function(s.inputs[0])


def _within(low: Any, high: Any) -> Callable[[Site], Interval]:
    return lambda s: (low, high)


def _reduced(s: Site) -> int:
    return s.size(-(-s.tensor(0).size // max(s.op.outputs[0].size, 1)))


def _arg(s: Site) -> Interval:
    return 0, max(s.size(_reduced(s)) - 1, 0)


def _topk(s: Site) -> Interval:
    return s.inputs[0] if s.index == 0 else (0, s.size(s.tensor(0).shape[-1]) - 1)


def _cumsum(s: Site) -> Interval:
    axis = s.tensor(1).data
    given = s.tensor(0)
    length = given.shape[int(axis.item())] if axis is not None else given.size
    return _hull(_times(s.inputs[0], s.size(length)), (0, 0) if s.op.options.get("exclusive") else s.inputs[0])


def _reduce_prod(s: Site) -> Interval:
    low, high = s.inputs[0]
    count, top = _reduced(s), max(abs(low), abs(high))
    # Beyond 2^64 it overflows, whatever it is: no need to raise 3 to a million.
    top = 1 if top <= 1 else top**count if count <= 64 else 2**99
    return (-top if low < 0 else 0), top


def _scatter(s: Site) -> Interval:
    """Updates of one place add up."""
    places, updates = s.tensor(0), s.tensor(1)
    if places.data is not None:
        flat = places.data.reshape(-1, places.shape[-1])
        most = int(np.unique(flat, axis=0, return_counts=True)[1].max()) if flat.size else 1
    else:
        most = s.size(max(places.size // max(places.shape[-1], 1), 1))
    return _hull((0, 0), _times(s.inputs[1], most) if updates.size else (0, 0))


def _matmul(s: Site) -> Interval:
    return _hull((0, 0), _times(_product(*s.inputs[:2]), s.size(s.tensor(0).shape[-1])))


def _slack(x: Interval) -> Interval:
    """Wider by what float32 may have rounded: 2^-24 an op, so 1e-4 is for 1600 ops, one after the other."""
    return x[0] - 1e-4 * (1 + abs(x[0])), x[1] + 1e-4 * (1 + abs(x[1]))


def _rounded(x: Interval) -> Interval:
    """Of floor, ceil and round: 1.0 may have been rounded from 0.99999, which they tell apart."""
    low, high = _slack(x)
    return (math.floor(low) if math.isfinite(low) else low), (math.ceil(high) if math.isfinite(high) else high)


# Sums of floats round more often than the allowance of a cast is for.
_ROUNDED_SUMS = frozenset({"SUM", "CUMSUM", "REDUCE_PROD", "SCATTER_ND", "BATCH_MATMUL"})

TRANSFERS: dict[str, Callable[[Site], Interval | None]] = {
    "ADD": lambda s: (s.inputs[0][0] + s.inputs[1][0], s.inputs[0][1] + s.inputs[1][1]),
    "SUB": lambda s: (s.inputs[0][0] - s.inputs[1][1], s.inputs[0][1] - s.inputs[1][0]),
    "MUL": lambda s: _square(s.inputs[0]) if s.op.inputs[0] is s.op.inputs[1] else _product(*s.inputs),
    "DIV": _divide,
    "FLOOR_DIV": _floor_divide,
    "FLOOR_MOD": _floor_mod,
    "MAXIMUM": lambda s: (max(s.inputs[0][0], s.inputs[1][0]), max(s.inputs[0][1], s.inputs[1][1])),
    "MINIMUM": lambda s: (min(s.inputs[0][0], s.inputs[1][0]), min(s.inputs[0][1], s.inputs[1][1])),
    "NEG": _same(lambda x: (-x[1], -x[0])),
    "ABS": _same(_absolute),
    "SIGN": _within(-1, 1),
    "SQUARE": _same(_square),
    "SQUARED_DIFFERENCE": lambda s: _square((s.inputs[0][0] - s.inputs[1][1], s.inputs[0][1] - s.inputs[1][0])),
    "POW": _power,
    "RELU": _same(lambda x: (max(x[0], 0), max(x[1], 0))),
    "RELU6": _same(lambda x: (min(max(x[0], 0), 6), min(max(x[1], 0), 6))),
    "FLOOR": _same(_rounded),
    "CEIL": _same(_rounded),
    "ROUND": _same(_rounded),
    "LOGISTIC": _within(0.0, 1.0),
    "SOFTMAX": _within(0.0, 1.0),
    "TANH": _within(-1.0, 1.0),
    "SIN": _within(-1.0, 1.0),
    "COS": _within(-1.0, 1.0),
    "BITWISE_XOR": _xor,
    "SUM": lambda s: _sum(s.inputs[0], _reduced(s)) if not s.open_sizes else _times(s.inputs[0], _reduced(s)),
    "CUMSUM": _cumsum,
    "REDUCE_PROD": _reduce_prod,
    "BATCH_MATMUL": _matmul,
    "SCATTER_ND": _scatter,
    "TOPK_V2": _topk,
    "ARG_MAX": _arg,
    "ARG_MIN": _arg,
    "ONE_HOT": _data(2, 3),
    "SELECT_V2": _data(1, 2),
    "PAD": lambda s: _hull(s.inputs[0], (0, 0)),
    "PADV2": _data(0, 2),
    "SPLIT": _data(1),
    "DYNAMIC_UPDATE_SLICE": _data(0, 1),
    "EMBEDDING_LOOKUP": _data(1),
    "CONCATENATION": _data(),
    "PACK": _data(),
    **dict.fromkeys(
        (
            "RESHAPE TRANSPOSE SLICE STRIDED_SLICE GATHER GATHER_ND SPLIT_V UNPACK EXPAND_DIMS SQUEEZE TILE "
            "BROADCAST_TO REVERSE_V2 MIRROR_PAD REDUCE_MAX REDUCE_MIN MAX_POOL_2D DEPTH_TO_SPACE SPACE_TO_DEPTH "
            "RESIZE_NEAREST_NEIGHBOR"
        ).split(),
        _data(0),
    ),
}
"""Kind of op -> the interval of its result, None if it is not known. An integer op that is not here is unproven."""
