"""The README.md of a classifier's folder: what it is and what was measured."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Template

from avatar_model.classifier import AvatarClassifier
from train.classifier.calibration import Reliability

TEMPLATE = Path(__file__).with_name("card.md")
INSTALL = Path(__file__).parents[1] / "install.md"


def card(classifier: AvatarClassifier, reliability: Reliability) -> str:
    """The text, in Markdown.

    Args:
        reliability: of the test images.
    """
    text = Template(TEMPLATE.read_text("utf-8")).render(
        cartoon_set="cartoonset" in classifier.training["data"].lower(),
        install=INSTALL.read_text("utf-8").strip(),
        size=classifier.image_size,
        crop=classifier.crop,
        config=classifier.network.config,
        parameters=sum(p.numel() for p in classifier.network.parameters()),
        facts=classifier.training,
        accuracy=classifier.accuracy,
        hidden=classifier.hidden,
        reliability=reliability,
    )
    return f"{text}\n"
