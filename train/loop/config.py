"""Everything a training run can be told, as one dataclass; ``train/run.py`` makes flags of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from avatar_model.config import ModelConfig

_COUNTS = (
    *("steps", "batch_size", "lr_step_size", "plateau_patience", "log_steps"),
    *("keep_checkpoints", "gradient_accumulation", "num_inference_steps"),
)


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The defaults make the bundled model, given a few CPU hours."""

    data: str = "cartoonset10k"
    """Folder or .tar/.tgz of Cartoon Set files, cartoonset10k, cartoonset100k, or drawn:N."""
    run: Path = Path("runs/default")
    """Run folder; starting again with the same folder resumes."""
    steps: int = 10_000
    """Optimizer steps in all."""
    max_minutes: float | None = None
    """Stop (and save) after this many minutes of this start."""
    batch_size: int = 16
    """Images per step, over all processes."""
    init_from: str | None = None
    """Start with the weights of this checkpoint, a folder or a Hub repository, not random ones."""
    base: str | None = None
    """Checkpoint of the base, whose pictures an upscaler is trained to draw larger."""
    seed: int = 0
    """Of the weights, the data order and the noise."""

    optimizer: Literal["muon", "adam"] = "muon"
    """Muon for hidden weights and Adam for the rest, or Adam for everything."""
    learning_rate: float = 2e-3
    """Peak learning rate of Adam; Muon's is 10 times that."""
    lr_schedule: Literal["linear", "cosine", "constant", "step", "plateau"] = "linear"
    """Linear and cosine fall to zero at --steps; step and plateau cut the rate by --lr-cut."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises from zero."""
    lr_step_size: int = 1000
    """Steps between the cuts of the step schedule."""
    lr_cut: float = 0.5
    """What a cut multiplies the learning rate by: step, plateau and loss spikes."""
    plateau_patience: int = 50
    """Log intervals without a new best loss before the plateau schedule cuts."""
    grad_clip: float = 1.0
    """Largest norm of the gradient."""
    spike_factor: float = 4.0
    """A loss this many times the recent median restores the last checkpoint; 0 for never."""
    max_bad_gradients: int = 100
    """Steps with NaN or infinite gradients that are skipped before the run stops."""

    terminal_share: float = 0.5
    """Share of the images that are trained at t = 1, pure noise; the others at t ~ U(0, 1)."""
    condition_dropout: float = 0.1
    """Share of the requests that lose some or all attributes."""

    true_share: float = 0.1
    """Of an upscaler: share of its small pictures that are true ones, not drawn by the base."""

    log_steps: int = 20
    """Steps between lines of the log."""
    checkpoint_minutes: float | None = 10.0
    """Minutes between checkpoints."""
    checkpoint_steps: int | None = None
    """Steps between checkpoints, besides --checkpoint-minutes."""
    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay; the best by validation PSNR always stays."""
    push_to_hub: str | None = None
    """Upload every kept checkpoint to this model repository, user/name, in the background."""

    device: str | None = None
    """cpu, cuda or cuda:1; by default a GPU if there is one."""
    mixed_precision: Literal["no", "bf16"] = "no"
    """Run the network in bfloat16; weights, optimizer and average stay in float32."""
    compile: bool = False
    """torch.compile the network: minutes at the start, faster steps, most of all on a GPU."""
    gradient_accumulation: int = 1
    """Split the batch of each process into so many parts, to save memory."""
    activation_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third slower."""

    sampler: str = "ddim"
    """What the finished model draws with, unless asked otherwise; also for the sample grids."""
    num_inference_steps: int = 1
    """Sampling steps of the finished model, unless asked otherwise."""
    guidance_scale: float = 1.0
    """Guidance scale of the finished model, unless asked otherwise."""
    guidance_method: Literal["condition", "classic", "projected"] = "condition"
    """How the finished model is guided, unless asked otherwise."""

    model: ModelConfig = field(default_factory=ModelConfig)
    """The architecture."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("terminal_share", "condition_dropout", "lr_cut", "true_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)}")
        if self.model.is_upscaler and self.base is None:
            raise ValueError("an upscaler needs a base: --base names its checkpoint")
        if self.base is not None and not self.model.is_upscaler:
            raise ValueError("--base is for an upscaler; --preset upscaler trains one")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**dataclasses.asdict(self), "run": str(self.run)}


class Preset(NamedTuple):
    """A run with a name: the line that ``--help`` shows of it, and its settings."""

    about: str
    config: TrainConfig
