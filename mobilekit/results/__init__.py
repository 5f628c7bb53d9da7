"""What mobilekit answers with: frozen dataclasses, one file an area. Rendering knows these and nothing else."""

from __future__ import annotations

from mobilekit.results.base import FORMAT_VERSION, to_jsonable
from mobilekit.results.bench import BenchReport, LatencySummary, Provenance, Stage
from mobilekit.results.compat import (
    BarMiss,
    CiReport,
    CompatReport,
    Finding,
    Join,
    ModelOutcome,
    TargetInfo,
    TargetReport,
)
from mobilekit.results.conversion import (
    AppliedRewrite,
    ConversionReport,
    FloatIsland,
    InputOrigin,
    IntegerLimits,
    LayerError,
    OutputComparison,
    StepTiming,
    TransposeNote,
    VerificationReport,
)
from mobilekit.results.debugging import DebugReport, Histogram
from mobilekit.results.quantization import NoiseShare, SearchReport, TradeOff

__all__ = [
    "FORMAT_VERSION",
    "AppliedRewrite",
    "BarMiss",
    "BenchReport",
    "CiReport",
    "CompatReport",
    "ConversionReport",
    "DebugReport",
    "Finding",
    "FloatIsland",
    "Histogram",
    "InputOrigin",
    "IntegerLimits",
    "Join",
    "LatencySummary",
    "LayerError",
    "ModelOutcome",
    "NoiseShare",
    "OutputComparison",
    "Provenance",
    "SearchReport",
    "Stage",
    "StepTiming",
    "TargetInfo",
    "TargetReport",
    "TradeOff",
    "TransposeNote",
    "VerificationReport",
    "to_jsonable",
]
