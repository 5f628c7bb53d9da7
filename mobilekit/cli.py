"""The ``mobilekit`` command: runs it, and turns whatever happens into one clear line and an exit code.

====  ==============================================================================================
   0  done
   1  the user can do something about it (a :class:`MobilekitError`, a wrong option), or a bug of ours
   2  a bar that was asked for was not met (verification, coverage)
 130  stopped by Ctrl-C
 141  the reader of our output went away (``| head``)
====  ==============================================================================================

Nothing is imported here that Ctrl-C could interrupt before :func:`main` can answer it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from mobilekit import interrupts
from mobilekit.interrupts import EXIT_INTERRUPTED

EXIT_ERROR = 1
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    return guarded(lambda: _run(words, debug), debug=debug)


def guarded(run: Callable[[], int], *, debug: bool = False) -> int:
    """Call ``run`` and turn whatever it raises into one line on stderr and an exit code."""
    with interrupts.remembered():
        try:
            code = run()
            sys.stdout.flush()  # here, where an error can still be told, and not at the end of the interpreter
        except BrokenPipeError:
            code = _broken_pipe()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else EXIT_ERROR
            if isinstance(error.__context__, BrokenPipeError):  # the parser answers a broken pipe with exit(1)
                code = _broken_pipe()
        except BaseException as error:  # the last line of defence: nothing may reach the user as a traceback
            stopped = interrupts.interrupted() or isinstance(error, KeyboardInterrupt)
            code = EXIT_INTERRUPTED if stopped else _fail(error, debug)
    # However the KeyboardInterrupt came out: libraries turn it into errors of their own, or into a return value.
    if code == EXIT_INTERRUPTED or interrupts.interrupted():
        return _say("interrupted", EXIT_INTERRUPTED)
    return code


def _run(words: list[str], debug: bool) -> int:
    import warnings

    from mobilekit.commands import app

    with warnings.catch_warnings():
        if not debug:
            # What matters to the user is in the reports; torch's and NumPy's remarks on themselves are not.
            warnings.simplefilter("ignore")
        result = app(words, prog_name="mobilekit", standalone_mode=False)
    return result if isinstance(result, int) else 0


def _fail(error: BaseException, debug: bool) -> int:
    from mobilekit.errors import MobilekitError

    if type(error).__name__ == "Abort" and error.__cause__ is not None:  # how the parser wraps an EOFError
        error = error.__cause__
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, MobilekitError):
        return _say(f"error: {error}", error.exit_code)
    if hasattr(error, "format_message"):  # the parser's own errors, of typer or of the click that it stands on
        return _say(f"error: {_usage_error(error)}", EXIT_ERROR)
    kind, text = type(error).__name__, " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        place = f" '{error.filename}'" if error.filename else ""
        return _say(f"error: {error.strerror}{place}", EXIT_ERROR)
    if isinstance(error, MemoryError):
        return _say("error: out of memory", EXIT_ERROR)
    hint = "" if debug else " (run with --debug for the traceback)"
    return _say(f"internal error: {kind}: {text}{hint}; please report it", EXIT_ERROR)


def _usage_error(error: object) -> str:
    message = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "mobilekit") or "mobilekit"
    return f"{message.rstrip('.')} (see {command} -h)"


def _broken_pipe() -> int:
    # Whatever is still in the buffer must not raise again when the interpreter closes stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _say(text: str, code: int) -> int:
    try:
        sys.stderr.write(f"mobilekit: {text}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody is left to be told; the exit code still speaks
    return code


def script() -> NoReturn:
    """Entry point of the ``mobilekit`` script."""
    leave(main)


def leave(run: Callable[[], int]) -> NoReturn:
    """Run a program whose handling of Ctrl-C is :func:`guarded`'s, and end the process with its exit code."""
    # What guarded() finds and puts back: once the exit code is decided, Ctrl-C has nothing left to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = run()
    if code == EXIT_INTERRUPTED:
        # Not sys.exit: when the interrupt struck inside a library's PyRun_String, CPython remembers it, and at its end
        # kills itself with SIGINT whatever the exit code is (one run in thirty).
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)
