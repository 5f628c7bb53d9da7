"""Small files to bench, built by the project's own writer, and a report: nothing is downloaded or stored."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mobilekit.bench.accounting import account
from mobilekit.bench.camera import camera_model
from mobilekit.bench.devices.simulated import Service, simulate
from mobilekit.bench.display import DisplayModel
from mobilekit.bench.stats import summarize
from mobilekit.graph import writer
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.results.bench import BenchReport, Provenance


def image_classifier(side: int = 32, classes: int = 10, channels: int = 3) -> bytes:
    """int8 image 1 x side x side x channels -> mean over the pixels -> fully connected -> int8 scores."""
    generator = np.random.default_rng(0)
    levels = Quantization.per_tensor(1 / 255, -128)
    image = Tensor("image", (1, side, side, channels), "int8", quantization=levels)
    mean = Tensor("mean", (1, channels), "int8", quantization=levels)
    axes = Tensor("axes", (2,), "int32", data=np.array([1, 2], np.int32))
    weights = generator.integers(-127, 128, (classes, channels)).astype(np.int8)
    kernel = Tensor("kernel", weights.shape, "int8", data=weights, quantization=Quantization.per_tensor(0.01))
    bias = Tensor(
        "bias", (classes,), "int32", data=np.zeros(classes, np.int32), quantization=Quantization.per_tensor(0.01 / 255)
    )
    scores = Tensor("scores", (1, classes), "int8", quantization=Quantization.per_tensor(0.02))
    graph = Graph(
        inputs=[image],
        outputs=[scores],
        ops=[
            Op("MEAN", [image, axes], [mean], {"keep_dims": False}),
            Op("FULLY_CONNECTED", [mean, kernel, bias], [scores]),
        ],
    )
    return writer.write(graph)


def adder(shapes: tuple[tuple[int, ...], ...]) -> bytes:
    """float32 inputs of these shapes -> their sum: a file whose inputs are not one image."""
    inputs = [Tensor(f"input_{i}", shape, "float32") for i, shape in enumerate(shapes)]
    result = Tensor("sum", shapes[0], "float32")
    operands: list[Tensor | None] = [inputs[0], inputs[-1]]
    return writer.write(Graph(inputs=inputs, outputs=[result], ops=[Op("ADD", operands, [result])]))


def bench_report(**changes: Any) -> BenchReport:
    """A report as the host makes it, from a simulated second."""
    recording = simulate(30, 1, lambda _index: Service(200_000, 2_000_000, 100_000), lead_in=3)
    sensor, display = camera_model("phone"), DisplayModel()
    figures = account(recording, sensor, display)
    fields = {f.name: getattr(figures, f.name) for f in dataclasses.fields(figures) if f.name != "blank_ms"}
    report = BenchReport(
        created="2026-01-02T03:04:05+00:00",
        device="cpu",
        model="net.tflite",
        weights="as in net.tflite",
        environment={"cpu": "Test CPU", "flags": ["avx2"], "cores": 4, "governor": None, "threads": 1},
        doubts=("the CPU governor cannot be read here: the clock may change unseen",),
        settings={"fps": 30.0},
        pipeline={"inference": "xnnpack, 1 thread"},
        assumptions=(*sensor.assumptions(), *display.assumptions()),
        processing=summarize("processing", Provenance.MEASURED, [2.25, 2.5]),
        throughput_qps=812.5,
        throughput_workers=2,
        phase_p50_ms=(54.0, 66.7),
        camera_late=summarize("camera thread late", Provenance.MEASURED, [0.05]),
        model_load_ms=3.5,
        first_inference_ms=12.25,
        warm_up_runs=100,
        peak_rss_mb=224.0,
        baseline_rss_mb=220.0,
        frame_ring_mb=68.4,
        cpu_percent=7.0,
        **fields,
    )
    return dataclasses.replace(report, **changes)
