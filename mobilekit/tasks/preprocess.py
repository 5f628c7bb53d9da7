"""Picture -> input tensor, as the sidecar says and with the kernels that the phone runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError
from mobilekit.kernels import Image, preprocess
from mobilekit.sidecar import PreprocessSpec, Sidecar, TensorSpec

# torchvision's and timm's training statistics, in levels of 0..255; 224 of 256 is their evaluation crop.
_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)

PRESETS: dict[str, dict[str, Any]] = {
    "imagenet": {"mean": _IMAGENET_MEAN, "std": _IMAGENET_STD, "fit": "center_crop", "crop_fraction": 0.875},
    "zero-to-one": {"mean": (0.0,), "std": (255.0,)},
    "minus-one-to-one": {"mean": (127.5,), "std": (127.5,)},
    "levels": {"mean": (0.0,), "std": (1.0,)},
}
"""Normalisations by name: real = (pixel - mean) / std."""


def preset(name: str, height: int, width: int) -> PreprocessSpec:
    """The preprocessing ``name`` of :data:`PRESETS` for a tensor of ``height`` x ``width`` pixels."""
    if name not in PRESETS:
        raise InputError(f"preprocessing '{name}' is not known; known are {', '.join(PRESETS)}")
    return PreprocessSpec(height=height, width=width, **PRESETS[name])


class Preprocess:
    """Makes tensors of pictures: call it for what the file takes, :meth:`real` for what the PyTorch model takes.

    ``tensor`` describes the file's input; without it only :meth:`real` can be called.
    """

    def __init__(self, spec: PreprocessSpec, tensor: TensorSpec | None = None) -> None:
        self.spec = spec
        self.tensor = tensor
        if tensor is not None:
            self._layout = _layout(tensor, spec)

    @staticmethod
    def from_sidecar(sidecar: Sidecar | str | Path) -> Preprocess:
        """:class:`InputError` where the sidecar says nothing of pictures."""
        document = sidecar if isinstance(sidecar, Sidecar) else Sidecar.read(sidecar)
        if document.preprocess is None:
            raise InputError(f"the sidecar of '{document.model}' does not say how pictures become inputs")
        if len(document.inputs) != 1:
            raise InputError(f"'{document.model}' takes {len(document.inputs)} inputs, a picture can be only one")
        return Preprocess(document.preprocess, document.inputs[0])

    def __call__(self, picture: Any) -> NDArray[Any]:
        """The tensor as the file stores it: its dtype, layout and quantization, batch 1."""
        if self.tensor is None:
            raise InputError("this Preprocess does not know the file's input: give tensor=, or use from_sidecar")
        q = self.tensor.quantization
        return self._run(
            picture,
            dtype=self.tensor.dtype,
            layout=self._layout,
            scale=None if q is None else q.scale,
            zero_point=0 if q is None else q.zero_point,
        )

    def real(self, picture: Any) -> NDArray[np.float32]:
        """The tensor as PyTorch models of pictures take it: float32, 1 x channels x height x width."""
        return self._run(picture, dtype="float32", layout="nchw")

    def _run(self, picture: Any, **form: Any) -> NDArray[Any]:
        spec = self.spec
        return preprocess(
            as_image(picture),
            (spec.height, spec.width),
            fit=spec.fit.replace("_", "-"),
            crop_fraction=spec.crop_fraction,
            pad_level=spec.pad_value,
            filter=spec.filter,
            channels=spec.channels,
            mean=spec.mean,
            std=spec.std,
            **form,
        )


def as_image(picture: Any) -> Image:
    """A PIL image, an array (height x width, or x 3 RGB, or x 4 RGBA; uint8) or an Image of the kernels -> Image."""
    if isinstance(picture, Image):
        return picture
    if hasattr(picture, "convert") and hasattr(picture, "mode"):  # PIL, without importing it
        picture = np.asarray(picture if picture.mode in ("RGB", "RGBA", "L") else picture.convert("RGB"))
    if not isinstance(picture, np.ndarray):
        raise InputError(f"a {type(picture).__name__} is no picture: give a PIL image or a uint8 array")
    picture = np.ascontiguousarray(picture)
    if picture.ndim == 2:
        return Image.gray(picture)
    return Image.rgba(picture) if picture.ndim == 3 and picture.shape[2] == 4 else Image.rgb(picture)


def _layout(tensor: TensorSpec, spec: PreprocessSpec) -> str:
    """Which axis of the file's input holds the channels; :class:`InputError` where the sidecar contradicts itself."""
    channels = 1 if spec.channels == "gray" else 3
    for layout, shape in (
        ("nhwc", (1, spec.height, spec.width, channels)),
        ("nchw", (1, channels, spec.height, spec.width)),
    ):
        if tensor.shape == shape:
            return layout
    raise InputError(
        f"the sidecar's preprocessing makes {spec.height}x{spec.width} pixels of {channels} channels, "
        f"but its input '{tensor.name}' is {list(tensor.shape)}"
    )
