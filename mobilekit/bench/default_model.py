"""``python -m mobilekit.bench.default_model FILE.tflite``: convert MobileNetV2 to int8; run by :mod:`.model`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilekit.bench.frames import photo_files
from mobilekit.bench.model import weights_file
from mobilekit.errors import MobilekitError
from mobilekit.sidecar import ClassificationSpec
from mobilekit.tasks.preprocess import Preprocess, preset

if TYPE_CHECKING:
    import torch

_PREPROCESS = preset("imagenet", 224, 224)
_CALIBRATION_IMAGES = 16


def convert_default(path: Path) -> None:
    """Write the .tflite file and its sidecar; real weights and photos where packages carry them."""
    import torch
    import torchvision

    import mobilekit

    weights = weights_file()
    torch.manual_seed(0)  # this process is ours: the weights that no package carries are the same every time
    model = torchvision.models.mobilenet_v2()
    if weights is not None:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    result = mobilekit.convert(
        model.eval(),
        (torch.zeros(1, 3, _PREPROCESS.height, _PREPROCESS.width),),
        quantize="int8",
        calibration=list(_photo_crops()) or None,
        # Random weights have no accuracy to verify.
        verify=weights is not None,
        name="mobilenet_v2",
        preprocess=_PREPROCESS,
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

    to_tensor = Preprocess(_PREPROCESS)
    for index in range(_CALIBRATION_IMAGES):
        with Image.open(photos[index % len(photos)]) as photo:
            picture = photo.convert("RGB")
        # Each round zooms in further, so that the crops of one photo differ.
        side = round(min(picture.size) / (1 + 0.4 * (index // len(photos))))
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        yield torch.from_numpy(to_tensor.real(picture.crop((left, top, left + side, top + side))))


def main(arguments: list[str]) -> Any:
    try:
        convert_default(Path(arguments[0]))
    except MobilekitError as error:
        return str(error).replace("\n", " ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
