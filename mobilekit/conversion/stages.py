"""Running a file in stages, as its sidecar says: parts of the file, and the kernels between and after them.

What runs here is what a phone runs: the bytes, ``mk_nms``, the user's own kernels; plain tensor ops through PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobilekit import kernels
from mobilekit.errors import InputError
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.cut import PYTHON_OPS
from mobilekit.frontends.host_ops import host_ops
from mobilekit.graph.ir import Quantization
from mobilekit.runtime import Interpreter
from mobilekit.sidecar import LibraryStep, NmsStep, PartStep, PythonStep, StagesSpec, TensorSpec, TensorStep

Values = dict[str, Any]
"""Every value by its name: tensors as PyTorch has them, sizes as numbers."""


class StageRunner:
    """The steps of one file over an interpreter of its bytes."""

    def __init__(self, data: bytes, stages: StagesSpec) -> None:
        self._interpreter = Interpreter(data)
        self._stages = stages

    def values(self, inputs: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> Values:
        """All values of one call. ``inputs`` are the model's, by name.

        ``given``: values to take instead of what the parts of the file compute, to judge the steps after them alone.
        """
        values: Values = {name: torch.as_tensor(as_array(value)) for name, value in inputs.items()}
        values.update({name: torch.as_tensor(as_array(value)) for name, value in (given or {}).items()})
        for step in self._stages.steps:
            if not isinstance(step, PartStep):
                _STEPS[type(step)](step, values)
            elif given is None:
                self._part(step, values)
        return values

    def results(self, values: Values) -> list[Any]:
        """The model's flattened outputs, as NumPy arrays."""
        found = [_resolve(result, values) for result in self._stages.results]
        return [as_array(value) if isinstance(value, torch.Tensor) else value for value in found]

    def _part(self, step: PartStep, values: Values) -> None:
        stored = {spec.name: _to_file(values[spec.name], spec) for spec in step.inputs}
        results = self._interpreter.run_signature(step.signature, stored)
        values.update({spec.name: _from_file(results[spec.name], spec) for spec in step.outputs})


def _to_file(value: torch.Tensor, spec: TensorSpec) -> NDArray[Any]:
    array = as_array(value).transpose(spec.order)
    if spec.model_dtype == "int64" or spec.limits is not None:
        low, high = spec.limits or (-(2**31), 2**31 - 1)
        if array.size and not (array.min() >= low and array.max() <= high):
            raise InputError(f"value '{spec.name}' goes into the file, which is right for {low} to {high} only")
    if spec.quantization is not None:
        affine = Quantization.per_tensor(spec.quantization.scale, spec.quantization.zero_point)
        array = affine.quantize(array, spec.dtype)
    return np.require(array.astype(spec.dtype, copy=False), requirements="C")


def _from_file(stored: NDArray[Any], spec: TensorSpec) -> torch.Tensor:
    array = np.asarray(stored)
    if spec.quantization is not None:
        affine = Quantization.per_tensor(spec.quantization.scale, spec.quantization.zero_point)
        array = affine.dequantize(array)
    array = array.transpose([spec.order.index(axis) for axis in range(len(spec.order))])
    return torch.from_numpy(np.array(array)).to(getattr(torch, spec.model_dtype))


def _resolve(argument: Any, values: Values) -> Any:
    """An argument as the sidecar has it -> a tensor, a number, a list."""
    if isinstance(argument, (list, tuple)):
        return [_resolve(item, values) for item in argument]
    if not isinstance(argument, Mapping):
        return argument
    if "value" in argument:
        return values[argument["value"]]
    dtype = getattr(torch, argument["dtype"])
    if "constant" in argument:
        return torch.tensor(argument["constant"], dtype=dtype).reshape(argument["shape"])
    return dtype


def _run_nms(step: NmsStep, values: Values) -> None:
    boxes, scores, *classes = (as_array(_resolve(argument, values)) for argument in step.arguments)
    kept = kernels.nms(
        np.ascontiguousarray(boxes, np.float32),
        np.ascontiguousarray(scores, np.float32),
        step.iou_threshold,
        classes=np.ascontiguousarray(classes[0], np.int32) if classes else None,
    )
    values[step.outputs[0].name] = torch.from_numpy(kept.astype(np.int64))


def _run_tensor_op(step: TensorStep, values: Values) -> None:
    arguments = [_resolve(argument, values) for argument in step.arguments]
    if step.op in PYTHON_OPS:
        result = PYTHON_OPS[step.op](*arguments)
    else:
        _, name, overload = step.op.split(".")
        target = getattr(getattr(torch.ops.aten, name), overload)
        parameters = target._schema.arguments
        positional = [a for a, p in zip(arguments, parameters, strict=True) if not p.kwarg_only]
        named = {p.name: a for a, p in zip(arguments, parameters, strict=True) if p.kwarg_only}
        result = target(*positional, **named)
    _keep(step.outputs, result, values)


def _run_custom(step: LibraryStep | PythonStep, values: Values) -> None:
    registered = host_ops().get(step.op)
    if registered is None:
        raise InputError(
            f"the file needs the custom op '{step.op}', which is not registered here: import the module that calls "
            "mobilekit.custom_op (--custom-op FILE.py on the command line)"
        )
    arguments = [_arrays(_resolve(argument, values)) for argument in step.arguments]
    results = registered.run(arguments, [(value.shape, value.dtype) for value in step.outputs])
    _keep(step.outputs, [torch.from_numpy(np.array(result)) for result in results], values)


def _arrays(argument: Any) -> Any:
    if isinstance(argument, list):
        return [_arrays(item) for item in argument]
    return as_array(argument) if isinstance(argument, torch.Tensor) else argument


def _keep(outputs: Sequence[Any], result: Any, values: Values) -> None:
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    values.update({spec.name: value for spec, value in zip(outputs, results, strict=True)})


_STEPS: dict[type, Callable[[Any, Values], None]] = {
    NmsStep: _run_nms,
    TensorStep: _run_tensor_op,
    LibraryStep: _run_custom,
    PythonStep: _run_custom,
}
