"""Which tensors of an op a target's list of types is about, and whether they fit.

Delegates differ in what they look at, so each table names a scope:

``activations``  the first input that is not a constant (NNAPI, Hexagon, Core ML)
``runtime``      every tensor that is not a constant (the GPUs, Edge TPU)
``weights``      every data tensor, and weights against activations (XNNPACK)
``global``       every tensor against one table for the whole target (QNN, MediaTek)

Inputs that a rule of their own types (``input_type``: axes, shapes, biases) are left to that rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mobilekit.compat.site import Site
from mobilekit.compat.tokens import dtype_of, short
from mobilekit.graph.ir import Tensor

Scope = Callable[[Mapping[str, Any], Mapping[str, Any], Site], "str | None"]
_INDEX_TYPES = frozenset({"int32", "int64"})


def check_types(table: Mapping[str, Any], entry: Mapping[str, Any], site: Site) -> str | None:
    """Why the types of an op do not fit the target's table, or None if they do."""
    return SCOPES[table["dtype_scope"]](table, entry, site)


def _own_rule(entry: Mapping[str, Any], kind: str) -> frozenset[int]:
    found = set()
    for constraint in entry["constraints"]:
        options = constraint.get("options", [[constraint]])
        found |= {part["index"] for option in options for part in option if part["kind"] == kind}
    return frozenset(found)


def _refusal(what: str, tensor: Tensor, tokens: Collection[str]) -> str:
    taken = sorted({dtype_of(token) for token in tokens if not token.startswith("dynamic_range")})
    return f"{what} is {tensor.dtype}, taken are {', '.join(taken) or 'none'}"


def _activations(table: Mapping[str, Any], entry: Mapping[str, Any], site: Site) -> str | None:
    tokens = entry["dtypes"]
    tensors = site.runtime_inputs or site.inputs
    if not tensors or "any" in tokens or tensors[0].dtype in {dtype_of(token) for token in tokens}:
        return None
    return _refusal("the input", tensors[0], tokens)


def _runtime(table: Mapping[str, Any], entry: Mapping[str, Any], site: Site) -> str | None:
    tokens = entry["dtypes"]
    lists = tokens if isinstance(tokens, Mapping) else {"input": tokens, "output": tokens}
    typed_in, typed_out = _own_rule(entry, "input_type"), _own_rule(entry, "output_type")
    detail = entry.get("dtype_detail", {})
    for index, tensor in enumerate(site.op.inputs):
        if tensor is None or site.is_static(tensor) or index in typed_in:
            continue
        if not _taken(tensor, lists["input"], site):
            return _untaken(f"input {index}", tensor, lists["input"], site)
    for index, tensor in enumerate(site.op.outputs):
        if index in typed_out or detail.get("output") == tensor.dtype:
            continue
        if not _taken(tensor, lists["output"], site):
            return _untaken(f"output {index}", tensor, lists["output"], site)
    return None


def _untaken(what: str, tensor: Tensor, tokens: Sequence[str], site: Site) -> str:
    """The refusal in words: which types would do, and on what terms if this one would on some."""
    terms = [token for token in tokens if dtype_of(token) == tensor.dtype]
    if any(token.endswith(("_quant", "_quant_mode")) for token in terms) and site.flag("QUANT"):
        return f"{what} is {tensor.dtype} without a scale"
    if any(token.endswith("_static") for token in terms):
        return f"{what} is {tensor.dtype}, taken for constants only"
    if terms:
        return f"{what} is {tensor.dtype}, taken only with an option that is off by default"
    return _refusal(what, tensor, tokens)


def _taken(tensor: Tensor, tokens: Sequence[str], site: Site) -> bool:
    for token in tokens:
        if dtype_of(token) != tensor.dtype:
            continue
        if token.endswith(("_quant", "_quant_mode")):
            if site.flag("QUANT") and tensor.quantization is not None:
                return True
        elif token.endswith("_opt"):
            if site.flag("BOOL_TENSORS"):
                return True
        elif not token.endswith("_static"):
            return True
    return False


def _weights(table: Mapping[str, Any], entry: Mapping[str, Any], site: Site) -> str | None:
    tokens = set(entry["dtypes"])
    typed_in, typed_out = _own_rule(entry, "input_type"), _own_rule(entry, "output_type")
    weights = site.weights
    for index, tensor in enumerate(site.op.inputs):
        if tensor is None or tensor is weights or index in typed_in:
            continue
        if index > 0 and tensor.is_constant and tensor.dtype in _INDEX_TYPES:  # Axes, shapes, permutations.
            continue
        if (problem := _xnnpack_tensor(f"input {index}", tensor, tokens, site)) is not None:
            return problem
    for index, tensor in enumerate(site.op.outputs):
        if index not in typed_out and (problem := _xnnpack_tensor(f"output {index}", tensor, tokens, site)) is not None:
            return problem
    return None if weights is None else _xnnpack_weights(weights, tokens, site)


def _xnnpack_tensor(what: str, tensor: Tensor, tokens: set[str], site: Site) -> str | None:
    """CheckTensorFloat32OrQUInt8Type and kin: floats as listed, 8 bits per tensor with a positive scale."""
    dtype = tensor.dtype
    if dtype in ("float32", "float16"):
        return None if short(dtype) in tokens else _refusal(what, tensor, tokens)
    if f"{dtype}_per_tensor" not in tokens:
        return _refusal(what, tensor, tokens)
    if not site.flag("QS8" if dtype == "int8" else "QU8"):
        return f"{dtype} is switched off"
    if tensor.quantization is None:
        return f"{what} is {dtype} without a scale"
    if tensor.quantization.is_per_axis:
        return f"{what} is quantized per channel, only weights may be"
    scale = float(tensor.quantization.scale[0])
    # "Normal": a subnormal float32 scale is refused.
    if not (np.isfinite(scale) and scale >= float(np.finfo(np.float32).tiny)):
        return f"scale {scale:g} of {what} is not a normal positive number"
    return None


def _xnnpack_weights(weights: Tensor, tokens: set[str], site: Site) -> str | None:
    data = site.data
    if data is None or weights.dtype == data.dtype == "float32":
        return None
    quantization, dtype = weights.quantization, weights.dtype
    if dtype in ("float32", "float16"):
        float_data = data.dtype in ("float32", "float16")
        return None if float_data else f"{short(dtype)} weights with {data.dtype} activations are not taken"
    per_axis = quantization is not None and quantization.is_per_axis
    if data.dtype in ("float32", "float16"):
        token = f"dynamic_range_{dtype}"
        if token not in tokens or not site.flag("DYNAMIC_RANGE"):
            return f"{dtype} weights with float activations are not taken (no dynamic-range kernel for this op)"
    else:
        grain, other = ("channel", "tensor") if per_axis else ("tensor", "channel")
        if f"{dtype}_per_{grain}" not in tokens:
            if f"{dtype}_per_{other}" not in tokens:
                return _refusal("weights", weights, tokens)
            if dtype in ("int8", "uint8"):  # Weights of fewer bits are listed per channel only and taken either way.
                return f"{dtype} weights are quantized per {grain}, not taken"
    if quantization is None:
        return None if weights.sparsity is not None else f"{dtype} weights carry no scale"
    if (
        per_axis
        and np.any(quantization.zero_point != 0)
        and not (dtype == "int4" and np.all(quantization.zero_point == 8))
    ):
        return "per-channel zero points of the weights must be 0"
    return None


def _global(table: Mapping[str, Any], entry: Mapping[str, Any], site: Site) -> str | None:
    tokens = entry["dtypes"]
    if "any_supported" not in tokens:
        wanted = {dtype_of(token) for token in tokens}
        tensors = site.runtime_inputs or site.inputs
        if tensors and tensors[0].dtype not in wanted:
            return _refusal("the input", tensors[0], tokens)
    for tensor in (*site.inputs, *site.op.outputs):
        dtype, rule = tensor.dtype, table["global_types"].get(short(tensor.dtype))
        if rule is None:
            return f"no tensor may be {dtype}"
        quantized = tensor.quantization is not None
        if quantized and not rule["quantized"]:
            return f"{dtype} may not be quantized"
        if not quantized and not rule["plain"]:
            return f"{dtype} needs a scale"
        if rule.get("constant_only") and not site.is_static(tensor):
            return f"{dtype} is taken for constants only"
        if rule.get("per_channel") is False and tensor.quantization is not None and tensor.quantization.is_per_axis:
            return f"{dtype} may not be quantized per channel"
    return None


SCOPES: dict[str, Scope] = {"activations": _activations, "runtime": _runtime, "weights": _weights, "global": _global}
