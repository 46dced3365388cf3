"""The panel that turns the shown avatar into a file, or into a few lines for a page or a program.

The large picture shows what is chosen here.
"""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from avatar_model import AvatarPipeline
from ui.controls import make_slider
from ui.files.picture_file import FORMATS, FileOptions
from ui.generation import Avatar
from ui.html.elements import LICENCE, html
from ui.link import picture_address, to_query, to_short_query
from ui.recipe import Recipe
from ui.translation import _

DEFAULT = FileOptions()
BACKGROUNDS = ("transparent", "plain", "two colors")
SIZES = (64, 128, 256, 512, 1024)
"""Offered; any other from 16 to 1024 can be typed."""


def make_take_away(pipeline: AvatarPipeline) -> tuple[dict[str, Any], gr.HTML]:
    """Lay the panel out.

    Returns:
        the controls, by the names of ``chosen``, and what shows ``take_away_html``.
    """
    backgrounds = (_("Transparent"), _("One color"), _("Two colors"))
    with gr.Row(elem_classes="fields", elem_id="file-options"):
        controls: dict[str, Any] = {
            "format": gr.Radio([(f.upper(), f) for f in FORMATS], value="png", label=_("Format")),
            "size": gr.Dropdown(
                [(f"{size} px", size) for size in SIZES],
                value=DEFAULT.size,
                label=_("Size"),
                info=_("Any from 16 to 1024 can be typed."),
                allow_custom_value=True,
                min_width=220,
            ),
            "zoom": make_slider("zoom", _("Zoom"), None, (0.5, 2.5, 0.05), DEFAULT.zoom),
            "radius": make_slider(
                "radius", _("Corner radius, %"), _("50 is a circle."), (0, 50, 1), DEFAULT.radius
            ),
            "border": make_slider("border", _("Border, %"), None, (0, 20, 0.5), DEFAULT.border),
            "border_color": gr.ColorPicker(
                "#1c1917", label=_("Color of the border"), visible=False
            ),
            "back": gr.Radio(
                list(zip(backgrounds, BACKGROUNDS, strict=True)),
                value=BACKGROUNDS[0],
                label=_("Background"),
            ),
            "background": gr.ColorPicker("#ffd166", label=_("Color"), visible=False),
            "background2": gr.ColorPicker("#ef6f6c", label=_("Color below"), visible=False),
            "flip": gr.Checkbox(value=False, label=_("Mirrored")),
            "style": gr.Radio(
                [(_("Smooth"), "smooth"), (_("Crisp"), "crisp")],
                value=DEFAULT.style,
                label=_("Enlarged"),
                info=_("Crisp keeps the model's smallest picture as squares."),
            ),
        }
    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    controls["back"].change(
        lambda back: [
            gr.update(visible=back != BACKGROUNDS[0]),
            gr.update(visible=back == BACKGROUNDS[2]),
        ],
        controls["back"],
        [controls["background"], controls["background2"]],
        **quiet,
    )
    controls["border"].change(
        lambda border: gr.update(visible=bool(border)),
        controls["border"],
        controls["border_color"],
        **quiet,
    )
    controls["format"].change(
        lambda format: gr.update(visible=format != "svg"),  # outlines have no pixels
        controls["format"],
        controls["style"],
        **quiet,
    )
    return controls, html(elem_id="take-away", script="panels/take_away.js")


def chosen(values: dict[str, Any]) -> dict[str, Any]:
    """What the controls say, for ``FileOptions.parse``.

    Args:
        values: of the controls; may have others beside them.
    """
    names = ("format", "size", "style", "zoom", "flip", "radius", "border")
    given = {name: values.get(name) for name in names}
    given["size"] = str(given["size"]).removesuffix("px").strip()
    if given["border"]:
        given["border_color"] = values.get("border_color")
    if values.get("back") in BACKGROUNDS[1:]:
        given["background"] = values.get("background")
    if values.get("back") == BACKGROUNDS[2]:
        given["background2"] = values.get("background2")
    return given


def take_away_html(avatar: Avatar, options: FileOptions) -> str:
    """The link to the file, and the avatar as lines to copy.

    Addresses begin with ``{page}`` or, what is no page, with ``{here}``: the browser knows where
    that is.
    """
    address = picture_address(avatar.recipe, **options.query())
    named = _("Download {kind}, {size} px", kind=options.format.upper(), size=options.size)
    picture = f"{{here}}{address}"
    snippets = (
        (_("Link"), f"{{page}}?{to_query(avatar.asked)}"),
        (_("Short link"), f"{{page}}?{to_short_query(avatar.asked)}"),
        (_("Picture"), picture),
        ("HTML", f'<img src="{escape(picture)}" width="{options.size}" alt="{_("Avatar")}">'),
        ("Markdown", f"![{_('Avatar')}]({picture})"),
        ("Python", _python(avatar.recipe)),
    )
    rows = "".join(
        f"<div><dt>{escape(title)}</dt><dd><code>{escape(text)}</code>"
        f'<button type="button" data-text="{escape(text)}" aria-label="'
        f'{escape(_("Copy: {what}", what=title))}">{escape(_("Copy"))}</button></dd></div>'
        for title, text in snippets
    )
    credit = escape(
        _(
            "The model learned from Cartoon Set by Google LLC, under {licence}: name it where you "
            "show the avatar."
        )
    )
    return (
        f'<p><a class="download" download href="{escape(address)}&amp;download=1">'
        f"{escape(named)}</a></p><p>{credit.replace('{licence}', LICENCE)}</p><dl>{rows}</dl>"
    )


def _python(recipe: Recipe) -> str:
    """The same avatar with the library."""
    settings = "".join(f", {name}={value!r}" for name, value in recipe.settings.items())
    return (
        "from avatar_model import AvatarPipeline\n"
        'pipe = AvatarPipeline.from_pretrained("assets/model")\n'
        f"out = pipe({recipe.named_looks}, seed={recipe.seed}{settings})\n"
        'out.images[0].save("avatar.png")'
    )
