"""Between the IR's words and the TFLite schema's: type codes, option classes, option names.

The schema's Python classes come with LiteRT (``ai_edge_litert.schema_py_generated``). They are read by name, so a newer
schema with more options needs no change here.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from mobilekit.errors import GraphError

FILE_IDENTIFIER = b"TFL3"
# The schema's name for "this operator carries no options", which is not the same as options at their defaults.
NO_OPTIONS = "NONE"

# Kinds whose option class is not named after them. None: the op has no options.
_OPTIONS_BY_KIND: dict[str, str | None] = {
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(
        ("MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL"), "ReducerOptions"
    ),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
    **dict.fromkeys(("RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM", "MULTINOMIAL"), "RandomOptions"),
    "L2_NORMALIZATION": "L2NormOptions",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SequenceRNNOptions",
    "CONV_3D_TRANSPOSE": "Conv3DOptions",
}

# Options that hold one of the schema's enums: shown and set as strings.
_ENUM_OPTIONS: dict[str, type] = {
    "padding": schema.Padding,
    "fused_activation_function": schema.ActivationFunctionType,
    "in_data_type": schema.TensorType,
    "out_data_type": schema.TensorType,
    "output_type": schema.TensorType,
    "idx_out_type": schema.TensorType,
    "out_type": schema.TensorType,
}
# ``mode`` of MIRROR_PAD is an enum of its own; other options called ``mode`` do not exist.
_ENUM_OPTIONS["mode"] = schema.MirrorPadMode


def _members(enum: type) -> dict[str, int]:
    return {key: value for key, value in vars(enum).items() if isinstance(value, int) and not key.startswith("_")}


KIND_TO_CODE: dict[str, int] = _members(schema.BuiltinOperator)
CODE_TO_KIND: dict[int, str] = {code: kind for kind, code in KIND_TO_CODE.items()}
DTYPE_TO_CODE: dict[str, int] = {name.lower(): code for name, code in _members(schema.TensorType).items()}
CODE_TO_DTYPE: dict[int, str] = {code: name for name, code in DTYPE_TO_CODE.items()}
_UNION1: dict[str, int] = _members(schema.BuiltinOptions)
_UNION2: dict[str, int] = _members(schema.BuiltinOptions2)
_UNION_NAME1 = {code: name for name, code in _UNION1.items()}
_UNION_NAME2 = {code: name for name, code in _UNION2.items()}
_BY_LOWER_NAME = {name.lower(): name for name in (*_UNION1, *_UNION2)}


def options_type(kind: str) -> str | None:
    """The schema class that holds the options of ``kind`` (``CONV_2D`` -> ``Conv2DOptions``), or None."""
    if kind in _OPTIONS_BY_KIND:
        return _OPTIONS_BY_KIND[kind]
    return _BY_LOWER_NAME.get(kind.replace("_", "").lower() + "options")


@functools.cache
def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@functools.cache
def _fields(type_name: str) -> dict[str, str]:
    """snake_case option name -> attribute of the schema's object."""
    return {_snake(attribute): attribute for attribute in vars(getattr(schema, type_name + "T")())}


def pack_options(operator: schema.OperatorT, kind: str, type_name: str | None, options: dict[str, Any]) -> None:
    """Set the options of a schema operator from the IR's dict; unset ones keep the schema's defaults."""
    if type_name == NO_OPTIONS and not options:
        return
    name = type_name if type_name not in (None, NO_OPTIONS) else options_type(kind)
    if name is None:
        if options:
            raise GraphError(f"{kind} takes no options, was given {sorted(options)}")
        return
    holder = getattr(schema, name + "T")()
    fields = _fields(name)
    for key, value in options.items():
        if key not in fields:
            raise GraphError(f"{kind} has no option '{key}' (it has {sorted(fields)})")
        setattr(holder, fields[key], _pack_value(kind, key, value))
    if name in _UNION1:
        operator.builtinOptionsType, operator.builtinOptions = _UNION1[name], holder
    else:
        operator.builtinOptions2Type, operator.builtinOptions2 = _UNION2[name], holder


def _pack_value(kind: str, key: str, value: Any) -> Any:
    if not isinstance(value, str) or key not in _ENUM_OPTIONS:
        return value
    code = _members(_ENUM_OPTIONS[key]).get(value if value in vars(_ENUM_OPTIONS[key]) else value.upper())
    if code is None:
        raise GraphError(f"{kind}: option {key} cannot be '{value}'")
    return code


def unpack_options(operator: schema.OperatorT) -> tuple[str, dict[str, Any]]:
    """The option class's name and the options as a dict with snake_case names and enums as strings."""
    name = _UNION_NAME1.get(operator.builtinOptionsType, NO_OPTIONS)
    holder = operator.builtinOptions
    if name == NO_OPTIONS:
        name = _UNION_NAME2.get(operator.builtinOptions2Type, NO_OPTIONS)
        holder = operator.builtinOptions2
    if name == NO_OPTIONS or holder is None:
        return NO_OPTIONS, {}
    return name, {key: _unpack_value(key, getattr(holder, attribute)) for key, attribute in _fields(name).items()}


def _unpack_value(key: str, value: Any) -> Any:
    if key not in _ENUM_OPTIONS or not isinstance(value, int):
        return value
    enum = _ENUM_OPTIONS[key]
    for name, code in _members(enum).items():
        if code == value:
            return name.lower() if enum is schema.TensorType else name
    return value
