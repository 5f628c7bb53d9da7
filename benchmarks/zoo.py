"""Every network of the zoo through ``mobilekit.convert``: outcome, error, time against torch.export, transposes, ops.

    python -m benchmarks.zoo                     all of them; prints a table, writes benchmarks/results/zoo.json
    python -m benchmarks.zoo swin gpt --detail   those whose name holds one of the words, with every op and error
    python -m benchmarks.zoo --quantize int8     the same in int8, on synthetic calibration data

Each network runs in a process of its own, forked from one that has imported torch, torchvision and timm, with a time
limit: a crash or a hang is one line of the table. Weights are seeded random numbers (no weight is downloaded), batch
norms get random statistics, so that a wrong order of channels shows, and zeros become small numbers. "floor" is one
torch.export.export of the model in that process, after a small one that pays for what torch loads lazily; "total" is
convert with verification.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from benchmarks import support

# name -> side of the square input. torchvision's networks; weights=None.
TORCHVISION = {
    "alexnet": 224,
    "convnext_tiny": 224,
    "deeplabv3_mobilenet_v3_large": 224,
    "densenet121": 224,
    "efficientnet_b0": 224,
    "efficientnet_v2_s": 224,
    "fcn_resnet50": 160,
    "googlenet": 224,
    "inception_v3": 299,
    "lraspp_mobilenet_v3_large": 224,
    "maxvit_t": 224,
    "mnasnet1_0": 224,
    "mobilenet_v2": 224,
    "mobilenet_v3_large": 224,
    "mobilenet_v3_small": 224,
    "regnet_x_400mf": 224,
    "regnet_y_400mf": 224,
    "resnet18": 224,
    "resnet50": 224,
    "resnext50_32x4d": 224,
    "shufflenet_v2_x0_5": 224,
    "shufflenet_v2_x1_0": 224,
    "squeezenet1_1": 224,
    "swin_t": 224,
    "swin_v2_t": 256,
    "vgg11_bn": 96,
    "vit_b_32": 224,
}
# timm's; pretrained=False. 0: the model's own default size.
TIMM = {
    "coat_tiny": 0,
    "convnextv2_atto": 0,
    "cspdarknet53": 128,
    "deit_tiny_patch16_224": 0,
    "dla34": 128,
    "edgenext_xx_small": 0,
    "efficientformer_l1": 0,
    "efficientvit_b0": 0,
    "efficientvit_m0": 0,
    "fastvit_t8": 0,
    "ghostnet_100": 0,
    "hrnet_w18_small": 128,
    "lcnet_050": 0,
    "levit_128s": 0,
    "mixer_s32_224": 0,
    "mobilenetv4_conv_small": 0,
    "mobileone_s0": 0,
    "mobilevit_s": 0,
    "mobilevitv2_050": 0,
    "poolformer_s12": 0,
    "pvt_v2_b0": 0,
    "regnety_002": 0,
    "repghostnet_050": 0,
    "repvgg_a0": 0,
    "res2net50_14w_8s": 128,
    "resmlp_12_224": 0,
    "rexnet_100": 0,
    "seresnext26d_32x4d": 128,
    "skresnet18": 128,
    "starnet_s1": 0,
    "tf_efficientnet_lite0": 0,
    "tiny_vit_5m_224": 0,
    "tinynet_e": 0,
    "visformer_tiny": 0,
    "xcit_nano_12_p16_224": 0,
}


@dataclass
class Line:
    """What became of one network."""

    name: str
    family: str
    outcome: str = "ok"
    """ok, or the class of the error; crash, timeout."""
    error: str = ""
    floor_s: float | None = None
    total_s: float | None = None
    steps_s: dict[str, float] = field(default_factory=dict)
    max_abs_error: float | None = None
    max_abs_reference: float | None = None
    sqnr_db: float | None = None
    transposes: int | None = None
    size_mb: float | None = None
    minimum_runtime: str | None = None
    ops: dict[str, int] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)


def names() -> dict[str, str]:
    """Every network of the zoo -> its family."""
    from benchmarks.zoo_models import MODELS

    return (
        dict.fromkeys(MODELS, "own")
        | dict.fromkeys(TORCHVISION, "torchvision")
        | {f"timm/{name}": "timm" for name in TIMM}
    )


def build(name: str) -> tuple[Any, tuple[Any, ...]]:
    """The network in eval mode, with seeded random weights and statistics, and one input."""
    import torch

    from benchmarks.zoo_models import MODELS

    torch.manual_seed(0)
    if name in MODELS:
        model, inputs = MODELS[name]()
    else:
        model, side = _library_model(name)
        inputs = (torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)),)
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.uniform_(-0.3, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    for parameter in model.parameters():
        # Heads that start at zero and layer scales of 1e-6 would hide whatever comes before them.
        if parameter.numel() and parameter.abs().max() < 1e-3:
            parameter.data.uniform_(-0.1, 0.1, generator=generator)
    return model.eval(), inputs


def _library_model(name: str) -> tuple[Any, int]:
    if name.startswith("timm/"):
        import timm

        model = timm.create_model(name.removeprefix("timm/"), pretrained=False)
        return model, TIMM[name.removeprefix("timm/")] or int(model.pretrained_cfg["input_size"][1])
    import torchvision

    if name in ("deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large"):
        return torchvision.models.get_model(name, weights=None, weights_backbone=None), TORCHVISION[name]
    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    if options:
        options["aux_logits"] = False
    return torchvision.models.get_model(name, weights=None, **options), TORCHVISION[name]


def measure(name: str, family: str, quantize: str | None) -> Line:
    """One network in this process."""
    import torch

    import mobilekit
    from mobilekit.errors import MobilekitError, UnsupportedOpsError

    line = Line(name, family)
    warnings.simplefilter("ignore")
    try:
        model, inputs = build(name)
        torch.export.export(torch.nn.Linear(2, 2).eval(), (torch.ones(1, 2),))
        start = time.perf_counter()
        with torch.no_grad():
            torch.export.export(model, inputs)
        line.floor_s = time.perf_counter() - start
        start = time.perf_counter()
        result = mobilekit.convert(model, inputs, quantize=quantize, name=name)
        line.total_s = time.perf_counter() - start
    except UnsupportedOpsError as error:
        line.outcome, line.unsupported = "unsupported", [str(op) for op in error.ops]
        line.error = ", ".join(sorted({f"{op.op.removeprefix('aten.')} ({op.reason})" for op in error.ops}))
        return line
    except MobilekitError as error:
        line.outcome, line.error = type(error).__name__, str(error)[:400]
        return line
    except Exception as error:  # a defect: it belongs into the table like everything else
        line.outcome, line.error = f"defect {type(error).__name__}", str(error)[:400]
        return line
    report = result.report
    line.steps_s = {step.step: round(step.wall_s, 3) for step in report.timings}
    line.transposes, line.ops = len(report.transposes), dict(report.op_counts)
    line.size_mb, line.minimum_runtime = report.size_bytes / 1e6, report.min_runtime_version
    outputs = report.verification.outputs if report.verification is not None else ()
    worst = max(outputs, key=lambda o: o.max_abs_error / max(1.0, o.max_abs_reference), default=None)
    if worst is not None:
        line.max_abs_error, line.max_abs_reference = worst.max_abs_error, worst.max_abs_reference
        line.sqnr_db = min(output.sqnr_db for output in outputs)
    return line


def _child(pipe: Connection, name: str, family: str, quantize: str | None) -> None:
    pipe.send(measure(name, family, quantize))
    pipe.close()


def run(chosen: dict[str, str], quantize: str | None, limit_s: float) -> Iterator[Line]:
    """One process a network, one at a time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torchvision", "timm", "mobilekit.conversion.pipeline"])
    for name, family in chosen.items():
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(sender, name, family, quantize))
        process.start()
        sender.close()
        line = Line(name, family, "timeout", f"not done in {limit_s:g} s")
        try:
            if receiver.poll(limit_s):
                line = receiver.recv()
        except EOFError:
            process.join()
            line = Line(name, family, "crash", f"the process ended with {process.exitcode}")
        process.kill()
        process.join()
        yield line


def text(line: Line) -> str:
    """One line of the table."""
    if line.outcome != "ok":
        return f"{line.name:32} {line.outcome}: {line.error[:300]}"
    assert line.total_s is not None
    assert line.floor_s is not None
    error = f"{line.max_abs_error:9.1e} of {line.max_abs_reference:8.3g}"
    ops = " ".join(f"{kind}:{count}" for kind, count in list(line.ops.items())[:4])
    return (
        f"{line.name:32} ok {line.floor_s:6.2f} {line.total_s:6.2f} {line.total_s / line.floor_s:5.2f}  {error}  "
        f"{line.transposes:4d} {sum(line.ops.values()):5d}  {ops}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only networks whose name holds one of these")
    parser.add_argument("--quantize", help="a preset, e.g. int8; float if not given")
    parser.add_argument("--limit", type=float, default=300, help="seconds a network may take (default 300)")
    parser.add_argument("--detail", action="store_true", help="print every op, step and error")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    options = parser.parse_args(arguments)
    chosen = {
        name: family for name, family in names().items() if not options.words or any(w in name for w in options.words)
    }
    if options.list:
        print("\n".join(chosen))
        return 0
    support.print_machine()
    print(f"{'network':32}    floor  total ratio  max |d| of max |ref|   transposes, ops")
    lines: list[Line] = []
    path = None
    for line in run(chosen, options.quantize, options.limit):
        print(text(line), flush=True)
        lines.append(line)
        if not options.words:  # as it goes: a run of half an hour may be cut short
            suffix = f"_{options.quantize}" if options.quantize else ""
            networks = [asdict(done) for done in lines]
            path = support.write_results(f"zoo{suffix}", {"complete": len(lines) == len(chosen), "networks": networks})
    if options.detail:
        for line in lines:
            print(f"\n{line.name}: {line.steps_s} {line.ops}\n  " + "\n  ".join(line.unsupported or [line.error]))
    done = [line for line in lines if line.outcome == "ok"]
    ratios = [line.total_s / line.floor_s for line in done if line.total_s and line.floor_s]
    print(f"\n{len(done)} of {len(lines)} converted and verified", end="")
    print(f"; total over floor: median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}" if ratios else "")
    if path is not None:
        print(f"written: {path.relative_to(support.ROOT)}")
    return 0 if len(done) == len(lines) else 2


if __name__ == "__main__":
    sys.exit(main())
