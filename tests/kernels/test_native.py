"""Which kernels are chosen, and what the user is told; each case in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mobilekit import kernels


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


PRINT = "from mobilekit import kernels; print(kernels.describe())"
needs_native = pytest.mark.skipif(
    kernels.describe()["implementation"] != "native", reason="the extension is missing or turned off"
)


def test_the_reference_can_be_asked_for_without_a_warning() -> None:
    result = run(PRINT, MOBILEKIT_KERNELS="reference")
    assert "'implementation': 'reference'" in result.stdout
    assert "MOBILEKIT_KERNELS=reference" in result.stdout
    assert result.stderr == ""


def test_a_missing_extension_is_a_warning_with_the_reason() -> None:
    hide = "import sys; sys.modules['mobilekit._native'] = None; "
    result = run(hide + PRINT, MOBILEKIT_KERNELS="auto")
    assert "'implementation': 'reference'" in result.stdout
    assert "RuntimeWarning: mobilekit runs its kernels in NumPy, 100 times slower: the extension" in result.stderr
    assert "Build it with `pip install .`" in result.stderr


@needs_native
def test_an_instruction_set_can_be_forced() -> None:
    assert "'isa': 'scalar'" in run(PRINT, MOBILEKIT_KERNELS="auto", MOBILEKIT_ISA="scalar").stdout


@needs_native
@pytest.mark.parametrize("name", ["mmx", "neon" if "neon" not in kernels.describe()["available"] else "avx2"])
def test_an_instruction_set_that_is_not_there_is_an_error(name: str) -> None:
    result = run(PRINT, MOBILEKIT_KERNELS="auto", MOBILEKIT_ISA=name)
    assert result.returncode != 0
    assert "InputError: MOBILEKIT_ISA: isa: " in result.stderr
