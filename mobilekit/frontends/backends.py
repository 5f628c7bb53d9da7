"""The ways in: name -> a function that makes a float graph from a source. ``auto`` tries them in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mobilekit.errors import BackendError
from mobilekit.frontends import litert, onnx2tf
from mobilekit.frontends.child import Progress
from mobilekit.frontends.direct.dynamic import merge_sizes
from mobilekit.frontends.direct.lower import Lowered, lower
from mobilekit.frontends.direct.ranges import prove
from mobilekit.frontends.source import Source
from mobilekit.graph.passes import run_passes

Backend = Callable[[Source, Progress | None], Lowered]


def _direct(source: Source) -> Lowered:
    lowered = lower(source.need_program("direct"), source.name)
    lowered.given_scales += source.given_scales or ()
    lowered = prove(lowered, source.example, open_sizes=source.resized is not None)
    if source.resized is None:
        return lowered
    resized = lower(source.resized, source.name)
    # Before merging: the passes reason with sizes, of which an open graph has none.
    for graph in (lowered.graph, resized.graph):
        run_passes(graph)
    return merge_sizes(lowered, resized)


BACKENDS: dict[str, Backend] = {
    "direct": lambda source, progress: _direct(source),
    "onnx2tf": lambda source, progress: onnx2tf.convert(source, progress=progress),
    "litert": lambda source, progress: litert.convert(source, progress=progress),
}
_INSTALLED = {"direct": lambda: True, "onnx2tf": onnx2tf.python, "litert": litert.python}


def make_graph(name: str, source: Source, progress: Progress | None) -> Lowered:
    """The float graph of ``source`` by backend ``name``, or the one that it is."""
    return source.ready if source.ready is not None else BACKENDS[name](source, progress)


def for_source(names: Sequence[str], asked: str, source: Source) -> Sequence[str]:
    """The backends to try: none is needed, nor can be chosen, where the source is a graph already.

    A source that is quantized already goes through ``direct`` or not at all: the others make float ops of it.
    """
    if source.given_scales is not None:
        if asked not in ("auto", "direct"):
            raise BackendError(f"'{source.name}' is quantized already, and backend '{asked}' would lose its scales")
        return ["direct"]
    if source.ready is None:
        return names
    if asked != "auto":
        raise BackendError(f"backend '{asked}' cannot be chosen for '{source.name}': {source.no_program}")
    return [source.made_by]


def backends(name: str) -> list[str]:
    """The backends that ``name`` stands for, in order; "auto" stands for those that are installed.

    Raises :class:`BackendError` for a name that is not known.
    """
    if name == "auto":
        return [key for key in BACKENDS if _INSTALLED[key]()]
    if name not in BACKENDS:
        raise BackendError(f"backend '{name}' is not known; known are auto, {', '.join(BACKENDS)}")
    return [name]
