"""All models of a configuration, checked in parallel, held against their bars and the baseline.

Converting and timing stand in a layer above this one: whoever calls :func:`run_ci` hands in the functions that do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mobilekit.compat import cache
from mobilekit.compat.baseline import falls, news, read_baseline
from mobilekit.compat.check import check
from mobilekit.compat.config import Bars, CiConfig, ModelEntry
from mobilekit.compat.pool import Done, run_all
from mobilekit.compat.tables import TENSORRT, parse_release, resolve
from mobilekit.errors import InputError
from mobilekit.loading import zeros_of
from mobilekit.results.compat import (
    BarMiss,
    CiReport,
    CompatReport,
    ConversionFigures,
    LatencyFigures,
    ModelOutcome,
    percent,
)

T = TypeVar("T")

CheckModel = Callable[[ModelEntry, tuple[str, ...], Path], CompatReport]
"""(entry, targets, folder that paths are relative to) -> report; may raise a :class:`MobilekitError`."""
ConvertModel = Callable[[ModelEntry], ConversionFigures]
"""Entry -> figures of the verified file; may raise a :class:`MobilekitError`."""
TimeModel = Callable[[ModelEntry], LatencyFigures]
"""Entry whose file is there already -> its latency on this machine."""
Progress = Callable[[str, int, int], None]
"""(what is done, how many are, of how many)."""


def check_entry(entry: ModelEntry, targets: tuple[str, ...], root: Path) -> CompatReport:
    """Check one entry without converting it. Paths are relative to ``root``."""
    return check(
        located(entry.model, root),
        _tables(targets, root),
        example_inputs=zeros_of(entry.input_shapes) if entry.input_shapes else None,
        quantize=entry.quantize,
        name=entry.label,
    )


def located(model: str, root: Path) -> str:
    """``model`` with its path relative to ``root`` made whole; names of packages stay as they are."""
    place, colon, attribute = model.rpartition(":")
    if colon and attribute.isidentifier():
        return f"{root / place}:{attribute}" if place.endswith(".py") else model
    return str(root / model)


def _tables(targets: Sequence[str], root: Path) -> list[str]:
    return [str(root / word) if word.endswith(".json") else word for word in targets]


def _check(entry: ModelEntry, check_model: CheckModel, config: CiConfig, root: Path) -> CompatReport:
    return check_model(entry, config.targets_of(entry), root)


def run_ci(
    config: CiConfig,
    root: str | Path,
    *,
    check_model: CheckModel = check_entry,
    convert_model: ConvertModel | None = None,
    time_model: TimeModel | None = None,
    jobs: int | None = None,
    cache_folder: str | Path | None = None,
    progress: Progress | None = None,
) -> CiReport:
    """Check every model of ``config``; paths are relative to ``root``.

    ``check_model``, ``convert_model``, ``time_model``: what is done for a model whose ``run`` goes as far; functions of
    a module (or partials of one), since they run in processes of their own. Checks and conversions run side by side,
    timings one at a time, when everything else is done.
    ``jobs``: processes at once, by default one a core; 0 works in this process.
    ``cache_folder``: where reports of checks are kept for the next run; None keeps none. A model that cannot be checked
    is an outcome with an error, never an exception;
    :class:`BaselineError` is raised for a baseline that cannot be read.
    """
    base = Path(root)
    baseline = None if config.baseline is None else read_baseline(base / config.baseline)
    folder = None if cache_folder is None else Path(cache_folder)
    keys = {entry.label: _key(config, entry, base, folder) for entry in config.models}
    kept = _from_cache(folder, keys)
    steps = _Steps(config, progress)
    checks: dict[str, Done[CompatReport]] = {label: Done(report, None, 0.0) for label, report in kept.items()}
    waiting = [entry for entry in config.models if entry.label not in kept]
    for label, checked in run_all(waiting, partial(_check, check_model=check_model, config=config, root=base), jobs):
        checks[label] = checked
        report, key = checked.value, keys[label]
        if folder is not None and key is not None and report is not None:
            cache.store(folder, key, report)
        steps.done(label, "", len(checks))
    conversions: dict[str, Done[ConversionFigures]] = {}
    if convert_model is not None:
        asked = [entry for entry in config.models if config.goes_to(entry, "convert") and not checks[entry.label].error]
        conversions = steps.all("converted", asked, convert_model, jobs)
    timings: dict[str, Done[LatencyFigures]] = {}
    if time_model is not None:
        asked = [
            e for e in config.models if config.goes_to(e, "bench") and _value(conversions.get(e.label)) is not None
        ]
        timings = steps.all("timed", asked, time_model, 0 if jobs == 0 else 1)
    return CiReport(
        tuple(
            _outcome(
                config.bars_of(entry),
                entry,
                checks[entry.label],
                entry.label in kept,
                baseline,
                conversions.get(entry.label),
                timings.get(entry.label),
            )
            for entry in config.models
        )
    )


class _Steps:
    """Run a step for the models that ask for it, and tell how far it is."""

    def __init__(self, config: CiConfig, progress: Progress | None) -> None:
        self._total, self._progress = len(config.models), progress

    def done(self, label: str, what: str, count: int, total: int | None = None) -> None:
        if self._progress is not None:
            self._progress(f"{label} {what}".rstrip(), count, total or self._total)

    def all(
        self, what: str, entries: Sequence[ModelEntry], work: Callable[[ModelEntry], T], jobs: int | None
    ) -> dict[str, Done[T]]:
        found: dict[str, Done[T]] = {}
        for label, answer in run_all(entries, work, jobs):
            found[label] = answer
            self.done(label, what, len(found), len(entries))
        return found


def _value(done: Done[T] | None) -> T | None:
    return None if done is None else done.value


def _from_cache(folder: Path | None, keys: Mapping[str, str | None]) -> dict[str, CompatReport]:
    """Reports of earlier runs that still hold, by label."""
    if folder is None:
        return {}
    loaded = {label: cache.load(folder, key) for label, key in keys.items() if key is not None}
    return {label: report for label, report in loaded.items() if report is not None}


def judged(report: CompatReport, bars: Bars, model: str = "", baseline: Mapping[str, Any] | None = None) -> CiReport:
    """One report of a single check against bars, in the form of a run; for ``check`` with bars or report files.

    ``baseline``: what :func:`read_baseline` gave, or None for none.
    """
    misses, notes = _held(report, bars, baseline, report.model)
    return CiReport((ModelOutcome(report.model, model or report.model, report, None, misses, notes, 0.0, False),))


def _key(config: CiConfig, entry: ModelEntry, root: Path, folder: Path | None) -> str | None:
    if folder is None:
        return None
    return cache.key_of(entry.model, root, config.targets_of(entry), entry.label, entry.input_shapes, entry.quantize)


def _outcome(
    bars: Bars,
    entry: ModelEntry,
    checked: Done[CompatReport],
    cached: bool,
    baseline: Mapping[str, Any] | None,
    converted: Done[ConversionFigures] | None,
    timed: Done[LatencyFigures] | None,
) -> ModelOutcome:
    report, conversion, latency = checked.value, _value(converted), _value(timed)
    misses, notes = ((), ()) if report is None else _held(report, bars, baseline, entry.label)
    errors = [] if checked.error is None else [checked.error]
    for target, done in (("verification", converted), ("latency", timed)):
        if done is None or done.error is None:
            continue
        if done.missed:
            misses = (*misses, BarMiss(target, done.error))
        else:
            errors.append(done.error)
    if conversion is not None:
        notes = (*notes, *conversion.warnings)
    if latency is not None:
        notes = (*notes, *(f"timing: {doubt}" for doubt in latency.doubts))
    return ModelOutcome(
        entry.label,
        entry.model,
        report,
        "; ".join(errors) or None,
        (*misses, *_figure_misses(bars, conversion, latency)),
        notes,
        sum(done.seconds for done in (checked, converted, timed) if done is not None),
        cached,
        conversion,
        latency,
    )


def _figure_misses(
    bars: Bars, conversion: ConversionFigures | None, latency: LatencyFigures | None
) -> Iterator[BarMiss]:
    sqnr_db = None if conversion is None else conversion.sqnr_db
    if bars.min_sqnr_db is not None and sqnr_db is not None and sqnr_db < bars.min_sqnr_db:
        yield BarMiss("verification", f"SQNR against the model is {sqnr_db:.1f} dB, {bars.min_sqnr_db:g} dB is the bar")
    if bars.max_processing_ms is not None and latency is not None and latency.processing_ms > bars.max_processing_ms:
        yield BarMiss(
            "latency",
            f"processing takes {latency.processing_ms:.2f} ms (median), {bars.max_processing_ms:g} ms is the bar",
        )


def _held(
    report: CompatReport, bars: Bars, baseline: Mapping[str, Any] | None, label: str
) -> tuple[tuple[BarMiss, ...], tuple[str, ...]]:
    """(what fails, what is worth knowing) of a report against its bars and its entry in the baseline."""
    misses = tuple(_misses(report, bars))
    if baseline is None:
        return misses, ()
    known = baseline.get(label)
    return (*misses, *falls(report, known)), tuple(news(report, known))


def _misses(report: CompatReport, bars: Bars) -> Iterator[BarMiss]:
    for target in report.targets:
        names = _names(target.target, target.asked)
        for name, share in bars.min_coverage.items():
            if name in names and target.coverage < share:
                missing = target.ops_total - target.ops_supported
                yield BarMiss(
                    target.target,
                    f"takes {percent(target.coverage)} of the ops ({missing} refused), {percent(share)} is the bar",
                )
        for name, most in bars.max_pieces.items():
            if name in names and target.pieces > most:
                yield BarMiss(target.target, f"cuts the graph in {target.pieces} pieces, {most} is the bar")
    if bars.runtime_min is not None:
        if report.min_runtime_version == "unknown":
            yield BarMiss("runtime", f"no known TFLite release runs it, {bars.runtime_min} is the oldest to run on")
        elif parse_release(report.min_runtime_version) > parse_release(bars.runtime_min):
            yield BarMiss(
                "runtime", f"needs TFLite {report.min_runtime_version}, {bars.runtime_min} is the oldest to run on"
            )


def _names(target: str, asked: str) -> set[str]:
    return {target, asked}


def bars_from_words(coverage: Sequence[str], targets: str | Sequence[str], runtime_min: str | None = None) -> Bars:
    """Bars as a command line gives them: ``gpu=0.95``, or ``all=0.95`` for each of ``targets``.

    Raises :class:`InputError` for what is no share or no target.
    """
    found = [(target.name, target.shown) for target in resolve(targets)] if targets != TENSORRT else [(TENSORRT,) * 2]
    known = {name for names in found for name in names}
    shares: dict[str, float] = {}
    for word in coverage:
        name, equals, number = word.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not equals or not 0 <= share <= 1:
            raise InputError(f"'{word}': write a target and a share from 0 to 1, such as gpu=0.95")
        if name == "all":
            shares |= {shown: share for _, shown in found}
        elif name in known:
            shares[name] = share
        else:
            raise InputError(f"a bar for '{name}', which is not among the targets ({', '.join(sorted(known))})")
    if runtime_min is not None:
        parse_release(runtime_min)
    return Bars(min_coverage=shares, runtime_min=runtime_min)
