"""Scores become answers: checked against NumPy, for float and int8, and end to end on a small graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilekit.errors import InputError, ModelLoadError
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.graph.writer import write
from mobilekit.sidecar import AffineSpec, ClassificationSpec, PreprocessSpec, Sidecar, TensorSpec
from mobilekit.tasks.classification import Classifier, Postprocess


def test_float_scores() -> None:
    scores = np.array([[0.5, 3.0, -1.0, 3.0, 2.0]], np.float32)
    answers = Postprocess(ClassificationSpec(k=3), ("a", "b", "c", "d", "e"))(scores)
    exact = np.exp(scores[0].astype(np.float64))
    exact /= exact.sum()
    assert [answer.index for answer in answers] == [1, 3, 4]
    assert [answer.label for answer in answers] == ["b", "d", "e"]
    # The kernel's exp has a relative error below 2e-7; sums add one float32 rounding.
    np.testing.assert_allclose([answer.probability for answer in answers], exact[[1, 3, 4]], rtol=1e-6)


def test_int8_scores_are_read_through_their_scale() -> None:
    scores = np.array([[-128, 0, 100]], np.int8)
    answers = Postprocess(ClassificationSpec(k=5), None, AffineSpec(scale=0.1, zero_point=20))(scores)
    real = 0.1 * (scores[0].astype(np.float64) - 20)
    exact = np.exp(real) / np.exp(real).sum()
    assert [answer.index for answer in answers] == [2, 1, 0]
    assert answers[0].label == "class 2"
    # Exponents down to -23 in float32 are off by 23 * 2**-24 = 1.4e-6, and so is exp of them, relatively.
    np.testing.assert_allclose([answer.probability for answer in answers], exact[[2, 1, 0]], rtol=3e-6)


def test_probabilities_pass_through() -> None:
    answers = Postprocess(ClassificationSpec(k=2, softmax=False))(np.array([0.25, 0.75], np.float32))
    assert [(answer.index, answer.probability) for answer in answers] == [(1, 0.75), (0, 0.25)]


def _sidecar(**changes: object) -> Sidecar:
    image = TensorSpec(
        name="x",
        shape=(1, 2, 2, 3),
        dtype="float32",
        model_shape=(1, 3, 2, 2),
        model_dtype="float32",
        order=(0, 2, 3, 1),
    )
    scores = TensorSpec(
        name="scores", shape=(1, 3), dtype="float32", model_shape=(1, 3), model_dtype="float32", order=(0, 1)
    )
    document = Sidecar(
        model="brightest channel",
        mobilekit_version="0",
        sha256="",
        min_runtime_version="",
        quantize="none",
        inputs=(image,),
        outputs=(scores,),
        preprocess=PreprocessSpec(height=2, width=2, mean=(0,), std=(255,)),
        postprocess=ClassificationSpec(k=1),
        labels=("red", "green", "blue"),
    )
    return document.model_copy(update=changes)


@pytest.fixture
def brightest(tmp_path: Path) -> Path:
    """A file whose scores are the means of the three colours."""
    x, axes = Tensor("x", (1, 2, 2, 3), "float32"), Tensor("axes", (2,), "int32", np.array([1, 2], np.int32))
    scores = Tensor("scores", (1, 3), "float32")
    graph = Graph(inputs=[x], outputs=[scores], ops=[Op("MEAN", [x, axes], [scores], {"keep_dims": False})])
    path = tmp_path / "net.tflite"
    path.write_bytes(write(graph))
    path.with_suffix(".json").write_text(_sidecar().to_json())
    return path


@pytest.mark.parametrize(("channel", "label"), [(0, "red"), (1, "green"), (2, "blue")])
def test_picture_to_answer(brightest: Path, channel: int, label: str) -> None:
    picture = np.zeros((9, 5, 3), np.uint8)
    picture[:, :, channel] = 200
    assert [answer.label for answer in Classifier.open(brightest)(picture)] == [label]


def test_errors(brightest: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 2 labels for 3 classes"):
        Postprocess.from_sidecar(_sidecar(labels=("a", "b")))
    with pytest.raises(InputError, match="does not describe a classifier"):
        Postprocess.from_sidecar(_sidecar(postprocess=None))
    with pytest.raises(ModelLoadError, match="cannot read"):
        Classifier.open(tmp_path / "nowhere.tflite")
    brightest.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="cannot read the sidecar"):
        Classifier.open(brightest)


def test_quantization_is_the_graphs_own() -> None:
    # AffineSpec and the graph's Quantization must read stored values alike.
    stored = np.arange(-128, 128, dtype=np.int8)
    q = Quantization.per_tensor(0.1, 20)
    answers = Postprocess(ClassificationSpec(k=256, softmax=False), None, AffineSpec(scale=0.1, zero_point=20))(stored)
    values = np.array([answer.probability for answer in answers])[::-1]
    np.testing.assert_allclose(values, q.dequantize(stored), rtol=1e-6, atol=1e-6)
