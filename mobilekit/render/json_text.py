"""Any result -> one JSON document with the version of the format and the kind of the result."""

from __future__ import annotations

import json
from typing import Any

from mobilekit._version import __version__
from mobilekit.results.base import FORMAT_VERSION, to_jsonable


def document(kind: str, result: Any) -> dict[str, Any]:
    """``{"format_version": 1, "kind": kind, "mobilekit_version": ..., **fields of the result}``."""
    body = to_jsonable(result)
    head = {"format_version": FORMAT_VERSION, "kind": kind, "mobilekit_version": __version__}
    taken = head.keys() & body.keys()
    if taken:
        raise ValueError(f"a {kind} may not have the fields {sorted(taken)} of its own")
    return {**head, **body}


def to_json(kind: str, result: Any) -> str:
    # allow_nan=False: a NaN that slipped past to_jsonable must fail here, not in somebody's parser.
    return json.dumps(document(kind, result), indent=2, ensure_ascii=False, allow_nan=False)
