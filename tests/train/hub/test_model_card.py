"""The model card: that of two stages, and what all cards tell; more is checked with the Hub."""

import dataclasses
import re

import pytest
import yaml

from avatar_model import AvatarPipeline, Vocabulary
from tests.tiny import TINY_MODEL, random_network, two_stages
from train.hub.model_card import write_model_card


def card_of(folder, pipeline, metrics):
    write_model_card(folder, pipeline, metrics)
    return (folder / "README.md").read_text(encoding="utf-8")


def trained(base, upscaler, **defaults):
    pipeline = two_stages(**defaults)
    pipeline.base.training, pipeline.upscaler.training = base, upscaler
    return pipeline


def test_both_stages_and_what_each_was_trained_on(tmp_path):
    pipeline = trained(
        {"data": "/home/somebody/cartoonset9k.tar", "steps": 6000, "seconds": 5400},
        {"data": "cartoonset9k.tar", "base": "/home/somebody/model", "seconds": 600},
        num_inference_steps=2,
    )
    pipeline.defaults["guidance_scale"] = 1.5
    text = card_of(tmp_path, pipeline, {"psnr_db": 32.1, "psnr_db_at_16": 33.4})
    parameters = [
        f"{stage.network.num_parameters():,}" for stage in (pipeline.base, pipeline.upscaler)
    ]
    inputs = "the attributes and the 16 x 16 picture"
    for row in (
        "64 x 64 pixels\nwith a transparent background",
        "centre 360 x 360 of the 500 x 500",
        # Guidance doubles the base's 4 steps; the upscaler has none.
        f"| base | 16 x 16 | the attributes | {parameters[0]} | x0, `flow` | 8 |",
        f"| upscaler | 64 x 64 | {inputs} | {parameters[1]} | x0, `flow` | 2 |",
        "| | base | upscaler |",
        "| Data | cartoonset9k.tar | cartoonset9k.tar |",
        "| Steps | 6,000 |  |",
        "| Time | 1.5 hours | 10 minutes |",
        "| Base |  | model |",
        "| PSNR (dB) at 16 pixels | 33.4 |",
        "the upscaler: 2 sampling steps, sampler ddim.",
        "`size=16` draws the small picture alone",
    ):
        assert row in text, row
    assert not re.search(r"somebody|\\{[{%]|\n\n\n", text)
    assert card_of(tmp_path, pipeline, {"psnr_db": 32.1, "psnr_db_at_16": 33.4}) == text


def test_the_data_of_both_decides_the_licence(tmp_path):
    pipeline = trained({"data": "cartoonset9k.tar"}, {"data": "drawn:200"})
    text = card_of(tmp_path, pipeline, {"psnr_db": 20})
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "cc-by-4.0" and "stand-in" not in text
    dataset = front["model-index"][0]["results"][0]["dataset"]
    assert dataset["name"] == "cartoonset9k.tar and drawn:200"


@pytest.mark.parametrize("kind", ["conditional", "unconditional", "two stages", "diffusers"])
def test_the_example_of_the_card_runs_and_its_claims_are_true(kind, tmp_path, monkeypatch):
    if kind == "two stages":
        pipeline = two_stages()
    else:
        nothing = {"conditioning": (), "canvas_channels": 0, "cross_attention": (False, False)}
        diffusers = {"unet": "diffusers", "patch_size": 1, "blocks_up": 2, "image_channels": 3}
        diffusers |= {"conditioning": ("attention",), "canvas_channels": 0}
        changes = {"unconditional": nothing, "diffusers": diffusers}
        config = dataclasses.replace(TINY_MODEL, **changes.get(kind, {}))
        pipeline = AvatarPipeline(random_network(config), Vocabulary.numbered())
    pipeline.save_pretrained(tmp_path / "model")
    card = card_of(tmp_path / "model", pipeline, {"psnr_db": 20.0})
    [example] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    said = {}
    exec(example.replace("path/to/this/folder", "model"), said)
    assert len(said["out"].images) == 4 and (tmp_path / "avatar.png").exists()
    assert ("18 attributes" in card) == (kind != "unconditional")
    assert ("from noise alone" in card) == (kind == "unconditional")
    assert ("transparent background" in card) == (kind != "diffusers")
    assert ("pip install diffusers" in card) == (kind == "diffusers")
    assert "pip install ." in card
