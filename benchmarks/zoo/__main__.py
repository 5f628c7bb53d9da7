"""Every network of the zoo: converted, verified, and beside the peers.

    python -m benchmarks.zoo                        float: outcome, error, floor, transposes; tflite-runtime 2.14
    python -m benchmarks.zoo --int8                 int8: outcome, islands, SQNR beside a fake-quantized twin's
    python -m benchmarks.zoo --peers litert onnx2tf   float, with the peers' conversion and inference beside
    python -m benchmarks.zoo swin gpt --detail      those whose name holds one of the words, everything that was found

Each job is a forked child of a worker that has imported what its tool needs (worker.py), so that ours and the peers'
times are without imports; imports are told apart and counted where the floor is. What is done is kept in .cache/zoo: a
run that was cut short goes on; ``--fresh`` starts over. benchmarks/results/zoo.json and zoo_int8.json are written anew
after each network of a run over all. ``--jobs 2`` runs two networks at once: for outcomes, not for times.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import support
from benchmarks.zoo import figures, records
from benchmarks.zoo.networks import names
from benchmarks.zoo.records import Record

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
# Files that ask for no newer release run in the classic environment's tflite-runtime too.
_OLD_RUNTIME = (2, 14)


class Worker:
    """A worker process of one environment; started at the first job."""

    def __init__(self, tool: str, python: str | Path) -> None:
        self.tool, self._python = tool, python
        self._process: subprocess.Popen[str] | None = None
        self._imports: Record = {}

    def run(self, task: str, network: str, folder: Path, limit_s: float) -> Record:
        """Do one job; what it found, how it ended and what it used."""
        if self._process is None:
            self._process = subprocess.Popen(
                [str(self._python), "-m", "benchmarks.zoo.worker", self.tool],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=support.ROOT,
                env={**os.environ, **QUIET},
            )  # fmt: skip
            self._imports = self._answer()
        assert self._process.stdin is not None
        job = {"task": task, "network": network, "folder": str(folder), "limit_s": limit_s}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        cost = self._answer()
        path = folder / f"{task}.json"
        ended = cost.pop("ended")
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"outcome": ended, "error": ""}
        load = round(os.getloadavg()[0], 1)
        return {**found, **cost, **self._imports, "load": load}

    def _answer(self) -> Record:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._python} has no {self.tool}, or not what the networks need (torchvision, timm)")
        answer: Record = json.loads(line)
        return answer

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()


class Plan:
    """Which jobs a network gets, and in which environments."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.int8: bool = options.int8
        self.peers: tuple[str, ...] = tuple(options.peers)
        self._onnx2tf_on: list[str] = options.onnx2tf_on
        self.limit_s: float = options.limit
        self._pythons = {"mobilekit": sys.executable, "litert": options.litert, "onnx2tf": options.classic}
        self._pythons["tflite-runtime"] = options.classic

    @property
    def kind(self) -> str:
        return "int8" if self.int8 else "peers" if self.peers else "float"

    def has(self, tool: str) -> bool:
        return self._pythons[tool] is not None and Path(self._pythons[tool]).exists()

    def workers(self) -> dict[str, Worker]:
        return {tool: Worker(tool, python) for tool, python in self._pythons.items() if self.has(tool)}

    def run(self, name: str, workers: dict[str, Worker]) -> Record:
        """All jobs of one network, one after another, in a folder of their own."""

        def job(tool: str, task: str) -> Record:
            return workers[tool].run(task, name, folder, self.limit_s)

        (records.FOLDER / "work").mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=records.slug(name) + "-", dir=records.FOLDER / "work"))
        try:
            if self.int8:
                return {"int8": job("mobilekit", "int8")}
            record: Record = {"mobilekit": job("mobilekit", "mobilekit")}
            for peer in self.peers:
                if peer in workers and (peer != "onnx2tf" or self._wants_onnx2tf(name)):
                    record[peer] = job(peer, peer)
            if record["mobilekit"]["outcome"] != "ok":
                return record
            if self.peers:
                record["compare"] = job("mobilekit", "compare")
            if "tflite-runtime" in workers and _release(record["mobilekit"]["min_runtime_version"]) <= _OLD_RUNTIME:
                record["runtime_2_14"] = job("tflite-runtime", "runtime_2_14")
            return record
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _wants_onnx2tf(self, name: str) -> bool:
        return not self._onnx2tf_on or any(word in name for word in self._onnx2tf_on)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def text(name: str, record: Record) -> str:
    """One line of the table."""
    ours = record.get("int8") or record["mobilekit"]
    if ours["outcome"] != "ok":
        return f"{name:30} {ours['outcome']}: {ours.get('error', '')[:300]}"
    if "int8" in record:
        twin = ours["fake_quantized_db"]
        beside = f"{twin:6.1f} dB fake-quantized" if twin is not None else ours.get("no_twin", "")
        islands = "full integer" if ours["full_integer"] else f"{ours['float_ops']} of {ours['ops']} ops in float"
        return f"{name:30} ok {ours['total_s']:7.2f} s {ours['sqnr_db']:6.1f} dB, {beside}; {islands}"
    parts = [
        f"{name:30} ok {ours['floor_s']:6.2f} {ours['total_s']:6.2f}",
        f"{ours['max_abs_error']:8.1e} of {ours['max_abs_reference']:8.3g}  {len(ours['transposes']):3d}",
    ]
    for peer in ("litert", "onnx2tf"):
        if peer in record:
            parts.append(_peer_text(peer, record))
    if "runtime_2_14" in record:
        old = record["runtime_2_14"]
        parts.append(f"2.14 {old['max_abs_error']:.1e}" if old["outcome"] == "ok" else f"2.14 {old['outcome']}")
    return "  ".join(parts)


def _peer_text(peer: str, record: Record) -> str:
    if record[peer]["outcome"] != "ok":
        return f"{peer} {record[peer]['outcome']}"
    compared = record.get("compare", {})
    file = compared.get("peers", {}).get(peer, {"outcome": compared.get("outcome", "not compared")})
    ratio = compared.get("ratios", {}).get(peer)
    outcome = f"inference {ratio:.3f}" if ratio is not None else file["outcome"]
    return f"{peer} {record[peer]['total_s']:6.2f} s {outcome} {file.get('transposes', '-')}"


def _run_all(chosen: Sequence[str], plan: Plan, jobs: int, fresh: bool) -> Iterable[tuple[str, Record]]:
    """Records in the order in which they get done; those that are kept come first."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Record] | BaseException] = queue.SimpleQueue()
    missing = 0
    for name in chosen:
        record = None if fresh else records.load(plan.kind, name)
        if record is not None:
            yield name, record
        else:
            waiting.put(name)
            missing += 1

    def work() -> None:
        workers = plan.workers()
        try:
            while True:
                name = waiting.get_nowait()
                done.put((name, plan.run(name, workers)))
        except queue.Empty:
            pass
        except BaseException as error:
            done.put(error)
        finally:
            for worker in workers.values():
                worker.close()

    for _ in range(min(jobs, missing)):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(missing):
        item = done.get()
        if isinstance(item, BaseException):
            raise item
        records.store(plan.kind, *item)
        yield item


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only networks whose name holds one of these")
    parser.add_argument("--int8", action="store_true", help="int8 instead of float")
    parser.add_argument("--peers", nargs="+", choices=("litert", "onnx2tf"), default=[], help="converters beside ours")
    parser.add_argument("--onnx2tf-on", nargs="+", default=[], metavar="WORD", help="onnx2tf on these only: it is slow")
    parser.add_argument("--jobs", type=int, default=1, help="networks at once (times then say nothing)")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run kept")
    parser.add_argument("--limit", type=float, default=300, help="seconds a job may take (default 300)")
    parser.add_argument("--classic", default=support.ROOT / ".venv-classic" / "bin" / "python", help="its Python")
    parser.add_argument("--litert", default=None, help="the Python of an environment with litert-torch and timm")
    parser.add_argument("--detail", action="store_true", help="print everything that was found")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    words = options.words
    families = {name: family for name, family in names().items() if not words or any(w in name for w in words)}
    if options.list:
        print("\n".join(families))
        return 0
    plan = Plan(options)
    for peer in plan.peers:
        if not plan.has(peer):
            parser.error(
                f"--peers {peer} needs its environment: --{'litert' if peer == 'litert' else 'classic'} PYTHON"
            )
    support.print_machine()
    found: dict[str, Record] = {}
    start = time.perf_counter()
    path = None
    for name, record in _run_all(list(families), plan, options.jobs, options.fresh):
        print(text(name, record), flush=True)
        if options.detail:
            print(json.dumps(record, indent=1))
        found[name] = record
        if not words:
            path = write(plan, families, found, options)
    print(f"\n{len(found)} networks in {(time.perf_counter() - start) / 60:.1f} min")
    reached = figures.int8_figures(found) if plan.int8 else figures.float_figures(found)
    print("\n".join(figures.table(reached)))
    if path is not None:
        print(f"written: {path.relative_to(support.ROOT)}")
    return 0 if all(figure.met for figure in reached) else 2


def write(plan: Plan, families: dict[str, str], found: dict[str, Record], options: argparse.Namespace) -> Path:
    """The result file of the networks done so far, in the zoo's order."""
    networks: dict[str, Any] = {name: {"family": families[name], **found[name]} for name in families if name in found}
    reached = figures.int8_figures(found) if plan.int8 else figures.float_figures(found)
    return support.write_results(
        "zoo_int8" if plan.int8 else "zoo",
        {
            "complete": len(networks) == len(families),
            "jobs": options.jobs,
            "figures": {figure.name: figure.value for figure in reached},
            "networks": networks,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
