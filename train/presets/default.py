"""The bundled model: x0 prediction, Tau's canvas, Muon; sized for two CPU cores."""

from ..config import TrainConfig

PRESET = TrainConfig()
