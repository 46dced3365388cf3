import dataclasses
import re
from itertools import pairwise

import pytest
import torch

from avatar_model import AvatarPipeline
from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_MODEL, random_network
from train import presets
from train.command import parse_run
from train.data.dataset import open_dataset
from train.loop.config import TrainConfig
from train.loop.learning_rate import LearningRate
from train.loop.low_res import open_low_res
from train.loop.trainer import Trainer

BLOG_PARAMETERS, SEQUEL_PARAMETERS = 76_464_439, 188_511_363


def parameters(config):
    with torch.device("meta"):
        return AvatarNetwork(config.model).num_parameters()


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_trains(name, cache, tmp_path):
    """Its own network, but for the width, on small pictures: what a preset changes is exercised."""
    preset = presets.load(name)
    model = dataclasses.replace(
        preset.model,
        tau_width=64,
        low_res_size=preset.model.low_res_size and 16,
        image_size=16 * preset.model.patch_size if preset.model.is_upscaler else 16,
        channels=tuple(c // 8 for c in preset.model.channels),
        num_heads=min(preset.model.num_heads, 2),
    )
    config = dataclasses.replace(
        preset,
        data="drawn:64",
        run=tmp_path,
        steps=6,
        batch_size=4,
        num_inference_steps=2,
        device="cpu",
        model=model,
    )
    data = open_dataset("drawn:64", model.image_size, cache, model.crop)
    low_res = None
    if model.is_upscaler:
        base = dataclasses.replace(TINY_MODEL, crop=model.crop)
        pipeline = AvatarPipeline(random_network(base), data.vocabulary)
        low_res = open_low_res(pipeline, "drawn:64", data)
    checkpoint = Trainer(config, data, low_res=low_res).train()
    assert checkpoint.name == "step-00000006"


def test_the_blogs_networks_have_the_parameters_that_it_counts():
    assert parameters(presets.load("blog-7-final")) == pytest.approx(BLOG_PARAMETERS, rel=0.02)
    assert parameters(presets.load("blog-8-diffusers")) == SEQUEL_PARAMETERS


def test_the_blogs_presets_tell_its_story_one_change_at_a_time():
    def settings(number):
        (name,) = (n for n in presets.names() if n.startswith(f"blog-{number}-"))
        config = presets.load(name).to_dict()
        return config.pop("model") | config

    def changed(a, b):
        a, b = settings(a), settings(b)
        return {key for key in a if a[key] != b[key]} - {"run"}

    unguided = {"condition_dropout", "dropout_per_attribute", "guidance_scale"}
    assert changed(1, 2) == {"pixel_range"}
    assert changed(2, 4) == {"conditioning", "cross_attention"} | unguided
    assert changed(3, 4) == {"tau_encoding"}
    assert changed(4, 5) == {"tau_projections"}
    assert changed(4, 6) == {"num_heads"}
    assert changed(4, 7) == {"num_heads", "tau_projections"}


def test_the_blogs_presets_condition_through_attention_alone_on_rgb():
    for number in range(1, 9):
        (name,) = (n for n in presets.names() if n.startswith(f"blog-{number}-"))
        config = presets.load(name)
        with torch.device("meta"):
            network = AvatarNetwork(config.model)
        names = {n.split(".")[1] for n, _ in network.named_parameters() if n.startswith("tau.")}
        conditional = number > 2
        assert names <= {"token_values", "token_open", "token_mlp"} and bool(names) == conditional
        assert config.guidance_scale == (2.0 if conditional else 1.0)
        assert config.condition_dropout == (0.2 if conditional else 0.0)
        assert network.config.image_channels == 3
        assert not config.ema and not config.spike_factor and not config.grad_clip
        assert not config.terminal_share
        theirs = ("adamw", "cosine", True) if number == 8 else ("adam", "step", False)
        assert (config.optimizer, config.lr_schedule, config.warmup_steps > 0) == theirs


def test_a_flag_overrides_a_preset():
    config = parse_run(["--preset", "blog-4-binary-attributes", "--batch-size=32", "--run=r"])
    assert (config.batch_size, config.optimizer) == (32, "adam")
    assert config.model.schedule_options["num_steps"] == 300
    assert parse_run([]) == presets.load("default")


def test_help_lists_every_preset_in_one_line(capsys):
    with pytest.raises(SystemExit):
        parse_run(["--help"])
    lines = capsys.readouterr().out.splitlines()
    for name in presets.names():
        assert any(name in line and presets.summary(name) in line for line in lines)


def rates(schedule, steps=100, **options):
    config = TrainConfig(steps=steps, warmup_steps=10, lr_schedule=schedule, **options)
    rate = LearningRate(config)
    return [rate.factor(step) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant", "step", "plateau"])
def test_every_schedule_warms_up_and_never_rises_afterwards(schedule):
    factors = rates(schedule, lr_step_size=40)
    assert factors[0] < 0.11 and max(factors) <= 1
    assert all(a >= b for a, b in pairwise(factors[10:]))


def test_the_ends_of_the_schedules():
    assert rates("linear")[100] == 0
    assert rates("cosine")[100] == pytest.approx(0)
    assert rates("cosine")[50] == pytest.approx(0.5)
    assert rates("constant")[100] == 1
    assert rates("step", lr_step_size=40)[39:41] == [1, 0.5]
    assert rates("step", lr_step_size=40)[100] == 0.25


def test_a_plateau_cuts_the_rate_once_per_patience():
    rate = LearningRate(TrainConfig(lr_schedule="plateau", plateau_patience=3, warmup_steps=0))
    cuts = [rate.observe(loss) for loss in (1.0, 0.5, 0.499, 0.6, 0.5, 0.4, 0.4, 0.4, 0.4)]
    assert cuts == [False, False, False, False, True, False, False, False, True]
    assert rate.factor(5) == 0.25


def test_help_has_a_sentence_for_every_flag(capsys):
    with pytest.raises(SystemExit):
        parse_run(["--help"])
    text = " ".join(re.sub(r"[^\x20-\x7e]", " ", capsys.readouterr().out).split())
    fields = [f.name for f in dataclasses.fields(TrainConfig) if f.name != "model"]
    fields += [f"model.{f.name}" for f in dataclasses.fields(TINY_MODEL)]
    for flag in (f"--{name.replace('_', '-')}" for name in fields):
        told = re.search(rf"{flag}[, ](.*?)\(default", text)
        assert told and re.search(r"[a-z]{3}.*\.", told[1]), flag
