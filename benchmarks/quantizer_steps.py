"""What each step of the quantizer is worth: the same network and samples, one algorithm more in each row.

    python benchmarks/quantizer_steps.py --graphs FOLDER [--pages 60]

FOLDER is what fidelity.py --make-graphs wrote. Judged on inputs that calibration never saw: SQNR at the outputs against
the float graph (per input the mean over outputs, then the median over inputs) and the task's own figure.

The rows in int16x8 have activations so fine that the weights' rounding is what is left: no way of rounding weights,
adaptive rounding included, can lift int8 above what the last of them leaves. ``rounding_bound_db`` is that bound: how
much the default int8 would gain if its weights' noise were gone altogether.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import support
from benchmarks.fidelity import SUBJECTS, float_graph, runner
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.measure import sqnr_db

_OFF = {"bias_correction": False, "equalize": "off"}
DEFAULT = "+ equalisation (the default)"
STEPS = {
    "min_max": preset("int8").with_changes(observer="min_max", **_OFF),
    "percentile": preset("int8").with_changes(observer="percentile", **_OFF),
    "mse": preset("int8").with_changes(observer="mse", **_OFF),
    "entropy": preset("int8").with_changes(observer="entropy", **_OFF),
    "+ choice of range": preset("int8").with_changes(**_OFF),
    "+ bias correction": preset("int8").with_changes(equalize="off"),
    DEFAULT: preset("int8"),
    "equalisation without bias correction": preset("int8").with_changes(bias_correction=False),
    "int16x8, no bias correction": preset("int16x8").with_changes(bias_correction=False),
    "int16x8": preset("int16x8"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path)
    parser.add_argument("--pages", type=int, default=60, help="inputs a task, photos excepted")
    parser.add_argument("--models", nargs="+", default=["mobilenet_v2", "efficientnet_lite0", "picodet"])
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=list(STEPS), metavar="STEP")
    options = parser.parse_args()
    support.print_machine()
    for name in options.models:
        subject = SUBJECTS[name]
        graph = float_graph(subject, options.graphs)
        if graph is None:
            print(f"{name} left out: no float graph in --graphs")
            continue
        samples = subject.calibration()
        task = subject.tasks(options.pages)[-1]
        run = runner(graph)
        wanted = [run(array) for array in task.inputs]
        figure = task.figure([task.judge(i, outputs) for i, outputs in enumerate(wanted)])
        print(f"{name}: {task.name}, {len(wanted)} inputs, float {figure:.3f}", flush=True)
        rows: dict[str, Any] = {}
        for label in options.steps:
            recipe = STEPS[label]
            start = time.process_time()
            result = quantize(graph, samples, recipe)
            seconds = time.process_time() - start
            run = runner(result.graph)
            got = [run(array) for array in task.inputs]
            sqnr = float(np.median([_sqnr(w, g) for w, g in zip(wanted, got, strict=True)]))
            value = task.figure([task.judge(i, outputs) for i, outputs in enumerate(got)])
            rows[label] = {"sqnr_db": sqnr, "figure": value, "cpu_s": seconds, "observer": result.observer,
                           "equalized": result.equalized, "float_islands": len(result.float_islands)}  # fmt: skip
            print(f"  {label:38} {sqnr:6.1f} dB  {value:7.3f}  {seconds:6.1f} s CPU  {result.observer}", flush=True)
            found: dict[str, Any] = {"task": task.name, "inputs": len(wanted), "float_figure": figure, "steps": rows}
            if DEFAULT in rows and "int16x8" in rows:
                share = 10 ** ((rows[DEFAULT]["sqnr_db"] - rows["int16x8"]["sqnr_db"]) / 10)
                found["rounding_bound_db"] = -10 * math.log10(1 - share) if share < 1 else math.inf
                print(f"  rounding weights without any error would gain at most {found['rounding_bound_db']:.1f} dB")
            # After each row, so that a run that breaks off loses one.
            written = support.write_results(f"quantizer_steps_{name}", found)
        print(written)
    return 0


def _sqnr(wanted: list[np.ndarray], got: list[np.ndarray]) -> float:
    figures = [sqnr_db(float(np.sum(w**2)), float(np.sum((w - g) ** 2))) for w, g in zip(wanted, got, strict=True)]
    return float(np.mean(np.minimum(figures, 200.0)))


if __name__ == "__main__":
    sys.exit(main())
