"""A .tflite file that exists already, whoever made it, against the model that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from mobilekit import runtime
from mobilekit.conversion.stages import StageRunner
from mobilekit.conversion.verify import judge
from mobilekit.errors import CaptureError, InputError
from mobilekit.frontends.arrays import as_arrays
from mobilekit.frontends.source import one_thread
from mobilekit.graph import reader
from mobilekit.graph.ir import Quantization
from mobilekit.results import VerificationReport
from mobilekit.sidecar import Sidecar, TensorSpec

Call = Sequence[Any]
"""The tensors or arrays that one call of the model takes."""
Reference = Callable[[Call], list[NDArray[Any]]]
"""One call -> the model's flattened output tensors."""


def torch_reference(model: torch.nn.Module | ExportedProgram) -> Reference:
    """What PyTorch computes; :class:`CaptureError` where the user's own forward raises."""
    runnable = model.module() if isinstance(model, ExportedProgram) else model

    def reference(call: Call) -> list[NDArray[Any]]:
        try:
            with torch.no_grad(), one_thread():
                result = runnable(*call)
        except Exception as error:  # forward may raise anything
            lines = str(error).strip().splitlines() or [""]
            raise CaptureError(f"the model raised {type(error).__name__} in forward: {lines[0]}") from error
        return as_arrays(leaf for leaf in pytree.tree_leaves(result) if isinstance(leaf, torch.Tensor))

    return reference


def verify_file(
    reference: Reference,
    data: bytes,
    calls: Iterable[Call],
    *,
    reference_name: str,
    sidecar: Sidecar | None = None,
    source: str = "given",
) -> VerificationReport:
    """Run ``data`` in LiteRT on ``calls`` and compare every output with the reference's.

    Inputs and outputs are matched by position; the sidecar says in which axis order the file holds each. Without one it
    is the model's own order where the shapes agree, NHWC where they agree after moving the channels, and an
    :class:`InputError` where neither does. ``source``: what the calls are, for the report.
    """
    graph = reader.read(data)
    interpreter = runtime.Interpreter(data)
    quantized = any(tensor.quantization is not None for tensor in graph.tensors())
    names = _names(sidecar.outputs if sidecar else None, [info.name for info in interpreter.outputs])
    stages = None if sidecar is None or sidecar.stages is None else StageRunner(data, sidecar.stages)
    return judge(
        _pairs(reference, interpreter, calls, sidecar)
        if stages is None or sidecar is None
        else _staged_pairs(reference, stages, calls, sidecar),
        names,
        quantized=quantized,
        data=source,
        reference=reference_name,
        runtime=f"{runtime.describe()}, xnnpack",
    )


def _names(specs: Sequence[TensorSpec] | None, stored: Sequence[str]) -> list[str]:
    return [spec.name for spec in specs] if specs is not None else list(stored)


def _pairs(
    reference: Reference, interpreter: runtime.Interpreter, calls: Iterable[Call], sidecar: Sidecar | None
) -> Iterator[tuple[list[NDArray[Any]], list[NDArray[Any]]]]:
    for call in calls:
        expected = reference(call)
        given = as_arrays(call)
        inputs = _match(given, interpreter.inputs, sidecar.inputs if sidecar else None, "input")
        arranged = [array.transpose(order) for array, order in zip(given, inputs, strict=True)]
        stored = interpreter.run(
            [_store(array, info) for array, info in zip(arranged, interpreter.inputs, strict=True)]
        )
        orders = _match(expected, interpreter.outputs, sidecar.outputs if sidecar else None, "output")
        got = [
            _real(array, info).transpose(np.argsort(order))
            for array, info, order in zip(stored, interpreter.outputs, orders, strict=True)
        ]
        yield expected, got


def _staged_pairs(
    reference: Reference, runner: StageRunner, calls: Iterable[Call], sidecar: Sidecar
) -> Iterator[tuple[list[NDArray[Any]], list[NDArray[Any]]]]:
    """End to end, kernels and all; a number of boxes that differs is a failure that names both shapes."""
    for call in calls:
        if len(call) != len(sidecar.inputs):
            raise InputError(f"the model has {len(call)} inputs, the file has {len(sidecar.inputs)}")
        inputs = {spec.name: value for spec, value in zip(sidecar.inputs, call, strict=True)}
        yield reference(call), [np.asarray(result) for result in runner.results(runner.values(inputs))]


def _match(
    arrays: Sequence[NDArray[Any]],
    infos: Sequence[runtime.TensorInfo],
    specs: Sequence[TensorSpec] | None,
    kind: str,
) -> list[tuple[int, ...]]:
    """Axis order of the file for each of the model's tensors: axis i of the file is axis order[i] of the model's."""
    if len(arrays) != len(infos):
        raise InputError(f"the model has {len(arrays)} {kind}s, the file has {len(infos)}")
    orders = []
    for number, (array, info) in enumerate(zip(arrays, infos, strict=True)):
        given = specs[number].order if specs is not None and number < len(specs) else None
        order = given if given is not None else _guess(array.shape, info.shape)
        if order is None or tuple(array.shape[axis] for axis in order) != info.shape:
            shapes = f"{list(info.shape)} in the file and {list(array.shape)} in the model"
            raise InputError(f"{kind} {number} ('{info.name}') is {shapes}")
        orders.append(order)
    return orders


def _guess(model: tuple[int, ...], file: tuple[int, ...]) -> tuple[int, ...] | None:
    rank = len(model)
    channels_last = (0, *range(2, rank), 1) if rank >= 3 else tuple(range(rank))
    fits = [
        order
        for order in dict.fromkeys((tuple(range(rank)), channels_last))
        if len(file) == rank and tuple(model[axis] for axis in order) == file
    ]
    return fits[0] if fits else None


def _store(array: NDArray[Any], info: runtime.TensorInfo) -> NDArray[Any]:
    if info.scale:
        return Quantization.per_tensor(info.scale, info.zero_point).quantize(array, info.dtype)
    return np.ascontiguousarray(array.astype(info.dtype, copy=False))


def _real(array: NDArray[Any], info: runtime.TensorInfo) -> NDArray[Any]:
    return Quantization.per_tensor(info.scale, info.zero_point).dequantize(array) if info.scale else array
