"""Everything a training run can be told, as one dataclass; ``train/run.py`` makes flags of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from avatar_model.arguments import MAX_GUIDANCE_SCALE, MAX_SEED, MAX_STEPS
from avatar_model.config import ModelConfig
from avatar_model.field_checks import Range, check_fields
from avatar_model.samplers import SamplerName

MAX_COUNT = 10**9


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The defaults make the bundled model, given a few CPU hours."""

    data: str = "cartoonset10k"
    """Folder or .tar/.tgz of Cartoon Set files, cartoonset10k, cartoonset100k, or drawn:N."""
    run: Path = Path("runs/default")
    """Run folder; starting again with the same folder resumes."""
    steps: Annotated[int, Range(1, MAX_COUNT)] = 10_000
    """Optimizer steps in all."""
    max_minutes: Annotated[float | None, Range(0.001, 1e6)] = None
    """Stop (and save) after this many minutes of this start; None for no limit."""
    batch_size: Annotated[int, Range(1, 2**20)] = 16
    """Images per step, over all processes."""
    init_from: str | None = None
    """Start with the weights of this checkpoint, a folder or a Hub repository, not random ones."""
    base: str | None = None
    """Checkpoint of the base, whose pictures an upscaler is trained to draw larger."""
    seed: Annotated[int, Range(0, MAX_SEED)] = 0
    """Of the weights, the data order and the noise."""

    optimizer: Literal["muon", "adam", "adamw"] = "muon"
    """Muon for hidden weights and Adam for the rest, or Adam or AdamW for everything."""
    learning_rate: Annotated[float, Range(1e-9, 1e3)] = 2e-3
    """Peak learning rate of Adam; Muon's is 10 times that."""
    lr_schedule: Literal["linear", "cosine", "constant", "step", "plateau"] = "linear"
    """Linear and cosine fall to zero at --steps; step and plateau cut the rate by --lr-cut."""
    warmup_steps: Annotated[int, Range(0, MAX_COUNT)] = 100
    """Steps over which the learning rate rises from zero."""
    lr_step_size: Annotated[int, Range(1, MAX_COUNT)] = 1000
    """Steps between the cuts of the step schedule."""
    lr_cut: Annotated[float, Range(0.001, 1)] = 0.5
    """What a cut multiplies the learning rate by: step, plateau and loss spikes."""
    plateau_patience: Annotated[int, Range(1, MAX_COUNT)] = 50
    """Log intervals without a new best loss before the plateau schedule cuts."""
    grad_clip: Annotated[float, Range(1e-6, 1e9, or_zero=True)] = 1.0
    """Largest norm of the gradient; 0 for no limit."""
    spike_factor: Annotated[float, Range(1.001, 1e9, or_zero=True)] = 4.0
    """A loss this many times the recent median restores the last checkpoint; 0 for never."""
    max_bad_gradients: Annotated[int, Range(0, MAX_COUNT)] = 100
    """Steps with NaN or infinite gradients that are skipped before the run stops."""
    max_spikes: Annotated[int, Range(0, MAX_COUNT)] = 10
    """Loss spikes after which a run goes back before it stops."""

    terminal_share: Annotated[float, Range(0, 1)] = 0.5
    """Share of the images that are trained at t = 1, pure noise; the others at t ~ U(0, 1)."""
    condition_dropout: Annotated[float, Range(0, 1)] = 0.1
    """Share of the requests that lose some or all attributes."""
    dropout_per_attribute: bool = False
    """Lose every attribute of every request with that probability instead, as the blog does."""
    attribute_balance: Annotated[float, Range(0, 1)] = 0.0
    """Share of the loss in which attributes count far more alike than by how many pixels differ."""
    ema: bool = True
    """Save and generate with an average of the weights over the last steps, not the last ones."""

    true_share: Annotated[float, Range(0, 1)] = 0.1
    """Of an upscaler: share of its small pictures that are true ones, not drawn by the base."""

    log_steps: Annotated[int, Range(1, MAX_COUNT)] = 20
    """Steps between lines of the log."""
    checkpoint_minutes: Annotated[float | None, Range(0.001, 1e6)] = 10.0
    """Minutes between checkpoints; None for one at the end, or by --checkpoint-steps."""
    checkpoint_steps: Annotated[int | None, Range(1, MAX_COUNT)] = None
    """Steps between checkpoints, besides --checkpoint-minutes."""
    keep_checkpoints: Annotated[int, Range(1, MAX_COUNT)] = 2
    """How many of the newest checkpoints stay; the best by validation PSNR always stays."""
    push_to_hub: str | None = None
    """Upload every kept checkpoint to this model repository, user/name, in the background."""

    device: str | None = None
    """cpu, cuda or cuda:1; by default a GPU if there is one."""
    mixed_precision: Literal["no", "bf16"] = "no"
    """Run the network in bfloat16; weights, optimizer and average stay in float32."""
    compile: bool = False
    """torch.compile the network: minutes at the start, faster steps, most of all on a GPU."""
    gradient_accumulation: Annotated[int, Range(1, 2**20)] = 1
    """Split the batch of each process into so many parts, to save memory."""
    activation_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third slower."""

    sampler: SamplerName = "ddim"
    """What the finished model draws with, unless asked otherwise; also for the sample grids."""
    num_inference_steps: Annotated[int, Range(1, MAX_STEPS)] = 1
    """Sampling steps of the finished model, unless asked otherwise."""
    guidance_scale: Annotated[float, Range(0, MAX_GUIDANCE_SCALE)] = 1.0
    """Guidance scale of the finished model, unless asked otherwise."""
    guidance_method: Literal["condition", "classic", "projected"] = "condition"
    """How the finished model is guided, unless asked otherwise."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """The architecture."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.model.is_upscaler and self.base is None:
            raise ValueError("an upscaler needs a base: --base names its checkpoint")
        if self.base is not None and not self.model.is_upscaler:
            raise ValueError("--base is for an upscaler; --preset upscaler trains one")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**dataclasses.asdict(self), "run": str(self.run)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainConfig:
        """The inverse of ``to_dict``; a field of another version is left out, one lacking default.

        Raises:
            ValueError: a value that its field cannot have; the message names it.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        values = {name: value for name, value in data.items() if name in names}
        for name, kind in (("run", Path), ("model", ModelConfig.from_dict)):
            if name in values:
                values[name] = kind(values[name])
        return cls(**values)

    def unused(self) -> list[str]:
        """Sentences about fields that were changed and do nothing in this run, or not enough."""
        needs = {
            "lr_step_size": ("--lr-schedule step", self.lr_schedule == "step"),
            "plateau_patience": ("--lr-schedule plateau", self.lr_schedule == "plateau"),
            "true_share": ("--base", self.base is not None),
        }
        told = []
        if self.warmup_steps >= self.steps:
            told = ["the learning rate only rises: --warmup-steps is not less than --steps"]
        return told + [
            f"--{name.replace('_', '-')} does nothing without {flag}"
            for name, (flag, given) in needs.items()
            if not given and getattr(self, name) != getattr(TrainConfig, name)
        ]


class Preset(NamedTuple):
    """A run with a name: the line that ``--help`` shows of it, and its settings."""

    about: str
    config: TrainConfig
