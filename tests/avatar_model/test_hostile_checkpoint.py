"""A stranger's checkpoint is data: whatever it says, it draws or is refused with one sentence."""

import copy
import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from avatar_model import AvatarPipeline, CheckpointError, ModelConfig, Vocabulary, VocabularyError
from avatar_model.checkpoint import UpscalerError, load_checkpoint, load_upscaler
from avatar_model.classifier import AvatarClassifier
from avatar_model.classifier_network import ClassifierConfig, ClassifierNetwork
from avatar_model.config import MAX_WORK
from tests.tiny import TINY_MODEL, random_network, two_stages

NESTED = json.loads("[" * 100 + "]" * 100)
HOSTILE = [
    *(None, True, "", "eps", "x\n" * 1000, "\ud800", -1, 0, 1, 0.5, 1e308, math.nan, 10**21),
    *(10**400, [], [[]], {}, {"num_steps": 1}, NESTED, "missing"),
]
SECONDS = 2
"""Of processors, not of a clock; nearly all take a hundredth of one."""
ALIKE = {"emphasis": "hair", "vocabulary": "eye_lid", "accuracy": "hair", "hidden": "hair"}
"""Of such objects one entry tells of the others."""


def places(value, path=()):
    """The paths to everything in a document, and to the first entry of every list."""
    yield path
    if isinstance(value, dict):
        of_kind = ALIKE.get(path[-1] if path else None)
        for name in value:
            if of_kind in (None, name):
                yield from places(value[name], (*path, name))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def mutations(document, part=()):
    """(path, value, the document with it there), for every path that begins with ``part``."""
    for path in places(document):
        if path[: len(part)] != part:
            continue
        for value in HOSTILE:
            if not path:
                yield path, value, value
                continue
            changed = copy.deepcopy(document)
            at = changed
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = value
            if value == "missing":
                del at[path[-1]]
            yield path, value, changed


def attack(folder, config, use, error, part=()):
    """Every mutation of a config, or of a part of it; how many of them were used after all."""
    document, used = json.loads(config.read_text()), 0
    for path, value, changed in mutations(document, part):
        config.write_text(json.dumps(changed))
        what, started = f"{path} = {value!r:.40}", time.process_time()
        try:
            use(folder)
            used += 1
        except error as refusal:
            sentence = str(refusal)
            assert sentence.isprintable() and len(sentence) < 600, what
            assert str(config.parent) in sentence and not sentence.endswith(": "), what
        except Exception as fault:
            pytest.fail(f"{what}: {fault!r}")
        assert time.process_time() - started < SECONDS, what
    return used


def draw(folder):
    pipeline = AvatarPipeline.from_pretrained(folder, device="cpu")
    assert pipeline(seed=0, output_type="pt").images.isfinite().all()
    return pipeline


def saved(folder, **config):
    """A network of one level, which is loaded in a moment."""
    sizes = {"image_size": 8, "channels": (16,), "blocks_up": 1}
    attention = {"self_attention": (True,), "cross_attention": (True,)}
    network = random_network(replace(TINY_MODEL, **sizes, **attention, **config))
    defaults = {"num_inference_steps": 2, "emphasis": {"hair": 0.3}}
    training = {"data": "drawn:8", "seconds": 3.5}
    pipeline = AvatarPipeline(network, Vocabulary.numbered(), defaults, training)
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model"))


@pytest.fixture
def folder(model, tmp_path):
    return Path(shutil.copytree(model, tmp_path / "copy"))


def test_a_config_draws_or_is_refused(folder):
    used = attack(folder, folder / "config.json", draw, CheckpointError)
    assert used > 30  # such as another crop, or without what has a default


@pytest.mark.parametrize(
    ("prediction", "schedule", "options"),
    [
        ("eps", "linear", {"num_steps": 300, "beta_start": 1e-4, "beta_end": 0.02}),
        ("v", "sigmoid", {"start": -3, "end": 3, "tau": 1, "input_scale": 1}),
    ],
)
def test_a_schedule_draws_or_is_refused(tmp_path, prediction, schedule, options):
    kind = {"prediction": prediction, "input_scaling": "unit", "schedule": schedule}
    saved(tmp_path, **kind, schedule_options=options)
    part = ("model", "schedule_options")
    assert attack(tmp_path, tmp_path / "config.json", draw, CheckpointError, part) > 3


@pytest.mark.parametrize("part", [("base",), ("model",)])
def test_a_config_of_an_upscaler_draws_or_the_upscaler_is_refused(tmp_path, part):
    two_stages().save_pretrained(tmp_path)
    vocabulary, base, _ = load_checkpoint(tmp_path, with_upscaler=False)

    def use(folder):
        upscaler = load_upscaler(folder / "upscaler", base, vocabulary)
        pipeline = AvatarPipeline(base.network, vocabulary, upscaler=upscaler)
        assert pipeline(seed=0, output_type="pt").images.isfinite().all()

    config = tmp_path / "upscaler" / "config.json"
    attack(tmp_path, config, use, UpscalerError, part)


def test_a_config_of_a_classifier_reads_or_is_refused(tmp_path):
    network = ClassifierNetwork(ClassifierConfig(16, channels=(8, 8, 8), width=12))
    hidden = {"hair": {"glasses": [1, 2]}}
    AvatarClassifier(network, Vocabulary.numbered(), {"hair": 0.5}, hidden).save_pretrained(
        tmp_path
    )
    pixels = torch.zeros(1, 16, 16, 4, dtype=torch.uint8).numpy()

    def read(folder):
        reading = AvatarClassifier.from_pretrained(folder, device="cpu")(pixels)
        assert math.isfinite(reading.probabilities.sum())

    assert attack(tmp_path, tmp_path / "config.json", read, CheckpointError) > 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[" * 100_000, "maximum recursion depth|too deep"),
        (b'{"format": ' + b"1" * 900_000 + b"}", "has format inf|is inf"),
        (b'{"format": 1, "training": "' + b"x" * 10**6 + b'"}', "more than 1,000,000 bytes"),
        (b'{"format": 1, "training": "\xff"}', "codec can't decode"),
        (b"\xef\xbb\xbf{}", "Unexpected UTF-8 BOM"),
        (b'{"format": 2}', "has format 2; this version reads format 1"),
        (b'{"format": 1}', "does not describe a model: it has no 'model'"),
    ],
)
def test_a_file_that_is_no_config_is_refused(folder, content, message):
    (folder / "config.json").write_bytes(content)
    started = time.process_time()
    with pytest.raises(CheckpointError, match=rf"config\.json .*({message})"):
        draw(folder)
    assert time.process_time() - started < SECONDS


def test_what_was_trained_on_something_without_a_name_in_unicode_can_be_loaded(tmp_path):
    saved(tmp_path)
    pipeline = AvatarPipeline.from_pretrained(tmp_path, device="cpu")
    pipeline.training["data"] = "pict\udcffres"
    pipeline.save_pretrained(tmp_path)
    assert draw(tmp_path).training["data"] == "pict?res"


@pytest.mark.parametrize(
    "sizes",
    [
        {"canvas_channels": 4096, "image_size": 256},  # 58 GB
        {"channels": [4096] * 3, "self_attention": [True] * 3, "cross_attention": [True] * 3},
        {"blocks_down": 16, "blocks_up": 16},
    ],
)
def test_a_network_without_its_weights_is_never_built(folder, sizes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["model"] |= sizes
    path.write_text(json.dumps(config))
    started = time.process_time()
    with pytest.raises(CheckpointError, match=r"another architecture|has shape|too (many|large)"):
        draw(folder)
    assert time.process_time() - started < SECONDS


def change_weights(folder, change):
    path = folder / "model.safetensors"
    weights = {name: value.float() for name, value in load_file(path).items()}
    change(weights)
    save_file(weights, path)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_refused(folder, value):
    change_weights(folder, lambda weights: weights["unet.stem.bias"].data[3:4].fill_(value))
    with pytest.raises(CheckpointError, match="stem.bias has values that are not finite"):
        draw(folder)


def test_weights_that_lead_to_what_is_not_finite_are_refused(folder):
    change_weights(folder, lambda weights: weights["tau.token_values"].fill_(1e30))
    with pytest.raises(CheckpointError, match="computed with these weights is not finite"):
        draw(folder)


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.int64, torch.bool, torch.float8_e4m3fn, torch.complex64]
)
def test_weights_of_another_type_are_refused(folder, dtype):
    path = folder / "model.safetensors"
    save_file({name: v.to(dtype) for name, v in load_file(path).items()}, path)
    with pytest.raises(CheckpointError, match="has numbers of type"):
        draw(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_of_any_precision_are_read(folder, dtype):
    path = folder / "model.safetensors"
    save_file({name: v.to(dtype) for name, v in load_file(path).items()}, path)
    assert next(draw(folder).network.parameters()).dtype == torch.float32


def test_a_classifier_whose_weights_make_no_number_is_refused(tmp_path):
    network = ClassifierNetwork(ClassifierConfig(16, channels=(8, 8, 8), width=12))
    AvatarClassifier(network, Vocabulary.numbered()).save_pretrained(tmp_path)
    change_weights(tmp_path, lambda weights: weights["stem.1.running_var"].fill_(-1))
    # The count of batches that BatchNorm has seen is a whole number.
    with pytest.raises(CheckpointError, match="num_batches_tracked has numbers of type F32"):
        AvatarClassifier.from_pretrained(tmp_path, device="cpu")
    AvatarClassifier(network, Vocabulary.numbered()).save_pretrained(tmp_path)
    network.stem[1].running_var.fill_(-1)
    AvatarClassifier(network, Vocabulary.numbered()).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="computed with these weights is not finite"):
        AvatarClassifier.from_pretrained(tmp_path, device="cpu")


@pytest.mark.parametrize(
    "label",
    [
        *("", " ", "\t", "two\nlines", "two\u2028lines", "a\x1b[31m", "half \ud800"),
        *("turned \u202eround", "x" * 65, 3, None, ["x"]),
    ],
)
def test_a_label_that_cannot_stand_on_a_page_is_refused(label):
    entries = Vocabulary.numbered().to_dict()
    entries["eye_lid"]["labels"][0] = label
    with pytest.raises(VocabularyError, match="eye_lid: a label must be one line of 1 to 64"):
        Vocabulary.from_dict(entries)


@pytest.mark.parametrize("label", ["x" * 64, "<b>&amp;", "lächelnd", "笑顔", "مبتسم", "👩‍🦰", "1"])
def test_a_label_may_be_any_line_of_text(label):
    vocabulary = Vocabulary.from_options({"eye_lid": [label, "half"]})
    assert vocabulary.label("eye_lid", 0) == label


@pytest.mark.parametrize("count", [-1, 0.5, 1.0, True, "1", 10**13, None])
def test_counts_are_whole_numbers(count):
    entries = Vocabulary.numbered().to_dict()
    entries["eye_lid"]["counts"][0] = count
    with pytest.raises(VocabularyError, match="eye_lid: counts must be whole numbers from 0 to"):
        Vocabulary.from_dict(entries)


@pytest.mark.parametrize(
    "config",
    [
        {"image_size": 512, "patch_size": 4, "low_res_size": 128},
        {"image_size": 512, "patch_size": 2, "low_res_size": 256},
        {"image_size": 128, "patch_size": 1, "self_attention": (True,) * 4},
    ],
)
def test_larger_networks_than_ours_are_allowed(config):
    """Those of the blog's size, 10 billion multiply-adds at 64 pixels."""
    blog = {"channels": (128, 256, 512, 1024), "cross_attention": (True,) * 4}
    ModelConfig(**{"self_attention": (False,) * 4, **blog, **config})
    assert MAX_WORK >= 1e12
