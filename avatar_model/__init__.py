"""A conditional diffusion model that generates cartoon avatars from 18 attributes."""

from .attributes import ANY, ATTRIBUTES, Attribute, Vocabulary, VocabularyError
from .checkpoint import UpscalerError
from .checkpoint_files import CheckpointError
from .classifier import AvatarClassifier
from .config import ModelConfig
from .pipeline import AvatarOutput, AvatarPipeline

__all__ = [
    "ANY",
    "ATTRIBUTES",
    "Attribute",
    "AvatarClassifier",
    "AvatarOutput",
    "AvatarPipeline",
    "CheckpointError",
    "ModelConfig",
    "UpscalerError",
    "Vocabulary",
    "VocabularyError",
]
