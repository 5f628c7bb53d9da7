"""What became of each network, kept as the run goes: a file a network in .cache/zoo/<kind>/, stamped with the code.

A run that is cut short goes on where it stopped. A record made by other code (of the package or of the zoo) is stale
and made again. The result file is written anew after every network, from the records of the code at hand.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from benchmarks import support

FOLDER = support.ROOT / ".cache" / "zoo"

Record = dict[str, Any]


@functools.cache
def code_stamp() -> str:
    """Changes with any source file that a record depends on."""
    digest = hashlib.sha256()
    for folder in (support.ROOT / "mobilekit", Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            if path.name not in _NO_EFFECT:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


# Files of the zoo that only order, keep and show.
_NO_EFFECT = frozenset({"__main__.py", "records.py", "figures.py"})


def slug(name: str) -> str:
    return name.replace("/", "__")


def load(kind: str, name: str) -> Record | None:
    """The record of a network, or None if there is none or other code made it."""
    path = FOLDER / kind / f"{slug(name)}.json"
    if not path.exists():
        return None
    record: Record = json.loads(path.read_text(encoding="utf-8"))
    return record if record["code"] == code_stamp() else None


def store(kind: str, name: str, record: Record) -> None:
    path = FOLDER / kind / f"{slug(name)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"code": code_stamp(), **record}), encoding="utf-8")
