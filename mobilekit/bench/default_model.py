"""``python -m mobilekit.bench.default_model FILE.tflite``: convert MobileNetV2 to int8; run by :mod:`.model`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilekit.bench.frames import photo_files
from mobilekit.bench.model import weights_file
from mobilekit.errors import MobilekitError
from mobilekit.sidecar import ClassificationSpec, PreprocessSpec

if TYPE_CHECKING:
    import torch

# What ImageNet models of torchvision were trained with, in levels of 0 .. 255.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
_STD = np.array([0.229, 0.224, 0.225], np.float32) * 255
_CALIBRATION_IMAGES = 16
_SIDE = 224


def convert_default(path: Path) -> None:
    """Write the .tflite file and its sidecar; real weights and photos where packages carry them."""
    import torch
    import torchvision

    import mobilekit

    weights = weights_file()
    # A generator of its own: nothing here may touch the global one ... but modules draw from it when built.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.mobilenet_v2()
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    crops = list(_photo_crops())
    result = mobilekit.convert(
        model.eval(),
        (torch.zeros(1, 3, _SIDE, _SIDE),),
        quantize="int8",
        calibration=crops or None,
        # Random weights have no accuracy to verify.
        verify=weights is not None,
        name="mobilenet_v2",
        preprocess=PreprocessSpec(
            height=_SIDE,
            width=_SIDE,
            fit="center_crop",
            crop_fraction=0.875,  # torchvision's evaluation: resize to 256, centre crop of 224
            mean=tuple(_MEAN.tolist()),
            std=tuple(_STD.tolist()),
        ),
        postprocess=ClassificationSpec(k=5, softmax=True),
    )
    result.save(path)


def _photo_crops() -> Iterator[torch.Tensor]:
    """Crops of scikit-image's photos as the model takes them, 1x3x224x224 float32; none where it is not installed."""
    import torch

    photos = photo_files()
    if not photos:
        return
    from PIL import Image

    for index in range(_CALIBRATION_IMAGES):
        with Image.open(photos[index % len(photos)]) as photo:
            picture = photo.convert("RGB")
        # Successive rounds zoom in, so that the crops differ.
        side = min(picture.size) / (1 + 0.4 * (index // len(photos)))
        left, top = (picture.width - side) / 2, (picture.height - side) / 2
        small = picture.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
        levels = (np.asarray(small, np.float32) - _MEAN) / _STD
        yield torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)[None]))


def main(arguments: list[str]) -> Any:
    try:
        convert_default(Path(arguments[0]))
    except MobilekitError as error:
        return str(error).replace("\n", " ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
