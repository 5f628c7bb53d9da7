"""Small files to bench, built by the project's own writer: nothing is downloaded or stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilekit.graph import writer
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor


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


@pytest.fixture
def classifier_path(tmp_path: Path) -> Path:
    path = tmp_path / "classifier.tflite"
    path.write_bytes(image_classifier())
    return path
