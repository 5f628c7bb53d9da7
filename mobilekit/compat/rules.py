"""The kinds of rule that an op table can hold, one small function each.

A rule is a JSON object with a ``kind``; its function looks at a :class:`Site` and answers ``None`` (holds), a
:class:`Refused` with the reason in words, or :class:`Unchecked` with the rule in words, for what cannot be told from
the graph alone. Nothing that was not looked at ever counts as passed. A new kind of rule is one function here.

Every rule may carry ``from_level`` and ``to_level`` (it holds for those levels of the target only) and ``applies_to``
(it holds for those kinds of activation only: ``fp32``, ``int8_per_tensor``, ...).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilekit.compat.relations import RELATIONS
from mobilekit.compat.site import Site
from mobilekit.compat.tokens import dtype_of, dtypes_of
from mobilekit.graph.ir import Quantization, Tensor

Constraint = Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """The rule does not hold; why, in words."""

    reason: str


@dataclass(frozen=True)
class Unchecked:
    """The rule cannot be evaluated here; what it says, in words."""

    rule: str


Verdict = Refused | Unchecked | None


@dataclass(frozen=True)
class RuleKind:
    """How to evaluate one kind of rule, and which keys it must and may have (for checking tables)."""

    evaluate: Callable[[Constraint, Site], Verdict]
    required: frozenset[str]
    optional: frozenset[str]


RULES: dict[str, RuleKind] = {}
COMMON_KEYS = frozenset({"kind", "from_level", "to_level", "applies_to", "why"})


def _rule(
    kind: str, required: str = "", optional: str = ""
) -> Callable[[Callable[[Constraint, Site], Verdict]], Callable[[Constraint, Site], Verdict]]:
    def register(evaluate: Callable[[Constraint, Site], Verdict]) -> Callable[[Constraint, Site], Verdict]:
        RULES[kind] = RuleKind(evaluate, frozenset(required.split()), frozenset(optional.split()))
        return evaluate

    return register


def evaluate(constraint: Constraint, site: Site) -> Verdict:
    """What one rule says about one op."""
    if not _in_force(constraint, site):
        return None
    return RULES[constraint["kind"]].evaluate(constraint, site)


def _in_force(constraint: Constraint, site: Site) -> bool:
    if site.level is not None:
        if "from_level" in constraint and site.level < constraint["from_level"]:
            return False
        if "to_level" in constraint and site.level > constraint["to_level"]:
            return False
    if "applies_to" in constraint:
        return site.activation_dtype in {dtype_of(token) for token in constraint["applies_to"]}
    return True


def _within(count: int, constraint: Constraint, what: str) -> Verdict:
    low, high = constraint.get("min"), constraint.get("max")
    if (low is None or count >= low) and (high is None or count <= high):
        return None
    if low == high:
        wanted = f"{low}"
    elif high is None:
        wanted = f"at least {low}"
    elif not low:
        wanted = f"at most {high}"
    else:
        wanted = f"{low} to {high}"
    return Refused(f"{what} is {count}, must be {wanted}")


# How many inputs and outputs.


@_rule("num_inputs", "min max")
def _num_inputs(c: Constraint, site: Site) -> Verdict:
    # TFLite counts the slots of an op, left-out optional inputs at the end included.
    return _within(len(site.op.inputs), c, "number of inputs")


@_rule("num_outputs", "min max")
def _num_outputs(c: Constraint, site: Site) -> Verdict:
    return _within(len(site.op.outputs), c, "number of outputs")


@_rule("runtime_inputs", "min max")
def _runtime_inputs(c: Constraint, site: Site) -> Verdict:
    return _within(len(site.runtime_inputs), c, "number of inputs that are not constant")


@_rule("const_inputs", "min max")
def _const_inputs(c: Constraint, site: Site) -> Verdict:
    return _within(len(site.inputs) - len(site.runtime_inputs), c, "number of constant inputs")


@_rule("static_input", "name", "index optional unless_flag unless_dtype")
def _static_input(c: Constraint, site: Site) -> Verdict:
    if "index" not in c:
        return Unchecked(f"{c['name']} is constant")
    tensor = site.input(c["index"])
    if tensor is None:
        # A rule about an input that may be left out is about the constant, not about its presence, when marked so.
        return None if c.get("optional") or c["index"] >= len(site.op.inputs) else Refused(f"{c['name']} is missing")
    if site.is_static(tensor):
        return None
    if "unless_flag" in c and site.flag(c["unless_flag"]) and tensor.dtype == dtype_of(c["unless_dtype"]):
        return None
    return Refused(f"{c['name']} must be a constant, is computed at run time")


@_rule("non_static_input", "index")
def _non_static_input(c: Constraint, site: Site) -> Verdict:
    tensor = site.input(c["index"])
    if tensor is not None and site.is_static(tensor):
        return Refused(f"input {c['index']} must not be a constant")
    return None


@_rule("count", "what min max")
def _count(c: Constraint, site: Site) -> Verdict:
    values = site.values(1)  # Axes are input 1 of every reduction.
    if values is None:
        return Unchecked(f"number of {c['what']} from {c['min']} to {c['max']}")
    return _within(int(values.size), c, f"number of {c['what']}")


# Shapes.


@_rule("rank", "tensor min max", "index")
def _rank(c: Constraint, site: Site) -> Verdict:
    tensors = site.op.inputs if c["tensor"] == "input" else site.op.outputs
    indices = [c["index"]] if "index" in c else range(len(tensors))
    for index in indices:
        tensor = tensors[index] if index < len(tensors) else None
        if tensor is not None and (verdict := _within(tensor.rank, c, f"rank of {c['tensor']} {index}")) is not None:
            return verdict
    return None


@_rule("max_rank", "value")
def _max_rank(c: Constraint, site: Site) -> Verdict:
    rank = max((tensor.rank for tensor in (*site.inputs, *site.op.outputs)), default=0)
    return None if rank <= c["value"] else Refused(f"a tensor has rank {rank}, at most {c['value']} is taken")


@_rule("broadcast", "flag")
def _broadcast(c: Constraint, site: Site) -> Verdict:
    """What the GPU checker takes between tensors of different rank (CheckAddMulBroadcastCompatibility)."""
    tensors = site.inputs[:2]
    if len(tensors) < 2:
        return None
    low, high = sorted(tensors, key=lambda tensor: tensor.rank)
    if low.rank <= 1 or low.rank == high.rank:
        return None
    if site.flag(c["flag"]):
        return None if _numpy_broadcasts(low, high) else Refused(f"{low.shape} does not broadcast onto {high.shape}")
    fits = (
        (low.rank == 3 and high.rank == 4 and high.shape[0] == 1)
        or (low.rank == 2 and high.rank == 4 and low.shape == (1, 1))
        or (low.rank == 2 and high.rank == 4 and low.shape[0] == high.shape[0] and low.shape[1] == high.shape[3])
    )
    return None if fits else Refused(f"broadcast of {list(low.shape)} onto {list(high.shape)} is not taken")


def _numpy_broadcasts(first: Tensor, second: Tensor) -> bool:
    try:
        np.broadcast_shapes(first.shape, second.shape)
    except ValueError:
        return False
    return True


# Types and quantization.


@_rule("input_type", "index allowed")
def _input_type(c: Constraint, site: Site) -> Verdict:
    tensor = site.input(c["index"])
    if tensor is None:
        return None
    return _type_in(tensor, c["allowed"], f"input {c['index']}")


@_rule("output_type", "index allowed")
def _output_type(c: Constraint, site: Site) -> Verdict:
    tensor = site.output(c["index"])
    return None if tensor is None else _type_in(tensor, c["allowed"], f"output {c['index']}")


def _type_in(tensor: Tensor, allowed: list[str], what: str) -> Verdict:
    if tensor.dtype in dtypes_of(allowed):
        return None
    return Refused(f"{what} is {tensor.dtype}, taken are {', '.join(sorted(dtypes_of(allowed)))}")


@_rule("type_pairs", "allowed")
def _type_pairs(c: Constraint, site: Site) -> Verdict:
    source, result = site.input(0), site.output()
    if source is None or result is None:
        return None
    if (source.dtype, result.dtype) in {(dtype_of(a), dtype_of(b)) for a, b in c["allowed"]}:
        return None
    return Refused(f"{source.dtype} to {result.dtype} is not taken")


@_rule("types_by_level", "from allowed")
def _types_by_level(c: Constraint, site: Site) -> Verdict:
    # Which of several lists counts depends on the level: `merge_levels` picks it before rules are evaluated.
    dtype = site.activation_dtype
    if dtype is None or dtype in dtypes_of(c["allowed"]):
        return None
    return Refused(f"{dtype} is not taken at level {site.level}, {', '.join(sorted(dtypes_of(c['allowed'])))} are")


@_rule("per_axis_dim", "input dim", "dim_if_adj_y")
def _per_axis_dim(c: Constraint, site: Site) -> Verdict:
    tensor = site.input(c["input"])
    if tensor is None or tensor.quantization is None or not tensor.quantization.is_per_axis:
        return None
    dim = c["dim_if_adj_y"] if "dim_if_adj_y" in c and site.option("adj_y") else c["dim"]
    if tensor.quantization.axis == dim % tensor.rank:
        return None
    return Refused(
        f"input {c['input']} is quantized along axis {tensor.quantization.axis}, must be {dim % tensor.rank}"
    )


@_rule("same_quant_params", "tensors")
def _same_quant_params(c: Constraint, site: Site) -> Verdict:
    data = [tensor.quantization for tensor in (*site.inputs, *site.op.outputs) if tensor.quantization is not None]
    if all(data[0].equals(other) for other in data[1:]):
        return None
    return Refused("scale and zero point must be the same at all inputs and outputs")


@_rule("zero_point", "input equals")
def _zero_point(c: Constraint, site: Site) -> Verdict:
    tensor = site.input(c["input"])
    if tensor is None or tensor.quantization is None or not np.any(tensor.quantization.zero_point != c["equals"]):
        return None
    return Refused(f"zero point of input {c['input']} must be {c['equals']}")


@_rule("scale_ratio", "expr min max", "max_inclusive abs_min")
def _scale_ratio(c: Constraint, site: Site) -> Verdict:
    ratio = _ratio(c["expr"], site)
    if ratio is None:
        return Unchecked(f"{c['expr']} from {c['min']:g} to {c['max']:g}")
    below = ratio <= c["max"] if c.get("max_inclusive") else ratio < c["max"]
    if c["min"] <= ratio and below and abs(ratio) >= c.get("abs_min", 0.0):
        return None
    return Refused(f"{c['expr']} is {ratio:.4g}, must lie from {c['min']:g} to {c['max']:g}")


def _ratio(expression: str, site: Site) -> float | None:
    """A product over a quotient of scales, computed in float32 as the delegate does."""
    top, _, bottom = expression.partition("/")
    value = np.float32(1.0)
    for name in top.split("*"):
        factor = _scale(name, site)
        if factor is None:
            return None
        value = np.float32(value * factor)
    divisor = _scale(bottom, site) if bottom else np.float32(1.0)
    return None if divisor is None or divisor == 0 else float(value / divisor)


def _scale(name: str, site: Site) -> np.float32 | None:
    if not name.endswith("_scale"):
        value = site.option(name)
        return None if value is None else np.float32(value)
    place = name.removesuffix("_scale")
    tensor = site.output() if place == "output" else site.input(int(place.removeprefix("input") or 0))
    quantization: Quantization | None = None if tensor is None else tensor.quantization
    return None if quantization is None else np.float32(quantization.scale[0])


# Options.


@_rule("activation", "", "allowed excluded")
def _activation(c: Constraint, site: Site) -> Verdict:
    used = site.option("fused_activation_function") or "NONE"
    if used in c.get("excluded", ()) or ("allowed" in c and used not in c["allowed"]):
        return Refused(f"fused activation {used} is not taken")
    return None


@_rule("param", "name", "equals all_equal min max allowed less_than max_param nonzero finite")
def _param(c: Constraint, site: Site) -> Verdict:
    name = c["name"]
    value = site.option(name)
    if value is None:
        return Unchecked(f"{name} {_param_words(c)}")
    if "all_equal" in c:
        return (
            None
            if bool(np.all(np.asarray(value) == c["all_equal"]))
            else Refused(f"{name} must all be {c['all_equal']}")
        )
    if _param_holds(c, value, site):
        return None
    return Refused(f"{name} is {value}, must be {_param_words(c)}")


def _param_holds(c: Constraint, value: Any, site: Site) -> bool:
    return (
        ("equals" not in c or value == c["equals"])
        and ("allowed" not in c or value in c["allowed"])
        and ("min" not in c or value >= c["min"])
        and ("max" not in c or value <= c["max"])
        and ("less_than" not in c or value < c["less_than"])
        and ("max_param" not in c or value <= site.option(c["max_param"]))
        and not (c.get("nonzero") and value == 0)
        and not (c.get("finite") and not math.isfinite(value))
    )


def _param_words(c: Constraint) -> str:
    words = {
        "equals": "{}",
        "all_equal": "all {}",
        "allowed": "one of {}",
        "min": "at least {}",
        "max": "at most {}",
        "less_than": "below {}",
        "max_param": "at most {}",
        "nonzero": "other than zero",
        "finite": "finite",
    }
    shown = (", ".join(map(str, c[key])) if isinstance(c[key], list) else c[key] for key in words if key in c)
    return " and ".join(
        text.format(value) for text, value in zip((words[k] for k in words if k in c), shown, strict=True)
    )


# Versions, levels and flags.


@_rule("max_op_version", "value")
def _max_op_version(c: Constraint, site: Site) -> Verdict:
    return None if site.version <= c["value"] else Refused(f"op version {site.version}, at most {c['value']} is taken")


@_rule("exact_op_version", "value")
def _exact_op_version(c: Constraint, site: Site) -> Verdict:
    return None if site.version == c["value"] else Refused(f"op version {site.version}, only {c['value']} is taken")


@_rule("excluded_op_version", "value")
def _excluded_op_version(c: Constraint, site: Site) -> Verdict:
    return None if site.version != c["value"] else Refused(f"op version {site.version} is not taken")


@_rule("min_level", "value")
def _min_level(c: Constraint, site: Site) -> Verdict:
    if site.level is None or site.level >= c["value"]:
        return None
    return Refused(f"needs level {c['value']}, checked at {site.level}")


@_rule("max_level", "value")
def _max_level(c: Constraint, site: Site) -> Verdict:
    if site.level is None or site.level <= c["value"]:
        return None
    return Refused(f"taken up to level {c['value']} only, checked at {site.level}")


@_rule("flag", "name")
def _flag(c: Constraint, site: Site) -> Verdict:
    return None if site.flag(c["name"]) else Refused(f"only with the option {c['name']}, which is off by default")


@_rule("custom_name", "allowed")
def _custom_name(c: Constraint, site: Site) -> Verdict:
    return (
        None
        if site.op.custom_code in c["allowed"]
        else Refused(f"custom op '{site.op.custom_code}' is not known to it")
    )


@_rule("composite_name", "allowed")
def _composite_name(c: Constraint, site: Site) -> Verdict:
    name = site.option("name")
    name = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if name is None:
        return Unchecked(f"name of the composite is one of {', '.join(c['allowed'])}")
    return None if name in c["allowed"] else Refused(f"composite '{name}' is not known to it")


# Put together.


@_rule("any_of", "options")
def _any_of(c: Constraint, site: Site) -> Verdict:
    """Holds if one alternative holds in full; unchecked if one might; else refused, with each one's reason."""
    reasons: list[str] = []
    open_rules: list[str] = []
    for option in c["options"]:
        verdicts = [evaluate(part, site) for part in option]
        refused = [verdict.reason for verdict in verdicts if isinstance(verdict, Refused)]
        unchecked = [verdict.rule for verdict in verdicts if isinstance(verdict, Unchecked)]
        if not refused and not unchecked:
            return None
        if refused:
            reasons.append(refused[0])
        else:
            open_rules.append("; ".join(unchecked))
    return Unchecked(" or ".join(open_rules)) if open_rules else Refused(", and ".join(dict.fromkeys(reasons)))


@_rule("relation", "rule text")
def _relation(c: Constraint, site: Site) -> Verdict:
    """A relation between tensors and options that no other kind can say; named in :mod:`relations`."""
    holds = RELATIONS[c["rule"]](site)
    if holds is None:
        return Unchecked(c["text"])
    return None if holds else Refused(f"needs: {c['text']}")


@_rule("text", "text")
def _text(c: Constraint, site: Site) -> Verdict:
    """A rule in words, for what nothing here can evaluate."""
    return Unchecked(c["text"])


def merge_levels(constraints: tuple[Constraint, ...], level: int | None) -> tuple[Constraint, ...]:
    """Of several ``types_by_level`` rules keep the one in force: the highest ``from`` that is not above the level."""
    if level is None:
        return constraints
    starts = [c["from"] for c in constraints if c["kind"] == "types_by_level" and c["from"] <= level]
    if not starts:
        return tuple(c for c in constraints if c["kind"] != "types_by_level")
    return tuple(c for c in constraints if c["kind"] != "types_by_level" or c["from"] == max(starts))
