"""The board of the 18 looks: which one is open, what each is set to, and which are locked.

Radio buttons, so that arrow keys work and screen readers say what they are.
"""

from __future__ import annotations

from html import escape

from avatar_model import Vocabulary
from ui.looks import in_groups, label
from ui.recipe import Recipe
from ui.translation import _

LOCK = (
    '<svg viewBox="0 0 16 16" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.5"/>'
    '<path d="M5 7V5a3 3 0 0 1 6 0v2" fill="none" stroke="currentColor" stroke-width="1.6"/></svg>'
)
DICE = (
    '<svg viewBox="0 0 16 16" aria-hidden="true"><path fill-rule="evenodd" d="M4 2h8a2 2 0 0 1 2 '
    "2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm1.3 2a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 "
    "0-2.6zm5.4 5.4a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 0 0 0-2.6zM8 6.7a1.3 1.3 0 1 0 0 2.6 1.3 1.3 0 "
    '0 0 0-2.6z"/></svg>'
)


def board_html(vocabulary: Vocabulary, recipe: Recipe, opened: str) -> str:
    """All looks in their groups: which is open, and what each is set to."""
    looks = recipe.named_looks
    groups = []
    for group, members in in_groups().items():
        chips = "".join(
            _chip(a.name, _(a.title), label(vocabulary, a.name, looks[a.name]), a.name == opened)
            for a in members
        )
        hint = escape(_("Randomize: {group}", group=_(group)))
        groups.append(
            f'<section><h2>{escape(_(group))}</h2><button type="button" class="icon" '
            f'data-randomize="{group}" aria-label="{hint}" title="{hint}">{DICE}</button>'
            f"<div>{chips}</div></section>"
        )
    named = escape(_("Look to choose"))
    return f'<div class="board" role="radiogroup" aria-label="{named}">{"".join(groups)}</div>'


def _chip(name: str, title: str, value: str, opened: bool) -> str:
    checked = " checked" if opened else ""
    title, value = escape(title), escape(value)
    lock = escape(_("Lock: {look}", look=title))
    return (
        f'<span class="chip"><label title="{value}">'
        f'<input type="radio" name="look" value="{name}"{checked} aria-label="{title}: {value}">'
        f"<span>{title}</span><small>{value}</small></label>"
        f'<button type="button" class="icon lock" data-lock="{name}" aria-label="{lock}">{LOCK}'
        "</button></span>"
    )
