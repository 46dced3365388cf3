"""The two pictures of the report: what every run draws, and loss against quality."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from avatar_model.images import on_white
from train.figures.picture import INK, MUTED, PAPER, caption, enlarge, save_figure, save_png
from train.findings.loss_quality import Curve

PEOPLE = 8
TILE = 90
"""About how many pixels wide an avatar is on the sheet."""
LABELS, MARGIN, GAP = 280, 10, 6

# Okabe & Ito, "Color Universal Design" (2008), without yellow, which is faint on white. Markers
# differ as well, for those who see no colours and for print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#888888")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


def contact_sheet(
    path: Path, real: np.ndarray, rows: Sequence[tuple[str, str, np.ndarray]]
) -> None:
    """The same people as drawn by every run, below the real ones.

    Args:
        path: a .png file.
        real: uint8 premultiplied RGBA [N, H, W, 4]; the first ``PEOPLE`` are shown.
        rows: name of a run, what is special about it, and the avatars it drew, [N, H, W, 4].

    Raises:
        FigureError: the picture cannot be written.
    """
    size = real.shape[1]
    scale = max(1, round(TILE / size))
    tile = size * scale
    count = min(PEOPLE, len(real))
    every = [("Cartoon Set", "the real ones, never trained on", real), *rows]
    width = 2 * MARGIN + LABELS + count * (tile + GAP) - GAP
    height = 2 * MARGIN + len(every) * (tile + GAP) - GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    for i, (name, about, images) in enumerate(every):
        top = MARGIN + i * (tile + GAP)
        caption(sheet, (MARGIN, top + tile / 2 - 10), name, 17, fill=INK)
        caption(sheet, (MARGIN, top + tile / 2 + 11), about, 13, fill=MUTED)
        for j, avatar in enumerate(on_white(images[:count])):
            sheet.paste(enlarge(avatar, scale), (MARGIN + LABELS + j * (tile + GAP), top))
    save_png(path, sheet)


def loss_figure(
    path: Path,
    curves: Sequence[Curve],
    images: dict[str, Sequence[int]],
    hair: str,
    likeness: str,
    chance: float,
) -> None:
    """Loss and quality over the training images, and one against the other.

    If a lower loss meant better pictures, all paths of the last panel would climb to the right, and
    all would be one curve.

    Args:
        path: a .png file.
        curves: of runs whose losses are comparable.
        images: name of a run -> training images at each of its checks.
        hair, likeness: keys of the curves' quality, the first a share.
        chance: the share of right hair colours when guessing.

    Raises:
        FigureError: the picture cannot be written.
    """
    figure = Figure(figsize=(10.6, 8.2), dpi=110, facecolor="white")
    (losses, hairs), (likenesses, against) = figure.subplots(2, 2)
    for i, curve in enumerate(curves):
        style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        line = {**style, "linewidth": 1.4, "markersize": 5}
        # The same images at every check, though the last one looked at more.
        n = min(map(len, curve.loss))
        x = images[curve.name]
        loss = [values[:n].mean() for values in curve.loss]
        right = [100 * mean_known(values[:n]) for values in curve.quality[hair]]
        losses.plot(x, loss, label=curve.name, **line)
        hairs.plot(x, right, **line)
        likenesses.plot(x, [mean_known(v[:n]) for v in curve.quality[likeness]], **line)
        against.plot(loss, right, **line)
        against.plot(loss[-1:], right[-1:], **style, markersize=11, linestyle="none")
    for panel, nothing in ((hairs, 100 * chance), (likenesses, 0.0), (against, 100 * chance)):
        panel.axhline(nothing, color=MUTED, linestyle=":", linewidth=1)
        where = {"xycoords": ("axes fraction", "data"), "va": "bottom"}
        panel.annotate(" guessing", (0, nothing), **where, color=MUTED, fontsize=8)
    for panel in (hairs, against):
        panel.set_ylim(0, 1.08 * panel.get_ylim()[1])
    losses.set_yscale("log")
    against.set_xscale("log")
    against.invert_xaxis()
    for axis in (losses.yaxis, against.xaxis):
        axis.set_major_formatter("{x:.2g}")
        axis.set_minor_formatter("{x:.2g}")
    for panel, x_title, y_title in (
        (losses, "training images", "validation loss"),
        (hairs, "training images", "hair colour right (%)"),
        (likenesses, "training images", "likeness (dB)"),
        (against, "validation loss, falling to the right", "hair colour right (%)"),
    ):
        panel.set_xlabel(x_title)
        panel.set_ylabel(y_title)
        panel.tick_params(which="both", labelsize=8)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(*losses.get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    save_figure(path, figure)


def mean_known(values: np.ndarray) -> float:
    """The mean of what is not NaN; NaN if nothing is."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
