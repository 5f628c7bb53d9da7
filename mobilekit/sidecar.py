"""The JSON beside a .tflite file: everything an app must know to feed the model and to read its answer.

The same document drives :mod:`mobilekit.tasks` in Python and the Android app, so that a phone does what was verified
here. Unknown fields are refused rather than ignored: a typo must not silently change a preprocessing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from mobilekit.errors import InputError

SIDECAR_VERSION: Final = 1


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AffineSpec(_Document):
    """real = scale * (stored - zero_point)."""

    scale: float = Field(gt=0)
    zero_point: int


class TensorSpec(_Document):
    """One input or output, as the file holds it and as the model's user knows it."""

    name: str
    shape: tuple[int, ...]
    """In the file; -1 for a dynamic dimension."""
    dtype: str
    """In the file."""
    quantization: AffineSpec | None = None
    model_shape: tuple[int, ...]
    model_dtype: str
    order: tuple[int, ...]
    """Axis i of the file is axis ``order[i]`` of the model's tensor: (0, 2, 3, 1) for an image, NCHW in PyTorch."""
    limits: tuple[int, int] | None = None
    """For an integer input: lowest and highest value that the file is right for; left out: all that its dtype holds."""

    @model_serializer(mode="wrap")
    def _without_empty_limits(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Sidecars of models without limits stay readable for apps that were built before there were any."""
        document: dict[str, Any] = dump(self)
        if self.limits is None:
            document.pop("limits", None)
        return document


class StateSpec(_Document):
    """A buffer that the model changes in forward (a cache, a counter): the app carries it from call to call."""

    buffer: str
    """Its name in the model."""
    input: str
    output: str
    """The output whose value is this input's in the next call (real numbers: each has its own quantization)."""
    initial: tuple[float, ...]
    """Before the first call, flattened in the file's order; one number if all are equal, none if there are none."""


class PreprocessSpec(_Document):
    """From a picture (8 bits a channel) to the input tensor; the kernels do it in one pass.

    ``mean`` and ``std`` are in units of 0..255 and in the order of ``channels``: real = (pixel - mean) / std.
    """

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    fit: Literal["stretch", "center_crop", "letterbox", "pad_right"] = "stretch"
    crop_fraction: float = Field(default=1.0, gt=0, le=1)
    """With ``center_crop``: side of the central square, as a share of the shorter side (ImageNet: 224/256 = 0.875)."""
    filter: Literal["nearest", "bilinear", "area", "bicubic"] = "bilinear"
    pad_value: int = Field(default=114, ge=0, le=255)
    mean: tuple[float, ...]
    std: tuple[float, ...]


class ClassificationSpec(_Document):
    """Scores of classes -> the best ``k``; ``softmax`` when the model gives logits."""

    kind: Literal["classification"] = "classification"
    k: int = Field(default=5, gt=0)
    softmax: bool = True


class DetectionSpec(_Document):
    """Boxes and scores -> boxes after NMS; ``decoder`` names the layout of the output tensors."""

    kind: Literal["detection"] = "detection"
    decoder: str
    score_threshold: float = Field(default=0.25, ge=0, le=1)
    iou_threshold: float = Field(default=0.45, ge=0, le=1)
    max_results: int = Field(default=300, gt=0)


class RecognitionSpec(_Document):
    """Scores of characters over time -> text (CTC greedy); class ``blank`` is no character."""

    kind: Literal["recognition"] = "recognition"
    blank: int = Field(default=0, ge=0)


class SegmentationSpec(_Document):
    """Scores of classes for every pixel -> the best class of each."""

    kind: Literal["segmentation"] = "segmentation"


class PartStep(_Document):
    """Run one signature of the file; tensors are fed and read under the names of the values."""

    kind: Literal["part"] = "part"
    signature: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class ValueSpec(_Document):
    """A value that a kernel gives, in PyTorch's axis order; -1 for a size that depends on the data."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class _HostStep(_Document):
    op: str
    """The op of the model that this step stands for, e.g. ``torchvision.nms.default``."""
    arguments: tuple[Any, ...]
    """In the order of the op's schema: a number, a string, null, a list of these, ``{"value": name}``,
    ``{"dtype": name}`` or ``{"constant": nested list, "dtype": name, "shape": sizes}``."""
    outputs: tuple[ValueSpec, ...]


class NmsStep(_HostStep):
    """``mk_nms`` (cpp/include/mobilekit/detect.h) on boxes, scores, the classes if there are any, and the threshold."""

    kind: Literal["nms"] = "nms"
    kernel: Literal["mk_nms"] = "mk_nms"
    iou_threshold: float = Field(ge=0, le=1)


class TensorStep(_HostStep):
    """A plain tensor op on a few boxes (an index, a comparison, a slice); its meaning is that of the ATen op."""

    kind: Literal["tensor"] = "tensor"


class LibraryStep(_HostStep):
    """A user's own kernel: ``symbol`` of the shared library, called as cpp/include/mobilekit/custom_op.h says."""

    kind: Literal["library"] = "library"
    library: str
    """File name only: where it lies is the app's affair (``System.loadLibrary``)."""
    symbol: str


class PythonStep(_HostStep):
    """A user's own Python function: an app has to bring the same step in its own language."""

    kind: Literal["python"] = "python"
    function: str


Step = Annotated[PartStep | NmsStep | TensorStep | LibraryStep | PythonStep, Field(discriminator="kind")]


class StagesSpec(_Document):
    """A model that is not one run of the file: what to do one after the other, and which values are its outputs."""

    steps: tuple[Step, ...]
    results: tuple[Any, ...]
    """One an output, in the form of a step's arguments."""


class Sidecar(_Document):
    """The whole document."""

    version: Literal[1] = SIDECAR_VERSION
    model: str
    mobilekit_version: str
    sha256: str
    """Of the .tflite file that this document describes."""
    min_runtime_version: str
    quantize: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    output_structure: str | None = None
    """PyTorch's own JSON of how the outputs nest (``torch.utils._pytree.treespec_dumps``); None for one tensor."""
    states: tuple[StateSpec, ...] = ()
    """Inputs and outputs that are no argument and no result of the model."""
    preprocess: PreprocessSpec | None = None
    postprocess: ClassificationSpec | DetectionSpec | RecognitionSpec | SegmentationSpec | None = Field(
        default=None, discriminator="kind"
    )
    labels: tuple[str, ...] | None = None
    stages: StagesSpec | None = None
    """Written only where there are any, so that a reader that knows no stages reads every other sidecar, and refuses
    a file that it would run wrongly."""

    def to_json(self) -> str:
        return self.model_dump_json(indent=2, exclude={"stages"} if self.stages is None else None) + "\n"

    @staticmethod
    def from_json(text: str, name: str = "the sidecar") -> Sidecar:
        """Parse and validate; :class:`InputError` names the field that is wrong."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{name} is not JSON: line {error.lineno}: {error.msg}") from error
        if isinstance(document, dict) and document.get("version", SIDECAR_VERSION) != SIDECAR_VERSION:
            raise InputError(
                f"{name} has version {document['version']}, this mobilekit reads {SIDECAR_VERSION}: upgrade mobilekit"
            )
        try:
            return Sidecar.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(f"{name}: {place or 'document'}: {first['msg']}") from error

    @staticmethod
    def read(path: str | Path) -> Sidecar:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the sidecar '{path}': {error}") from error
        return Sidecar.from_json(text, str(path))
