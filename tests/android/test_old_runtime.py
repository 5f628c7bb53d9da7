"""The demo's model on tflite-runtime 2.14, two versions before the app's runtime: the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilekit.bench.model import default_model
from mobilekit.runtime import Interpreter
from mobilekit.tasks.classification import Postprocess
from mobilekit.tasks.preprocess import Preprocess
from tests.quantize.old_runtime import OldRuntime

# scikit-image's own pictures, and the ImageNet class that MobileNetV2's weights see in each.
PHOTOS = {"chelsea": 285, "coffee": 967}


@pytest.mark.slow
def test_the_demos_model_runs_on_the_old_runtime(classic_python: Path) -> None:
    from skimage import data

    model = default_model()
    assert model.sidecar is not None
    if "random" in model.weights:
        pytest.skip("the ImageNet weights are not installed: random ones have no expected answers")
    preprocess, postprocess = Preprocess.from_sidecar(model.sidecar), Postprocess.from_sidecar(model.sidecar)
    inputs = [np.ascontiguousarray(preprocess(getattr(data, name)())) for name in PHOTOS]
    for delegate in ("xnnpack", "reference"):
        ours = Interpreter(model.data, delegate=delegate)
        with OldRuntime(classic_python) as old:
            answers = old.run([(model.data, [tensor], delegate) for tensor in inputs])
        for (name, expected), tensor, (output,) in zip(PHOTOS.items(), inputs, answers, strict=True):
            (reference,) = ours.run([tensor])
            # Both are right: a product that is rounded the other way is one step, and what 53 layers make of such steps
            # was seen to be 8 of 256 at most, at a correlation of 0.997; a layer that is wrong leaves none.
            said = np.corrcoef(output.ravel(), reference.ravel())[0, 1]
            assert said > 0.99, (name, delegate)
            assert postprocess(output)[0].index == expected, (name, delegate)
