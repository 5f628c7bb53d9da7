"""How the tables stand against newer sources: op lists and versions of a LiteRT checkout, or one table against another.

Only what a program can read off the sources is derived: the ops in a delegate's switch and the releases of op versions.
The rules inside were read by people; a changed list says where to read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobilekit.compat.tables import builtin_table
from mobilekit.errors import InputError
from mobilekit.graph.schema import KIND_TO_CODE

# target -> (file below the checkout, the function whose switch lists the ops, or None for the whole file)
SWITCHES: dict[str, tuple[str, str | None]] = {
    "cpu": ("tflite/delegates/xnnpack/xnnpack_delegate.cc", "VisitNode("),
    "gpu": ("tflite/delegates/gpu/common/model_builder.cc", "NewOperationParser("),
    "nnapi": ("tflite/delegates/nnapi/nnapi_delegate.cc", "NNAPIDelegateKernel::Validate("),
    "hexagon": ("tflite/delegates/hexagon/utils.cc", "IsNodeSupportedByHexagon("),
    "coreml": ("tflite/delegates/coreml/coreml_delegate.mm", "IsNodeSupportedByDelegate("),
}
VERSIONS = "tflite/converter/tools/versioning/runtime_version.cc"

_CASE = re.compile(r"case\s+kTfLiteBuiltin(\w+)\s*:")
_PAIR = re.compile(r"\{\s*\{\s*BuiltinOperator_(\w+)\s*,\s*(\d+)\s*\}\s*,\s*\"([\d.]+)\"\s*\}")
_BY_WORD = {kind.replace("_", "").lower(): kind for kind in KIND_TO_CODE}


def ops_in_switch(source: str, function: str | None) -> set[str]:
    """Schema names of the ops that a function's ``case kTfLiteBuiltin...:`` lines name.

    ``function``: the text of its definition up to the bracket; the last place that a brace follows counts. Names that
    are no ops (``Delegate``, ``PlaceholderForGreaterOpCodes``) are left out.
    """
    body = source if function is None else _body(source, function)
    words = (word.lower() for word in _CASE.findall(body))
    return {_BY_WORD[word] for word in words if word in _BY_WORD} - {"DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}


def _body(source: str, function: str) -> str:
    """Text of the longest definition of ``function``: from its first brace to the one that closes it."""
    bodies = []
    for match in re.finditer(re.escape(function), source):
        opening = source.find("{", match.end())
        semicolon = source.find(";", match.end())
        if opening < 0 or (0 <= semicolon < opening):
            continue  # A declaration or a call.
        depth, position = 0, opening
        for position in range(opening, len(source)):
            depth += {"{": 1, "}": -1}.get(source[position], 0)
            if depth == 0:
                break
        bodies.append(source[opening:position])
    return max(bodies, key=len, default="")


def versions_in(source: str) -> dict[str, dict[str, str]]:
    """Op -> version -> release, from runtime_version.cc. The first of a doubled pair counts, as in the C++ map."""
    found: dict[str, dict[str, str]] = {}
    for kind, version, release in _PAIR.findall(source):
        found.setdefault(kind, {}).setdefault(version, release)
    return found


def against_checkout(checkout: str | Path) -> list[str]:
    """One line for each difference between the packaged tables and a checkout of LiteRT (or TensorFlow's tree of it).

    Raises :class:`InputError` if the folder holds none of the files that are read.
    """
    base = Path(checkout)
    lines: list[str] = []
    read = 0
    for target, (name, function) in SWITCHES.items():
        path = _existing(base, name)
        if path is None:
            lines.append(f"{target}: there is no {name}")
            continue
        read += 1
        found = ops_in_switch(path.read_text(encoding="utf-8", errors="replace"), function)
        lines += _op_differences(target, found)
    path = _existing(base, VERSIONS)
    if path is None:
        lines.append(f"runtime: there is no {VERSIONS}")
    else:
        read += 1
        lines += _version_differences(versions_in(path.read_text(encoding="utf-8", errors="replace")))
    if not read:
        raise InputError(f"'{checkout}' is no checkout of LiteRT: it holds none of the files that the tables come from")
    return lines


def _existing(base: Path, name: str) -> Path | None:
    candidates = (base / name, base / "tensorflow" / "lite" / name.removeprefix("tflite/"))
    return next((path for path in candidates if path.is_file()), None)


def _op_differences(target: str, found: set[str]) -> Iterator[str]:
    if not found:
        yield f"{target}: no switch over ops was found; the source has changed its form"
        return
    # DENSIFY is unpacked before XNNPACK's visitor sees it; CUSTOM ops are told apart by name.
    known = set(builtin_table(target)["ops"]) - {"CUSTOM", "DENSIFY"}
    for kind in sorted(found - known - {"CUSTOM", "DENSIFY"}):
        yield f"{target}: {kind} is new"
    for kind in sorted(known - found):
        yield f"{target}: {kind} is gone"


def _version_differences(found: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    known = {kind: entry["versions"] for kind, entry in builtin_table("runtime")["ops"].items()}
    for kind in sorted(found):
        for version, release in found[kind].items():
            before = known.get(kind, {}).get(version)
            if before is None:
                yield f"runtime: {kind} version {version} is new, from {release}"
            elif before != release:
                yield f"runtime: {kind} version {version} is from {release}, the table says {before}"
    for kind in sorted(known):
        for version in known[kind]:
            if version not in found.get(kind, {}):
                yield f"runtime: {kind} version {version} is gone"


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for each op that one table of two has, and for each rule or list of types that differs."""
    lines = [f"{kind}: added" for kind in sorted(new["ops"].keys() - old["ops"].keys())]
    lines += [f"{kind}: removed" for kind in sorted(old["ops"].keys() - new["ops"].keys())]
    for kind in sorted(old["ops"].keys() & new["ops"].keys()):
        lines += [f"{kind}: {line}" for line in _entry_differences(old["ops"][kind], new["ops"][kind])]
    return lines


def _entry_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in ("supported", "dtypes", "versions"):
        if old.get(key) != new.get(key):
            yield f"{key} {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}"
    before = {json.dumps(rule, sort_keys=True) for rule in old.get("constraints", [])}
    after = {json.dumps(rule, sort_keys=True) for rule in new.get("constraints", [])}
    yield from (f"rule added {rule}" for rule in sorted(after - before))
    yield from (f"rule removed {rule}" for rule in sorted(before - after))
