"""Ops whose int8 output scale is built into the kernel, and whose values are lost on it.

Given     %p = SOFTMAX(%x) over 1024 positions, values near 1/1024; int8 steps of 1/256
Result    %p = SOFTMAX(%x) in float32, then quantized with the scale that its values ask for

A probability below 1/512 rounds to zero, so an attention or a soft argmax over many positions that are alike becomes
all zeros. Calibration has seen the values: where the fixed grid keeps too little of them, the op stays in float. An
int16 softmax would do too (2**-15 a step), but runtimes up to 2.14 cannot take an int8 tensor to int16, and its kernel
is no faster than the float one.

What is shown to the caller keeps the fixed scale: scores of a detector on pictures without objects are near zero
rightly, and a scale learned from those would clip the objects that come later. Verification tells when that is coarse.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.quantize.calibrate import Calibration
from mobilekit.quantize.measure import sqnr_db
from mobilekit.quantize.parameters import range_of
from mobilekit.quantize.plan import Kept, plan_ops
from mobilekit.quantize.recipe import Recipe
from mobilekit.quantize.rules import RULES
from mobilekit.quantize.statistics import TensorStatistics

# Below this a third of the amplitude is rounding noise, the bar that the file as a whole is held to (engine.py).
_LOST_DB = 10.0


def lost_on_fixed_scales(graph: Graph, recipe: Recipe, calibration: Calibration) -> Kept:
    """Name of each int8 op to keep in float, with the reason: its values do not survive its kernel's own scale."""
    shown = _shown(graph)
    lost = {}
    for op, plan in plan_ops(graph, recipe).items():
        fixed = plan.fixed
        if plan.domain != "int8" or fixed is None or op.output in shown:
            continue
        statistics = calibration.statistics[op.output.name]
        step = float(fixed.scale[0])
        kept_db = _rounded_sqnr_db(statistics, step, *range_of(fixed, "int8"))
        if kept_db < _LOST_DB:
            largest = max(abs(statistics.minimum), abs(statistics.maximum))
            lost[op.name] = (
                f"its int8 kernel rounds to steps of 1/{1 / step:.0f}, which leaves {kept_db:.1f} dB of values up to "
                f"{largest:.2g}"
            )
    return lost


def _rounded_sqnr_db(statistics: TensorStatistics, step: float, low: float, high: float) -> float:
    """SQNR of the observed values on a grid; infinite where nothing but zeros was seen."""
    values, counts = statistics.points()
    rounded = np.clip(np.rint(values / step) * step, low, high)
    return sqnr_db(float(np.sum(counts * values**2)), float(np.sum(counts * (values - rounded) ** 2)))


def _shown(graph: Graph) -> set[Tensor]:
    """Outputs of the graph, and what reaches one with its values moved, repeated or chosen only (rules.py)."""
    shown = set(graph.outputs)
    for op in reversed(graph.ops):
        if _moves(op) and shown.intersection(op.outputs):
            shown.update(islice(op.present_inputs(), 1))
    return shown


def _moves(op: Op) -> bool:
    return op.kind in RULES and RULES[op.kind].sharing == "output_takes_input"
