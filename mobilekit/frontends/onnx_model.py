"""An .onnx file as a source: ONNX Runtime is the reference, onnx2torch gives the PyTorch program for ``direct``.

Needs the packages of ``mobilekit[onnx]``. Shapes must be fixed before anything else: a free dimension is set from the
example inputs, or to one where it is the first axis (the batch).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils import _pytree as pytree

from mobilekit.errors import CaptureError, InputError, ModelLoadError, first_line
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.direct.capture import capture
from mobilekit.frontends.onnx_quantized import is_quantized, quantizes_activations, register_converters, unwrap
from mobilekit.frontends.onnx_static import make_static
from mobilekit.frontends.source import Source, TensorSignature
from mobilekit.results import InputOrigin

_CONSTANTS_ONLY = "the file quantizes constants only: they are float32 again, with the values that it gives them"


def from_onnx(path: Path, example_inputs: Any = None, name: str | None = None) -> Source:
    """Read ``path``; ``example_inputs`` (arrays or tensors in the file's order) fix shapes that the file leaves open.

    Raises :class:`ModelLoadError` for a file that cannot be read or run and :class:`InputError` for an open shape.
    """
    onnx, onnxruntime = _packages()
    model = _load(onnx, path)
    quantized = is_quantized(model)
    # Refused before anything is run: ONNX Runtime says less of what is wrong.
    readable, scales = unwrap(model, path) if quantized else (model, ())
    given = _given(example_inputs)
    shapes, origins = _shapes(model, given)
    for each in {id(model): model, id(readable): readable}.values():
        _fix_shapes(each, shapes)
    session = _session(onnxruntime, model, path)
    signatures = [
        TensorSignature(node.name, shapes[node.name], _dtype(node.type), leaf)
        for leaf, node in enumerate(session.get_inputs())
    ]
    example = given or [_noise(signature) for signature in signatures]
    out_names = [node.name for node in session.get_outputs()]

    def reference(leaves: Sequence[Any]) -> list[NDArray[Any]]:
        feed = {s.name: as_array(leaves[s.leaf]).astype(s.dtype, copy=False) for s in signatures}
        try:
            return [np.asarray(output) for output in session.run(out_names, feed)]
        except Exception as error:  # ONNX Runtime has no common base class for its errors
            raise InputError(f"ONNX Runtime cannot run '{path}' on these inputs: {first_line(error)}") from error

    tensors = [torch.from_numpy(np.array(as_array(value))) for value in example]
    reference(tensors)
    program, reason = _program(readable, tensors)
    out_structure = pytree.tree_flatten(0 if len(out_names) == 1 else [0] * len(out_names))[1]
    return Source(
        name=name or path.stem,
        inputs=tuple(signatures),
        example=tuple(tensors),
        in_structure=pytree.tree_flatten((tuple(0 for _ in tensors), {}))[1],
        out_structure=out_structure,
        reference=reference,
        reference_name=f"onnxruntime {onnxruntime.__version__}",
        program=program,
        no_program=reason,
        onnx=path,
        origins=origins,
        notes=() if not quantized or quantizes_activations(readable) else (_CONSTANTS_ONLY,),
        given_scales=scales if quantized else None,
    )


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ModelLoadError(
            f"an .onnx file needs more packages ({error.name}): pip install 'mobilekit[onnx]'"
        ) from error
    return onnx, onnxruntime


def _load(onnx: Any, path: Path) -> Any:
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except OSError as error:
        raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
    except Exception as error:  # protobuf, the checker and missing external data each raise their own
        raise ModelLoadError(f"'{path}' is no usable ONNX model: {first_line(error)}") from error
    return model


def _given(example_inputs: Any) -> list[Any] | None:
    if example_inputs is None:
        return None
    if isinstance(example_inputs, (torch.Tensor, np.ndarray)):
        return [example_inputs]
    return list(example_inputs.values()) if isinstance(example_inputs, Mapping) else list(example_inputs)


def _shapes(model: Any, given: Sequence[Any] | None) -> tuple[dict[str, tuple[int, ...]], tuple[InputOrigin, ...]]:
    """A fixed shape for every input, and which of them were assumed."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if given is not None and len(given) != len(inputs):
        raise InputError(f"the ONNX model has {len(inputs)} inputs, {len(given)} examples were given")
    shapes, origins = {}, []
    for index, value in enumerate(inputs):
        if given is not None:
            shapes[value.name] = tuple(as_array(given[index]).shape)
            continue
        dims = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in value.type.tensor_type.shape.dim]
        if any(dim <= 0 for dim in dims[1:]):
            shown = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
            raise InputError(
                f"input '{value.name}' has open dimensions {shown}: give example_inputs of the shape to use"
            )
        if dims and dims[0] <= 0:
            dims[0] = 1
            origins.append(InputOrigin(value.name, tuple(dims), "", "the batch, left open in the file, is one"))
        shapes[value.name] = tuple(dims)
    return shapes, tuple(origins)


def _fix_shapes(model: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    # Shapes inside were inferred for the open sizes.
    del model.graph.value_info[:]
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.Clear()


def _session(onnxruntime: Any, model: Any, path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # The reference of a quantized file is what it says: float ops between roundings, not the integer kernels that ONNX
    # Runtime would put there, whose 16-bit sums saturate on processors without VNNI.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        # Weights in files beside the model are loaded already.
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # see above
        raise ModelLoadError(f"ONNX Runtime cannot load '{path}': {first_line(error)}") from error


def _dtype(onnx_type: str) -> str:
    """``tensor(float)`` -> ``float32``."""
    name = onnx_type.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64", "float16": "float16"}.get(name, name)


def _noise(signature: TensorSignature) -> NDArray[Any]:
    generator = np.random.default_rng(0)
    if np.dtype(signature.dtype).kind == "f":
        return generator.random(signature.shape).astype(signature.dtype)
    return np.zeros(signature.shape, signature.dtype)


def _program(model: Any, example: Sequence[torch.Tensor]) -> tuple[Any, str]:
    """The captured PyTorch program, or None and why there is none."""
    try:
        import onnx2torch
    except ImportError:
        return None, "onnx2torch is not installed (pip install 'mobilekit[onnx]')"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            register_converters()
            known = _with_known_versions(_simplified(model))
            module = make_static(onnx2torch.convert(known).eval(), example)
        return capture(module, tuple(example)).program, ""
    except CaptureError as error:
        return None, str(error)
    except Exception as error:  # onnx2torch raises anything
        return None, f"onnx2torch cannot read the model: {first_line(error)}"


def _simplified(model: Any) -> Any:
    """Constants folded and shapes computed by onnxslim or onnxsim where one is installed; else the model as it is."""
    try:
        import onnxslim
    except ImportError:
        return model
    return onnxslim.slim(model)


def _with_known_versions(model: Any) -> Any:
    """Let onnx2torch, which knows ops up to opset 17, read newer ones.

    An op without a converter for its version gets that of the version before, since new versions mostly add types and
    defaults. Where that is wrong, verification against ONNX Runtime says so. The reductions, whose axes became an input
    in 18, get them back as an attribute.
    """
    import onnx
    from onnx2torch.node_converters import registry

    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset >= 18:
        _axes_to_attributes(model)
    table = registry._CONVERTER_REGISTRY
    for kind in {node.op_type for node in model.graph.node if node.domain in ("", "ai.onnx")}:
        wanted = onnx.defs.get_schema(kind, opset).since_version
        entries = {entry.version: table[entry] for entry in table if entry.operation_type == kind and not entry.domain}
        older = max((version for version in entries if version <= wanted), default=None)
        if older is not None and wanted not in entries:
            registry.add_converter(operation_type=kind, version=wanted)(entries[older])
    return model


def _axes_to_attributes(model: Any) -> None:
    from onnx import helper, numpy_helper

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        # ReduceSum has had its axes as an input since 13, which onnx2torch reads.
        if not node.op_type.startswith("Reduce") or node.op_type == "ReduceSum" or len(node.input) < 2:
            continue
        if node.input[1] in constants:
            axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
            node.attribute.append(helper.make_attribute("axes", axes))
            del node.input[1:]
