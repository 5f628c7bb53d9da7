"""The compatibility check against the real runtime, and what it costs.

    python -m benchmarks.compat [--networks 12] [--rounds 5] [--ci-networks 60]

Agreement: every network of the list is converted to float32 and int8, and the ops that the table ``cpu`` says XNNPACK
takes are compared, op by op and piece by piece, with those it really took. Cost: whole cold processes, interleaved with
a floor that only imports (and, from PyTorch, exports); and ``run_ci`` with one and with two processes.
Writes benchmarks/results/compat.json. Exit 2 if a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.support import print_machine, run_process, summary, write_results

# torchvision networks of different families, the fast ones to convert first.
NETWORKS = (
    "mobilenet_v2", "squeezenet1_1", "mnasnet1_0", "resnet18", "shufflenet_v2_x1_0", "googlenet", "mobilenet_v3_small",
    "efficientnet_b0", "mobilenet_v3_large", "regnet_y_400mf", "densenet121", "convnext_tiny", "resnet50",
    "shufflenet_v2_x0_5", "mnasnet0_5", "regnet_x_400mf", "squeezenet1_0", "efficientnet_b1", "densenet169",
    "inception_v3",
)  # fmt: skip
# For the cost of a CI run: all of torchvision's that fit a phone, and some of timm's, in two groups of libraries.
CI_NETWORKS = tuple(f"torchvision.models:{name}" for name in (
    "alexnet", "convnext_small", "convnext_tiny", "densenet121", "densenet161", "densenet169", "densenet201",
    "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_v2_s", "maxvit_t",
    "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small",
    "regnet_x_1_6gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf", "regnet_y_1_6gf", "regnet_y_3_2gf",
    "regnet_y_400mf", "regnet_y_800mf", "resnet18", "resnet34", "resnet50", "resnet101", "resnext50_32x4d",
    "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "squeezenet1_0",
    "squeezenet1_1", "swin_t", "swin_s", "swin_v2_t", "vgg11_bn", "vit_b_32", "wide_resnet50_2",
)) + tuple(f"timm.models:{name}" for name in (
    "coat_tiny", "convnextv2_atto", "deit_tiny_patch16_224", "efficientformer_l1", "efficientvit_m0", "ghostnet_100",
    "lcnet_050", "mixer_s32_224", "mobilenetv4_conv_small", "mobileone_s0", "mobilevit_s", "repvgg_a0", "rexnet_100",
    "tf_efficientnet_lite0", "xcit_nano_12_p16_224",
))  # fmt: skip
# These were built for one size; every other network takes 224.
_SIDES = {"swin_v2_t": 256, "mobilevit_s": 256}
TARGETS = ("cpu", "gpu", "nnapi", "coreml")

AGREEMENT_BAR = 0.99
FILE_BAR_S = 0.5
EXTRA_BAR_S = 0.3
PARALLEL_BAR = 0.6
CACHED_BAR_S = 3.0
SOURCE_BAR = 0.95

_FILE_CHECK = "from mobilekit import check; check({path!r})"
_FLOOR = (
    "import torch, torchvision; m = torchvision.models.mobilenet_v2(weights=None).eval(); "
    "torch.export.export(m, (torch.zeros(1, 3, 224, 224),))"
)
_TORCH_CHECK = (
    "import torch, torchvision; m = torchvision.models.mobilenet_v2(weights=None).eval(); "
    "from mobilekit import check; check(m, example_inputs=(torch.zeros(1, 3, 224, 224),))"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ci-networks", type=int, default=len(CI_NETWORKS), help="0: do not time CI runs")
    options = parser.parse_args()
    print_machine()
    names = NETWORKS[: options.networks]
    with tempfile.TemporaryDirectory() as folder:
        agreement = measure_agreement(names, Path(folder))
        cost = measure_cost(Path(folder) / "mobilenet_v2-int8.tflite", options.rounds)
        ci = measure_ci(CI_NETWORKS[: options.ci_networks], Path(folder) / "kept") if options.ci_networks else {}
    bars = {
        "agreement": agreement["share"] >= AGREEMENT_BAR,
        "findings with a source line": agreement["with_source"] >= SOURCE_BAR,
        "check of a file": cost["file_s"] <= FILE_BAR_S,
        "check from PyTorch": cost["extra_s"] <= EXTRA_BAR_S,
    }
    if ci:
        bars["two processes"] = ci["ratio"] <= PARALLEL_BAR
        bars["second run"] = ci["cached_s"] <= CACHED_BAR_S
    for name, met in bars.items():
        print(f"{name}: the bar is {'met' if met else 'missed'}")
    path = write_results("compat", {"agreement": agreement, "cost": cost, "ci": ci, "bars_met": bars})
    print(f"wrote {path.name}")
    return 0 if all(bars.values()) else 2


def measure_agreement(names: tuple[str, ...], folder: Path) -> dict[str, Any]:
    import torch
    import torchvision

    import mobilekit
    from mobilekit.compat.observe import observe_xnnpack

    ops = agreed = findings = placed = 0
    rows, different = [], Counter()
    print("\nXNNPACK, table against runtime            ops  really  table  differ  pieces (real, table)")
    for name in names:
        torch.manual_seed(0)
        model = getattr(torchvision.models, name)(weights=None).eval()
        size = 299 if name == "inception_v3" else 224
        image = (torch.rand(1, 3, size, size),)
        report = mobilekit.check(model, example_inputs=image)
        refused = [f for target in report.targets for f in target.findings if not f.supported]
        findings += len(refused)
        placed += sum(1 for finding in refused if finding.source is not None)
        for recipe in (None, "int8"):
            data = mobilekit.convert(model, image, quantize=recipe, verify=False).bytes
            if recipe:
                (folder / f"{name}-{recipe}.tflite").write_bytes(data)
            seen = observe_xnnpack(data)
            cpu = mobilekit.check(data, "cpu").targets[0]
            lost = {finding.op_index for finding in cpu.findings if not finding.supported}
            ours = set(range(len(seen.ops))) - lost
            wrong = ours ^ seen.taken
            different.update(seen.ops[index] for index in wrong)
            ops, agreed = ops + len(seen.ops), agreed + len(seen.ops) - len(wrong)
            label = f"{name} {recipe or 'float32'}"
            pieces = (len(seen.pieces), len(cpu.partitions))
            rows.append(
                {
                    "network": label,
                    "ops": len(seen.ops),
                    "taken": len(seen.taken),
                    "differ": len(wrong),
                    "pieces": pieces,
                }
            )
            print(f"{label:38}{len(seen.ops):7}{len(seen.taken):8}{len(ours):7}{len(wrong):8}   {pieces}")
    share, with_source = agreed / ops, placed / findings if findings else 1.0
    print(f"agreement: {agreed} of {ops} ops ({share:.2%}); {placed} of {findings} findings name a source line")
    return {
        "ops": ops, "agreed": agreed, "share": share, "findings": findings, "with_source": with_source,
        "differ_by_kind": dict(different), "rows": rows,
    }  # fmt: skip


def measure_cost(file: Path, rounds: int) -> dict[str, Any]:
    statements = {
        "check of a .tflite file": _FILE_CHECK.format(path=str(file)),
        "floor: import torch, export": _FLOOR,
        "check of an nn.Module": _TORCH_CHECK,
    }
    wall: dict[str, list[float]] = {name: [] for name in statements}
    cpu: dict[str, list[float]] = {name: [] for name in statements}
    for number in range(rounds + 1):
        for name, statement in statements.items():
            cost = run_process([sys.executable, "-c", statement])
            if number:  # The first round filled the file cache.
                wall[name].append(cost.wall_s)
                cpu[name].append(cost.cpu_s)
    print("\nwhole process, s: median [min, max]              wall                   CPU")
    for name in statements:
        print(f"{name:30}{summary(wall[name]):>26}{summary(cpu[name]):>26}")
    file_s = statistics.median(wall["check of a .tflite file"])
    # CPU time: waiting for a busy machine is no cost of the check, and a difference of two waits says nothing.
    floor, ours = (statistics.median(cpu[name]) for name in list(statements)[1:])
    print(f"check of MobileNetV2 from PyTorch: {ours - floor:+.2f} s of CPU on the floor")
    return {
        "file_s": file_s,
        "floor_cpu_s": floor,
        "torch_cpu_s": ours,
        "extra_s": ours - floor,
        "wall_s": wall,
        "cpu_s": cpu,
    }


def measure_ci(models: tuple[str, ...], kept: Path) -> dict[str, Any]:
    from mobilekit.compat.ci import run_ci
    from mobilekit.compat.config import CiConfig, ModelEntry

    entries = tuple(
        ModelEntry(name=name, model=model, input_shapes=(f"1,3,{side},{side}",))
        for model, name in ((model, model.partition(":")[2]) for model in models)
        for side in (_SIDES.get(name, 224),)
    )
    config = CiConfig(targets=TARGETS, models=entries)
    seconds = {}
    for label, jobs, cache in (("one process", 1, None), ("two processes", 2, kept), ("again, cached", 2, kept)):
        start = time.perf_counter()
        report = run_ci(config, ".", jobs=jobs, cache_folder=cache)
        seconds[label] = time.perf_counter() - start
        errors = [outcome.error for outcome in report.outcomes if outcome.error]
        print(f"ci of {len(models)} networks, {label}: {seconds[label]:.1f} s")
        if errors:
            raise RuntimeError("; ".join(errors))
    ratio = seconds["two processes"] / seconds["one process"]
    print(f"two processes take {ratio:.2f} of the time of one")
    return {"networks": len(models), "seconds": seconds, "ratio": ratio, "cached_s": seconds["again, cached"]}


if __name__ == "__main__":
    sys.exit(main())
