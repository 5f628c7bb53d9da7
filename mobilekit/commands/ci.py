"""``mobilekit ci``: all models of a pyproject.toml against their targets, bars and baseline."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilekit.commands.common import DebugOption, JsonOption, QuietOption, examples, print_json, print_text, tell
from mobilekit.errors import OutputError

if TYPE_CHECKING:
    from mobilekit.compat.config import CiConfig
    from mobilekit.results.compat import CiReport

EPILOG = examples(
    "mobilekit ci init                     # write [tool.mobilekit] for the models that are found here",
    "mobilekit ci",
    "mobilekit ci --run convert            # convert and verify them too; bench: and time them",
    "mobilekit ci --update-baseline",
    "mobilekit ci --report junit=out/ops.xml --report sarif=out/ops.sarif",
)
BASELINE = "mobilekit-baseline.json"
"""Where the baseline is written if the configuration names none."""

app = typer.Typer(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    epilog=EPILOG,
)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="ci")


@app.callback(epilog=EPILOG)
def ci(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE", help="The file with the section [tool.mobilekit].")
    ] = Path("pyproject.toml"),
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="FOLDER", help="Where answers are kept for the next run; else yours."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Check everything again, and keep nothing.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="Processes at once; by default one a core.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="STEP",
            help="How far to go with every model: check, convert (and verify), bench; else as the file says.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FOLDER", help="Keep the converted files there.")
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="FORMAT=FILE",
            help="Also write junit, sarif, markdown, html, json, github, badge or text; can be repeated.",
        ),
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write what holds now as the baseline for later runs.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> int:
    """Check all models of a project. Exit 1 if one cannot be checked, 2 if a bar is missed or coverage fell."""
    if context.invoked_subcommand is not None:
        return 0
    from mobilekit.bench.project import convert_entry, time_entry
    from mobilekit.compat.ci import run_ci
    from mobilekit.compat.config import read_config, with_run
    from mobilekit.render.ci_files import parse_report, write_reports
    from mobilekit.render.progress import live_progress

    asked = [parse_report(word) for word in report or ()]
    settings, root = read_config(config), config.parent
    if run is not None:
        settings = with_run(settings, run)
    with live_progress(quiet) as show, _folder(output) as folder:
        show("checking", None)
        found = run_ci(
            settings.model_copy(update={"baseline": None}) if update_baseline else settings,
            root,
            convert_model=partial(convert_entry, root=root, folder=folder),
            time_model=partial(time_entry, folder=folder, seconds=settings.bench_seconds),
            jobs=jobs,
            cache_folder=None if no_cache else cache or _user_cache(),
            progress=lambda what, done, total: show(f"{done} of {total}: {what}", done / total),
        )
    if as_json:
        print_json("ci", found)
    else:
        from mobilekit.render.ci_text import ci_text

        print_text(ci_text(found))
    problems = [*write_reports(found, settings.reports.items(), root), *write_reports(found, asked)]
    if update_baseline:
        problems += _write_baseline(found, settings, root)
    if problems:
        raise OutputError("; ".join(problems))
    return found.exit_code


@app.command("init", epilog=examples("mobilekit ci init", "mobilekit ci init path/to/project"))
def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="The project.")] = Path(),
    debug: DebugOption = False,
) -> None:
    """Write the section [tool.mobilekit] for the models of a project, found without running any of its code."""
    from mobilekit.compat.setup_ci import write_config

    path, models = write_config(folder)
    lines = [f"{path}: added [tool.mobilekit], {len(models)} model{'s' if len(models) != 1 else ''}"]
    lines += [f"  {found.name}: {found.model} ({found.why})" for found in models]
    lines.append("next: mobilekit ci" if models else "next: add a model to it, then mobilekit ci")
    typer.echo("\n".join(lines))


def _write_baseline(found: CiReport, settings: CiConfig, root: Path) -> Sequence[str]:
    """Problems, one line each. Of a run in which a model could not be checked nothing is kept: its entry would go."""
    from mobilekit.compat.baseline import baseline_document
    from mobilekit.files import write_file

    broken = [outcome.name for outcome in found.outcomes if outcome.error is not None]
    if broken:
        return [f"the baseline was left as it is: {', '.join(broken)} could not be checked"]
    path = root / (settings.baseline or BASELINE)
    try:
        write_file(path, (json.dumps(baseline_document(found), indent=2) + "\n").encode())
    except OutputError as error:
        return [f"baseline: {error}"]
    tell(f"wrote the baseline '{path}'")
    if settings.baseline is None:
        tell(f'it is compared with once [tool.mobilekit] says: baseline = "{BASELINE}"')
    return []


@contextlib.contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Where converted files lie: the folder that was asked for, or one that is gone after the run."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="mobilekit-ci-") as name:
            yield Path(name)
        return
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder '{wanted}': {error.strerror or error}") from error
    yield wanted


def _user_cache() -> Path | None:
    """The user's own cache folder; None for a user who has no home."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        return None
    return Path(base) / "mobilekit" / "ci"
