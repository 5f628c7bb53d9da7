"""Ops of the user's own: the documented example, what happens without a lowering, and names that are none."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

import mobilekit
from mobilekit.errors import InputError, UnsupportedOpsError, VerificationError
from mobilekit.frontends.direct import registry

EXAMPLE = Path(__file__).parents[3] / "examples" / "custom_op.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("custom_op_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documented_example_converts_without_a_custom_op(example: ModuleType) -> None:
    result = example.main()
    assert "CUSTOM" not in result.report.op_counts
    assert result.report.op_counts["DIV"] == 1
    torch.manual_seed(0)
    model, image = example.Net().eval(), torch.rand(1, 3, 32, 32)  # the example's own seed, so the same weights
    # float32 sums in another order: units in the last place.
    torch.testing.assert_close(result(image), model(image), rtol=0, atol=1e-5)


def test_without_a_lowering_the_error_says_how_to_give_one(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_CUSTOM", {})
    with pytest.raises(UnsupportedOpsError) as caught:
        mobilekit.convert(example.Net().eval(), torch.rand(1, 3, 8, 8), backend="direct")
    text = str(caught.value)
    assert "mylib.scaled_softsign.default" in text
    assert "custom_op.py" in text
    assert '@mobilekit.lowering("mylib::scaled_softsign")' in text


def test_a_wrong_lowering_is_caught_by_verification(example: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(b: object, x: object, scale: float) -> object:
        return x

    monkeypatch.setitem(registry._CUSTOM, "mylib.scaled_softsign.default", wrong)
    with pytest.raises(VerificationError, match="the file does not compute what the model computes"):
        mobilekit.convert(example.Net().eval(), torch.rand(1, 3, 8, 8), backend="direct")


@pytest.mark.parametrize("name", ["hard_mish", "mylib::", "my lib::a b", "aten::relu"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' (is no op name|belongs to PyTorch)"):
        mobilekit.lowering(name)
