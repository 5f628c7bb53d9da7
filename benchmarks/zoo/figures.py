"""Records of the zoo against the bars: functions of the records alone, so a page can be made from a result file."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Records = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Figure:
    """One promised number."""

    name: str
    value: str
    bar: str
    met: bool


def whole_s(record: Mapping[str, Any]) -> float:
    """Import of torch and mobilekit, and convert with verification."""
    return float(record["torch_s"] + record["tool_s"] + record["total_s"])


def allowed_s(record: Mapping[str, Any]) -> float:
    """Three times the floor (import torch, one export), and 2 s for each 100 MB of weights."""
    return float(3 * (record["torch_s"] + record["floor_s"]) + 2 * record["weights_mb"] / 100)


def float_figures(networks: Records) -> list[Figure]:
    """Of result file ``zoo``: conversion, time against the floor and the peers, inference, the old runtime."""
    ours = {name: row["mobilekit"] for name, row in networks.items()}
    done = {name: record for name, record in ours.items() if record["outcome"] == "ok"}
    right = [r for r in done.values() if r["max_abs_error"] <= 1e-3 * max(1.0, r["max_abs_reference"])]
    over = {name: whole_s(r) / allowed_s(r) for name, r in done.items()}
    found = [
        Figure("converted and verified", f"{len(right)} of {len(ours)}", "all", len(right) == len(ours)),
        _worst("time against 3 x floor + 2 s a 100 MB", over, 1.0),
    ]
    times = {
        name: row["mobilekit"]["total_s"] / row["litert"]["total_s"]
        for name, row in networks.items()
        if name in done and row.get("litert", {}).get("outcome") == "ok"
    }
    found += _median_and_worst("time / litert-torch's", times, 0.25, 1.0)
    best = {
        name: max(ratios.values()) for name, row in networks.items() if (ratios := row.get("compare", {}).get("ratios"))
    }
    found += _median_and_worst("inference / the best peer's file", best, 1.0, 1.10)
    old = [row["runtime_2_14"] for row in networks.values() if "runtime_2_14" in row]
    equal = [r for r in old if r["outcome"] == "ok" and r["error_share"] <= 1e-3]
    if old:
        count = f"{len(equal)} of the {len(old)} whose ops it knows"
        found.append(Figure("run on tflite-runtime 2.14, equal numbers", count, "all", len(equal) == len(old)))
    return found


def int8_figures(networks: Records) -> list[Figure]:
    """Of result file ``zoo_int8``: every network runs; SQNR against the fake-quantized twin."""
    rows = {name: row["int8"] for name, row in networks.items()}
    done = {name: r for name, r in rows.items() if r["outcome"] == "ok"}
    unknown = [name for name, r in done.items() if not r["full_integer"] and not r["float_islands"]]
    figures = [
        Figure("converted to int8 and run", f"{len(done)} of {len(rows)}", "all", len(done) == len(rows)),
        Figure("neither full integer nor told why not", str(len(unknown)), "0", not unknown),
    ]
    measured = {name: r["sqnr_db"] for name, r in done.items() if r["sqnr_db"] is not None}
    if measured:
        # What verification asks of a quantized file (mobilekit/conversion/verify.py); a twin can be as bad as the file.
        name = min(measured, key=lambda key: measured[key])
        value = f"{measured[name]:.1f} ({name})"
        figures.append(Figure("SQNR against PyTorch, worst dB", value, "10", measured[name] >= 10))
    short = {n: r["fake_quantized_db"] - r["sqnr_db"] for n, r in done.items() if r["fake_quantized_db"] is not None}
    if short:
        within = sum(value <= 0.5 for value in short.values())
        middle, (name, worst) = statistics.median(short.values()), max(short.items(), key=lambda item: item[1])
        figures += [
            Figure(
                "SQNR at least the fake-quantized twin's - 0.5 dB", f"{within} of {len(short)}", "all",
                within == len(short),
            ),
            Figure("SQNR below the twin's, median dB", f"{middle:.2f}", "0.5", middle <= 0.5),
            Figure("SQNR below the twin's, worst dB", f"{worst:.2f} ({name})", "0.5", worst <= 0.5),
        ]  # fmt: skip
    return figures


def _worst(name: str, values: Mapping[str, float], bar: float) -> Figure:
    worst = max(values, key=lambda key: values[key], default=None)
    text = "-" if worst is None else f"{values[worst]:.2f} ({worst})"
    return Figure(f"{name}, worst", text, f"{bar:.2f}", worst is not None and values[worst] <= bar)


def _median_and_worst(name: str, values: Mapping[str, float], median_bar: float, worst_bar: float) -> list[Figure]:
    if not values:
        return []
    middle = statistics.median(values.values())
    first = Figure(f"{name}, median of {len(values)}", f"{middle:.3f}", f"{median_bar:.2f}", middle <= median_bar)
    return [first, _worst(name, values, worst_bar)]


def table(figures: Iterable[Figure]) -> Sequence[str]:
    return [f"{f.name:56} {f.value:42} bar {f.bar:6} {'met' if f.met else 'NOT MET'}" for f in figures]
