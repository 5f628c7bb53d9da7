"""One interpreter over ai_edge_litert, tflite_runtime or tf.lite, whichever is installed (in that order).

``MOBILEKIT_RUNTIME`` forces one by module name. Delegates: ``xnnpack`` is what phones run by default; ``reference``
runs the plain kernels without any delegate, keeps every intermediate tensor if asked, and is what observers use.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError, RuntimeUnavailableError, first_line
from mobilekit.streams import filtered

# module, distribution that gives its version
_CANDIDATES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow.lite.python.interpreter", "tensorflow"),
)


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of the file: as stored, and how to read it as real numbers."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    """0 where the tensor is not quantized."""
    zero_point: int


@functools.cache
def _load() -> tuple[Any, str, str]:
    wanted = os.environ.get("MOBILEKIT_RUNTIME")
    tried = []
    for module, distribution in _CANDIDATES:
        if wanted and wanted not in (module, module.split(".")[0], distribution):
            continue
        try:
            return importlib.import_module(module), distribution, importlib.metadata.version(distribution)
        except ImportError as error:
            tried.append(f"{distribution} ({error})")
    raise RuntimeUnavailableError(
        f"no TFLite runtime can be imported: {'; '.join(tried) or f'MOBILEKIT_RUNTIME={wanted} is unknown'}. "
        "Install one: pip install ai-edge-litert"
    )


def describe() -> str:
    """Name and version of the runtime in use, e.g. ``ai-edge-litert 2.3.0``."""
    _, distribution, version = _load()
    return f"{distribution} {version}"


class Interpreter:
    """A model ready to run: arrays in, arrays out, in the order of the file.

    ``model`` is the bytes of a .tflite file. ``delegate`` is "xnnpack" or "reference" (no delegate).
    ``keep_all`` keeps every intermediate tensor readable through :meth:`tensor`; it needs "reference", since a delegate
    hides what happens inside it.
    """

    def __init__(self, model: bytes, *, threads: int = 1, delegate: str = "xnnpack", keep_all: bool = False) -> None:
        if delegate not in ("xnnpack", "reference"):
            raise InputError(f"delegate is '{delegate}', known are xnnpack and reference")
        if keep_all and delegate != "reference":
            raise InputError("keep_all needs delegate='reference'")
        module, _, _ = _load()
        resolver = module.OpResolverType
        try:
            with filtered(2, _is_no_notice):
                self._interpreter = module.Interpreter(
                    model_content=model,
                    num_threads=threads,
                    experimental_op_resolver_type=(
                        resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES if delegate == "reference" else resolver.AUTO
                    ),
                    experimental_preserve_all_tensors=keep_all,
                )
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise RuntimeUnavailableError(f"{describe()} cannot run this file: {first_line(error)}") from error
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    @property
    def inputs(self) -> list[TensorInfo]:
        return [_info(detail) for detail in self._inputs]

    @property
    def outputs(self) -> list[TensorInfo]:
        return [_info(detail) for detail in self._outputs]

    def resize(self, shapes: Sequence[Sequence[int]]) -> None:
        """Set the shape of every input (a dynamic dimension, or another batch) and allocate again."""
        for detail, shape in zip(self._inputs, shapes, strict=True):
            self._interpreter.resize_tensor_input(detail["index"], list(shape))
        try:
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise RuntimeUnavailableError(f"this file cannot run at {list(shapes)}: {first_line(error)}") from error
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def input_buffer(self, index: int = 0) -> NDArray[Any]:
        """The input tensor's own memory, to write into without a copy. Drop it before calling :meth:`resize`."""
        buffer: NDArray[Any] = self._interpreter.tensor(self._inputs[index]["index"])()
        return buffer

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Run once. Shapes and dtypes must be those of :attr:`inputs`; the outputs are copies.

        An input with dimensions that the file leaves open (-1) may have any size there.
        """
        if len(inputs) != len(self._inputs):
            raise InputError(f"the model has {len(self._inputs)} inputs, {len(inputs)} were given")
        if any(_wants_resize(detail, array) for detail, array in zip(self._inputs, inputs, strict=True)):
            self.resize([array.shape for array in inputs])
        for detail, array in zip(self._inputs, inputs, strict=True):
            if tuple(array.shape) != tuple(detail["shape"]) or array.dtype != detail["dtype"]:
                raise InputError(
                    f"input '{detail['name']}' takes {np.dtype(detail['dtype']).name}{detail['shape'].tolist()}, "
                    f"was given {array.dtype.name}{list(array.shape)}"
                )
            self._interpreter.set_tensor(detail["index"], array)
        self.invoke()
        return [self._interpreter.get_tensor(detail["index"]) for detail in self._outputs]

    def run_signature(self, key: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run one entry point of a file that has several; arrays by the signature's own names."""
        try:
            results: dict[str, NDArray[Any]] = self._interpreter.get_signature_runner(key)(**inputs)
        except (RuntimeError, ValueError) as error:
            raise RuntimeUnavailableError(f"{describe()} failed to run '{key}': {first_line(error)}") from error
        return results

    def invoke(self) -> None:
        """Run on what lies in the input tensors."""
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise RuntimeUnavailableError(f"{describe()} failed to run the model: {first_line(error)}") from error

    def output(self, index: int = 0) -> NDArray[Any]:
        array: NDArray[Any] = self._interpreter.get_tensor(self._outputs[index]["index"])
        return array

    def tensor_indices(self) -> dict[str, int]:
        """Tensor name -> index, for :meth:`tensor`. Names are as the writer wrote them."""
        return {detail["name"]: detail["index"] for detail in self._interpreter.get_tensor_details()}

    def tensor(self, index: int) -> NDArray[Any]:
        """A copy of any tensor after a run (``keep_all`` only)."""
        array: NDArray[Any] = self._interpreter.get_tensor(index)
        return array


def _is_no_notice(line: bytes) -> bool:
    """LiteRT says "INFO: Created ... delegate" for every interpreter; what else it says goes through."""
    return not line.startswith(b"INFO: ")


def _wants_resize(detail: dict[str, Any], array: NDArray[Any]) -> bool:
    signature = detail.get("shape_signature", ())
    return (
        len(signature) == array.ndim
        and tuple(detail["shape"]) != array.shape
        and all(size in (-1, given) for size, given in zip(signature, array.shape, strict=True))
    )


def _info(detail: dict[str, Any]) -> TensorInfo:
    scale, zero_point = detail["quantization"]
    return TensorInfo(
        name=detail["name"],
        shape=tuple(int(d) for d in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
    )
