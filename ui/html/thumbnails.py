"""Sheets of thumbnails: your avatar with each value of one look, or at each guidance scale.

Radio buttons, so that arrow keys work and screen readers say what they are. A thumbnail is the
address of a picture (``ui/routes/pictures.py``): the browser fetches those in sight.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape

from avatar_model import ANY, AvatarPipeline
from avatar_model.attributes import ANY_LABEL, attribute
from ui.html.elements import img
from ui.link import thumbnail_address
from ui.looks import label as label_of_value
from ui.looks import why_hidden
from ui.recipe import Recipe
from ui.translation import _

GUIDANCE_SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 9.0)
"""Close together where a picture changes most."""
LOWEST_SCALE = 0.5
"""Of thumbnails of looks: on the average face nobody would see what a look is."""


def look_sheet(pipeline: AvatarPipeline, name: str, recipe: Recipe, chosen: int) -> str:
    """The avatar of ``recipe`` with each value of a look, always recognisable.

    Args:
        recipe: complete.
        chosen: what the visitor has set, ``ANY`` if it is open.
    """
    a = attribute(name)
    complete = recipe.named_looks
    sampled = complete[name] if chosen == ANY else None
    values = [value for label, value in pipeline.vocabulary.offered(name)]
    recipe = _recognisable(pipeline, recipe)
    options = []
    for value in values:
        label = label_of_value(pipeline.vocabulary, name, value)
        drawn = value == sampled
        options.append(
            _option(
                name,
                thumbnail_address(pipeline, recipe.with_value(name, value), len(values)),
                value,
                _("{label}, drawn at random", label=label) if drawn else label,
                value == chosen,
                below=f"<small>{escape(label)}</small>",
                mark="drawn" if drawn else "",
            )
        )
    checked = " checked" if chosen == ANY else ""
    title, now = escape(_(a.title)), escape(label_of_value(pipeline.vocabulary, name, chosen))
    why = why_hidden(name, complete)
    note = f"<p>{escape(why)}</p>" if why else ""
    return (
        f'<fieldset class="sheet of-{a.group.lower().replace(" ", "-")}" data-name="{name}">'
        f"<legend>{title} <span>{now}</span></legend>{note}"
        f'<label title="{escape(_("A surprise"))}">'
        f'<input type="radio" name="sheet-{name}" value="{ANY}"{checked}>'
        f'<span class="paper any">{escape(_(ANY_LABEL))}</span></label>'
        f"{''.join(options)}</fieldset>"
    )


def guidance_sheet(pipeline: AvatarPipeline, recipe: Recipe) -> str:
    """The avatar of ``recipe`` at each of ``GUIDANCE_SCALES``, by its method."""
    options = "".join(
        _option(
            "guidance_scale",
            thumbnail_address(pipeline, recipe.with_value("guidance_scale", scale)),
            scale,
            _("Guidance scale {scale}", scale=f"{scale:g}"),
            scale == recipe.guidance_scale,
            below=f"{scale:g}",
        )
        for scale in GUIDANCE_SCALES
    )
    title = escape(_("The same avatar at guidance scales 0 to 9"))
    return (
        f'<fieldset class="sheet" data-name="guidance_scale"><legend>{title}</legend>'
        f"{options}</fieldset>"
    )


def _recognisable(pipeline: AvatarPipeline, recipe: Recipe) -> Recipe:
    """By the model's own method, at the visitor's scale if that method keeps faces whole there."""
    method, scale = (pipeline.defaults[name] for name in ("guidance_method", "guidance_scale"))
    if method == "condition":
        scale = max(recipe.guidance_scale, LOWEST_SCALE)
    return replace(recipe, guidance_scale=scale, guidance_method=method)


def _option(
    name: str,
    address: str,
    value: float,
    label: str,
    checked: bool,
    below: str = "",
    mark: str = "",
) -> str:
    label = escape(label[:1].upper() + label[1:])
    return (
        f'<label title="{label}" class="{mark}">'
        f'<input type="radio" name="sheet-{name}" value="{value:g}" '
        f'aria-label="{label}"{" checked" if checked else ""}>'
        f'<span class="paper">{img(address, lazy=True)}</span>{below}</label>'
    )
