"""Everything a training run can be told, as one dataclass; ``train/run.py`` makes flags of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_model.config import ModelConfig


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The defaults make the bundled model, given a few CPU hours."""

    data: str = "cartoonset10k"
    """Folder or .tar/.tgz of Cartoon Set files, cartoonset10k, cartoonset100k, or drawn:N."""
    run: Path = Path("runs/default")
    """Run folder; starting again with the same folder resumes."""
    steps: int = 10_000
    """Optimizer steps in all; the learning rate falls to zero over them."""
    max_minutes: float | None = None
    """Stop (and save) after this many minutes of this start."""
    batch_size: int = 16
    """Images per step."""
    learning_rate: float = 2e-3
    """Peak learning rate of Adam; Muon's is 10 times that."""
    warmup_steps: int = 100
    """Steps over which the learning rate rises from zero."""
    grad_clip: float = 1.0
    """Largest norm of the gradient."""
    terminal_share: float = 0.5
    """Share of the images that are trained at t = 1, pure noise; the others at t ~ U(0, 1)."""
    condition_dropout: float = 0.1
    """Share of the requests that lose some or all attributes."""
    checkpoint_minutes: float = 10.0
    """Minutes between checkpoints."""
    keep_checkpoints: int = 2
    """How many of the newest checkpoints stay."""
    seed: int = 0
    """Of the weights, the data order and the noise."""
    device: str | None = None
    """Where to train; by default a GPU if there is one."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The architecture."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("terminal_share", "condition_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {**dataclasses.asdict(self), "run": str(self.run)}
