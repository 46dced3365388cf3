"""How much is read right of real avatars, in every guise that "From a picture" understands.

    python -m benchmarks.read_pictures --data ~/cartoonset10k.tgz

Takes pictures of the test split as a visitor may have them: originals, our downloads of the model's
crop and of the older one, circles, screenshots, JPEG.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image

from avatar_model.classifier import AvatarClassifier
from avatar_model.crop import DEFAULT_CROP, SOURCE_SIZE, load_avatar
from avatar_model.field_checks import Range, checked
from avatar_model.images import to_pil
from avatar_model.open_picture import open_picture, to_rgba
from avatar_model.read_picture import SURE, read_attributes
from benchmarks.measure import table
from train.command import command
from train.data.cartoon_set import read_cartoon_set
from train.data.splits import SPLITS, split_of
from ui.files.frame import framed

Guise = Callable[[Image.Image], Image.Image]


def download(size: int, crop: int) -> Guise:
    """An original as a model of that crop would draw it, transparent."""
    return lambda image: to_pil(load_avatar(image, size, crop))


def on(colour: str, guise: Guise) -> Guise:
    """The same on a plain colour."""

    def made(image: Image.Image) -> Image.Image:
        picture = guise(image)
        return Image.alpha_composite(Image.new("RGBA", picture.size, colour), picture)

    return made


def circle(guise: Guise) -> Guise:
    """The same cut to a disc, as the page does."""
    return lambda image: framed(guise(image), radius=50, border=0, colour="black")


def screenshot(guise: Guise) -> Guise:
    """The same somewhere on a white page."""

    def made(image: Image.Image) -> Image.Image:
        picture = guise(image)
        page = Image.new("RGB", (700, 420), "white")
        page.paste(picture, (301, 99), picture)
        return page

    return made


def jpeg(guise: Guise) -> Guise:
    """The same, compressed."""

    def made(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        guise(image).convert("RGB").save(file, "JPEG", quality=85)
        return open_picture(file.getvalue())

    return made


def guises(crop: int) -> dict[str, Guise]:
    """By the names of the table; ``crop`` is that of the model whose downloads they are."""

    def original(image: Image.Image) -> Image.Image:
        return image

    large = download(256, crop)
    return {
        "download of 256 pixels": large,
        "of 1024": download(1024, crop),
        "of 64": download(64, crop),
        "of 256 on yellow": on("#ffcc00", large),
        "of 64 on grey": on("#888888", download(64, crop)),
        f"of 256, crop {DEFAULT_CROP}": download(256, DEFAULT_CROP),
        "circle of 256": circle(large),
        "circle on teal": circle(on("#2a9d8f", large)),
        "such a circle on a white page": screenshot(circle(on("#2a9d8f", large))),
        "original, transparent": original,
        "original on white": on("white", original),
        "the same as JPEG, quality 85": jpeg(on("white", original)),
    }


@checked
def main(
    data: Path,
    classifier: str = "assets/classifier",
    images: Annotated[int, Range(1, 10**6)] = 200,
    crop: Annotated[int, Range(1, SOURCE_SIZE)] = 420,
) -> None:
    """Print a Markdown table.

    Args:
        data: folder or archive of Cartoon Set.
        classifier: folder or Hub repository.
        images: of the test split, the first so many.
        crop: of the model whose downloads are read.
    """
    reader = AvatarClassifier.from_pretrained(classifier, device="cpu")
    examples = read_cartoon_set(data)
    rows = np.flatnonzero(split_of(examples.attributes) == SPLITS.index("test"))[:images]
    wanted = set(rows.tolist())
    pictures = {row: to_rgba(get()) for row, get in examples.pictures() if row in wanted}
    truth = examples.attributes[rows]
    visible = reader.visible(truth)
    lines = []
    for name, guise in guises(crop).items():
        found = [read_attributes(guise(pictures[row]), reader, crop) for row in rows]
        values = np.array([[value for value, _ in reading.values()] for reading in found])
        sure = np.array([[p for _, p in reading.values()] for reading in found]) >= SURE
        right = values == truth
        of_sure = right[visible & sure].mean()
        lines.append([name, *(f"{x:.3f}" for x in (right[visible].mean(), sure.mean(), of_sure))])
    print(f"{len(rows)} pictures each\n")
    print(table(["picture", "read right", "sure", "of the sure, right"], lines))


if __name__ == "__main__":
    command(main, __doc__)()
