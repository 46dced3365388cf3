"""Everything a visitor can set: the looks as a compact list, and how pictures are generated."""

from __future__ import annotations

from typing import Any

import gradio as gr

from avatar_model import ANY, ATTRIBUTES, AvatarPipeline
from avatar_model.attributes import ANY_LABEL, GROUPS
from avatar_model.guidance import EVALUATIONS
from avatar_model.samplers import SAMPLERS
from ui.html.elements import html
from ui.recipe import MAX_IMAGES, max_steps

SLIDER_SCALE = 9
"""The blog's largest guidance scale."""
SCALE_WORDS = (
    '<div class="scale-words"><span>average face</span><span>as asked</span>'
    "<span>emphasised</span></div>"
)
"""Below the slider, at 0, 1 and from there on."""


def make_looks(pipeline: AvatarPipeline) -> dict[str, Any]:
    """The 18 dropdowns in their groups: name -> one whose value is a number or ``ANY``."""
    looks = {}
    with gr.Row(elem_id="looks"):
        for group in GROUPS:
            members = [a for a in ATTRIBUTES if a.group == group]
            with gr.Column(elem_classes=["group", f"group-of-{len(members)}"]):
                html(f"<h2>{group}</h2>")
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


def make_settings(pipeline: AvatarPipeline) -> tuple[dict[str, Any], gr.Checkbox]:
    """Everything but the looks: the recipe's settings, and whether the seed is kept."""
    defaults = pipeline.defaults
    settings: dict[str, Any] = {}
    with gr.Row(elem_classes="fields", elem_id="drawing"):
        with gr.Column(min_width=220, elem_id="guidance-control"):
            settings["guidance_scale"] = _slider(
                "Guidance scale",
                "How strongly your choices are followed.",
                (0, SLIDER_SCALE, 0.05),
                defaults["guidance_scale"],
            )
            html(SCALE_WORDS)
        settings["guidance_method"] = gr.Dropdown(
            [
                (f"{name.capitalize()}: {count} evaluation{'s' * (count > 1)} a step", name)
                for name, count in EVALUATIONS.items()
            ],
            value=defaults["guidance_method"],
            label="Guidance method",
            info="Condition asks for more of what you chose. Classic, from the textbook, "
            "exaggerates how it differs from the average face; projected does so within limits.",
            min_width=220,
            elem_id="guidance-method",
        )
        settings["num_inference_steps"] = _slider(
            "Steps",
            "From noise to picture. More take longer and rarely draw better.",
            (1, max_steps(pipeline), 1),
            defaults["num_inference_steps"],
        )
        settings["sampler"] = gr.Dropdown(
            [(name.upper(), name) for name in SAMPLERS],
            value=defaults["sampler"],
            label="Sampler",
            info="How each step goes from noise towards the picture.",
            min_width=220,
        )
        settings["num_images"] = _slider(
            "Number of images",
            "Looks left on Any differ from image to image.",
            (1, MAX_IMAGES, 1),
            1,
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


def _slider(label: str, info: str, span: tuple[float, float, float], value: float) -> gr.Slider:
    """A slider beside which anything can be typed: the recipe says what is wrong with it.

    Gradio would refuse it before any handler could set it right.

    Args:
        span: lowest and highest value, and step.
    """
    low, high, step = span
    name = label.lower().replace(" ", "-")
    slider = gr.Slider(
        low, high, value, step=step, label=label, info=info, min_width=220, elem_id=name
    )
    # On the object: Gradio writes a file beside the module of whoever derives from a component.
    slider.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return slider
