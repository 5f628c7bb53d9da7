"""The line on which a value of a JSON text stands, for error messages."""

from __future__ import annotations

import json
import re

_SPACE = re.compile(r"[\s,:]*")
_DECODER = json.JSONDecoder()


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """Line (from 1) of the value at ``path`` (keys and positions) in a JSON text, or of the last step there is."""
    position = _skip(text, 0)
    line_at = position
    for step in path:
        children = _children(text, position)
        found = next(((key_at, at) for key, key_at, at in children if key == step), None)
        if found is None:
            break
        line_at, position = found
    return text.count("\n", 0, line_at) + 1


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _children(text: str, position: int) -> list[tuple[str | int, int, int]]:
    """(key or index, where the key stands, where the value stands) of the object or array at ``position``."""
    opening = text[position] if position < len(text) else ""
    if opening not in "{[" or not opening:
        return []
    children: list[tuple[str | int, int, int]] = []
    position = _skip(text, position + 1)
    while position < len(text) and text[position] not in "}]":
        key: str | int = len(children)
        key_at = position
        if opening == "{":
            key, after = _DECODER.raw_decode(text, position)
            position = _skip(text, after)
        children.append((key, key_at, position))
        position = _skip(text, _DECODER.raw_decode(text, position)[1])
    return children
