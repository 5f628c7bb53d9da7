"""What ``import mobilekit`` costs, beside an empty interpreter and what an app would import anyway.

    python -m benchmarks.import_time [--rounds 15]

Whole processes, interleaved, so that a slow moment hits all of them; the least of each is compared, since nothing can
make an import faster than it is. Writes benchmarks/results/import_time.json.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.support import print_machine, run_process, summary, write_results

BAR_MS = 100.0
STATEMENTS = {
    "nothing": "pass",
    "mobilekit": "import mobilekit",
    "mobilekit, to check files": "from mobilekit import check",
    "mobilekit, to run files": "from mobilekit.runtime import Interpreter",
    "numpy": "import numpy",
    "torch": "import torch",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print_machine()
    values: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(rounds + 1):
        for name, statement in STATEMENTS.items():
            values[name].append(run_process([sys.executable, "-c", statement]).wall_s * 1000)
    values = {name: series[1:] for name, series in values.items()}  # the first round filled the file cache
    floor = min(values["nothing"])
    print("\nprocess, ms: median [min, max]              least beyond an empty interpreter")
    for name, series in values.items():
        print(f"{name:28}{summary(series):>30}{min(series) - floor:10.1f} ms")
    cost = min(values["mobilekit"]) - floor
    verdict = "met" if cost < BAR_MS else "missed"
    print(f"\nimport mobilekit: {cost:.1f} ms, the bar of {BAR_MS:.0f} ms is {verdict}")
    path = write_results("import_time", {"rounds": rounds, "import_ms": cost, "bar_ms": BAR_MS, "values_ms": values})
    print(f"wrote {path.name}")
    return 0 if cost < BAR_MS else 2


if __name__ == "__main__":
    sys.exit(main())
