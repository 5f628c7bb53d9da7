from __future__ import annotations

import pytest
from pydantic import ValidationError

from mobilekit.errors import RecipeError
from mobilekit.graph.ir import Op
from mobilekit.quantize import PRESETS, Override, Recipe, preset
from mobilekit.source import SourceLocation
from tests.quantize.graphs import float_tensor


def op(kind="CONV_2D", name="y", module=""):
    return Op(kind, [], [float_tensor(name, 1)], source=SourceLocation("model.py", 3, "", module))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    assert Recipe.from_json(preset(name).to_json()) == preset(name)
    assert preset(name).description


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(RecipeError, match="no recipe is called 'int9'; known are int8, int16x8, dynamic"):
        preset("int9")


def test_the_last_override_that_matches_wins_field_by_field():
    recipe = Recipe(
        overrides=(
            Override(module="backbone.*", precision="float32", observer="mse"),
            Override(op="CONV_*", precision="int8"),
        )
    )
    settings = recipe.settings(op(module="backbone.0"))
    assert (settings.precision, settings.observer) == ("int8", "mse")
    assert recipe.settings(op("ADD", module="backbone.0")).precision == "float32"
    assert recipe.settings(op("ADD", module="head")).precision == "int8"


def test_toml():
    recipe = Recipe.from_toml('precision = "int8"\n[[overrides]]\nop = "SOFTMAX"\nprecision = "float32"\n')
    assert recipe.overrides == (Override(op="SOFTMAX", precision="float32"),)


def test_load_by_extension(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(preset("dynamic").to_json())
    assert Recipe.load(file) == preset("dynamic")
    with pytest.raises(RecipeError, match="cannot read the recipe"):
        Recipe.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the recipe is not JSON"),
        ('{"precison": "int8"}', "precison: Extra inputs are not permitted"),
        ('{"precision": "int9"}', "precision: Input should be 'int8', 'int16x8'"),
        ('{"precision": "int16x8"}', "io_dtype int8 goes with precision int8, not int16x8"),
        ('{"overrides": [{"op": "CONV2D", "precision": "float32"}]}', "no op of TFLite is called 'CONV2D'"),
        ('{"overrides": [{"precision": "float32"}]}', "an override needs at least one of op, name, module"),
        ('{"overrides": [{"op": "CONV_2D"}]}', "the override for op='CONV_2D' changes nothing"),
        ('{"percentile": 20}', "percentile: Input should be greater than 50"),
        ("[1]", "the recipe is not valid"),
    ],
)
def test_documents_that_are_wrong(text, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(text)


def test_recipes_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        preset("int8").name = "other"
