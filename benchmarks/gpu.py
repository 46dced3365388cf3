"""Training speed and sheets of avatars on a GPU; without one it says that nothing was measured.

    python -m benchmarks.gpu

Training is the default preset's network on noise that is already on the device, forward, backward
and optimizer step; bfloat16 on CUDA. Its rate is also told as a share of what a large matrix
product reaches on the same device in the same type, which is the limit of any network. A sheet is
drawn at every size of the model.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import torch
from torch import Tensor

from avatar_model import AvatarPipeline
from avatar_model.attributes import ONE_HOT_SIZE
from avatar_model.denoiser import Denoiser
from avatar_model.network import AvatarNetwork
from train import presets
from train.objective import diffusion_loss, draw_noise
from train.optimizer import make_optimizers

from .measure import DEFAULT_MODEL, count_macs, in_turns, machine, table

SHEET = 111


class Training:
    """The default preset's training step, on images that are all zero."""

    def __init__(self, device: str, batch: int, compile_it: bool) -> None:
        self.config = presets.load("default")
        self.device, self.batch = device, batch
        network = AvatarNetwork(self.config.model).to(device).train()
        self.optimizers = make_optimizers(network, "adam", 1e-4)
        model = torch.compile(network) if compile_it else network
        self.denoiser = Denoiser.from_config(model, self.config.model)
        self.generator = torch.Generator(device).manual_seed(0)

    def loss(self) -> Tensor:
        """Of one batch."""
        size = self.config.model.image_size
        one_hot = torch.zeros(self.batch, ONE_HOT_SIZE, device=self.device)
        draw = draw_noise(one_hot, size, self.generator, 0.5, 0.1)
        x0 = torch.zeros_like(draw.eps).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            return diffusion_loss(self.denoiser, x0, draw).mean()

    def step(self) -> None:
        """Forward, backward, update."""
        self.loss().backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--matrix", type=int, default=8192)
    parser.add_argument("--sheet", type=int, default=SHEET, help="avatars on the sheet")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    args = parser.parse_args(arguments)
    if args.device == "cuda" and not torch.cuda.is_available():
        print("Not run: this machine has no CUDA device. --device cpu measures the CPU instead.")
        return

    training = Training(args.device, args.batch, args.compile)
    pipeline = AvatarPipeline.from_pretrained(args.model, device=args.device, backend="torch")
    dtype = torch.bfloat16 if args.device == "cuda" else torch.float32
    matrix = torch.ones(args.matrix, args.matrix, device=args.device, dtype=dtype)
    plain = Training(args.device, 1, compile_it=False)
    macs = count_macs(lambda: plain.loss().backward())
    times = in_turns(
        {
            "training": training.step,
            "product": lambda: matrix @ matrix,
            **{
                f"sheet of {args.sheet} avatars of {size} pixels, s": lambda size=size: pipeline(
                    num_images=args.sheet, seed=0, size=size
                )
                for size in pipeline.sizes
            },
        },
        args.rounds,
    )
    seconds = {name: statistics.median(values) for name, values in times.items()}
    reached = 2e6 * macs * args.batch / seconds["training"]
    limit = 2 * args.matrix**3 / seconds["product"]
    print(f"{machine()}; on {args.device}; {args.rounds} rounds in turns, medians\n")
    print(
        table(
            ["measured", "value"],
            [
                [f"training, batch {args.batch}, images per s", args.batch / seconds["training"]],
                ["TFLOP/s in training", reached / 1e12],
                [f"TFLOP/s of a {args.matrix}-wide matrix product", limit / 1e12],
                ["share of it in training", f"{reached / limit:.0%}"],
                *([name, value] for name, value in seconds.items() if name.startswith("sheet")),
            ],
        )
    )


if __name__ == "__main__":
    main()
