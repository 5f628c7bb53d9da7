"""The list of lowerings."""

from __future__ import annotations

import pytest
import torch

from mobilekit.frontends.direct.registry import lowerings, lowers
from tests.frontends.direct.cases import REFUSED


def test_every_entry_names_an_op_that_pytorch_has() -> None:
    unknown = []
    for name in lowerings():
        namespace, op, overload = name.split(".")
        if namespace in ("aten", "prims"):
            packet = getattr(getattr(torch.ops, namespace), op, None)
            if packet is None or overload not in packet.overloads():
                unknown.append(name)
    assert unknown == []


def test_every_lowering_takes_all_arguments_of_its_op() -> None:
    """Called as the walk calls it: positionally, with the schema's arguments."""
    import inspect

    wrong = []
    for name, lowering in lowerings().items():
        namespace, op, overload = name.split(".")
        if namespace not in ("aten", "prims"):
            continue
        count = len(getattr(getattr(getattr(torch.ops, namespace), op), overload)._schema.arguments)
        try:
            inspect.signature(lowering).bind(None, *[None] * count)
        except TypeError:
            wrong.append(f"{name} has {count} arguments, {lowering.__name__} takes {inspect.signature(lowering)}")
    assert wrong == []


def test_the_list_is_long_and_sorted() -> None:
    """The figure that docs and reports quote: at least 300 overloads."""
    names = list(lowerings())
    assert names == sorted(names)
    assert len(names) - len(REFUSED) >= 300


def test_two_lowerings_for_one_op_are_an_error() -> None:
    with pytest.raises(AssertionError, match=r"aten\.sin\.default has two lowerings"):
        lowers("aten.sin.default")(lambda b, x: x)
