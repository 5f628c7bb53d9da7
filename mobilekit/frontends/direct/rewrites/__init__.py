"""Rewrites of single ops, applied only when asked for by name. One file each; a file here is in the list."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Sequence

from mobilekit.errors import InputError
from mobilekit.frontends.direct.rewrites.base import Rewrite

_NO_REWRITES = frozenset({"apply", "base"})


@functools.cache
def known_rewrites() -> dict[str, Rewrite]:
    """Every rewrite by name; loads their files on first use."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _NO_REWRITES)
    return {name: importlib.import_module(f"{__name__}.{name}").REWRITE for name in names}


def named_rewrites(names: Sequence[str]) -> list[Rewrite]:
    """The rewrites of these names, in this order; :class:`InputError` for an unknown one, with the closest known."""
    if isinstance(names, str):
        raise InputError(f"rewrites= takes a sequence of names: rewrites=('{names}',)")
    known = known_rewrites()
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            raise InputError(f"no rewrite is called '{name}': {hint}")
    return [known[name] for name in dict.fromkeys(names)]
