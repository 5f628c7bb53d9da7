"""Finds the C++ kernels, or the reason why they cannot be used."""

from __future__ import annotations

import os
import warnings
from types import ModuleType

from mobilekit.errors import InputError


def load() -> tuple[ModuleType | None, str]:
    """(extension or None, reason why it is None).

    ``MOBILEKIT_KERNELS=reference`` asks for NumPy without a warning, e.g. to run a test suite on the reference.
    ``MOBILEKIT_ISA`` names the instruction set (the extension reads it when it is loaded).
    """
    choice = os.environ.get("MOBILEKIT_KERNELS", "auto")
    if choice == "reference":
        return None, "MOBILEKIT_KERNELS=reference"
    if choice != "auto":
        raise InputError(f"MOBILEKIT_KERNELS: expected auto or reference, got {choice!r}")
    try:
        from mobilekit import _native
    except ImportError as error:
        if "isa:" in str(error):
            raise InputError(f"MOBILEKIT_ISA: {error}") from error
        reason = f"the extension mobilekit._native cannot be imported ({error})"
        warnings.warn(
            f"mobilekit runs its kernels in NumPy, 100 times slower: {reason}. Build it with `pip install .` "
            "on a machine with a C++17 compiler.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None, reason
    except ValueError as error:  # raised by the extension itself
        raise InputError(f"MOBILEKIT_ISA: {error}") from error
    return _native, ""


_extension, reason = load()


def extension() -> ModuleType | None:
    """The C++ kernels, or None where the reference runs (``reason`` says why)."""
    return _extension
