"""The work on one frame, all of it real: NV21 -> input tensor -> LiteRT -> answer, through the code that apps use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit import kernels
from mobilekit.errors import InputError, ModelLoadError
from mobilekit.runtime import Interpreter, TensorInfo
from mobilekit.sidecar import AffineSpec, ClassificationSpec, PreprocessSpec, Sidecar
from mobilekit.tasks.classification import Postprocess

_IMAGE_DTYPES = ("int8", "uint8", "int16", "float16", "float32")
# What a classification file without a sidecar is taken for: logits, of which an app shows five.
_DEFAULT_TOP_K = 5


@dataclass(frozen=True)
class InputLayout:
    """How the input tensor holds an image."""

    height: int
    width: int
    channels: int
    layout: str
    """"nhwc" or "nchw"."""


def image_input(inputs: list[TensorInfo]) -> InputLayout:
    """The one image that the model takes; :class:`ModelLoadError` says why it is none."""
    if len(inputs) != 1:
        names = ", ".join(f"'{i.name}'" for i in inputs)
        raise ModelLoadError(f"the bench feeds one camera image, this model takes {len(inputs)} inputs ({names})")
    tensor = inputs[0]
    said = f"input '{tensor.name}' is {tensor.dtype}{list(tensor.shape)}"
    if len(tensor.shape) == 4 and tensor.shape[0] == 1 and tensor.dtype in _IMAGE_DTYPES:
        _, first, second, third = tensor.shape
        # Channels last is TFLite's own; a file that kept PyTorch's order has them first.
        if third in (1, 3):
            return InputLayout(first, second, third, "nhwc")
        if first in (1, 3):
            return InputLayout(second, third, first, "nchw")
    raise ModelLoadError(f"{said}, no image: the bench needs one of 1xHxWx3 or 1xHxWx1")


class Pipeline:
    """One interpreter with its preprocessing and postprocessing; not to be shared between threads."""

    def __init__(
        self,
        model: bytes,
        sidecar: Sidecar | None,
        *,
        frame_size: tuple[int, int],
        rotation: int,
        threads: int,
        delegate: str,
    ) -> None:
        self._frame_size = frame_size
        self._interpreter = Interpreter(model, threads=threads, delegate=delegate)
        layout = image_input(self._interpreter.inputs)
        self._preprocessor = _preprocessor(layout, self._interpreter.inputs[0], sidecar, rotation)
        self._answer, postprocess = _answerer(self._interpreter.outputs, sidecar)
        implementation = kernels.describe()
        how = implementation["isa"] or "NumPy"
        spec = sidecar.preprocess if sidecar else None
        options = self._preprocessor.options
        self.description = {
            "preprocess": f"{implementation['implementation']} kernel ({how}), one pass: rotate {rotation}, "
            f"{options['fit']}, {options['filter']} to {layout.width}x{layout.height} {options['dtype']} "
            f"{options['layout'].upper()} {options['channels']}, {'as the sidecar says' if spec else 'defaults'}",
            "inference": f"{delegate}, {threads} thread{'s' if threads > 1 else ''}",
            "postprocess": postprocess,
        }
        self.notes = _notes(implementation, spec is not None)

    def preprocess(self, frame: NDArray[np.uint8]) -> None:
        """Write the input tensor. The view of it is dropped at once: the runtime refuses to run while one is held."""
        self._preprocessor(kernels.Image.nv21(frame, *self._frame_size), out=self._interpreter.input_buffer())

    def infer(self) -> None:
        self._interpreter.invoke()

    def postprocess(self) -> Any:
        """Read the outputs and decode them."""
        return self._answer(self._interpreter)

    def __call__(self, frame: NDArray[np.uint8]) -> Any:
        self.preprocess(frame)
        self.infer()
        return self.postprocess()


def _preprocessor(
    layout: InputLayout, tensor: TensorInfo, sidecar: Sidecar | None, rotation: int
) -> kernels.Preprocessor:
    spec = sidecar.preprocess if sidecar else None
    if spec is None:
        # 0 .. 1, the most common convention; the time does not depend on it.
        spec = PreprocessSpec(height=layout.height, width=layout.width, mean=(0.0,), std=(255.0,))
    if (spec.height, spec.width) != (layout.height, layout.width):
        raise InputError(
            f"the sidecar says {spec.width}x{spec.height}, input '{tensor.name}' takes {layout.width}x{layout.height}"
        )
    integer = tensor.dtype in ("int8", "uint8", "int16")
    if integer and tensor.scale == 0:
        # Raw levels go in where a file says nothing about its scale; int8 ones are shifted.
        scale, zero_point = 1.0, -128 if tensor.dtype == "int8" else 0
        spec = spec.model_copy(update={"mean": (0.0,), "std": (1.0,)})
    else:
        scale, zero_point = tensor.scale, tensor.zero_point
    return kernels.Preprocessor(
        (layout.height, layout.width),
        rotation=rotation,
        fit=spec.fit.replace("_", "-"),
        crop_fraction=spec.crop_fraction,
        pad_level=spec.pad_value,
        filter=spec.filter,
        channels="gray" if layout.channels == 1 else spec.channels,
        mean=spec.mean,
        std=spec.std,
        scale=scale if integer else None,
        zero_point=zero_point if integer else 0,
        dtype=tensor.dtype,
        layout=layout.layout,
    )


def _answerer(outputs: list[TensorInfo], sidecar: Sidecar | None) -> tuple[Callable[[Interpreter], Any], str]:
    """What to do with the outputs, and that in words."""
    spec = sidecar.postprocess if sidecar else None
    first = outputs[0]
    scores = len(outputs) == 1 and sum(d > 1 for d in first.shape) == 1 and first.dtype in ("int8", "float32")
    if isinstance(spec, ClassificationSpec) and not scores:
        raise InputError(
            f"the sidecar says classification, but output '{first.name}' is {first.dtype}{list(first.shape)}"
        )
    if scores and (spec is None or isinstance(spec, ClassificationSpec)):
        wanted = spec or ClassificationSpec(k=_DEFAULT_TOP_K)
        affine = AffineSpec(scale=first.scale, zero_point=first.zero_point) if first.scale > 0 else None
        best = Postprocess(wanted, sidecar.labels if sidecar else None, affine)
        classes = max(first.shape)
        words = f"{'softmax and ' if wanted.softmax else ''}top-{min(wanted.k, classes)} of {classes} classes"
        return lambda interpreter: best(interpreter.output()), words if spec else f"{words}, defaults"
    kind = f"{spec.kind} is not decoded here yet" if spec else "no sidecar says what the outputs mean"
    return _copy_outputs, f"outputs are only copied ({kind})"


def _copy_outputs(interpreter: Interpreter) -> list[NDArray[Any]]:
    return [interpreter.output(index) for index in range(len(interpreter.outputs))]


def _notes(implementation: dict[str, Any], has_preprocessing: bool) -> tuple[str, ...]:
    """What a reader must know about how the work was done."""
    notes = []
    if implementation["implementation"] != "native":
        notes.append(f"the kernels ran in NumPy, not in C++ ({implementation['reason']}): preprocess is far too slow")
    if not has_preprocessing:
        notes.append("no sidecar says how to preprocess: frames were stretched and scaled to 0 .. 1")
    return tuple(notes)
