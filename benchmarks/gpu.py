"""What a GPU does in drawing and training, as tables with goals.

    python -m benchmarks.gpu --out gpu

Every part is printed and written to gpu/gpu.md and gpu/gpu.json when it is done, so that what has
been measured is there whenever it is stopped. ``--device cpu --tiny`` rehearses it without a GPU:
nothing that it prints then says anything about a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from avatar_model import AvatarPipeline
from avatar_model.checkpoint import write_atomically
from avatar_model.device import DeviceError, choose_device
from train.loop.config import TrainConfig
from train.memory.estimate import MIB, measured_peak, memory_report

from .measure import DEFAULT_MODEL, Call, in_turns, machine, table
from .training_step import TRAINED, config_of, macs_per_image, make_trainer, run, time_steps

SHEET, SHEET_GOAL = 111, 0.1
"""All hair styles, and the seconds that they may take."""
EPOCH = 10_000
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel")

Part = tuple[str, list[str], list[list[Any]]]
"""A sentence, the heads of the columns, and the rows."""


class Benchmark:
    """The parts, in the order in which they run: what is told first is measured first.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = choose_device(options.device)
        self.cuda = self.device.type == "cuda"
        self.pipeline = AvatarPipeline.from_pretrained(
            options.model, device=self.device, backend="torch"
        )

    @property
    def parts(self) -> dict[str, Callable[[], Part]]:
        """By name."""
        return {
            "sheet": self.sheet,
            "drawing": self.drawing,
            "training": self.training,
            "profile": self.profile,
            "memory": self.memory,
            "compiled": self.compiled,
        }

    def sheet(self) -> Part:
        """All hair styles at full size."""
        count = 3 if self.options.tiny else SHEET
        size = self.pipeline.sizes[-1]
        rows = []
        for dtype in self._dtypes():
            seconds = self._median(lambda d=dtype: self._draw(count, size, d))
            rows.append([count, size, _name(dtype), seconds, SHEET_GOAL])
        return "A sheet of pictures.", ["avatars", "pixels", "precision", "s", "goal, s"], rows

    def drawing(self) -> Part:
        """Both stages in batches."""
        rows = []
        for size in self.pipeline.sizes:
            for batch in [1, 2] if self.options.tiny else [1, 16, 256]:
                for dtype in self._dtypes():
                    seconds = self._median(lambda b=batch, s=size, d=dtype: self._draw(b, s, d))
                    rows.append([size, batch, _name(dtype), 1000 * seconds, batch / seconds])
        about = "From attributes to PIL images, with the model's own steps."
        return about, ["pixels", "batch", "precision", "ms per call", "avatars/s"], rows

    def training(self) -> Part:
        """The trainer's step."""
        side = 64 if self.options.tiny else 8192
        limit = self._product(side)
        rows = []
        for preset, batch in TRAINED.items():
            config = self._config(preset, batch)
            speed = time_steps(config, self.options.rounds)
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
        rows, texts = [], []
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.cuda else [])]
        column = f"self_{'device' if self.cuda else 'cpu'}_time_total"
        for preset, batch in TRAINED.items():
            config, steps = self._config(preset, batch), 3
            with tempfile.TemporaryDirectory() as folder:
                trainer = make_trainer(config, Path(folder))
                run(trainer, steps)
                with profile(activities=kinds) as profiled:
                    run(trainer, steps)
            events = profiled.key_averages()
            text = events.table(sort_by=column, row_limit=40, max_name_column_width=90)
            texts.append(f"{preset}, {steps} steps of {config.batch_size} images\n{text}")
            write_atomically(self.options.out / "profile.txt", "\n".join(texts))
            kernels = [e for e in profiled.events() if e.device_type.name == "CUDA"]
            busy = sum(e.self_device_time_total for e in kernels) / 1000 / steps
            starts = [e.count for e in events if e.key.startswith(LAUNCHES)]
            rows.append([preset, config.batch_size, busy, sum(starts) // steps])
        about = "What the GPU works in a step, and how many kernels the CPU starts for it."
        return about, ["preset", "batch", "ms busy", "kernels started"], rows

    def memory(self) -> Part:
        """``train.memory`` beside the allocator, where there is one."""
        rows = []
        presets = ["default"] if self.options.tiny else TRAINED
        for preset, precision in product(presets, ("no", "bf16")):
            config = self._config(preset, TRAINED[preset])
            config = replace(config, mixed_precision=precision)
            estimate = memory_report(config).peak / MIB
            row: list[Any] = [preset, config.batch_size, precision, estimate, "", ""]
            if self.cuda and (measured := measured_peak(config)):
                row[4:] = [measured / MIB, f"{estimate * MIB / measured:.2f}"]
            rows.append(row)
        about = "Peak memory of a training step in MiB. Goal: a ratio from 0.9 to 1.1."
        return about, ["preset", "batch", "precision", "estimated", "measured", "ratio"], rows

    def compiled(self) -> Part:
        """One avatar with CUDA graphs, and training, both under ``torch.compile``."""
        rows = []
        call: Call = lambda: self._draw(1, self.pipeline.sizes[-1], torch.float32)  # noqa: E731
        plain = self._median(call)
        how = {"mode": "reduce-overhead"} if self.cuda else {"backend": "aot_eager"}
        for stage in filter(None, (self.pipeline.base, self.pipeline.upscaler)):
            stage.denoiser.network = torch.compile(stage.network.unet, **how)
        rows.append(["one avatar, ms", 1000 * plain, 1000 * self._median(call)])
        self.pipeline.use_backend("torch")
        if self.cuda:  # a rehearsal has no compiler
            config = self._config("blog-7-final", TRAINED["blog-7-final"])
            both = [
                config.batch_size / time_steps(c, self.options.rounds).step
                for c in (config, replace(config, compile=True))
            ]
            rows.append(["blog-7-final, images/s", *both])
        return "What torch.compile adds.", ["measured", "without", "with"], rows

    def _draw(self, count: int, size: int, dtype: torch.dtype) -> object:
        bf16 = torch.autocast(self.device.type, torch.bfloat16)
        with bf16 if dtype == torch.bfloat16 else nullcontext():
            return self.pipeline(num_images=count, seed=0, size=size)

    def _dtypes(self) -> list[torch.dtype]:
        return [torch.float32, *([torch.bfloat16] if self.cuda else [])]

    def _config(self, preset: str, batch: int) -> TrainConfig:
        return config_of(preset, str(self.device), batch, self.options.tiny)

    def _median(self, call: Call) -> float:
        return statistics.median(in_turns({"": call}, self.options.rounds)[""])

    def _product(self, side: int) -> float:
        """FLOP/s of a large matrix product: no network can be faster."""
        dtype = torch.bfloat16 if self.cuda else torch.float32
        matrix = torch.randn(side, side, device=self.device, dtype=dtype)
        return 2 * side**3 / self._median(lambda: matrix @ matrix)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of the tables")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", nargs="+", metavar="PART", help="such as drawing training")
    parser.add_argument("--tiny", action="store_true", help="smaller networks, to rehearse")
    options = parser.parse_args(arguments)
    benchmark = Benchmark(options)
    for name in options.only or []:
        if name not in benchmark.parts:
            parser.error(f"there is no part {name!r}; there are {', '.join(benchmark.parts)}")
    options.out.mkdir(parents=True, exist_ok=True)
    where = f"{machine()}; on {benchmark.device}"
    if options.tiny:
        where += ". A rehearsal on tiny networks: no number here means anything"
    found: dict[str, Any] = {}
    text = f"{where}. {options.rounds} rounds, medians.\n"
    print(text)
    for name, part in benchmark.parts.items():
        if options.only and name not in options.only:
            continue
        about, heads, rows = part()
        found[name] = {"about": about, "heads": heads, "rows": rows}
        section = f"\n### {name}\n\n{about}\n\n{table(heads, rows)}\n"
        text += section
        print(section, flush=True)
        write_atomically(options.out / "gpu.md", text)
        report = {"machine": where, "rounds": options.rounds, "parts": found}
        write_atomically(options.out / "gpu.json", json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except DeviceError as error:
        sys.exit(f"error: {error}")
