from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit import kernels
from mobilekit.bench.stages import InputLayout, Pipeline, image_input
from mobilekit.errors import InputError, ModelLoadError
from mobilekit.runtime import Interpreter, TensorInfo
from mobilekit.sidecar import ClassificationSpec, DetectionSpec, PreprocessSpec, Sidecar
from tests.bench.samples import adder, image_classifier

FRAME = (64, 48)


def sidecar(**fields: Any) -> Sidecar:
    head = {"model": "m", "mobilekit_version": "0", "sha256": "", "min_runtime_version": "1", "quantize": "int8"}
    return Sidecar(**{**head, "inputs": (), "outputs": (), **fields})


def pipeline(model: bytes, document: Sidecar | None = None, rotation: int = 90) -> Pipeline:
    return Pipeline(model, document, frame_size=FRAME, rotation=rotation, threads=1, delegate="reference")


def frame(seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, FRAME[0] * FRAME[1] * 3 // 2, np.uint8)


class TestImageInput:
    @pytest.mark.parametrize(
        ("shape", "expected"),
        [
            ((1, 224, 320, 3), InputLayout(224, 320, 3, "nhwc")),
            ((1, 28, 28, 1), InputLayout(28, 28, 1, "nhwc")),
            ((1, 3, 224, 320), InputLayout(224, 320, 3, "nchw")),
        ],
    )
    def test_layouts(self, shape: tuple[int, ...], expected: InputLayout) -> None:
        assert image_input([TensorInfo("x", shape, "int8", 1.0, 0)]) == expected

    @pytest.mark.parametrize(
        ("shape", "dtype"),
        [((1, 128), "int8"), ((1, 224, 224, 4), "int8"), ((2, 224, 224, 3), "int8"), ((1, 224, 224, 3), "int32")],
    )
    def test_no_image(self, shape: tuple[int, ...], dtype: str) -> None:
        with pytest.raises(
            ModelLoadError, match=r"input 'x' is .*, no image: the bench needs one of 1xHxWx3 or 1xHxWx1"
        ):
            image_input([TensorInfo("x", shape, dtype, 1.0, 0)])

    def test_two_inputs(self) -> None:
        with pytest.raises(
            ModelLoadError, match=r"feeds one camera image, this model takes 2 inputs \('input_0', 'input_1'\)"
        ):
            pipeline(adder(((1, 8, 8, 3), (1, 8, 8, 3))))


class TestPipeline:
    def test_the_answer_is_that_of_the_same_steps_by_hand(self) -> None:
        model = image_classifier()
        spec = PreprocessSpec(
            height=32, width=32, fit="center_crop", crop_fraction=0.875, mean=(10.0, 20.0, 30.0), std=(200.0,) * 3
        )
        found = pipeline(model, sidecar(preprocess=spec, postprocess=ClassificationSpec(k=3)), rotation=270)(frame())

        interpreter = Interpreter(model, delegate="reference")
        tensor = kernels.preprocess(
            kernels.Image.nv21(frame(), *FRAME),
            (32, 32),
            rotation=270,
            fit="center-crop",
            crop_fraction=0.875,
            mean=(10, 20, 30),
            std=(200, 200, 200),
            scale=interpreter.inputs[0].scale,
            zero_point=-128,
        )
        (scores,) = interpreter.run([tensor])
        real = 0.02 * scores[0].astype(np.float64)
        probabilities = np.exp(real - real.max()) / np.exp(real - real.max()).sum()
        best = np.argsort(-probabilities, kind="stable")[:3]
        assert [answer.index for answer in found] == best.tolist()
        # float32 softmax of ten classes: far below 1e-6 from float64.
        assert [answer.probability for answer in found] == pytest.approx(probabilities[best].tolist(), abs=1e-6)

    def test_frames_do_not_leak_into_each_other(self) -> None:
        both = pipeline(image_classifier())
        first, second = both(frame(1)), both(frame(2))
        assert pipeline(image_classifier())(frame(2)) == second
        assert first != second

    def test_without_a_sidecar_it_says_what_it_assumed(self) -> None:
        bare = pipeline(image_classifier())
        assert "no sidecar says how to preprocess: frames were stretched and scaled to 0 .. 1" in bare.notes
        assert bare.description["preprocess"].endswith("rotate 90, stretch, bilinear to 32x32 int8 NHWC rgb, defaults")
        assert bare.description["postprocess"] == "softmax and top-5 of 10 classes, defaults"

    def test_numpy_kernels_are_a_doubt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slow = {"implementation": "reference", "isa": None, "available": [], "reason": "not built"}
        monkeypatch.setattr(kernels, "describe", lambda: slow)
        notes = pipeline(image_classifier()).notes
        assert notes[0] == "the kernels ran in NumPy, not in C++ (not built): preprocess is far too slow"

    def test_outputs_of_unknown_meaning_are_copied(self) -> None:
        found = pipeline(adder(((1, 8, 8, 3),)))
        assert found.description["postprocess"] == "outputs are only copied (no sidecar says what the outputs mean)"
        (output,) = found(frame())
        assert output.shape == (1, 8, 8, 3)

    def test_detection_is_copied_and_said_so(self) -> None:
        spec = sidecar(postprocess=DetectionSpec(decoder="yolo"))
        found = pipeline(adder(((1, 8, 8, 3),)), spec)
        assert found.description["postprocess"] == "outputs are only copied (detection is not decoded here yet)"

    def test_gray_images(self) -> None:
        assert len(pipeline(image_classifier(channels=1))(frame())) == 5

    def test_a_sidecar_of_another_size_is_an_error(self) -> None:
        spec = PreprocessSpec(height=64, width=64, mean=(0.0,), std=(255.0,))
        with pytest.raises(InputError, match="the sidecar says 64x64, input 'image' takes 32x32"):
            pipeline(image_classifier(), sidecar(preprocess=spec))

    def test_classification_of_what_is_no_scores_is_an_error(self) -> None:
        with pytest.raises(
            InputError, match=r"the sidecar says classification, but output 'sum' is float32\[1, 8, 8, 3\]"
        ):
            pipeline(adder(((1, 8, 8, 3),)), sidecar(postprocess=ClassificationSpec()))
