import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from avatar_model.attributes import NAMES, OFFSETS, SIZES
from avatar_model.classifier import AvatarClassifier
from avatar_model.classifier_network import ClassifierConfig, ClassifierNetwork
from avatar_model.images import to_model
from train.classifier import __main__ as command
from train.classifier import calibration, measuring, training
from train.classifier.augmentation import augment
from train.classifier.card import card
from train.classifier.window import find_window
from train.data.dataset import open_dataset
from train.data.errors import DatasetError
from train.data.stand_in_faces.face import render_face

EYE, GLASSES, HAIR = (NAMES.index(name) for name in ("eye_color", "glasses", "hair"))


class TestAugment:
    """400 pictures of a red square on transparent ground."""

    @pytest.fixture
    def pictures(self):
        x = torch.full((400, 4, 64, 64), -1.0)
        x[:, 0, 16:48, 16:48] = 1.0
        x[:, 3, 16:48, 16:48] = 1.0
        return x

    @pytest.fixture
    def augmented(self, pictures):
        before = pictures.clone()
        out = augment(pictures, torch.Generator().manual_seed(0))
        assert torch.equal(pictures, before) and out.abs().max() <= 1
        return out

    def test_few_move_and_none_far(self, augmented):
        places = torch.arange(64.0)
        mass = (augmented[:, 3] + 1).clamp(min=0.5) - 0.5
        centre = (mass.sum(dim=1) * places).sum(dim=1) / mass.sum(dim=(1, 2))
        moved = (centre - 31.5).abs()
        assert (moved < 0.3).float().mean() > 0.85
        assert moved.max() < 1.2 and 0.02 < (moved > 0.7).float().mean() < 0.12

    def test_colours_stay(self, augmented):
        inside = augmented[:, :, 26:38, 26:38].mean(dim=(2, 3))
        assert (inside - torch.tensor([1.0, -1, -1, 1])).abs().max() < 0.05

    def test_some_are_soft_as_if_enlarged(self, augmented):
        edge = augmented[:, 3, 28:36, 12:20].mean(dim=1)  # across the left edge
        soft = ((edge > -0.7) & (edge < 0.7)).sum(dim=1) > 1
        assert 0.05 < soft.float().mean() < 0.3

    def test_what_is_cut_off_is_transparent(self):
        full = torch.ones(400, 4, 64, 64)
        out = augment(full, torch.Generator().manual_seed(0))
        # A frame all round, which none that is only moved has.
        framed = torch.stack([out[:, :, 0], out[:, :, -1], out[..., 0], out[..., -1]]).amax(
            dim=(0, 2, 3)
        )
        cut = framed < -0.8
        assert 0.04 < cut.float().mean() < 0.13
        assert (out[cut][:, :, 6:-6, 6:-6] > 0.5).all()  # at most 15 % of the side

    def test_the_seed_decides(self, pictures):
        some = pictures[:9]
        a, b = (augment(some, torch.Generator().manual_seed(3)) for _ in "ab")
        assert torch.equal(a, b) and not torch.equal(a, some)


class TestFindHidden:
    """Synthetic readings, so that what is hidden is known."""

    def world(self, count=600, seed=0):
        rng = np.random.default_rng(seed)
        truth = np.stack([rng.integers(0, size, count) for size in SIZES], axis=1)
        return truth, rng.random(truth.shape) < 0.97, rng

    def test_nothing_is_found_where_nothing_is_hidden(self):
        for seed in range(3):
            truth, right, _ = self.world(seed=seed)
            assert measuring.find_hidden(truth, right) == {}

    def test_eyes_behind_two_kinds_of_glasses(self):
        truth, right, rng = self.world()
        covered = np.isin(truth[:, GLASSES], [3, 8])
        right[covered, EYE] = rng.random(covered.sum()) < 1 / 5
        assert measuring.find_hidden(truth, right) == {"eye_color": {"glasses": (3, 8)}}

    def test_worse_is_not_hidden(self):
        truth, right, rng = self.world()
        covered = truth[:, GLASSES] == 3
        right[covered, EYE] = rng.random(covered.sum()) < 0.8
        assert measuring.find_hidden(truth, right) == {}

    def test_ten_images_are_needed(self):
        truth, right, _ = self.world()
        truth[:, HAIR] = np.arange(len(truth)) % 60 + 2
        truth[:9, HAIR], truth[9:19, HAIR] = 0, 1
        right[:19, EYE] = False
        assert measuring.find_hidden(truth, right) == {"eye_color": {"hair": (1,)}}

    def test_an_attribute_that_cannot_be_read_at_all_is_hidden_by_nothing(self):
        truth, right, rng = self.world()
        right[:, HAIR] = rng.random(len(truth)) < 1 / 111
        assert measuring.find_hidden(truth, right) == {}


def test_accuracy_is_measured_where_visible():
    right, visible = np.zeros((2, 4, 18), dtype=bool)
    right[0] = visible[0] = True
    right[:3, EYE], visible[:, EYE] = True, False
    found = measuring.accuracies(right, visible)
    assert found["hair"] == 1 and found["eye_color"] == 0.75  # nowhere visible: over all


def test_calibration_error():
    sure = np.repeat([0.55, 0.95], 100)
    honest = np.concatenate([np.arange(100) < 55, np.arange(100) < 95])
    assert calibration.calibration_error(calibration.reliability(sure, honest)) == pytest.approx(0)
    table = calibration.reliability(sure, np.arange(200) < 55)  # right 55 times of 100, then never
    assert [row[0] for row in table] == [100, 100]
    assert calibration.calibration_error(table) == pytest.approx(0.95 / 2)


def test_calibrating_finds_the_temperature(drawn):
    """Confidence that was multiplied by 3 is divided by it again, and no reading changes."""
    torch.manual_seed(0)
    network = ClassifierNetwork(ClassifierConfig(16, channels=(8, 8, 8), width=16)).eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    classifier = AvatarClassifier(network, drawn.vocabulary)
    probabilities = classifier(drawn.images).probabilities
    rng = np.random.default_rng(0)
    labels = np.stack(
        [
            [rng.choice(n, p=row / row.sum()) for row in probabilities[:, o : o + n].astype(float)]
            for o, n in zip(OFFSETS, SIZES, strict=True)
        ],
        axis=1,
    )
    before = classifier(drawn.images).values
    with torch.no_grad():
        network.head.weight *= 3
        network.head.bias *= 3
    data = type(drawn)(drawn.images, labels.astype(np.uint8), drawn.ids, drawn.vocabulary)
    found = calibration.calibrate(classifier, data)
    assert set(found) == set(NAMES)
    assert 2.2 < np.median(list(found.values())) < 3.8
    assert (classifier(drawn.images).values == before).all()


class TestWindow:
    def faces(self, drawn, seen):
        """Noise, in which eye colours are seen in one place, eyebrow shapes in another."""
        rng = np.random.default_rng(0)
        images = rng.integers(100, 110, (400, 128, 128, 4), dtype=np.uint8)
        attributes = np.stack([rng.integers(0, size, 400) for size in SIZES], axis=1)
        for name, (top, left, bottom, right) in seen.items():
            values = attributes[:, NAMES.index(name)].astype(np.uint8)
            images[:, top:bottom, left:right] += 12 * values[:, None, None, None]
        return type(drawn)(images, attributes.astype(np.uint8), ["x"] * 400, drawn.vocabulary)

    def test_it_holds_eyes_and_brows_and_hardly_more(self, drawn):
        seen = {
            "eye_color": (60, 30, 70, 90),
            "eyebrow_shape": (50, 40, 56, 80),
            "face_shape": (4, 4, 100, 120),
        }
        top, left, height, width = find_window(self.faces(drawn, seen), np.arange(400), 16)
        assert (height, width) == (32, 64)
        assert top <= 50 and top + height >= 70 and left <= 30 and left + width >= 90

    def test_it_stays_inside_of_the_picture(self, drawn):
        seen = {"eye_color": (0, 100, 40, 128)}
        assert find_window(self.faces(drawn, seen), np.arange(400), 16) == (0, 96, 48, 32)

    def test_without_eyes_there_is_none(self, drawn):
        assert find_window(self.faces(drawn, {}), np.arange(400), 16) == ()


def test_large_pictures_are_read_through_a_window(cache):
    data = open_dataset("drawn:64", 128, cache)
    classifier, table = training.train(data, "drawn:64", epochs=0.1, device="cpu")
    config = classifier.network.config
    assert config.overview == 64 and len(config.window) == 4
    assert f"window of\n{config.window[3]} x {config.window[2]}, where" in card(classifier, table)
    data = open_dataset("drawn:64", 64, cache)
    network = training.train_network(data, epochs=0.1, minutes=None, seed=0, device="cpu")
    assert network.config.window == () and network.config.overview == 64


def test_it_learns_what_it_is_shown(drawn):
    network = training.train_network(drawn, epochs=60, minutes=None, seed=0, device="cpu")
    rows = drawn.split("train")
    column = NAMES.index("face_color")
    with torch.no_grad():
        logits = network(to_model(drawn.images[rows]))
    part = logits[:, OFFSETS[column] : OFFSETS[column] + SIZES[column]]
    assert (part.argmax(dim=1).numpy() == drawn.attributes[rows, column]).mean() > 0.9


def test_the_same_seed_gives_the_same_weights(drawn):
    a, b, c = (
        training.train_network(drawn, epochs=1, minutes=None, seed=seed, device="cpu").state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["head.weight"], c["head.weight"])


def test_a_time_limit_ends_the_run():
    steps = list(training._progress(1000, minutes=1e-9))
    assert steps == []
    shares = [done for _, done in training._progress(4, minutes=None)]
    assert shares == [0.125, 0.375, 0.625, 0.875]


def test_too_little_data_is_refused(drawn):
    with pytest.raises(DatasetError, match="is too small: of 5 images, 5 are trained on and 0"):
        training.train(drawn.take(drawn.split("train")[:5]), "five")


def test_the_command_writes_a_folder_that_loads(cache, tmp_path, monkeypatch, drawn, capsys):
    monkeypatch.setenv("AVATAR_CACHE", str(cache))
    command.main("drawn:64", tmp_path / "out", epochs=30, image_size=16, crop=420)
    printed = capsys.readouterr().out
    assert "| hair |" in printed and "mean confidence" in printed
    loaded = AvatarClassifier.from_pretrained(tmp_path / "out", device="cpu")
    assert set(loaded.accuracy) == set(NAMES) and loaded.vocabulary == drawn.vocabulary
    assert loaded.crop == 420
    assert loaded.training["train_images"] == len(drawn.split("train"))
    text = (tmp_path / "out" / "README.md").read_text()
    assert "centre 420 x 420" in text and "window" not in text
    assert "drawn:64" in text and "Google" not in text  # no licence is claimed for other data
    assert "pip install ." in text and "no third party's" in text
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    render_face(dict.fromkeys(NAMES, 0)).save(tmp_path / "avatar.png")
    monkeypatch.chdir(tmp_path)
    exec(example.replace("path/to/this/folder", "out"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*NAMES]


def test_bad_input_gives_one_line(cache, tmp_path):
    command = [sys.executable, "-m", "train.classifier", "--data", "nowhere"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={**os.environ, "AVATAR_CACHE": str(cache)},
    )
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    assert done.stderr.startswith("error: there is no file or folder nowhere")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"epochs": 0}, "epochs must be from 0.001 to 1000000, not 0"),
        ({"minutes": -1.0}, "minutes must be from 0.001 to 1000000, not -1.0"),
        ({"crop": 0}, "crop must be from 1 to 500, not 0"),
        ({"image_size": 20}, "image_size must be a multiple of 16, not 20"),
        ({"image_size": 144}, "image_size must be a multiple of 64, not 144"),
    ],
)
def test_bad_flags_are_named(cache, tmp_path, monkeypatch, flags, message):
    monkeypatch.setenv("AVATAR_CACHE", str(cache))
    with pytest.raises(ValueError, match=message):
        command.main("drawn:4", tmp_path / "out", **flags)
    assert not (tmp_path / "out").exists()
