"""Wrong types of the kernels' arguments; wrong values are :class:`mobilekit.errors.InputError`."""

from __future__ import annotations

from mobilekit.errors import MobilekitError


class InputTypeError(MobilekitError, TypeError):
    """An argument is of a type that cannot be used."""
