"""Results of checking a graph against targets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mobilekit.source import SourceLocation

_NUMBER = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?")


def without_numbers(reason: str) -> str:
    """A reason with its numbers blotted out: "number of inputs is 6" and "... is 7" are one kind of refusal."""
    return _NUMBER.sub("#", reason)


def percent(share: float) -> str:
    """``98.5 %``; never rounded up to 100 while something is missing."""
    shown = f"{100 * share:.1f}"
    if shown == "100.0" and share < 1.0:
        shown = "99.9"
    return f"{shown.removesuffix('.0')} %"


@dataclass(frozen=True)
class Finding:
    """One op that a target refuses, or whose rules could not all be evaluated."""

    op_index: int
    """Position in the graph; -1 for an op that has no lowering yet."""
    kind: str
    name: str
    supported: bool
    reasons: tuple[str, ...]
    """Why it is refused; empty for an op that is taken."""
    unchecked: tuple[str, ...]
    """Rules in words that cannot be evaluated here; never counted as passed."""
    source: SourceLocation | None = None
    suggestion: str | None = None
    macs: int = 0


@dataclass(frozen=True)
class Join:
    """What would become one piece if some refused ops were taken."""

    ops: tuple[int, ...]
    """The refused ops to change, by position in the graph."""
    names: tuple[str, ...]
    kind: str
    reason: str
    pieces_before: int
    pieces_after: int
    suggestion: str | None = None


@dataclass(frozen=True)
class TargetReport:
    """What one target takes of one graph."""

    target: str
    title: str
    table_version: str
    """Where and when the table was read from."""
    ops_total: int
    ops_supported: int
    ops_unchecked: int
    """Of the supported ones, how many carry a rule that could not be evaluated."""
    mac_share: float | None
    """Share of the multiply-accumulates in supported ops; None when the graph has none."""
    partitions: tuple[int, ...]
    """Ops in each piece that the target could take as a whole, in the order in which they run."""
    findings: tuple[Finding, ...]
    asked: str = ""
    """The target with its level, as a user would ask for it: ``nnapi:31``."""
    level: str = ""
    """What it was checked at, in words ("Android SDK 31"); empty where the target has no levels."""
    delegated: tuple[int, ...] = ()
    """Of ``partitions``, those that the target's own limits let it run (some take the largest piece only)."""
    delegated_mac_share: float | None = None
    pieces: int = 0
    """Pieces in all, those of the CPU included: 1 is a graph in one go."""
    bytes_across: int = 0
    """Bytes handed between target and CPU in one run, with every piece of ``delegated`` on the target."""
    costliest: str | None = None
    """Name of the refused op with the most multiply-accumulates; None if no refused op has any."""
    joins: tuple[Join, ...] = ()
    """Changes that would join pieces, the most effective first."""
    notes: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of the ops that the target takes, 1.0 for an empty graph."""
        return self.ops_supported / self.ops_total if self.ops_total else 1.0


@dataclass(frozen=True)
class CompatReport:
    """One graph against every target asked for."""

    model: str
    targets: tuple[TargetReport, ...]
    min_runtime_version: str
    """Lowest TFLite runtime that has every op at the version used; "unknown" if no release known has them all."""
    op_counts: dict[str, int]
    macs: int = 0
    peak_memory_bytes: int = 0
    """Activations alive at once at the worst op; a lower bound of the runtime's arena."""

    def target(self, name: str) -> TargetReport:
        """The report of one target by its short name; KeyError if it was not asked for."""
        for report in self.targets:
            if report.target == name:
                return report
        raise KeyError(name)


@dataclass(frozen=True)
class TargetInfo:
    """One target that can be checked, for a list of them."""

    name: str
    aliases: tuple[str, ...]
    title: str
    table_version: str
    ops: int
    """Ops that the table says it takes, on some terms."""
    level_name: str
    """What its level is ("Android SDK"); empty where it has none."""
    levels: tuple[int, ...]
    default_level: int | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class BarMiss:
    """A bar of the configuration that one model did not meet."""

    target: str
    """Short name of the target; "runtime" for a bar on the runtime's version."""
    message: str


@dataclass(frozen=True)
class ConversionFigures:
    """What converting one model in a CI run gave; the file was verified against the model."""

    backend: str
    quantize: str
    size_bytes: int
    sqnr_db: float | None
    """Of the worst real-valued output against the model; None if there is none, infinite if all are equal."""
    full_integer: bool
    float_islands: int
    calibration: str | None
    """None, "given" or "synthetic", as in the report of the conversion."""
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LatencyFigures:
    """What timing one converted model in a CI run gave, medians in milliseconds unless a name says else."""

    processing_ms: float
    """Frame in memory -> result in memory, measured."""
    inference_ms: float
    camera_to_screen_p90_ms: float
    """Measured work between a modelled camera and a modelled display: see docs/bench.md."""
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class ModelOutcome:
    """What a CI run says about one model."""

    name: str
    model: str
    """As the configuration gives it: a path or ``file.py:function``."""
    report: CompatReport | None
    """None if the model could not be checked."""
    error: str | None
    misses: tuple[BarMiss, ...]
    notes: tuple[str, ...]
    """What is worth knowing and fails nothing: new in the baseline, better than it."""
    seconds: float
    cached: bool
    """The check came from the cache; conversions and timings never do."""
    conversion: ConversionFigures | None = None
    latency: LatencyFigures | None = None

    @property
    def passed(self) -> bool:
        return self.error is None and not self.misses


@dataclass(frozen=True)
class CiReport:
    """All models of a configuration against their bars and the baseline."""

    outcomes: tuple[ModelOutcome, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all well, 1 a model could not be checked, 2 a bar was missed or coverage fell."""
        if any(outcome.error is not None for outcome in self.outcomes):
            return 1
        return 2 if any(outcome.misses for outcome in self.outcomes) else 0
