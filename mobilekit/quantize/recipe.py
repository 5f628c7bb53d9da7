"""What to quantize and how, as a document: a :class:`Recipe` in Python, JSON or TOML.

    [recipe]            one precision and one observer for the whole graph
      overrides[]       exceptions by op, tensor name or module path; the last one that matches wins, field by field

Presets are recipes (:data:`PRESETS`), so ``print(preset("int8").to_json())`` is a starting point to edit.
"""

from __future__ import annotations

import fnmatch
import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mobilekit.errors import RecipeError
from mobilekit.graph.ir import Graph, Op
from mobilekit.graph.schema import KIND_TO_CODE

Precision = Literal["int8", "int16x8", "int8-weights", "int4-weights", "fp16-weights", "float32"]
Observer = Literal["auto", "min_max", "mse", "percentile", "entropy"]
Granularity = Literal["per_channel", "per_tensor"]

# Precisions whose activations are integers, and the dtype that they have.
ACTIVATION_DTYPE: dict[str, str] = {"int8": "int8", "int16x8": "int16"}


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Override(_Document):
    """An exception to the recipe for the ops that it matches; every criterion given must match.

    Fields left out keep what the recipe, or an earlier override, says.
    """

    op: str | None = Field(default=None, description="Kind of op, e.g. CONV_2D; shell wildcards allowed.")
    name: str | None = Field(default=None, description="Name of the op's first output; shell wildcards allowed.")
    module: str | None = Field(
        default=None, description="Module path in the user's model, e.g. backbone.*; wildcards allowed."
    )
    precision: Precision | None = None
    observer: Observer | None = Field(default=None, description="How the range of the op's outputs is chosen.")
    weight_granularity: Granularity | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Override:
        if self.op is None and self.name is None and self.module is None:
            raise ValueError("an override needs at least one of op, name, module")
        if self.precision is None and self.observer is None and self.weight_granularity is None:
            raise ValueError(f"the override for {self.label()} changes nothing")
        if self.op is not None and not fnmatch.filter(KIND_TO_CODE, self.op):
            raise ValueError(f"no op of TFLite is called '{self.op}' (kinds are written like CONV_2D)")
        return self

    def matches(self, op: Op) -> bool:
        module = op.source.module if op.source is not None else ""
        wanted = ((self.op, op.kind), (self.name, op.name), (self.module, module))
        return all(pattern is None or fnmatch.fnmatchcase(text, pattern) for pattern, text in wanted)

    def label(self) -> str:
        """The criteria in words, for messages."""
        pairs = (("op", self.op), ("name", self.name), ("module", self.module))
        return ", ".join(f"{key}={value!r}" for key, value in pairs if value is not None)


class OpSettings(_Document):
    """What holds for one op after all overrides."""

    precision: Precision
    observer: Observer
    weight_granularity: Granularity


class Recipe(_Document):
    """How a float graph becomes a quantized one."""

    name: str = "custom"
    description: str = ""
    precision: Precision = Field(default="int8", description="Of every op that no override matches.")
    io_dtype: Literal["int8", "int16", "float32"] = Field(
        default="int8",
        description="Of the graph's real-valued inputs and outputs; float32 adds QUANTIZE/DEQUANTIZE there.",
    )
    observer: Observer = Field(
        default="auto",
        description="How activation ranges are chosen from the calibration data. auto tries min_max, percentile and "
        "mse and keeps the one with the smallest error at the graph's outputs.",
    )
    percentile: float = Field(
        default=99.99, gt=50, le=100, description="Kept share of the values, for observer=percentile."
    )
    weight_granularity: Granularity = "per_channel"
    bias_correction: bool = Field(default=True, description="Undo the mean error of rounded weights in the biases.")
    equalize: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Cross-layer equalisation of channel ranges. auto keeps it if it lowers the error at the outputs "
        "by half a dB or more.",
    )
    overrides: tuple[Override, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Recipe:
        if self.io_dtype == "int16" and self.precision != "int16x8":
            raise ValueError(f"io_dtype int16 goes with precision int16x8, not {self.precision}")
        if self.io_dtype == "int8" and self.precision not in ("int8", "float32"):
            raise ValueError(f"io_dtype int8 goes with precision int8, not {self.precision}")
        return self

    @property
    def needs_calibration(self) -> bool:
        """Whether any op may have integer activations, whose ranges must be observed."""
        precisions = [self.precision, *(o.precision for o in self.overrides)]
        return self.io_dtype != "float32" or any(p in ACTIVATION_DTYPE for p in precisions)

    def settings(self, op: Op) -> OpSettings:
        """What holds for ``op``: the recipe, then each matching override in order."""
        values: dict[str, Any] = {
            "precision": self.precision,
            "observer": self.observer,
            "weight_granularity": self.weight_granularity,
        }
        for override in self.overrides:
            if override.matches(op):
                values.update({key: value for key in values if (value := getattr(override, key)) is not None})
        return OpSettings(**values)

    def check(self, graph: Graph) -> None:
        """Raise :class:`RecipeError` for overrides that match no op of ``graph``: most often a misspelt pattern."""
        idle = [o.label() for o in self.overrides if not any(o.matches(op) for op in graph.ops)]
        if idle:
            raise RecipeError(f"recipe '{self.name}': no op of the graph matches {'; '.join(idle)}")

    def with_changes(self, **changes: Any) -> Recipe:
        """A copy with fields changed, checked again; :class:`RecipeError` if they contradict each other."""
        return _checked({**self.model_dump(), **changes})

    def to_json(self) -> str:
        return json.dumps(self.model_dump(exclude_none=True), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> Recipe:
        try:
            return _checked(json.loads(text))
        except json.JSONDecodeError as error:
            raise RecipeError(f"the recipe is not JSON: {error}") from error

    @staticmethod
    def from_toml(text: str) -> Recipe:
        # tomli is tomllib before Python 3.11, by the same author; pyproject.toml asks for it there.
        tomllib: Any = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
        try:
            return _checked(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"the recipe is not TOML: {error}") from error

    @staticmethod
    def load(path: str | Path) -> Recipe:
        """Read a .json or .toml recipe."""
        file = Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe '{path}': {error}") from error
        return Recipe.from_toml(text) if file.suffix.lower() == ".toml" else Recipe.from_json(text)


def _checked(values: Any) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError("the recipe is not valid: " + "; ".join(_lines(error))) from error


def _lines(error: ValidationError) -> Iterable[str]:
    for entry in error.errors():
        where = ".".join(str(part) for part in entry["loc"])
        text = entry["msg"].removeprefix("Value error, ")
        yield f"{where}: {text}" if where else text


PRESETS: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="int8",
            description="Full integer: int8 activations (asymmetric, per tensor), int8 weights (symmetric, per "
            "channel), int32 biases. What CPUs, NPUs and microcontrollers run fastest.",
        ),
        Recipe(
            name="int16x8",
            description="int16 activations (symmetric), int8 weights, int64 biases: nearly the precision of float at "
            "the size of int8, on LiteRT's plain kernels only (slow: delegates do not take it).",
            precision="int16x8",
            io_dtype="int16",
        ),
        Recipe(
            name="dynamic",
            description="int8 weights, float activations that kernels quantize on the fly: a quarter of the size, no "
            "calibration data needed.",
            precision="int8-weights",
            io_dtype="float32",
        ),
        Recipe(
            name="int4-weights",
            description="int4 weights of fully connected layers, float activations: an eighth of their size, no "
            "calibration data needed; other weights stay as they are.",
            precision="int4-weights",
            io_dtype="float32",
        ),
        Recipe(
            name="fp16",
            description="float16 weights, float32 arithmetic: half the size, accuracy of float, no calibration data "
            "needed; GPU delegates compute in float16.",
            precision="fp16-weights",
            io_dtype="float32",
        ),
    )
}


def preset(name: str) -> Recipe:
    """The preset called ``name``; :class:`RecipeError` naming the known ones otherwise."""
    if name not in PRESETS:
        raise RecipeError(f"no recipe is called '{name}'; known are {', '.join(PRESETS)}")
    return PRESETS[name]
