"""Write docs/zoo.md from the zoo's result files: the figures against their bars, and a row a network.

python -m tools.zoo_page            after a run of benchmarks.zoo
python -m tools.zoo_page --check    exit 1 when the page is stale
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "zoo.md"
RESULTS = ROOT / "benchmarks" / "results"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.zoo import figures  # noqa: E402

HEAD = """\
<!-- Written by `python -m tools.zoo_page`; edit that. -->
# The zoo

Networks of torchvision and timm, and small recurrent, audio, U-Net, detection and transformer ones, through
`mobilekit.convert`. Weights are seeded random numbers and batch norms have random statistics, so nothing hides a wrong
order of channels; accuracy on a task is measured [elsewhere](quantize.md).

```sh
python -m benchmarks.zoo                          # float
python -m benchmarks.zoo --int8
python -m benchmarks.zoo --peers litert onnx2tf --litert ENV/bin/python
```

How it is measured: each conversion is a forked child of a process that has imported what its tool needs, ours and the
peers' alike, so times are without imports; the floor (import torch, one `torch.export`) and the time held against it
count them. Inference: both files in the same LiteRT, one thread, in turns, the median of the ratios pair by pair.
litert-torch is told that images are channels last. A peer's file that is off by more than
`1e-3 * max(1, max |ref|)` is a mismatch and is not timed.
"""

INT8 = """
The int8 file beside its fake-quantized twin: the same graph with the file's own scales, weights, biases and activations
rounded to the same grids, but float32 sums, run in LiteRT's plain float kernels. It says how much of the error is the
scales' and how much the integer kernels'. Calibrated on noise, on which SQNR (dB, at the worst output) is taken too.
"""


def page() -> str:
    lines = [HEAD]
    lines += _section("Float", _load("zoo"), figures.float_figures, _float_table)
    lines += _section("int8", _load("zoo_int8"), figures.int8_figures, _int8_table, INT8)
    lines += _transposes(_load("zoo"))
    return "\n".join(lines).rstrip() + "\n"


def _load(name: str) -> Mapping[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _section(title: str, document: Mapping[str, Any] | None, reached: Any, table: Any, text: str = "") -> list[str]:
    lines = [f"## {title}", text.strip(), ""] if text else [f"## {title}", ""]
    if document is None:
        return [*lines, "No result file yet.", ""]
    facts, networks = document["environment"], document["networks"]
    load = max(record.get("load", 0.0) for row in networks.values() for record in row.values() if _is_job(record))
    lines.append(f"{facts['cpu']}, {facts['cores']} cores, {facts['runtime']}, {len(networks)} networks.")
    if not document["complete"]:
        lines.append("The run was cut short: the networks that it reached.")
    if load > facts["cores"] or document["jobs"] > 1:
        lines.append(f"The machine was busy (load up to {load:g}): outcomes hold, times say little.")
    lines += ["", "| figure | measured | bar | |", "|---|---|---|---|"]
    lines += [f"| {f.name} | {f.value} | {f.bar} | {'✓' if f.met else 'missed'} |" for f in reached(networks)]
    return [*lines, "", *table(networks), ""]


def _is_job(record: Any) -> bool:
    return isinstance(record, dict)


def _float_table(networks: Mapping[str, Any]) -> Iterable[str]:
    yield "Ratios are ours over the peer's. *mismatch*: the peer's file computes something else than the model."
    yield ""
    yield (
        "| network | outcome | max abs error | of max | floor s | s | of allowed | litert-torch, time | inference "
        "| onnx2tf, time | inference | transposes: ours, litert-torch, onnx2tf | 2.14, max abs d |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    for name, row in networks.items():
        ours = row["mobilekit"]
        if ours["outcome"] != "ok":
            yield f"| {name} | {ours['outcome']} |" + " |" * 11
            continue
        peers = row.get("compare", {}).get("peers", {})
        moves = [str(len(ours["transposes"])), *(str(peers.get(p, {}).get("transposes", "-")) for p in _PEERS)]
        old = row.get("runtime_2_14", {"outcome": "newer ops"})
        cells = [
            name, "ok", f"{ours['max_abs_error']:.1e}", f"{ours['max_abs_reference']:.3g}", f"{ours['floor_s']:.2f}",
            f"{ours['total_s']:.2f}", f"{figures.whole_s(ours) / figures.allowed_s(ours):.2f}",
            *(cell for peer in _PEERS for cell in _beside(peer, row)), ", ".join(moves),
            f"{old['max_abs_error']:.1e}" if old["outcome"] == "ok" else old["outcome"],
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


_PEERS = ("litert", "onnx2tf")


def _beside(peer: str, row: Mapping[str, Any]) -> tuple[str, str]:
    """Our time over the peer's, and our inference over the peer's; or what became of the peer."""
    if peer not in row:
        return "-", "-"
    if row[peer]["outcome"] != "ok":
        return row[peer]["outcome"], "-"
    time = f"{row['mobilekit']['total_s'] / row[peer]['total_s']:.2f}"
    ratio = row["compare"].get("ratios", {}).get(peer)
    if ratio is not None:
        return time, f"{ratio:.2f}"
    return time, row["compare"].get("peers", {}).get(peer, row["compare"])["outcome"]


def _int8_table(networks: Mapping[str, Any]) -> Iterable[str]:
    yield "| network | outcome | SQNR | fake-quantized | difference | MB | in float |"
    yield "|---|---|---|---|---|---|---|"
    for name, row in networks.items():
        int8 = row["int8"]
        if int8["outcome"] != "ok":
            yield f"| {name} | {int8['outcome']} | | | | | |"
            continue
        twin = int8["fake_quantized_db"]
        beside = ("-", "-") if twin is None else (f"{twin:.1f}", f"{int8['sqnr_db'] - twin:+.2f}")
        kinds = sorted({island.split(":")[0] for island in int8["float_islands"]})
        float_ops = "none" if int8["full_integer"] else f"{int8['float_ops']} of {int8['ops']}: {', '.join(kinds)}"
        yield f"| {name} | ok | {int8['sqnr_db']:.1f} | {' | '.join(beside)} | {int8['size_mb']:.2f} | {float_ops} |"


def _transposes(document: Mapping[str, Any] | None) -> list[str]:
    lines = ["## Transposes that stay", ""]
    if document is None:
        return [*lines, "No result file yet."]
    lines += ["One row a reason; a conversion's own report names each with its line in the model.", ""]
    lines += ["| network | how many | why |", "|---|---|---|"]
    for name, row in document["networks"].items():
        reasons = [note["reason"] for note in row["mobilekit"].get("transposes", ())]
        for reason in sorted(set(reasons)):
            lines.append(f"| {name} | {reasons.count(reason)} | {reason} |")
    return lines


def main(words: list[str]) -> int:
    """Write the page, or with ``--check`` say whether it is stale."""
    text = page()
    if words == ["--check"]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
