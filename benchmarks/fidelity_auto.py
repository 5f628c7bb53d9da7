"""``Auto`` on PicoDet: how long the search takes, what it tries, and whether its answer holds on other pages.

    python benchmarks/fidelity_auto.py --graphs FOLDER [--max-drop 0.03] [--pages 40] [--held-out 150]

FOLDER is what fidelity.py --make-graphs wrote. The search's metric is equation AP50 on drawn camera-like pages; the
answer is then judged on pages that neither calibration nor the search saw. Time is this process's, by the clock and in
CPU seconds; the load average beside it says how far the clock can be trusted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import support
from benchmarks.fidelity import compare, float_graph, runner
from benchmarks.tasks.common import average_precision, matches
from benchmarks.tasks.pages import PICODET, page, page_input, picodet_boxes
from mobilekit.errors import BarMissedError
from mobilekit.quantize.auto import Auto, Run, auto

SEARCH_SEED = 2000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=Path, required=True)
    parser.add_argument("--max-drop", type=float, nargs="+", default=[0.03])
    parser.add_argument("--pages", type=int, default=40, help="that the search's metric looks at")
    parser.add_argument("--held-out", type=int, default=150)
    options = parser.parse_args()
    support.print_machine()
    graph = float_graph(PICODET, options.graphs)
    if graph is None:
        parser.error("no picodet in --graphs")
    cases = [page(SEARCH_SEED + seed, camera=True) for seed in range(options.pages)]
    inputs = [page_input(case) for case in cases]

    def metric(run: Run) -> float:
        found = (picodet_boxes(run([array])) for array in inputs)
        return average_precision([matches(*boxes, case.boxes) for boxes, case in zip(found, cases, strict=True)])

    task = PICODET.tasks(options.held_out)[1]
    run = runner(graph)
    reference = [task.judge(index, run(array)) for index, array in enumerate(task.inputs)]
    searches: list[dict[str, Any]] = []
    for max_drop in options.max_drop:
        samples = PICODET.calibration()
        watch = _Stopwatch()
        try:
            found = auto(graph, samples, Auto(metric, max_drop=max_drop, prefer=("int8",)))
        except BarMissedError as error:
            searches.append({"max_drop": max_drop, **watch.read(), "missed": str(error)})
            print(error)
            _write(options.pages, searches)
            continue
        spent = watch.read()
        print(f"Auto, at most {max_drop} below float: {spent['seconds']:.0f} s, {spent['cpu_s']:.0f} s CPU")
        for point in found.curve:
            print(f"  {point.label:32} AP50 {point.metric:.3f}  {point.size_bytes:9} bytes  {point.latency_ms:7.1f} ms")
        assert found.result is not None
        row = compare(task, reference, f"Auto {max_drop}", runner(found.result.graph))
        islands = [f"{i.kind} {i.name}" for i in found.result.float_islands]
        searches.append(
            {
                "max_drop": max_drop,
                **spent,
                "curve": [asdict(point) for point in found.curve],
                "float_islands": islands,
                "held_out": asdict(row),
            }
        )
        _write(options.pages, searches)
    return 0


class _Stopwatch:
    """Clock and CPU seconds since it was made, and the machine's load average then."""

    def __init__(self) -> None:
        self._start, self._cpu_start, self._load = time.perf_counter(), time.process_time(), os.getloadavg()[0]

    def read(self) -> dict[str, float]:
        clock, cpu = time.perf_counter() - self._start, time.process_time() - self._cpu_start
        return {"seconds": clock, "cpu_s": cpu, "load_average": self._load}


def _write(pages: int, searches: list[dict[str, Any]]) -> None:
    """After each search, so that a run that breaks off loses one."""
    print(support.write_results("fidelity_auto", {"search_pages": pages, "searches": searches}))


if __name__ == "__main__":
    sys.exit(main())
