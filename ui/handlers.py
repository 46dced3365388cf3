"""What happens on the page's events."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from avatar_model import AvatarPipeline

from .controls import Controls
from .drawing import draw, random_seed
from .result import result_html

Updates = dict[gr.Component, Any]


class Handlers:
    """The event handlers of one page. Each names the components it changes."""

    def __init__(self, pipeline: AvatarPipeline, controls: Controls, result: gr.HTML) -> None:
        self.pipeline = pipeline
        self.controls = controls
        self.result = result

    def generate(self, lock_seed: bool, **values: Any) -> Updates:
        """Draw the looks that are set; a seed that is not locked is replaced first."""
        looks = {name: values.pop(name) for name in self.controls.looks}
        if not lock_seed:
            values["seed"] = random_seed()
        drawing = draw(self.pipeline, looks, **values)
        return {
            self.result: result_html(drawing),
            self.controls.settings["seed"]: drawing.avatars[0].seed,
        }

    def randomize(self, lock_seed: bool, **values: Any) -> Updates:
        """Set every look by how often it occurs in the training data, then generate."""
        drawn = self.pipeline.vocabulary.draw({}, np.random.default_rng())
        updates = self.generate(lock_seed, **{**values, **drawn})
        return updates | {self.controls.looks[name]: value for name, value in drawn.items()}
