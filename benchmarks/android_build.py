"""How long ``make apk`` takes: cold (nothing downloaded, nothing built, no model converted), and warm after a change of Kotlin.

    python -m benchmarks.android_build [--warm 3] [--offline]

Works on a copy of the tree in a temporary folder with a Maven repository and a cache folder of its own, so that neither what is
built here nor what was downloaded before helps. ``--offline`` keeps the Maven repository of this machine: what the network takes
is then left out, and the report says so. Writes benchmarks/results/android_build.json.
"""

# ruff: noqa: E501 (tables and reports are read across)

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.support import ROOT, print_machine, run_process, write_results

COLD_BAR_S, WARM_BAR_S = 240.0, 60.0
KOTLIN = Path("android_demo/app/src/main/kotlin/dev/mobilekit/demo/OverlayView.kt")


def copy_tree(target: Path) -> None:
    """What git knows or would know, and the built extension: `make apk` finds that in its environment."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    built = [str(path.relative_to(ROOT)) for path in (ROOT / "mobilekit").glob("*.so")]
    for name in [*filter(None, names), *built]:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def build(tree: Path, environment: dict[str, str]) -> tuple[float, list[str]]:
    """(seconds, what the build said of its steps); the script is run as ``make apk`` runs it."""
    cost = run_process([sys.executable, str(tree / "android_demo" / "build.py")], environment=environment)
    for line in cost.output.splitlines():
        print(f"    {line}")
    return cost.wall_s, [line.strip() for line in cost.output.splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", type=int, default=3, help="builds after a change (default: 3)")
    parser.add_argument("--offline", action="store_true", help="with the downloads that this machine has")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="mobilekit-android-build-") as name:
        tree, cache = Path(name) / "tree", Path(name) / "cache"
        copy_tree(tree)
        environment = {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": ""}
        if not arguments.offline:
            environment["MAVEN_REPOSITORY"] = str(Path(name) / "maven")
        print("cold:")
        cold_s, cold_steps = build(tree, environment)
        unchanged_s, _ = build(tree, environment)
        warm_s = []
        for number in range(arguments.warm):
            source = tree / KOTLIN
            # Code, not a comment: R8's input has to change too.
            text = source.read_text(encoding="utf-8")
            source.write_text(text + f"\ninternal fun changed{number}() = {number}\n", encoding="utf-8")
            print(f"warm, change {number + 1}:")
            seconds, warm_steps = build(tree, environment)
            warm_s.append(seconds)
        downloaded_mb = sum(p.stat().st_size for p in (Path(name) / "maven").rglob("*") if p.is_file()) / 1e6
    worst = max(warm_s)
    print(f"cold {cold_s:.1f} s (bar {COLD_BAR_S:.0f} s: {'met' if cold_s <= COLD_BAR_S else 'missed'}), "
          f"{downloaded_mb:.0f} MB downloaded{' (--offline: none)' if arguments.offline else ''}")  # fmt: skip
    print(f"nothing changed {unchanged_s:.1f} s")
    print(
        f"warm {', '.join(f'{s:.1f}' for s in warm_s)} s (bar {WARM_BAR_S:.0f} s: {'met' if worst <= WARM_BAR_S else 'missed'})"
    )
    document = {
        "cold_s": cold_s, "cold_bar_s": COLD_BAR_S, "cold_with_downloads": not arguments.offline, "downloaded_mb": downloaded_mb,
        "unchanged_s": unchanged_s, "warm_s": warm_s, "warm_bar_s": WARM_BAR_S, "cold_steps": cold_steps,
        "warm_steps": warm_steps, "load_average": os.getloadavg()[0],
    }  # fmt: skip
    print(f"wrote {write_results('android_build', document).name}")
    return 0 if cold_s <= COLD_BAR_S and worst <= WARM_BAR_S else 2


if __name__ == "__main__":
    sys.exit(main())
