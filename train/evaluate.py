"""How close drawn avatars come to the real ones with the same 18 attributes.

    python -m train.evaluate --model assets/model --data ~/cartoonset10k.tgz

All 18 attributes determine a Cartoon Set image, so a drawn avatar has one right answer and can be
compared with it pixel by pixel. Only the validation split is used: combinations never trained on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tyro

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.attributes import NAMES
from avatar_model.images import on_white, psnr

from .cartoon_set import DatasetError
from .packed import PackedSet, open_dataset
from .sample_grid import save_pairs

BATCH = 64


def paired_psnr(
    pipeline: AvatarPipeline, data: PackedSet, **options: object
) -> tuple[np.ndarray, np.ndarray]:
    """Draw every combination of ``data`` and compare with the real image, on white.

    Args:
        options: for the pipeline, such as ``num_inference_steps``.

    Returns:
        PSNR in dB, float64 [N], and the drawn avatars, uint8 premultiplied RGBA [N, H, W, 4].
    """
    drawn = []
    for start in range(0, len(data.ids), BATCH):
        rows = data.attributes[start : start + BATCH]
        requests = [dict(zip(NAMES, row.tolist(), strict=True)) for row in rows]
        seeds = range(start, start + len(rows))
        drawn.append(pipeline(requests, seed=seeds, output_type="np", **options).images)
    images = np.concatenate(drawn)
    return psnr(on_white(images), on_white(data.images)), images


def main(
    model: str = "assets/model",
    data: str = "cartoonset10k",
    num_images: int | None = None,
    steps: tuple[int, ...] = (1, 2, 4, 8),
    scales: tuple[float, ...] = (1.0,),
    samplers: tuple[str, ...] = ("ddim",),
    sheet: Path | None = None,
    sheet_pairs: int = 40,
) -> None:
    """Print the paired PSNR on the validation split for each setting.

    Args:
        model: checkpoint folder or Hub repository.
        data: as for train/run.py.
        num_images: how many unseen combinations; by default all of the split.
        steps: numbers of sampling steps to try.
        scales: guidance scales to try.
        samplers: samplers to try.
        sheet: also write a contact sheet of real and drawn pairs here, with the model's defaults.
        sheet_pairs: pairs on the sheet, the first of the split.
    """
    pipeline = AvatarPipeline.from_pretrained(model)
    dataset = open_dataset(data, pipeline.network.config.image_size)
    rows = dataset.split("validation")
    shown = dataset.take(rows[:num_images])
    for sampler in samplers:
        for scale in scales:
            for n in steps:
                values, _ = paired_psnr(
                    pipeline, shown, num_inference_steps=n, guidance_scale=scale, sampler=sampler
                )
                result = {
                    "sampler": sampler,
                    "guidance_scale": scale,
                    "num_inference_steps": n,
                    "images": len(values),
                    "psnr_db": round(float(values.mean()), 2),
                    "psnr_db_5th_percentile": round(float(np.percentile(values, 5)), 2),
                }
                print(json.dumps(result), flush=True)
    if sheet:
        pairs = dataset.take(rows[:sheet_pairs])
        _, images = paired_psnr(pipeline, pairs)
        save_pairs(sheet, pairs.images, images, scale=2)
        print(f"wrote {sheet}")


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except (CheckpointError, DatasetError, ValueError) as error:
        sys.exit(f"error: {error}")
