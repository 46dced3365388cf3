import json
from collections import Counter

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, CheckpointError, Vocabulary
from avatar_model.attributes import ATTRIBUTES, NAMES
from avatar_model.network import AvatarNetwork
from tests.tiny import TINY_MODEL

LOOK = {"hair": 12, "hair_color": "gold", "glasses": None}


@pytest.fixture(scope="module")
def pipe():
    torch.manual_seed(0)
    network = AvatarNetwork(TINY_MODEL)
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    counts["face_shape"] = [1] * 5 + [0, 0]
    labels = {"hair_color": ["gold", *"bcdefghij"]}
    return AvatarPipeline(network, Vocabulary.from_options(labels, counts))


def pixels(out):
    return [np.asarray(image).astype(int) for image in out.images]


def test_draws_transparent_images_with_complete_attributes_and_seeds(pipe):
    out = pipe(LOOK, num_images=3, seed=7)
    assert [(i.mode, i.size) for i in out.images] == [("RGBA", (16, 16))] * 3
    assert out.seeds == [7, 8, 9]
    for values in out.attributes:
        assert set(values) == set(NAMES)
        assert (values["hair"], values["hair_color"]) == (12, 0)
    assert len({tuple(v.values()) for v in out.attributes}) == 3  # Any is drawn per image


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpm++"])
@pytest.mark.parametrize(
    "guidance",
    [
        {"guidance_scale": 1.0},
        {"guidance_scale": 2.5, "guidance_method": "classic"},
        {"guidance_scale": 2.5, "guidance_method": "condition"},
        {"guidance_scale": 0.5, "guidance_method": "condition"},
        {"guidance_scale": 2.5, "guidance_method": "projected", "guidance_interval": (0.2, 0.8)},
    ],
)
def test_an_image_is_the_same_in_any_batch(pipe, sampler, guidance):
    options = {"sampler": sampler, "num_inference_steps": 3, **guidance}
    alone = pipe(LOOK, seed=9, **options)
    batch = pipe([{"hair": 1}, LOOK, {}], seed=[3, 9, 5], **options)
    assert batch.attributes[1] == alone.attributes[0]
    assert np.abs(pixels(batch)[1] - pixels(alone)[0]).max() <= 1


@pytest.mark.parametrize(
    ("guidance", "conditions"),
    [
        ({}, 1),
        ({"guidance_scale": 2.5, "guidance_method": "classic"}, 2),
        ({"guidance_scale": 2.5, "guidance_method": "projected"}, 2),
        ({"guidance_scale": 2.5, "guidance_method": "condition"}, 1),
        ({"guidance_scale": 2.5, "guidance_method": "classic", "guidance_interval": (0, 0.5)}, 2),
        ({"guidance_scale": 2.5, "guidance_method": "condition", "guidance_interval": (0, 0.5)}, 2),
    ],
)
def test_conditions_are_computed_once_per_avatar_whatever_the_steps(
    pipe, guidance, conditions, monkeypatch
):
    calls = Counter()
    unet = pipe.network.unet
    for name, module in (
        ("tau", pipe.network.tau),
        *((f"kv {i}", layer.kv) for i, layer in enumerate(unet.cross_attentions())),
        ("step", unet.stem),
    ):

        def counted(*args, name=name, forward=module.forward):
            calls[name] += 1
            return forward(*args)

        monkeypatch.setattr(module, "forward", counted)
    pipe(LOOK, num_images=2, num_inference_steps=5, seed=1, **guidance)
    assert calls.pop("step") == 5
    assert len(calls) == 4 and set(calls.values()) == {conditions}


def test_drawn_attributes_can_be_asked_for_again(pipe):
    first = pipe({}, seed=4)
    again = pipe(first.attributes[0], seed=4)
    assert np.array_equal(pixels(first)[0], pixels(again)[0])


def test_without_a_seed_images_differ_and_the_seed_is_told(pipe):
    out = pipe({})
    assert out.attributes == pipe({}, seed=out.seeds).attributes
    assert pipe({}).seeds != out.seeds


def test_a_generator_decides_the_seeds(pipe):
    a, b = (pipe({}, num_images=2, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert a.seeds == b.seeds and a.attributes == b.attributes


def test_output_types(pipe):
    arrays = pipe(LOOK, seed=1, output_type="np").images
    tensors = pipe(LOOK, seed=1, output_type="pt").images
    assert arrays.dtype == np.uint8 and arrays.shape == (1, 16, 16, 4)
    assert tensors.shape == (1, 4, 16, 16) and tensors.abs().max() <= 1


def test_callback_is_called_after_every_step(pipe):
    seen = []
    pipe({}, num_inference_steps=3, callback=lambda i, t, x, x0: seen.append((i, x0.shape)))
    assert seen == [(i, (1, 4, 16, 16)) for i in range(3)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attributes": {"hare": 1}}, "unknown attribute 'hare'"),
        ({"attributes": {"face_shape": 6}}, "face_shape 6 .* never occurred"),
        ({"attributes": "blond"}, "attributes must be a mapping"),
        ({"attributes": ["blond"]}, "attributes must be a mapping"),
        ({"attributes": []}, "0 images asked for; one call draws 1..256"),
        ({"num_images": 1000}, "num_images must be a whole number from 1 to 256, not 1000"),
        ({"attributes": [{}] * 200, "num_images": 2}, "400 images asked for"),
        ({"num_images": 1.5}, "num_images must be a whole number"),
        ({"num_inference_steps": 0}, "num_inference_steps must be .* 1 to 1000, not 0"),
        ({"num_inference_steps": 10_000}, "num_inference_steps must be .* not 10000"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be a number from 0 to 20, not nan"),
        ({"guidance_scale": "2"}, "guidance_scale must be a number"),
        ({"sampler": "euler"}, "sampler must be one of ddim, ddpm, dpm"),
        ({"guidance_method": "apg"}, "guidance_method must be one of condition, classic, pro"),
        ({"guidance_interval": 0.5}, "guidance_interval must be two numbers, the lower one first"),
        ({"guidance_interval": (0.8, 0.2)}, "guidance_interval must be two numbers, the lower"),
        ({"guidance_interval": (0, 2)}, "guidance_interval must be a number from 0 to 1, not 2"),
        ({"output_type": "jpeg"}, "output_type must be one of pil, np, pt"),
        ({"seed": "seven"}, "seed must be a whole number from 0 to 4294967295, not 'seven'"),
        ({"seed": -1}, "seed must be .* not -1"),
        ({"seed": [1, 2]}, "2 seeds for 1 images"),
        ({"seed": 1, "generator": torch.Generator()}, "give seed or generator, not both"),
    ],
)
def test_bad_arguments_are_named(pipe, arguments, message):
    with pytest.raises(ValueError, match=message):
        pipe(**arguments)


def test_saving_and_loading_keeps_everything(pipe, tmp_path):
    pipe.defaults["num_inference_steps"] = 2
    pipe.save_pretrained(tmp_path / "model", dtype=torch.float32)
    loaded = AvatarPipeline.from_pretrained(tmp_path / "model", device="cpu")
    assert loaded.vocabulary == pipe.vocabulary
    assert loaded.defaults == pipe.defaults
    assert np.array_equal(pixels(loaded(LOOK, seed=3))[0], pixels(pipe(LOOK, seed=3))[0])


def test_half_precision_on_disk_is_enough(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    loaded = AvatarPipeline.from_pretrained(tmp_path, device="cpu")
    a, b = (p(LOOK, seed=3, output_type="pt").images for p in (pipe, loaded))
    assert (a - b).abs().max() < 0.02
    assert all(p.dtype == torch.float32 for p in loaded.network.parameters())


class TestBrokenCheckpoints:
    @pytest.fixture
    def folder(self, pipe, tmp_path):
        pipe.save_pretrained(tmp_path)
        return tmp_path

    def refused(self, folder, message):
        with pytest.raises(CheckpointError, match=message):
            AvatarPipeline.from_pretrained(folder, device="cpu")

    def test_no_folder(self, tmp_path):
        self.refused(tmp_path / "nowhere", "there is no checkpoint folder .*nowhere")

    def test_no_config(self, folder):
        (folder / "config.json").unlink()
        self.refused(folder, r"there is no .*config\.json; is this a checkpoint folder")

    def test_no_weights(self, folder):
        (folder / "model.safetensors").unlink()
        self.refused(folder, r"there is no .*model\.safetensors")

    def test_truncated_weights(self, folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        self.refused(folder, r"model\.safetensors is not a whole safetensors file")

    def test_a_pickle_instead_of_weights(self, folder):
        torch.save({"a": torch.ones(1)}, folder / "model.safetensors")
        self.refused(folder, r"model\.safetensors is not a whole safetensors file")

    def test_config_of_another_architecture(self, folder):
        self.edit(folder, lambda c: c["model"].update(channels=[32, 64]))
        self.refused(folder, r"model\.safetensors: .* has shape .* the config asks for")

    def test_config_with_another_number_of_blocks(self, folder):
        self.edit(folder, lambda c: c["model"].update(blocks_up=3))
        self.refused(folder, "belongs to another architecture: it lacks .* tensors")

    def test_garbled_config(self, folder):
        (folder / "config.json").write_text("{")
        self.refused(folder, r"config\.json cannot be read")

    def test_config_of_a_later_format(self, folder):
        self.edit(folder, lambda c: c.update(format=2))
        self.refused(folder, r"config\.json has format 2; this version reads format 1")

    def test_vocabulary_without_an_attribute(self, folder):
        self.edit(folder, lambda c: c["vocabulary"].pop("hair"))
        self.refused(folder, "does not describe a model: the vocabulary lacks hair")

    def edit(self, folder, change):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))
