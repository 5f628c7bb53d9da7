"""Results of converting and verifying."""

from __future__ import annotations

from dataclasses import dataclass, field

from mobilekit.results.compat import CompatReport
from mobilekit.results.quantization import SearchReport
from mobilekit.source import SourceLocation


@dataclass(frozen=True)
class OutputComparison:
    """One output of the file against the reference, over all samples, in float64 after dequantization."""

    name: str
    shape: tuple[int, ...]
    sqnr_db: float
    """Median over the samples of 10 log10(sum ref^2 / sum (ref - got)^2); infinite when equal."""
    sqnr_db_per_sample: tuple[float, ...]
    max_abs_error: float
    max_abs_reference: float
    cosine: float
    """Median over the samples."""
    top1_agreement: float | None
    """Share of rows whose argmax agrees; None when the output is no row of at least two scores."""
    nan_mismatch: bool
    """The file gives NaN or Inf where the reference has none (or the reverse)."""
    real_valued: bool = True
    """False for integers and bools, where a ratio of powers says nothing."""
    shape_mismatch: str = ""
    """The two shapes of the first sample where they differ (a size that depends on the data)."""


@dataclass(frozen=True)
class VerificationReport:
    """What the written bytes compute against what the model computes."""

    samples: int
    data: str
    """Where the samples came from: "example", "calibration", "held-out" or "synthetic"."""
    reference: str
    """e.g. ``torch 2.15.0 (eager)``."""
    runtime: str
    """e.g. ``ai-edge-litert 2.3.0, xnnpack``."""
    outputs: tuple[OutputComparison, ...]
    criterion: str
    """The bar in words."""
    passed: bool
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class LayerError:
    """How far one tensor of the quantized graph is from the same tensor of the float graph."""

    name: str
    kind: str
    """The op that makes it."""
    sqnr_db: float
    source: SourceLocation | None = None


@dataclass(frozen=True)
class FloatIsland:
    """An op that stayed in float inside a quantized graph."""

    name: str
    kind: str
    reason: str
    source: SourceLocation | None = None
    macs_share: float = 0.0
    """Of all multiply-accumulates of the graph, 0 to 1."""
    converted_bytes: int = 0
    """Float bytes that a DEQUANTIZE before it or a QUANTIZE behind it handles in each run."""


@dataclass(frozen=True)
class TransposeNote:
    """A TRANSPOSE that stayed in the graph, and why."""

    name: str
    shape: tuple[int, ...]
    reason: str
    source: SourceLocation | None = None


@dataclass(frozen=True)
class AppliedRewrite:
    """An op that gave way to another formulation, because a rewrite was asked for."""

    rewrite: str
    node: str
    error: float
    """The largest distance from what the op gives, over all real inputs."""
    source: SourceLocation | None = None


@dataclass(frozen=True)
class StepTiming:
    """Wall and CPU seconds of one step of the pipeline."""

    step: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class InputOrigin:
    """An example input that was not given, and how it was known."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    reason: str


@dataclass(frozen=True)
class IntegerLimits:
    """The integers for which no int64 of the model leaves int32 in the file; both ends included."""

    input: str
    low: int
    high: int


@dataclass(frozen=True)
class ConversionReport:
    """Everything worth knowing about one conversion."""

    model: str
    backend: str
    quantize: str
    """ "none", "int8", ... or the name of a recipe."""
    calibration: str | None
    """None without quantization, "given", or "synthetic" (then the int8 numbers say little about real data)."""
    calibration_samples: int
    op_counts: dict[str, int]
    transposes: tuple[TransposeNote, ...]
    float_islands: tuple[FloatIsland, ...]
    full_integer: bool
    size_bytes: int
    float_weight_bytes: int
    min_runtime_version: str
    timings: tuple[StepTiming, ...]
    verification: VerificationReport | None
    compat: CompatReport | None = None
    layer_errors: tuple[LayerError, ...] = ()
    inferred_inputs: tuple[InputOrigin, ...] = ()
    narrowed_int64: tuple[str, ...] = ()
    """Names of int64 inputs and buffers that the file holds as int32.

    With backend "direct" every int64 result in between is proven to fit as well, for inputs within
    ``integer_limits`` (int32 where an input is not named there), which each call checks; what could only be assumed
    (a cast of an unbounded float) is among ``warnings``."""
    integer_limits: tuple[IntegerLimits, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    search: SearchReport | None = None
    """With ``quantize="auto"`` only."""
    stages: tuple[str, ...] = ()
    """In words, the parts of the file and the kernels that run between and after them; empty if the file is all."""
    rewrites: tuple[AppliedRewrite, ...] = ()
    """Where an op was rewritten on request; the file is then verified against the rewritten model."""
    rewrite_distance: tuple[OutputComparison, ...] = ()
    """The rewritten model against the original one, in PyTorch, on the samples of the verification."""
