"""Made-up results of every kind, for the renderers, with their awkward cases: infinities, long names, no values."""

from __future__ import annotations

import io
import math

import numpy as np

from mobilekit.results import (
    BenchReport,
    CompatReport,
    ConversionReport,
    Finding,
    FloatIsland,
    InputOrigin,
    LatencySummary,
    LayerError,
    OutputComparison,
    Provenance,
    Stage,
    StepTiming,
    TargetReport,
    TransposeNote,
    VerificationReport,
)
from mobilekit.results.bench import Assumption
from mobilekit.results.file import FileSummary, TensorSummary
from mobilekit.results.photos import Answer, PhotoAnswer, PhotoReport
from mobilekit.source import SourceLocation

LINE = SourceLocation("net.py", 12, "return self.classifier(x)", "classifier.1")


def verification(passed: bool = True) -> VerificationReport:
    output = OutputComparison("logits", (1, 1000), 15.52, (12.0, 15.52, 19.1), 2.31, 17.9, 0.98613, 0.95, False)
    exact = OutputComparison(
        "features_with_a_rather_long_name", (1, 62720), math.inf, (math.inf,), 0.0, 3.0, 1.0, None, False
    )
    return VerificationReport(
        20,
        "held-out",
        "torch 2.15.0 (eager)",
        "ai-edge-litert 2.3.0, xnnpack",
        (output, exact),
        "median SQNR of every output at least 10 dB",
        passed,
        () if passed else ("logits: SQNR 3.1 dB, the bar is 10 dB",),
    )


def conversion(clean: bool = True) -> ConversionReport:
    rng = np.random.default_rng(0)
    layers = tuple(
        LayerError(
            f"features.{i}.conv",
            "CONV_2D" if i % 2 else "DEPTHWISE_CONV_2D",
            float(45 - i / 2 + rng.normal(0, 3)),
            LINE,
        )
        for i in range(64)
    )
    return ConversionReport(
        model="mobilenet_v2",
        backend="direct",
        quantize="int8",
        calibration="given" if clean else "synthetic",
        calibration_samples=16,
        op_counts={
            "CONV_2D": 35,
            "DEPTHWISE_CONV_2D": 17,
            "ADD": 10,
            "MEAN": 1,
            "RESHAPE": 1,
            "FULLY_CONNECTED": 1,
            "PAD": 1,
        },
        transposes=() if clean else (TransposeNote("transpose_1", (1, 7, 7, 1280), "the model flattens NCHW", LINE),),
        float_islands=() if clean else (FloatIsland("softmax", "CUSTOM:Gelu", "no int8 kernel", LINE),),
        full_integer=clean,
        size_bytes=3_718_000,
        float_weight_bytes=13_890_000,
        min_runtime_version="2.3.0",
        timings=(StepTiming("capture", 1.6, 1.9), StepTiming("quantize", 0.9, 0.9), StepTiming("write", 0.04, 0.04)),
        verification=verification(clean),
        layer_errors=layers,
        inferred_inputs=()
        if clean
        else (InputOrigin("x", (1, 3, 224, 224), "float32", "first convolution takes 3 channels"),),
        warnings=() if clean else ("calibrated on synthetic data: the int8 accuracy on real data is unknown",),
        notes=("int8 on this CPU (no VNNI) is a little slower than float; phones turn that round",),
    )


def compat() -> CompatReport:
    def target(name: str, refused: int, unchecked: int) -> TargetReport:
        findings = tuple(
            Finding(
                i,
                "ADD",
                f"add_{i}",
                False,
                ("input 1 must be a constant", "rank over 4"),
                (),
                LINE,
                "use a 1x1 convolution",
            )
            for i in range(refused)
        ) + tuple(
            Finding(i, "CONV_2D", f"conv_{i}", True, (), ("weights fit the on-chip memory",)) for i in range(unchecked)
        )
        return TargetReport(
            name,
            f"{name.upper()} delegate",
            "2.18 (2026-01-20)",
            66,
            66 - refused,
            unchecked,
            0.987 if refused else 1.0,
            (40, 20) if refused else (66,),
            findings,
        )

    names = (
        "xnnpack",
        "gpu",
        "nnapi",
        "hexagon",
        "qnn",
        "edgetpu",
        "mediatek",
        "coreml",
        "tflite_builtin",
        "mldrift_gpu",
    )
    targets = tuple(target(name, (i * 5) % 11 if i else 0, (i * 3) % 7) for i, name in enumerate(names))
    return CompatReport("mobilenet_v2", targets, "2.3.0", conversion().op_counts)


def _series(name: str, provenance: Provenance, mean: float, spread: float, count: int = 300) -> LatencySummary:
    rng = np.random.default_rng(len(name))
    values = mean + rng.gamma(2.0, spread, count)
    p50, p90, p99 = np.percentile(values, [50, 90, 99])
    return LatencySummary(
        name=name,
        provenance=provenance,
        count=count,
        mean_ms=float(values.mean()),
        stdev_ms=float(values.std(ddof=1)),
        p50_ms=float(p50),
        p90_ms=float(p90),
        p99_ms=float(p99),
        max_ms=float(values.max()),
        values_ms=tuple(values.tolist()),
    )


# Stage, measured?, shortest and spread in ms.
_STAGES = (
    ("exposure", False, 4.0, 0.01),
    ("readout + ISP", False, 18.0, 0.4),
    ("mailbox wait", True, 2.0, 3.0),
    ("preprocess", True, 0.3, 0.05),
    ("inference", True, 9.0, 0.5),
    ("postprocess", True, 0.02, 0.01),
    ("draw", False, 1.0, 0.1),
    ("latch wait", False, 8.0, 2.0),
    ("composition", False, 16.7, 0.01),
    ("scan-out", False, 8.3, 0.01),
)


def bench() -> BenchReport:
    stages = []
    for name, is_measured, mean, spread in _STAGES:
        how = Provenance.MEASURED if is_measured else Provenance.MODELLED
        stages.append(Stage(name=name, provenance=how, summary=_series(name, how, mean, spread)))
    return BenchReport(
        created="2026-11-22T12:00:00Z",
        device="cpu",
        model="mobilenet_v2_int8.tflite",
        weights="ImageNet weights",
        environment={"cpu": "Example CPU", "cores": 2, "governor": "unknown"},
        doubts=("2 cores: the camera and the worker share them",),
        settings={"fps": 29.97, "refresh_hz": 60.0, "duration_s": 10.0},
        pipeline={"preprocess": "native, avx2", "inference": "ai-edge-litert 2.3.0, xnnpack, 1 thread"},
        assumptions=(Assumption(name="exposure", value=8.0, unit="ms", source="indoor light"),),
        delivered=_series("latency of delivered frames", Provenance.MIXED, 55.0, 5.0),
        age=_series("age of what the screen shows", Provenance.MIXED, 62.0, 9.0, 600),
        stages=tuple(stages),
        processing=_series("offline processing", Provenance.MEASURED, 9.5, 0.3),
        throughput_qps=98.2,
        throughput_workers=2,
        frames_due=299,
        frames_delivered=296,
        frames_overwritten=2,
        frames_superseded=1,
        dropped_percent=1.0,
        jank_percent=2.5,
        result_fps=29.6,
        phase_p50_ms=(54.0, 56.0),
        camera_late=None,
        model_load_ms=6.1,
        first_inference_ms=31.0,
        warm_up_runs=5,
        peak_rss_mb=210.0,
        baseline_rss_mb=160.0,
        frame_ring_mb=25.0,
        cpu_percent=47.0,
        drift_percent=None,
    )


def photos() -> PhotoReport:
    from PIL import Image

    def photo(i: int) -> PhotoAnswer:
        picture = io.BytesIO()
        Image.new("RGB", (160, 160), (40 * i % 256, 90, 200 - 20 * i)).save(picture, "JPEG")
        right, other = Answer(i, f"class <{i}> & more", 0.91), Answer(99, "toaster", 0.05)
        return PhotoAnswer(
            f"photo_{i}.jpg",
            picture.getvalue(),
            i if i else None,
            right.label if i else "",
            (right, other),
            (other, right) if i == 3 else (right, other),
        )

    return PhotoReport("5 pictures, none used for calibration", tuple(photo(i) for i in range(5)))


def file_summary() -> FileSummary:
    return FileSummary(
        "net.tflite",
        3_718_000,
        3_500_000,
        (TensorSummary("x", (1, 224, 224, 3), "int8", 0.0186, -14),),
        (TensorSummary("logits", (-1, 1000), "float32", None, None),),
        {"CONV_2D": 35, "DEQUANTIZE": 1},
        ("dequantize",),
        "2.3.0",
        "",
        ("serving_default",),
        ("min_runtime_version",),
        0,
    )
