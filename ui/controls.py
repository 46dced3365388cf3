"""Everything a visitor can set: the looks as a compact list, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from avatar_model import ANY, ATTRIBUTES, AvatarPipeline
from avatar_model.attributes import ANY_LABEL, GROUPS
from avatar_model.samplers import SAMPLERS

from .recipe import MAX_GUIDANCE_SCALE, MAX_IMAGES, max_steps


@dataclass(frozen=True)
class Controls:
    """The inputs of the page.

    Attributes:
        looks: attribute name -> its dropdown, whose value is a number or ``ANY``.
        settings: the recipe's setting of that name -> its input.
        lock_seed: whether ``settings["seed"]`` is kept for the next drawing.
    """

    looks: dict[str, gr.Dropdown]
    settings: dict[str, gr.Component]
    lock_seed: gr.Checkbox

    def named(self) -> dict[str, gr.Component]:
        """All that a recipe is made of."""
        return {**self.looks, **self.settings}


def make_looks(pipeline: AvatarPipeline) -> dict[str, gr.Dropdown]:
    """The 18 dropdowns in their groups."""
    looks = {}
    with gr.Row(elem_id="looks"):
        for group in GROUPS:
            members = [a for a in ATTRIBUTES if a.group == group]
            with gr.Column(elem_classes=["group", f"group-of-{len(members)}"]):
                gr.HTML(f"<h2>{group}</h2>", apply_default_css=False)
                for a in members:
                    looks[a.name] = _look(pipeline, a.name, a.title)
    return looks


def _look(pipeline: AvatarPipeline, name: str, title: str) -> gr.Dropdown:
    choices = [(ANY_LABEL, ANY), *pipeline.vocabulary.offered(name)]
    return gr.Dropdown(
        [(label[:1].upper() + label[1:], value) for label, value in choices],
        value=ANY,
        label=title,
        # All of them at once; None means the same but arrives in the browser as 100.
        num_choices_shown=len(choices),
        min_width=140,
        elem_id=name.replace("_", "-"),
    )


def _slider(minimum: float, maximum: float, **options: Any) -> gr.Slider:
    """A slider beside which anything can be typed: the recipe says what is wrong with it.

    Gradio would refuse it before any handler could set it right.
    """
    slider = gr.Slider(minimum, maximum, **options)
    # On the object: Gradio writes a file beside the module of whoever derives from a component.
    slider.preprocess = lambda payload: payload
    return slider


def make_settings(pipeline: AvatarPipeline) -> tuple[dict[str, gr.Component], gr.Checkbox]:
    """Everything but the looks: the settings, and whether the seed is kept."""
    defaults = pipeline.defaults
    settings: dict[str, gr.Component] = {}
    with gr.Row(elem_classes="fields", elem_id="drawing"):
        settings["guidance_scale"] = _slider(
            0,
            MAX_GUIDANCE_SCALE,
            value=defaults["guidance_scale"],
            step=0.1,
            label="Guidance scale",
            info="1 draws just what you chose. More exaggerates it, less blurs it.",
            min_width=220,
            elem_id="guidance-scale",
        )
        settings["num_images"] = _slider(
            1,
            MAX_IMAGES,
            value=1,
            step=1,
            label="Number of images",
            info="Looks left on Any differ from image to image.",
            min_width=220,
        )
        settings["num_inference_steps"] = _slider(
            1,
            max_steps(pipeline),
            value=defaults["num_inference_steps"],
            step=1,
            label="Steps",
            info="From noise to picture. More take longer and rarely draw better.",
            min_width=220,
        )
        settings["sampler"] = gr.Dropdown(
            [(name.upper(), name) for name in SAMPLERS],
            value=defaults["sampler"],
            label="Sampler",
            info="How each step goes from noise towards the picture.",
            min_width=220,
        )
        with gr.Column(min_width=220):
            settings["seed"] = gr.Number(
                0,
                label="Seed",
                info="The same seed and looks give the same image.",
                precision=0,
                elem_id="seed",
            )
            lock_seed = gr.Checkbox(label="Keep this seed", container=False, elem_id="lock-seed")
    return settings, lock_seed
