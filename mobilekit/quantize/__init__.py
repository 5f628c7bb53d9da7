"""Float graph -> integer graph: recipes, calibration, LiteRT's rules, and what went wrong where.

- recipe.py: what to quantize and how
- calibrate.py: run the float graph on samples; statistics.py, observers.py: from values to ranges
- plan.py: what each op computes in, which tensors share a scale; rules.py: LiteRT's demands as a table
- parameters.py: scales, zero points, integer constants
- rewrite.py: the quantized graph
- engine.py: quantize(): the steps above in order
- debug.py: the error of every tensor
"""

from __future__ import annotations

from mobilekit.quantize.calibrate import Calibration
from mobilekit.quantize.debug import layer_errors
from mobilekit.quantize.engine import QuantizeResult, quantize
from mobilekit.quantize.recipe import PRESETS, Override, Recipe, preset

__all__ = [
    "PRESETS",
    "Calibration",
    "Override",
    "QuantizeResult",
    "Recipe",
    "layer_errors",
    "preset",
    "quantize",
]
