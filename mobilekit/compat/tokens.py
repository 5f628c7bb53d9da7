"""The tables' short names of types (``fp32``, ``int8_per_tensor``) against NumPy's."""

from __future__ import annotations

from collections.abc import Iterable

_SHORT = {
    "fp16": "float16",
    "fp32": "float32",
    "fp64": "float64",
    "bf16": "bfloat16",
    "none": "none",  # An input that may be left out; a tensor that is there never has this type.
}
_PLAIN = frozenset(
    [
        "bool",
        "int2",
        "int4",
        "uint4",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "string",
        "complex64",
        "complex128",
        "resource",
        "variant",
    ]
)
# What may follow a type: how it is quantized, whether it must be a constant, or under which option it is taken.
_SUFFIXES = ("_per_tensor", "_per_channel", "_quant_mode", "_quant", "_static", "_opt", "_blockwise")


def dtype_of(token: str) -> str:
    """NumPy's name of a type token, its suffixes dropped; KeyError for a word that is no type."""
    name = token.removeprefix("dynamic_range_")
    changed = True
    while changed:
        changed = False
        for suffix in _SUFFIXES:
            if name.endswith(suffix):
                name, changed = name.removesuffix(suffix), True
    if name in _SHORT:
        return _SHORT[name]
    if name in _PLAIN:
        return name
    raise KeyError(token)


def dtypes_of(tokens: Iterable[str]) -> frozenset[str]:
    return frozenset(map(dtype_of, tokens))


def short(dtype: str) -> str:
    """The tables' name of a NumPy type."""
    return next((token for token, name in _SHORT.items() if name == dtype), dtype)
