"""Whatever a user calls a model -> a :class:`~mobilekit.frontends.source.Source`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch.export import ExportedProgram

from mobilekit.errors import CalibrationError, InputError
from mobilekit.frontends.source import Source, from_torch
from mobilekit.loading import FILE_KINDS, FORMS, LoadedModel, load_model
from mobilekit.sidecar import PreprocessSpec


def load_source(
    model: torch.nn.Module | ExportedProgram | str | Path,
    example_inputs: Any = None,
    example_kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    name: str | None = None,
) -> Source:
    """Load and capture ``model``; every error is a :class:`~mobilekit.errors.MobilekitError` with the user's line."""
    if isinstance(model, (str, Path)):
        loaded = load_model(str(model))
        name = name or loaded.name
        example_inputs = example_inputs if example_inputs is not None else loaded.example_inputs
        if loaded.kind in FILE_KINDS:
            return file_source(loaded, example_inputs, name)
        model = loaded.model
    if not isinstance(model, (torch.nn.Module, ExportedProgram)):
        raise InputError(
            f"a {type(model).__name__} is no model: give an nn.Module, an ExportedProgram, or a path: {FORMS}"
        )
    return from_torch(model, example_inputs, example_kwargs, dynamic_shapes, name)


def file_source(loaded: LoadedModel, example_inputs: Any = None, name: str | None = None) -> Source:
    """The file of another framework, each with its own runtime as the reference."""
    name = name or loaded.name
    if loaded.kind == "onnx":
        from mobilekit.frontends.onnx_model import from_onnx

        return from_onnx(loaded.model, example_inputs, name)
    if loaded.kind == "tflite":
        from mobilekit.frontends.tflite_model import from_tflite

        return from_tflite(loaded.model, example_inputs, name)
    from mobilekit.frontends.tensorflow_model import from_tensorflow

    return from_tensorflow(loaded.model, loaded.signature, example_inputs, name)


def open_data(data: Any, preprocess: PreprocessSpec | None) -> Iterable[Any]:
    """Whatever a user calls inputs -> an iterable of them.

    The name of a folder or of a .npy or .npz file -> what it holds; a function (TensorFlow's representative data set)
    -> what it returns; :class:`~mobilekit.errors.CalibrationError` for what is no iterable.
    """
    if isinstance(data, (str, Path)):
        from mobilekit.tasks.data import open_inputs
        from mobilekit.tasks.preprocess import Preprocess

        return open_inputs(data, None if preprocess is None else Preprocess(preprocess))
    if callable(data) and not isinstance(data, Iterable):
        data = data()
    if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        raise CalibrationError(
            f"an object of type '{type(data).__name__}' is no calibration data: give an iterable of inputs, a folder, "
            "or a .npy or .npz file"
        )
    return cast("Iterable[Any]", data)
