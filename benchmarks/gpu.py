"""What a GPU does in generating and training, as tables with goals.

    python -m benchmarks.gpu --out gpu

Every part is printed and written to gpu/gpu.md and gpu/gpu.json when it is done, so that what has
been measured is there whenever it is stopped. ``--device cpu --tiny`` rehearses it without a GPU:
nothing that it prints then says anything about a GPU.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch.profiler import ProfilerActivity, profile

from avatar_model import AvatarPipeline
from avatar_model.atomic import write_atomically
from avatar_model.device import choose_device
from train.command import command
from train.loop.config import TrainConfig
from train.memory.estimate import MIB, measured_peak, memory_report

from .measure import DEFAULT_MODEL, Model, Rounds, in_turns, machine, table
from .training_step import TRAINED, config_of, macs_per_image, make_trainer, run, time_steps

SHEET, SHEET_GOAL = 111, 0.1
"""All hair styles, and the seconds that they may take."""
EPOCH = 10_000
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel")

PartName = Literal["sheet", "drawing", "training", "profile", "memory", "compiled"]
Part = tuple[str, list[str], list[list[Any]]]
"""A sentence, the heads of the columns, and the rows."""


class Benchmark:
    """Its methods are the parts of the report.

    Args:
        pipeline: on the device that is measured.
        out: folder of the profile.
        rounds: how often everything is timed.
        tiny: rehearse with smaller networks and batches.
    """

    def __init__(self, pipeline: AvatarPipeline, out: Path, rounds: int, tiny: bool) -> None:
        self.pipeline, self.out, self.rounds, self.tiny = pipeline, out, rounds, tiny
        self.device = pipeline.device
        self.cuda = self.device.type == "cuda"
        self.dtypes = [torch.float32, *([torch.bfloat16] if self.cuda else [])]

    def sheet(self) -> Part:
        """All hair styles at full size."""
        count = 3 if self.tiny else SHEET
        size = self.pipeline.sizes[-1]
        rows = []
        for dtype in self.dtypes:
            seconds = self._median(self._generate, count, size, dtype)
            rows.append([count, size, _name(dtype), seconds, SHEET_GOAL])
        return "A sheet of pictures.", ["avatars", "pixels", "precision", "s", "goal, s"], rows

    def batches(self) -> Part:
        """Both stages in batches."""
        rows = []
        batches = [1, 2] if self.tiny else [1, 16, 256]
        for size, batch, dtype in product(self.pipeline.sizes, batches, self.dtypes):
            seconds = self._median(self._generate, batch, size, dtype)
            rows.append([size, batch, _name(dtype), 1000 * seconds, batch / seconds])
        about = "From attributes to PIL images, with the model's own steps."
        return about, ["pixels", "batch", "precision", "ms per call", "avatars/s"], rows

    def training(self) -> Part:
        """The trainer's step."""
        side = 64 if self.tiny else 8192
        limit = self._matrix_product(side)
        rows = []
        for preset in TRAINED:
            config = self._config(preset)
            speed = time_steps(config, self.rounds)
            rate = config.batch_size / speed.step
            flops = 2e6 * macs_per_image(config) * rate
            row = [preset, config.batch_size, rate, EPOCH / rate, 1000 * speed.waiting]
            rows.append([*row, flops / 1e12, f"{flops / limit:.0%}"])
        about = (
            f"The trainer's step in {'bf16' if self.cuda else 'float32'}, with all that it does. A "
            f"product of two {side} x {side} matrices reaches {limit / 1e12:.3g} TFLOP/s. Goals: "
            "an epoch of 10,000 images in 10 s, no waiting, 35 % of the product for the blog's "
            "network."
        )
        heads = ["preset", "batch", "images/s", "epoch of 10k, s", "ms a step waits for data"]
        return about, [*heads, "TFLOP/s", "of the product"], rows

    def profile(self) -> Part:
        """Where the time of a step goes; profile.txt has the longest kernels of each preset."""
        rows, texts, steps = [], [], 3
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.cuda else [])]
        column = f"self_{'device' if self.cuda else 'cpu'}_time_total"
        for preset in TRAINED:
            config = self._config(preset)
            with tempfile.TemporaryDirectory() as folder:
                trainer = make_trainer(config, Path(folder))
                run(trainer, steps)
                with profile(activities=kinds) as profiled:
                    run(trainer, steps)
            events = profiled.key_averages()
            text = events.table(sort_by=column, row_limit=40, max_name_column_width=90)
            texts.append(f"{preset}, {steps} steps of {config.batch_size} images\n{text}")
            write_atomically(self.out / "profile.txt", "\n".join(texts))
            kernels = [e for e in profiled.events() or [] if e.device_type.name == "CUDA"]
            busy = sum(e.self_device_time_total for e in kernels) / 1000 / steps
            starts = [e.count for e in events if e.key.startswith(LAUNCHES)]
            rows.append([preset, config.batch_size, busy, sum(starts) // steps])
        about = "What the GPU works in a step, and how many kernels the CPU starts for it."
        return about, ["preset", "batch", "ms busy", "kernels started"], rows

    def memory(self) -> Part:
        """``train.memory`` beside the allocator, where there is one."""
        rows = []
        presets = ["default"] if self.tiny else TRAINED
        precisions: tuple[Literal["no", "bf16"], ...] = ("no", "bf16")
        for preset, precision in product(presets, precisions):
            config = replace(self._config(preset), mixed_precision=precision)
            estimate = memory_report(config).peak / MIB
            row: list[Any] = [preset, config.batch_size, precision, estimate, "", ""]
            if self.cuda and (measured := measured_peak(config)):
                row[4:] = [measured / MIB, f"{estimate * MIB / measured:.2f}"]
            rows.append(row)
        about = "Peak memory of a training step in MiB. Goal: a ratio from 0.9 to 1.1."
        return about, ["preset", "batch", "precision", "estimated", "measured", "ratio"], rows

    def compiled(self) -> Part:
        """One avatar with CUDA graphs, and training, both under ``torch.compile``."""
        one = (self._generate, 1, self.pipeline.sizes[-1], torch.float32)
        plain = self._median(*one)
        how: dict[str, Any] = {"mode": "reduce-overhead"} if self.cuda else {"backend": "aot_eager"}
        for stage in self.pipeline.stages:
            stage.denoiser.network = torch.compile(stage.network.unet, **how)
        rows = [["one avatar, ms", 1000 * plain, 1000 * self._median(*one)]]
        for stage in self.pipeline.stages:
            stage.denoiser.network = stage.network.unet
        if self.cuda:  # a rehearsal has no compiler
            config = self._config("blog-7-final")
            both = [
                config.batch_size / time_steps(c, self.rounds).step
                for c in (config, replace(config, compile=True))
            ]
            rows.append(["blog-7-final, images/s", *both])
        return "What torch.compile adds.", ["measured", "without", "with"], rows

    def _generate(self, count: int, size: int, dtype: torch.dtype) -> object:
        bf16 = torch.autocast(self.device.type, torch.bfloat16)
        with bf16 if dtype == torch.bfloat16 else nullcontext():
            return self.pipeline(num_images=count, seed=0, size=size)

    def _config(self, preset: str) -> TrainConfig:
        return config_of(preset, str(self.device), TRAINED[preset], self.tiny)

    def _median(self, call: Callable[..., object], *arguments: Any) -> float:
        return statistics.median(in_turns({"": partial(call, *arguments)}, self.rounds)[""])

    def _matrix_product(self, side: int) -> float:
        """FLOP/s of a large matrix product: no network can be faster."""
        dtype = torch.bfloat16 if self.cuda else torch.float32
        matrix = torch.randn(side, side, device=self.device, dtype=dtype)
        return 2 * side**3 / self._median(torch.matmul, matrix, matrix)


PARTS: dict[PartName, Callable[[Benchmark], Part]] = {
    "sheet": Benchmark.sheet,
    "drawing": Benchmark.batches,
    "training": Benchmark.training,
    "profile": Benchmark.profile,
    "memory": Benchmark.memory,
    "compiled": Benchmark.compiled,
}
"""In the order in which they run: what is told first is measured first."""


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def main(
    model: Model = DEFAULT_MODEL,
    device: str = "cuda",
    out: Path = Path("gpu"),
    rounds: Rounds = 20,
    only: tuple[PartName, ...] = get_args(PartName),
    tiny: bool = False,
) -> None:
    """Measure the parts, one after the other.

    Args:
        device: cpu, cuda or cuda:1.
        out: folder of the tables.
        only: the parts to measure.
        tiny: smaller networks, to rehearse.
    """
    pipeline = AvatarPipeline.from_pretrained(model, device=choose_device(device))
    out.mkdir(parents=True, exist_ok=True)
    where = f"{machine()}; on {pipeline.device}"
    if tiny:
        where += ". A rehearsal on tiny networks: no number here means anything"
    found: dict[str, Any] = {}
    text = f"{where}. {rounds} rounds, medians.\n"
    print(text)
    benchmark = Benchmark(pipeline, out, rounds, tiny)
    for name in filter(only.__contains__, PARTS):
        about, heads, rows = PARTS[name](benchmark)
        found[name] = {"about": about, "heads": heads, "rows": rows}
        section = f"\n### {name}\n\n{about}\n\n{table(heads, rows)}\n"
        text += section
        print(section, flush=True)
        write_atomically(out / "gpu.md", text)
        report = {"machine": where, "rounds": rounds, "parts": found}
        write_atomically(out / "gpu.json", json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    command(main, __doc__)()
