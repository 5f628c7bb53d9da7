"""The op tables: where they are, what they are called, whether they are well formed.

A table is one JSON file in ``targets/`` (or a user's own) with a header (names, source, settings) and one entry an op.
Tables are read on first use and kept; nothing is read that was not asked for.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilekit.errors import InputError, MobilekitError
from mobilekit.results.compat import TargetInfo

FORMAT = 1
"""Version of the table files; raised when a key changes its meaning."""

_FOLDER = Path(__file__).parent / "targets"
RUNTIME = "runtime"
TENSORRT = "tensorrt"
"""Over ONNX ops: asked for alone, with an .onnx file."""

# name -> file; every other word for a target is an alias. In the order of every report.
_FILES: dict[str, str] = {
    "runtime": "tflite_builtin",
    "cpu": "xnnpack",
    "gpu": "gpu",
    "mldrift": "mldrift_gpu",
    "nnapi": "nnapi",
    "hexagon": "hexagon",
    "coreml": "coreml",
    "qnn": "qnn",
    "mediatek": "mediatek",
    "edgetpu": "edgetpu",
}
_ALIASES: dict[str, str] = {
    "xnnpack": "cpu",
    "builtin": "runtime",
    "tflite": "runtime",
    "opencl": "gpu",
    "ml_drift": "mldrift",
    "mldrift_gpu": "mldrift",
    "ios": "coreml",
    "qualcomm": "qnn",
    "neuron": "mediatek",
    "coral": "edgetpu",
}
NAMES: tuple[str, ...] = tuple(_FILES)

_HEADER_REQUIRED = frozenset({"format", "target", "title", "source", "ops", "dtype_scope"})
_HEADER_KEYS = _HEADER_REQUIRED | {
    "names", "notes", "level", "flags", "partitions", "folds_constants", "every_op", "global_types",
}  # fmt: skip
_ENTRY_KEYS = frozenset(
    {"supported", "dtypes", "constraints", "dtype_detail", "opt_in", "legalized_to", "confidence", "constraint_origin",
     "notes", "suggestion"}
)  # fmt: skip


class TableError(InputError):
    """A table of ops breaks the format; the message names the file, the line and the key."""


@dataclass(frozen=True)
class Target:
    """One target, ready to be asked: its table and the level it is checked at."""

    name: str
    title: str
    table: Mapping[str, Any]
    level: int | None
    level_name: str = ""
    release: str | None = None
    """A runtime release ("2.14"), for the target ``runtime`` only."""

    @property
    def ops(self) -> Mapping[str, Mapping[str, Any]]:
        ops: Mapping[str, Mapping[str, Any]] = self.table["ops"]
        return ops

    @property
    def table_version(self) -> str:
        """Where and when the table was read, in words."""
        source = self.table["source"]
        where = source.get("repo") or next(iter(source.get("paths", [])), "unknown source")
        commit = (source.get("commit") or "")[:12]
        return f"{where}{'@' + commit if commit else ''}, {source.get('retrieved', 'undated')}"

    @property
    def shown(self) -> str:
        """Name with the level, as a user would ask for it: ``nnapi:31``."""
        suffix = self.release if self.release is not None else self.level
        return self.name if suffix is None else f"{self.name}:{suffix}"


def catalogue() -> list[TargetInfo]:
    """Every packaged target, TensorRT's included, in the order of the reports."""
    found = []
    for name in (*NAMES, TENSORRT):
        table = builtin_table(name)
        level = table.get("level", {})
        found.append(
            TargetInfo(
                name=name,
                aliases=tuple(alias for alias, meant in _ALIASES.items() if meant == name),
                title=table["title"],
                table_version=Target(name, table["title"], table, None).table_version,
                ops=sum(1 for entry in table["ops"].values() if entry.get("supported", True)),
                level_name=level.get("name", "TFLite release" if name == RUNTIME else ""),
                levels=tuple(level.get("known", ())),
                default_level=level.get("default"),
                notes=tuple(table.get("notes", ())),
            )
        )
    return found


def resolve(targets: str | Sequence[str]) -> list[Target]:
    """The targets behind words like ``cpu``, ``nnapi:29``, ``runtime:2.14``, ``path/to/own.json`` or ``all``.

    A comma separates several in one string. Unknown words raise :class:`InputError` with the closest name proposed.
    """
    words = targets.split(",") if isinstance(targets, str) else list(targets)
    found: dict[str, Target] = {}
    for word in (word.strip() for word in words):
        if not word:
            continue
        names: Sequence[str] = NAMES if word == "all" else (word,)
        for name in names:
            target = _resolve_one(name)
            found.setdefault(target.shown, target)
    if not found:
        raise InputError(f"no target was named; known are {', '.join(NAMES)}")
    return list(found.values())


def _resolve_one(word: str) -> Target:
    if word.endswith(".json"):
        path = Path(word)
        table = read_table(path)
        return _target(str((table.get("names") or [table["target"]])[0]), table, None)
    name, _, setting = word.partition(":")
    name = name.lower().replace("-", "_")
    name = _ALIASES.get(name, name)
    if name not in _FILES:
        raise InputError(_unknown(word, name))
    return _target(name, builtin_table(name), setting or None)


def _unknown(word: str, name: str) -> str:
    if name in ("tensorrt", "trt"):
        return "TensorRT's table is over ONNX ops: ask for it alone, with an .onnx file"
    close = difflib.get_close_matches(name, [*_FILES, *_ALIASES], n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"unknown target '{word}'; {hint}Known are {', '.join(NAMES)}, and a .json file of your own"


def _target(name: str, table: Mapping[str, Any], setting: str | None) -> Target:
    if name == RUNTIME:
        if setting is not None:
            parse_release(setting)
        return Target(name, table["title"], table, None, release=setting)
    level = table.get("level")
    if level is None:
        if setting is not None:
            raise InputError(f"target '{name}' has no levels, '{name}:{setting}' was asked for")
        return Target(name, table["title"], table, None)
    if setting is None:
        return Target(name, table["title"], table, level["default"], level["name"])
    try:
        return Target(name, table["title"], table, int(setting), level["name"])
    except ValueError:
        raise InputError(
            f"'{name}:{setting}': the {level['name']} must be a whole number, e.g. {name}:{level['default']}"
        ) from None


def parse_release(text: str) -> tuple[int, ...]:
    """(2, 14, 0) from "2.14", so that releases compare as numbers and not as text."""
    try:
        parts = [int(part) for part in text.split(".")]
    except ValueError:
        raise InputError(f"'{text}' is no release; expected numbers such as 2.14 or 2.14.0") from None
    return tuple(parts + [0] * (3 - len(parts)))


@functools.cache
def builtin_table(name: str) -> Mapping[str, Any]:
    """The packaged table of a target, or of ``tensorrt``. Trusted: a test validates every one of them."""
    path = _FOLDER / f"{_FILES.get(name, name)}.json"
    table: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table


@functools.lru_cache(maxsize=16)
def _read_cached(path: Path, stamp: int) -> Mapping[str, Any]:
    text = path.read_text(encoding="utf-8")
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    problems = list(table_problems(table))
    if problems:
        from mobilekit.compat.locate import line_of

        raise TableError(
            "; ".join(f"{path}, line {line_of(text, where)}: {problem}" for where, problem in problems[:8])
        )
    checked: Mapping[str, Any] = table
    return checked


def read_table(path: str | Path) -> Mapping[str, Any]:
    """A user's own table, validated; :class:`TableError` names file, line and key of what is wrong."""
    file = Path(path)
    try:
        return _read_cached(file, file.stat().st_mtime_ns)
    except MobilekitError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"cannot read the table '{path}': {getattr(error, 'strerror', None) or error}") from error


Where = tuple["str | int", ...]
"""Keys and positions on the way to a value in a JSON document."""


def table_problems(table: Any) -> Iterator[tuple[Where, str]]:
    """Everything that is wrong with a table of TFLite ops, as (where, what)."""
    from mobilekit.compat.dtypes import SCOPES
    from mobilekit.graph.schema import KIND_TO_CODE

    if not isinstance(table, dict):
        yield (), "a table is a JSON object"
        return
    for key in sorted(_HEADER_REQUIRED - table.keys()):
        yield (), f"key '{key}' is missing"
    for key in table.keys() - _HEADER_KEYS:
        yield (key,), _unknown_key(key, _HEADER_KEYS)
    if _HEADER_REQUIRED - table.keys():
        return
    if table["format"] != FORMAT:
        yield ("format",), f"format {table['format']} is not known, this mobilekit reads {FORMAT}"
    if table["dtype_scope"] not in SCOPES:
        yield ("dtype_scope",), f"dtype_scope '{table['dtype_scope']}' is none of {', '.join(SCOPES)}"
    if not isinstance(table["ops"], dict) or not isinstance(table["source"], dict):
        yield ("ops",), "'ops' and 'source' are objects"
        return
    for index, constraint in enumerate(table.get("every_op", [])):
        yield from _constraint_problems(constraint, ("every_op", index))
    for op, entry in table["ops"].items():
        if op not in KIND_TO_CODE:
            close = difflib.get_close_matches(op, KIND_TO_CODE, n=1)
            yield ("ops", op), f"'{op}' is no TFLite op" + (f", did you mean '{close[0]}'?" if close else "")
        elif not isinstance(entry, dict):
            yield ("ops", op), f"the entry of {op} is an object"
        else:
            yield from _entry_problems(op, entry)


def _unknown_key(key: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"key '{key}' is not known" + (f", did you mean '{close[0]}'?" if close else "")


def _entry_problems(op: str, entry: dict[str, Any]) -> Iterator[tuple[Where, str]]:
    from mobilekit.compat.tokens import dtype_of

    here: Where = ("ops", op)
    for key in entry.keys() - _ENTRY_KEYS:
        yield (*here, key), _unknown_key(key, _ENTRY_KEYS)
    for key in ("dtypes", "constraints"):
        if key not in entry and entry.get("supported", True):
            yield here, f"{op} has no key '{key}'"
    tokens = entry.get("dtypes", [])
    lists = tokens.items() if isinstance(tokens, dict) else [("", tokens)]
    for part, words in lists:
        for index, token in enumerate(words):
            if token in ("any", "any_supported"):
                continue
            try:
                dtype_of(token)
            except KeyError:
                yield (*here, "dtypes", *([part] if part else []), index), f"'{token}' is no type"
    for index, constraint in enumerate(entry.get("constraints", [])):
        yield from _constraint_problems(constraint, (*here, "constraints", index))


def _constraint_problems(constraint: Any, here: Where) -> Iterator[tuple[Where, str]]:
    from mobilekit.compat.relations import RELATIONS
    from mobilekit.compat.rules import COMMON_KEYS, RULES

    if not isinstance(constraint, dict) or "kind" not in constraint:
        yield here, "a rule is an object with a 'kind'"
        return
    kind = constraint["kind"]
    if kind not in RULES:
        close = difflib.get_close_matches(str(kind), RULES, n=1)
        yield (*here, "kind"), f"rule kind '{kind}' is not known" + (f", did you mean '{close[0]}'?" if close else "")
        return
    rule = RULES[kind]
    for key in sorted(rule.required - constraint.keys()):
        yield here, f"a '{kind}' rule needs the key '{key}'"
    for key in constraint.keys() - rule.required - rule.optional - COMMON_KEYS:
        yield (*here, key), _unknown_key(key, rule.required | rule.optional | COMMON_KEYS)
    if kind == "relation" and constraint.get("rule") not in RELATIONS:
        close = difflib.get_close_matches(str(constraint.get("rule")), RELATIONS, n=1)
        hint = f", did you mean '{close[0]}'?" if close else ""
        yield (*here, "rule"), f"relation '{constraint.get('rule')}' is not known{hint}"
    if kind == "any_of":
        for number, option in enumerate(constraint.get("options", [])):
            for position, part in enumerate(option):
                yield from _constraint_problems(part, (*here, "options", number, position))
