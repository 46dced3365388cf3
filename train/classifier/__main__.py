"""Train the classifier that reads the 18 attributes from an avatar.

    python -m train.classifier --data ~/cartoonset10k.tgz --out runs/classifier

It learns from the train split of real images alone and has never seen a drawn avatar, nor any part
of the network that draws: an independent judge of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from avatar_model.arguments import MAX_SEED
from avatar_model.atomic import write_atomically
from avatar_model.crop import SOURCE_SIZE
from avatar_model.device import choose_device
from avatar_model.field_checks import Range, checked
from train.classifier.card import card
from train.classifier.training import architecture, train
from train.command import command
from train.data.dataset import open_dataset


@checked
def main(
    data: str = "cartoonset10k",
    out: Path = Path("runs/classifier"),
    epochs: Annotated[float, Range(0.001, 1e6)] = 18,
    minutes: Annotated[float | None, Range(0.001, 1e6)] = None,
    seed: Annotated[int, Range(0, MAX_SEED)] = 0,
    device: str | None = None,
    image_size: int = 256,
    crop: Annotated[int, Range(1, SOURCE_SIZE)] = 420,
) -> None:
    """Train the classifier and write its folder.

    Args:
        data: as for train/run.py.
        out: folder for config.json, model.safetensors and README.md.
        epochs: passes over the train split.
        minutes: stop earlier, after so many minutes of training.
        seed: of the weights, the order of images and the augmentation.
        device: cpu, cuda or cuda:1; by default a GPU if there is one.
        image_size: side of the pictures it will read, a multiple of 16, and of 64 from 128 on.
            Brows can be told apart from 256 on.
        crop: side of the centre square of a 500x500 picture that it will read, best that of the
            models it judges.
    """
    # A device that is not here, or a size it cannot read, is refused before anything is packed.
    where = choose_device(device)
    architecture(image_size)
    dataset = open_dataset(data, image_size, crop=crop)
    out.mkdir(parents=True, exist_ok=True)  # or the work would be done for nothing
    classifier, table = train(dataset, data, epochs, minutes, seed, where)
    classifier.save_pretrained(out)
    text = card(classifier, table)
    write_atomically(out / "README.md", text)
    print(text[text.index("## Measured") : text.index("## Limits")])
    print(f"wrote {out} after {classifier.training['minutes']} minutes of training")


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
