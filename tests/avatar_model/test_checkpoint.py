"""Checkpoints of two stages: what is in the folder, what is refused, and the way over the Hub."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, CheckpointError, Vocabulary
from avatar_model.checkpoint import UpscalerError, load_checkpoint, save_checkpoint
from avatar_model.stage import Stage
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network, two_stages
from tests.train.hub.hub_server import running_hub

ROOT = Path(__file__).resolve().parents[2]
LOOK = {"hair": 12, "glasses": None}
TOKEN = "a-token/of-user.1"
BOTH = {
    "config.json",
    "model.safetensors",
    "upscaler/config.json",
    "upscaler/model.safetensors",
}


def one_stage():
    return AvatarPipeline(random_network(TINY_MODEL), Vocabulary.numbered())


def load(folder, **options):
    return AvatarPipeline.from_pretrained(folder, device="cpu", **options)


def pixels(pipe, **options):
    return pipe(LOOK, seed=3, output_type="np", **options).images


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    two_stages().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "model"))


def edit(path, change):
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


class TestRoundTrip:
    def test_an_upscaler_lies_in_a_subfolder_of_the_same_form(self, saved):
        assert files(saved) == BOTH
        base, upscaler = (
            json.loads((saved / name).read_text())
            for name in ("config.json", "upscaler/config.json")
        )
        assert set(upscaler) == {*base, "base"} and upscaler["vocabulary"] == base["vocabulary"]

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
    def test_saving_and_loading_keeps_everything(self, dtype, tmp_path):
        pipe = two_stages(num_inference_steps=2)
        pipe.upscaler.training["images"] = 8000
        pipe.save_pretrained(tmp_path, dtype)
        loaded = load(tmp_path)
        assert loaded.sizes == (16, 64) and loaded.vocabulary == pipe.vocabulary
        assert loaded.upscaler.defaults == pipe.upscaler.defaults
        assert loaded.upscaler.training == {"images": 8000} and loaded.training == {}
        if dtype == torch.float32:
            assert np.array_equal(pixels(loaded), pixels(pipe))

    def test_what_was_loaded_can_be_saved_again(self, saved, tmp_path):
        load(saved).save_pretrained(tmp_path)
        assert files(tmp_path) == BOTH
        for name in BOTH:
            assert (tmp_path / name).read_bytes() == (saved / name).read_bytes()

    def test_the_upscaler_can_be_left_out(self, saved):
        pipe = load(saved, upscaler=False)
        assert pipe.upscaler is None and pipe.sizes == (16,)
        assert np.array_equal(pixels(pipe), pixels(load(saved), size=16))

    def test_a_model_of_one_stage_takes_the_place_of_one_of_two(self, folder):
        one_stage().save_pretrained(folder)
        assert files(folder) == {"config.json", "model.safetensors"}
        assert not (folder / "upscaler").exists() and load(folder).sizes == (16,)

    @pytest.mark.parametrize("model", [one_stage, two_stages])
    def test_a_graph_of_an_earlier_version_goes_with_the_weights_that_it_was_of(
        self, folder, model
    ):
        for name in ("unet.onnx", "upscaler/unet.onnx"):
            (folder / name).write_bytes(b"of the old one")
        load(folder)  # nobody reads it
        model().save_pretrained(folder)
        assert not [name for name in files(folder) if name.endswith(".onnx")]

    def test_a_strangers_file_beside_an_old_upscaler_stays(self, folder):
        (folder / "upscaler" / "notes.txt").write_text("mine")
        one_stage().save_pretrained(folder)
        assert files(folder) == {"config.json", "model.safetensors", "upscaler/notes.txt"}

    def test_an_upscaler_of_another_vocabulary_cannot_be_loaded(self, tmp_path):
        """Nor can a pipeline have one: it saves its own for both."""
        labels = Vocabulary.from_options({"hair_color": ["gold", *"bcdefghij"]})
        two_stages(vocabulary=labels).save_pretrained(tmp_path)
        assert load(tmp_path).vocabulary.label("hair_color", 0) == "gold"
        path = tmp_path / "upscaler" / "config.json"
        edit(path, lambda c: c["vocabulary"]["hair_color"]["labels"].reverse())
        with pytest.raises(
            UpscalerError, match="made for another vocabulary than that of the base"
        ):
            load(tmp_path)


class TestBadUpscaler:
    """One sentence that names it, and the base can still be had."""

    def refused(self, folder, message):
        with pytest.raises(UpscalerError, match=message) as caught:
            load(folder)
        assert "\n" not in str(caught.value) and "upscaler" in str(caught.value)
        assert load(folder, upscaler=False).sizes == (16,)

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_a_file_is_missing(self, folder, name):
        (folder / "upscaler" / name).unlink()
        self.refused(folder, f"there is no .*upscaler/{name}")

    def test_truncated_weights(self, folder):
        path = folder / "upscaler" / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        self.refused(folder, r"upscaler/model\.safetensors is not a whole safetensors file")

    def test_garbled_config(self, folder):
        (folder / "upscaler" / "config.json").write_text("{")
        self.refused(folder, r"upscaler/config\.json cannot be read")

    def test_defaults_out_of_range(self, folder):
        path = folder / "upscaler" / "config.json"
        edit(path, lambda c: c["defaults"].update(num_inference_steps=0))
        self.refused(folder, r"upscaler/config\.json: the default num_inference_steps must be")

    def test_weights_of_the_base(self, folder):
        shutil.copy(folder / "model.safetensors", folder / "upscaler")
        self.refused(folder, r"upscaler/model\.safetensors")

    def test_the_base_in_its_place(self, folder):
        for name in ("config.json", "model.safetensors"):
            shutil.copy(folder / name, folder / "upscaler")
        self.refused(folder, "does not fit its base: it is no upscaler")

    def test_a_base_that_was_trained_further(self, folder):
        random = AvatarPipeline(random_network(TINY_MODEL, seed=9), Vocabulary.numbered())
        random.save_pretrained(folder.parent / "other")
        shutil.copy(folder.parent / "other" / "model.safetensors", folder)
        self.refused(folder, "does not fit its base: it was made for a base with other weights")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"crop": 420}, "it was made for a crop of 420, and the base has 360"),
            ({"image_size": 32, "low_res_size": 8}, "pictures of 8 pixels, and the base draws 16"),
            ({"pixel_range": (0.0, 1.0)}, "a pixel_range of .*, and the base has"),
        ],
    )
    def test_made_for_another_kind_of_base(self, folder, change, message):
        vocabulary, base, _ = load_checkpoint(folder)
        upscaler = Stage(random_network(dataclasses.replace(TINY_UPSCALER, **change)))
        save_checkpoint(folder, vocabulary, base, upscaler)
        self.refused(folder, message)


class TestBadBase:
    """Nothing can be drawn then, whatever the upscaler is like."""

    def refused(self, folder, message):
        for upscaler in (True, False):
            with pytest.raises(CheckpointError, match=message) as caught:
                load(folder, upscaler=upscaler)
            assert not isinstance(caught.value, UpscalerError)

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_a_file_is_missing(self, folder, name):
        (folder / name).unlink()
        self.refused(folder, f"there is no .*{name}")

    def test_truncated_weights(self, folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        self.refused(folder, r"model\.safetensors is not a whole safetensors file")

    def test_an_upscaler_alone(self, folder):
        self.refused(
            folder / "upscaler", "holds an upscaler alone; the checkpoint is the folder of"
        )


class TestHub:
    @pytest.fixture
    def hub(self):
        with running_hub() as server:
            server.state.users[TOKEN] = "user"
            yield server

    def run(self, hub, home, code):
        """A process that knows this Hub only through its environment."""
        names = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        names |= {"HF_TOKEN": TOKEN, "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", f"from avatar_model import AvatarPipeline\n{code}"],
            cwd=ROOT,
            env=os.environ | names,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def test_both_stages_are_pushed_and_loaded_and_an_old_upscaler_goes(
        self, hub, folder, tmp_path
    ):
        one_stage().save_pretrained(tmp_path / "one")
        push = "AvatarPipeline.from_pretrained({!r}).push_to_hub('user/faces')"
        draw = (
            "pipe = AvatarPipeline.from_pretrained('user/faces')\n"
            "image = pipe({'hair': 12, 'glasses': None}, seed=3, output_type='np').images\n"
            "print(pipe.sizes, image.tobytes().hex())"
        )
        self.run(hub, tmp_path / "a", push.format(str(folder)))
        hub.state.put("models/user/faces", "README.md", b"a card")
        hub.state.put("models/user/faces", "upscaler/samples.png", b"for people")
        repo = hub.state.repos["models/user/faces"]
        assert {*repo.commits[-1].files} - {".gitattributes"} == {
            *BOTH,
            "README.md",
            "upscaler/samples.png",
        }
        drawn = self.run(hub, tmp_path / "b", draw)
        assert drawn == f"(16, 64) {pixels(load(folder)).tobytes().hex()}"
        fetched = {r.partition("/resolve/")[2].partition("/")[2] for r in hub.requests}
        assert fetched - {""} == BOTH  # what draws, and nothing else

        self.run(hub, tmp_path / "a", push.format(str(tmp_path / "one")))
        assert {*repo.commits[-1].files} - {".gitattributes"} == {
            "config.json",
            "model.safetensors",
            "README.md",
        }
        assert self.run(hub, tmp_path / "b", draw).startswith("(16,) ")


def test_a_checkpoint_tells_its_stages(saved):
    _, base, upscaler = load_checkpoint(saved)
    assert (base.config, upscaler.config) == (TINY_MODEL, TINY_UPSCALER)
    assert load_checkpoint(saved, with_upscaler=False)[2] is None
