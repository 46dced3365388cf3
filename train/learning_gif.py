"""Watch a run learn: the same avatars drawn at every checkpoint, joined into a GIF.

    python -m train.learning_gif --run runs/mine

The trainer draws one fixed set of attributes from fixed noise at every checkpoint and keeps the
picture, whatever becomes of the checkpoint: samples/step-00001000.png in the run folder, beside
samples/real.png with the real avatars. Large avatars are kept at 128 pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from avatar_model.field_checks import Range, checked
from train.command import command
from train.figures.learning_gif import join
from train.figures.picture import check_output


@checked
def main(
    run: Path, out: Path | None = None, scale: Annotated[int | None, Range(1, 64)] = None
) -> None:
    """Join the samples of a run into a GIF.

    Args:
        run: the run folder.
        out: the GIF; by default learning.gif in the run folder.
        scale: side of an avatar's pixel in the GIF; by default 2, or 1 for large avatars.
    """
    out = out or run / "learning.gif"
    check_output(out, ".gif")
    print(f"wrote {out}: {join(run, out, scale)} frames")


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
