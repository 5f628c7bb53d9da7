"""Names for tensors that a pass adds; two tensors of one name break the graph (:meth:`Graph.check`)."""

from __future__ import annotations

from mobilekit.graph.ir import Graph


class Names:
    """The names of a graph's tensors; make one a run of a pass, it does not see later changes by others."""

    def __init__(self, graph: Graph) -> None:
        self._taken = {tensor.name for tensor in graph.tensors()}

    def fresh(self, base: str) -> str:
        """``base``, or ``base_1``, ``base_2``... if it is taken."""
        name, count = base, 0
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
