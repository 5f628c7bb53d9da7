"""Float graph -> integer graph: recipes, calibration, LiteRT's rules, and what went wrong where.

In the order of use, one file a step; engine.py is the table of contents:

- recipe.py: what to quantize and how
- prepare.py, fuse.py: ops that integers know
- calibrate.py, channels.py: run the float graph on samples; statistics.py, observers.py: from values to ranges
- equalize.py: like ranges for the channels of a tensor
- plan.py: what each op computes in, which tensors share a scale; rules.py: LiteRT's demands as a table
- parameters.py, weights.py, bias.py: scales, integer constants, the mean error of rounding taken back
- rewrite.py: the quantized graph
- measure.py, layers.py, sensitivity.py: its error, in all, tensor by tensor, and of each tensor alone
- diagnose.py: those in one answer, ``debug``
- auto.py: which ops to keep precise so that a task's own metric holds
"""

from __future__ import annotations

from mobilekit.quantize.auto import Auto, AutoResult
from mobilekit.quantize.calibrate import Calibration
from mobilekit.quantize.diagnose import debug
from mobilekit.quantize.engine import QuantizeResult, quantize
from mobilekit.quantize.layers import first_bad_layer, layer_errors
from mobilekit.quantize.recipe import PRESETS, Override, Recipe, preset

__all__ = [
    "PRESETS",
    "Auto",
    "AutoResult",
    "Calibration",
    "Override",
    "QuantizeResult",
    "Recipe",
    "debug",
    "first_bad_layer",
    "layer_errors",
    "preset",
    "quantize",
]
