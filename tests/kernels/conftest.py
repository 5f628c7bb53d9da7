"""Runs a test once with every instruction set of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mobilekit import kernels

ISAS = kernels.describe()["available"]


@pytest.fixture(params=ISAS or ["reference"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of the instruction set in use; "reference" where the extension is missing or was turned off."""
    if not ISAS:
        yield "reference"
        return
    native = kernels._native
    before = native.isa()
    native.force_isa(request.param)
    yield request.param
    native.force_isa(before)
