"""Watch a model turn noise into avatars: a GIF, and a film strip to print.

    python -m train.trajectory --model assets/model --steps 20 --out trajectory.gif

The upper row is the noisy image x_t, the lower row what the model takes it for, its estimate of
x_0. All 18 attributes determine the image, so a good model's estimate is nearly done at once. Of a
model of two stages it is the base that is watched, which makes the small picture out of attributes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from avatar_model import AvatarPipeline
from avatar_model.field_checks import Range, checked
from train.command import command
from train.figures.picture import check_output, save_png
from train.figures.trajectory import record, render_strip, write_gif


@checked
def main(
    model: str = "assets/model",
    out: Path = Path("trajectory.gif"),
    strip: Path | None = None,
    strip_columns: Annotated[int, Range(2, 1000)] = 8,
    attributes: dict[str, str] | None = None,
    num_images: int = 5,
    steps: int = 20,
    sampler: str | None = None,
    guidance_scale: float | None = None,
    guidance_method: str | None = None,
    seed: int = 0,
    scale: Annotated[int | None, Range(1, 64)] = None,
) -> None:
    """Write the GIF, and the film strip if asked.

    Args:
        model: checkpoint folder or Hub repository.
        out: the GIF.
        strip: also write a still film strip here, a .png file.
        strip_columns: states on the strip.
        attributes: names and values, such as hair 12 hair_color 5; the others are drawn.
        num_images: avatars side by side.
        steps: sampling steps.
        sampler: ddim, ddpm or dpm++; by default the model's.
        guidance_scale: by default the model's.
        guidance_method: condition, classic or projected; by default the model's.
        seed: of the first avatar; the others follow.
        scale: side of an avatar's pixel in the pictures; by default avatars are about 128 wide.
    """
    check_output(out, ".gif")
    if strip:
        check_output(strip, ".png")
    pipeline = AvatarPipeline.from_pretrained(model, upscaler=False)
    trajectory = record(
        pipeline,
        attributes,
        num_images=num_images,
        num_inference_steps=steps,
        sampler=sampler,
        guidance_scale=guidance_scale,
        guidance_method=guidance_method,
        seed=seed,
    )
    scale = scale or max(1, 128 // pipeline.network.config.image_size)
    print(f"wrote {out}: {write_gif(out, trajectory, scale)} frames")
    if strip:
        save_png(strip, render_strip(trajectory, strip_columns, scale))
        print(f"wrote {strip}")


cli = command(main, __doc__)

if __name__ == "__main__":
    cli()
