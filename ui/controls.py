"""Everything a visitor can set: the looks as a compact list, and how pictures are generated."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

import gradio as gr

from avatar_model import ANY, AvatarPipeline
from avatar_model.attributes import ANY_LABEL
from avatar_model.guidance import GUIDANCE_METHODS
from avatar_model.samplers import SAMPLERS
from ui.html.elements import html
from ui.looks import in_groups
from ui.recipe import MAX_IMAGES, max_steps
from ui.translation import _

SLIDER_SCALE = 9
"""The blog's largest guidance scale."""


def make_looks(pipeline: AvatarPipeline) -> dict[str, Any]:
    """The 18 dropdowns in their groups: name -> one whose value is a number or ``ANY``."""
    looks = {}
    with gr.Row(elem_id="looks"):
        for group, members in in_groups().items():
            with gr.Column(elem_classes=["group", f"group-of-{len(members)}"]):
                html(partial(_heading, group))
                for a in members:
                    looks[a.name] = _look(pipeline, a.name, _(a.title))
    return looks


def _heading(group: str) -> str:
    return f"<h2>{escape(_(group))}</h2>"


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


def make_guidance(pipeline: AvatarPipeline) -> gr.Slider:
    """The guidance scale, and in a few words what it does."""
    with gr.Column(min_width=220, elem_id="guidance-control"):
        scale = make_slider(
            "guidance-scale",
            _("Guidance scale"),
            _("How strongly your choices are followed."),
            (0, SLIDER_SCALE, 0.05),
            pipeline.defaults["guidance_scale"],
        )
        html(_scale_words)
    return scale


def _scale_words() -> str:
    """Below the slider, at 0, 1 and from there on."""
    words = (_("average face"), _("as asked"), _("emphasised"))
    spans = "".join(f"<span>{escape(word)}</span>" for word in words)
    return f'<div class="scale-words">{spans}</div>'


def make_settings(pipeline: AvatarPipeline) -> dict[str, Any]:
    """The recipe's settings but for the guidance scale."""
    defaults = pipeline.defaults
    settings: dict[str, Any] = {}
    costs = {
        "condition": _("Condition: 1 evaluation a step"),
        "classic": _("Classic: 2 evaluations a step"),
        "projected": _("Projected: 2 evaluations a step"),
    }
    with gr.Row(elem_classes="fields", elem_id="drawing"):
        settings["guidance_method"] = gr.Dropdown(
            [(costs[name], name) for name in GUIDANCE_METHODS],
            value=defaults["guidance_method"],
            label=_("Guidance method"),
            info=_(
                "Condition asks for more of what you chose. Classic, from the textbook, "
                "exaggerates how it differs from the average face; projected does so within limits."
            ),
            min_width=220,
            elem_id="guidance-method",
        )
        settings["sampler"] = gr.Dropdown(
            [(name.upper(), name) for name in SAMPLERS],
            value=defaults["sampler"],
            label=_("Sampler"),
            info=_("How each step goes from noise towards the picture."),
            min_width=220,
        )
        settings["num_inference_steps"] = make_slider(
            "steps",
            _("Steps"),
            _("From noise to picture. More take longer and rarely draw better."),
            (1, max_steps(pipeline), 1),
            defaults["num_inference_steps"],
        )
        settings["num_images"] = make_slider(
            "number-of-images",
            _("Number of images"),
            _("Looks left on Any differ from image to image."),
            (1, MAX_IMAGES, 1),
            1,
        )
        settings["seed"] = gr.Number(
            0,
            label=_("Seed"),
            info=_("The same seed and looks give the same image."),
            precision=0,
            min_width=220,
            elem_id="seed",
        )
    return settings


def make_slider(
    elem_id: str, label: str, info: str | None, span: tuple[float, float, float], value: float
) -> gr.Slider:
    """A slider beside which anything can be typed: the handlers say what is wrong with it.

    Gradio would refuse it before any handler could set it right.

    Args:
        span: lowest and highest value, and step.
    """
    low, high, step = span
    made = gr.Slider(
        low, high, value, step=step, label=label, info=info, min_width=220, elem_id=elem_id
    )
    # On the object: Gradio writes a file beside the module of whoever derives from a component.
    made.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return made
