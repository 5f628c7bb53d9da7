"""What LiteRT's integer kernels ask of each op, as one table.

An op that is not in :data:`RULES`, or whose ``check`` gives a reason, stays in float and is listed as an island.
Sources: LiteRT ``tflite/g3doc/performance/quantization_spec.md`` and the kernels' Prepare functions; each row is run on
ai-edge-litert and tflite-runtime 2.14, with and without XNNPACK, by ``tests/quantize/test_rules.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from mobilekit.graph.ir import Op

Sharing = Literal["free", "output_takes_input", "inputs_take_output"]


@dataclass(frozen=True)
class WeightRule:
    """Where the constant weights of an op are and which axis holds their output channels."""

    weight: int
    axis: int
    bias: int


@dataclass(frozen=True)
class OpRule:
    """How one kind of op is quantized.

    ``sharing``: "free", each tensor has its own scale; "output_takes_input", the outputs only move or choose values of
    the input (reshape, max pool), so they share its scale; "inputs_take_output", the output mixes the inputs (concat).
    ``fixed``: scale and zero point of the output by dtype, where the kernel has them built in.
    ``dtypes``: activation dtypes that a kernel exists for.
    ``check``: a reason why this one op cannot be an integer op, or None.
    """

    sharing: Sharing = "free"
    weights: WeightRule | None = None
    fixed: dict[str, tuple[float, int]] = field(default_factory=dict)
    dtypes: frozenset[str] = frozenset({"int8", "int16"})
    check: Callable[[Op], str | None] = lambda op: None


_INT8 = frozenset({"int8"})
_Q15 = 2.0**-15
"""Scale of an int16 output in [-1, 1): fixed by the kernels of softmax, logistic and tanh."""


def _constant_weights(rule: WeightRule) -> Callable[[Op], str | None]:
    def check(op: Op) -> str | None:
        weight = op.inputs[rule.weight]
        bias = op.inputs[rule.bias] if rule.bias < len(op.inputs) else None
        if weight is None or not weight.is_constant:
            return "its weights are computed, integer kernels want constants"
        if bias is not None and not bias.is_constant:
            return "its bias is computed, integer kernels want a constant"
        return None

    return check


def _weighted(weight: int, axis: int, bias: int, dtypes: frozenset[str] = frozenset({"int8", "int16"})) -> OpRule:
    rule = WeightRule(weight, axis, bias)
    return OpRule(weights=rule, dtypes=dtypes, check=_constant_weights(rule))


def _at_most_rank(rank: int) -> Callable[[Op], str | None]:
    def check(op: Op) -> str | None:
        most = max(tensor.rank for tensor in (*op.present_inputs(), *op.outputs))
        return f"its integer kernel takes rank {rank} at most, this is rank {most}" if most > rank else None

    return check


_FREE = OpRule()
_FREE_INT8 = OpRule(dtypes=_INT8)
_MOVES = OpRule(sharing="output_takes_input")
_MOVES_INT8 = OpRule(sharing="output_takes_input", dtypes=_INT8)
_MIXES = OpRule(sharing="inputs_take_output")
_MIXES_INT8 = OpRule(sharing="inputs_take_output", dtypes=_INT8)


def _unsafe_comparison(op: Op) -> str | None:
    """TFLITE_CHECK in QuantizeMultiplierSmallerThanOneExp, which Prepare reaches with the scale itself."""
    return "its int8 kernel ends the whole process when a scale is one or more, which a range beyond 255 needs"


_COMPARISON = OpRule(dtypes=_INT8, check=_unsafe_comparison)

RULES: dict[str, OpRule] = {
    # Weights.
    "CONV_2D": _weighted(weight=1, axis=0, bias=2),
    "DEPTHWISE_CONV_2D": _weighted(weight=1, axis=3, bias=2),
    "FULLY_CONNECTED": _weighted(weight=1, axis=0, bias=2),
    "TRANSPOSE_CONV": _weighted(weight=1, axis=0, bias=3),
    # Arithmetic: every tensor has its own scale.
    "ADD": OpRule(check=_at_most_rank(6)),
    "SUB": OpRule(check=_at_most_rank(6)),
    "MUL": OpRule(check=_at_most_rank(6)),
    "SQUARED_DIFFERENCE": _FREE_INT8,
    "BATCH_MATMUL": _FREE,
    "MEAN": _FREE,
    "SUM": _FREE_INT8,
    "REDUCE_PROD": _FREE_INT8,
    # Activations.
    "RELU": _FREE,
    "RELU6": _FREE,
    "RELU_N1_TO_1": _FREE_INT8,
    "RELU_0_TO_1": _FREE_INT8,
    "LEAKY_RELU": _FREE,
    "PRELU": _FREE_INT8,
    "HARD_SWISH": _FREE_INT8,
    "ELU": _FREE_INT8,
    "GELU": _FREE_INT8,
    "EXP": _FREE,
    # Their int16 kernels interpolate a table and are off by over 200 steps near zero.
    "LOG": _FREE_INT8,
    "RSQRT": _FREE_INT8,
    "ABS": _FREE,
    # Output scale built into the kernel.
    "SOFTMAX": OpRule(fixed={"int8": (1 / 256, -128), "int16": (_Q15, 0)}),
    "LOGISTIC": OpRule(fixed={"int8": (1 / 256, -128), "int16": (_Q15, 0)}),
    "TANH": OpRule(fixed={"int8": (1 / 128, 0), "int16": (_Q15, 0)}),
    "L2_NORMALIZATION": OpRule(fixed={"int8": (1 / 128, 0)}, dtypes=_INT8),
    "LOG_SOFTMAX": OpRule(fixed={"int8": (16 / 256, 127)}, dtypes=_INT8),
    # Values move, repeat, or are chosen.
    **dict.fromkeys(
        (
            "RESHAPE",
            "TRANSPOSE",
            "SQUEEZE",
            "EXPAND_DIMS",
            "SLICE",
            "STRIDED_SLICE",
            "SPLIT",
            "SPLIT_V",
            "UNPACK",
            "GATHER",
            "GATHER_ND",
            "MAX_POOL_2D",
            "AVERAGE_POOL_2D",
            "PAD",
            "MIRROR_PAD",
            "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR",
            "REDUCE_MAX",
            "REDUCE_MIN",
            "BROADCAST_TO",
            "SPACE_TO_BATCH_ND",
            "BATCH_TO_SPACE_ND",
            "REVERSE_V2",
            "TOPK_V2",
        ),
        _MOVES,
    ),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "TILE"), _MOVES_INT8),
    # Values of several inputs side by side.
    **dict.fromkeys(("CONCATENATION", "PACK", "PADV2", "MAXIMUM", "MINIMUM", "SELECT", "SELECT_V2"), _MIXES),
    # Integers or truth values come out; the inputs each have their own scale.
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _FREE_INT8),
    **dict.fromkeys(("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"), _COMPARISON),
    "SHAPE": _FREE,
}
