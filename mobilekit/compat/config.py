"""``[tool.mobilekit]`` of a pyproject.toml: which models, which targets, which bars. Typos are named with their line.

[tool.mobilekit]
targets = ["cpu", "gpu", "nnapi:29"]
runtime-min = "2.14"
baseline = "mobilekit-baseline.json"
min-coverage = { cpu = 1.0, gpu = 0.95 }

[[tool.mobilekit.models]]
name = "classifier"
model = "nets/classifier.py:make"
max-pieces = { gpu = 3 }
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mobilekit.compat.tables import parse_release, resolve
from mobilekit.errors import InputError, MobilekitError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

SECTION = "tool.mobilekit"


class ConfigError(InputError):
    """The configuration cannot be used; the message names file, line and key."""


def _release(value: Any) -> Any:
    if isinstance(value, str):
        parse_release(value)
    return value


Release = Annotated[str, BeforeValidator(_release)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Step = Literal["check", "convert", "bench"]
"""How far a run goes with a model; each step takes those before it along."""
STEPS: tuple[Step, ...] = get_args(Step)


def _key(name: str) -> str:
    return name.replace("_", "-")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_key, validate_by_name=True)


class Bars(_Section):
    """What must hold; the bars of a model come on top of those for all models, target by target."""

    min_coverage: dict[str, Share] = Field(default_factory=dict)
    """Share of the ops that a target must take."""
    max_pieces: dict[str, Count] = Field(default_factory=dict)
    """Pieces that a target may cut the graph into."""
    runtime_min: Release | None = None
    """The oldest TFLite runtime that the application ships: the model must run on it."""
    min_sqnr_db: float | None = None
    """Of the converted file's worst output against the model, for ``run = "convert"`` and on."""
    max_processing_ms: Annotated[float, Field(gt=0)] | None = None
    """Median of frame in memory -> result in memory on the machine of the run, for ``run = "bench"``."""


class ModelEntry(Bars):
    """One model."""

    model: str
    """A .tflite or .pt2 file, ``path.py:function`` or ``package.module:function``; relative to the pyproject.toml."""
    name: str = ""
    targets: tuple[str, ...] = ()
    """Instead of the targets for all models."""
    input_shapes: tuple[str, ...] = ()
    """``1,3,224,224`` or ``1,128:int64``, once for each input, where the model does not say."""
    quantize: str | None = None
    """Check the model as this recipe would quantize it, and convert it so."""
    calibration: str | None = None
    """A folder of .npy files, or one file, for a recipe that needs data; relative to the pyproject.toml."""
    run: Step | None = None
    """Instead of how far to go with all models."""

    @property
    def label(self) -> str:
        return self.name or re.split(r"[/\\:]", self.model)[-1].removesuffix(".tflite").removesuffix(".pt2")


class CiConfig(Bars):
    """The whole section."""

    targets: tuple[str, ...] = ("cpu",)
    models: tuple[ModelEntry, ...] = ()
    baseline: str | None = None
    run: Step = "check"
    bench_seconds: Annotated[float, Field(ge=0.5, le=3600)] = 5.0
    """Of each timing."""
    reports: dict[str, str] = Field(default_factory=dict)
    """Format -> file, written on every run: junit, sarif, markdown, json, html, badge."""

    def targets_of(self, entry: ModelEntry) -> tuple[str, ...]:
        return entry.targets or self.targets

    def goes_to(self, entry: ModelEntry, step: Step) -> bool:
        """Whether a run takes the model as far as ``step``."""
        return STEPS.index(entry.run or self.run) >= STEPS.index(step)

    def bars_of(self, entry: ModelEntry) -> Bars:
        """The bars for one model: its own over those for all."""
        return Bars(
            min_coverage={**self.min_coverage, **entry.min_coverage},
            max_pieces={**self.max_pieces, **entry.max_pieces},
            runtime_min=entry.runtime_min or self.runtime_min,
            min_sqnr_db=self.min_sqnr_db if entry.min_sqnr_db is None else entry.min_sqnr_db,
            max_processing_ms=entry.max_processing_ms or self.max_processing_ms,
        )


def read_config(path: str | Path) -> CiConfig:
    """Read and check the section of a pyproject.toml; every problem of it in one :class:`ConfigError`."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    section = document.get("tool", {}).get("mobilekit")
    if section is None:
        raise ConfigError(f"{path} has no section [{SECTION}]; write one, or run: mobilekit ci init")
    try:
        config = CiConfig.model_validate(section)
    except ValidationError as error:
        found = [(tuple(problem["loc"]), _words(problem)) for problem in error.errors()]
        raise ConfigError(_listed(path, text, found)) from None
    problems = list(_problems(config))
    if problems:
        raise ConfigError(_listed(path, text, problems))
    return config


def with_run(config: CiConfig, step: str) -> CiConfig:
    """The configuration with every model taken as far as ``step``; :class:`InputError` for an unknown one."""
    known: dict[str, Step] = {name: name for name in STEPS}
    if step not in known:
        raise InputError(f"--run is '{step}', known are {', '.join(STEPS)}")
    models = tuple(entry.model_copy(update={"run": known[step]}) for entry in config.models)
    return config.model_copy(update={"run": known[step], "models": models})


Where = tuple["str | int", ...]


def _listed(path: str | Path, text: str, problems: Sequence[tuple[Where, str]]) -> str:
    return "; ".join(f"{path}, line {line_of_key(text, where)}: {words}" for where, words in problems[:8])


def _words(problem: Any) -> str:
    """A pydantic error in the words of the file."""
    where, kind = problem["loc"], problem["type"]
    key = _key(str(where[-1])) if where else ""
    if kind == "extra_forbidden":
        known = [_key(name) for name in (ModelEntry if where[0] == "models" else CiConfig).model_fields]
        close = difflib.get_close_matches(key, known, n=1)
        return f"key '{key}' is not known" + (f", did you mean '{close[0]}'?" if close else "")
    if kind == "missing":
        return f"key '{key}' is missing"
    if "min-coverage" in where or "min_coverage" in where:
        return f"min-coverage of '{key}' is {problem['input']!r}, it is a share from 0 to 1 (0.95 is 95 %)"
    return f"'{key}' is {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"


def _problems(config: CiConfig) -> Iterator[tuple[Where, str]]:
    if not config.models:
        yield (), "no models are listed: add [[tool.mobilekit.models]] with a 'model'"
    yield from _target_problems(config.targets, ("targets",))
    yield from _bar_problems(config, set(config.targets).union(*(entry.targets for entry in config.models)), ())
    furthest = max((entry.run or config.run for entry in config.models), key=STEPS.index, default=config.run)
    yield from _step_problems(config, furthest, ())
    seen: dict[str, int] = {}
    for index, entry in enumerate(config.models):
        here: Where = ("models", index)
        if entry.label in seen:
            yield (*here, "name"), f"two models are called '{entry.label}'; give one of them another 'name'"
        seen[entry.label] = index
        yield from _target_problems(entry.targets, (*here, "targets"))
        yield from _bar_problems(entry, set(config.targets_of(entry)), here)
        yield from _step_problems(entry, entry.run or config.run, here)
    for kind in config.reports:
        if kind not in REPORT_FORMATS:
            close = difflib.get_close_matches(kind, REPORT_FORMATS, n=1)
            hint = f", did you mean '{close[0]}'?" if close else f"; known are {', '.join(REPORT_FORMATS)}"
            yield ("reports", kind), f"report format '{kind}' is not known{hint}"


REPORT_FORMATS = ("text", "json", "markdown", "junit", "sarif", "github", "html", "badge")


def _target_problems(words: Sequence[str], where: Where) -> Iterator[tuple[Where, str]]:
    for word in words:
        if word.endswith(".json"):  # A table of one's own is read when the models are checked.
            continue
        try:
            resolve(word)
        except MobilekitError as error:
            yield where, str(error)


def _bar_problems(bars: Bars, targets: set[str], here: Where) -> Iterator[tuple[Where, str]]:
    known = names_of(targets)
    for key, values in (("min-coverage", bars.min_coverage), ("max-pieces", bars.max_pieces)):
        for target in values:
            if target not in known:
                close = difflib.get_close_matches(target, known, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                yield (*here, key, target), f"a bar for '{target}', which is not among the targets{hint}"


def _step_problems(bars: Bars, furthest: Step, here: Where) -> Iterator[tuple[Where, str]]:
    """Bars that no step of the run could ever hold against anything: they would pass without having been looked at."""
    needs: tuple[tuple[str, float | None, Step], ...] = (
        ("min-sqnr-db", bars.min_sqnr_db, "convert"),
        ("max-processing-ms", bars.max_processing_ms, "bench"),
    )
    for key, value, step in needs:
        if value is not None and STEPS.index(furthest) < STEPS.index(step):
            yield (*here, key), f'{key} needs run = "{step}", the run stops at "{furthest}"'


def names_of(words: set[str]) -> set[str]:
    """Every word by which a bar may name the targets behind ``words``: ``nnapi:29`` is also ``nnapi``."""
    names = set(words)
    for word in words:
        if word.endswith(".json"):
            names.add(Path(word).stem)
            continue
        try:
            found = resolve(word)
        except MobilekitError:
            continue
        names |= {target.name for target in found} | {target.shown for target in found}
    return names


def line_of_key(text: str, where: Where) -> int:
    """Line (from 1) on which a key of the section stands; of its table if the key is not found, else of the section."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(rf"\s*\[+\s*{re.escape(SECTION)}", line)), 0)
    keys = [_key(str(step)) for step in where if isinstance(step, str)]
    if "models" in keys:
        keys.remove("models")
        index = next((step for step in where if isinstance(step, int)), 0)
        tables = [
            i for i, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{re.escape(SECTION)}\.models\s*\]\]", line)
        ]
        if index < len(tables):
            start = tables[index]
    end = next((i for i in range(start + 1, len(lines)) if re.match(r"\s*\[\[?\s*[\w\"]", lines[i])), len(lines))
    if not where or "models" not in where:
        end = len(lines)  # Sub-tables such as [tool.mobilekit.min-coverage] follow.
    found = None
    for key in keys:  # from the outside in: a target is looked for from the line of its bar on
        name = re.escape(key)
        pattern = re.compile(rf"(^|[\s{{,.\"']){name}[\"']?\s*=|^\s*\[.*[.\"']{name}[\"']?\s*\]")
        places = range(start if found is None else found, end)
        found = next((number for number in places if pattern.search(lines[number])), found)
    return (start if found is None else found) + 1
