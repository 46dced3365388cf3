import json

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, CheckpointError, Vocabulary
from avatar_model.attributes import ATTRIBUTES, NAMES, OFFSETS, SIZES, to_row
from avatar_model.classifier import AvatarClassifier
from avatar_model.classifier_network import ClassifierConfig, ClassifierNetwork

GLASSES, COLOR = NAMES.index("glasses"), NAMES.index("glasses_color")


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    network = ClassifierNetwork(ClassifierConfig(16, channels=(8, 8, 8), width=12))
    torch.nn.init.normal_(network.head.weight)
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    counts["face_shape"] = [1] * 5 + [0, 0]
    return AvatarClassifier(
        network,
        Vocabulary.numbered(counts),
        accuracy=dict.fromkeys(NAMES, 0.5),
        hidden={"glasses_color": {"glasses": [11]}},
        training={"data": "a tiny set"},
    )


def pictures(count, size=16):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 4), dtype=np.uint8)


def test_a_reading_is_a_distribution_for_every_attribute(classifier):
    reading = classifier(pictures(5))
    assert reading.probabilities.shape == (5, 217) and reading.probabilities.dtype == np.float32
    assert reading.features.shape == (5, 12) and reading.features.dtype == np.float32
    assert reading.values.shape == (5, 18) and reading.values.dtype == np.int64
    for column, (offset, size) in enumerate(zip(OFFSETS, SIZES, strict=True)):
        part = reading.probabilities[:, offset : offset + size]
        assert np.allclose(part.sum(axis=1), 1, atol=1e-5)
        assert (part.argmax(axis=1) == reading.values[:, column]).all()


def test_values_that_never_occurred_are_never_read(classifier):
    network = classifier.network
    start = OFFSETS[NAMES.index("face_shape")]
    before = network.head.bias.detach().clone()
    with torch.no_grad():
        network.head.bias[start + 5 : start + 7] = 1000.0  # as wrong as can be
    reading = classifier(pictures(3))
    with torch.no_grad():
        network.head.bias.copy_(before)
    assert (reading.probabilities[:, start + 5 : start + 7] == 0).all()
    assert (reading.values[:, NAMES.index("face_shape")] < 5).all()


def test_logits_are_linear_in_the_features(classifier):
    x = torch.randn(2, 4, 16, 16)
    with torch.no_grad():
        network = classifier.network
        assert torch.allclose(network(x), network.head(network.features(x)))


def test_batches_change_nothing(classifier):
    many = pictures(70)  # more than one batch
    together = classifier(many)
    alone = classifier(many[68:69])
    assert together.values.shape == (70, 18)
    assert np.allclose(together.probabilities[68], alone.probabilities[0], atol=1e-5)


def test_no_pictures_give_an_empty_reading(classifier):
    reading = classifier(pictures(0))
    assert reading.values.shape == (0, 18)
    assert reading.probabilities.shape == (0, 217) and reading.features.shape == (0, 12)


@pytest.mark.parametrize(
    "wrong",
    [
        pictures(1, size=32),
        pictures(1)[0],
        pictures(1)[..., :3],
        pictures(1).astype(np.float32),
    ],
)
def test_other_pictures_are_refused(classifier, wrong):
    with pytest.raises(ValueError, match=r"reads uint8 \[N, 16, 16, 4\], not"):
        classifier(wrong)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 20}, "image_size must be a multiple of 8, not 20"),
        ({"channels": ()}, "channels must be 1 to 6 numbers, not 0"),
        ({"channels": (8,) * 7}, "channels must be 1 to 6 numbers, not 7"),
        ({"overview_size": 24}, "overview_size must divide image_size 64, not be 24"),
        ({"image_size": 60, "overview_size": 20}, "overview_size must be a multiple of 8, not 20"),
        ({"window": (8, 8, 8)}, "window must be 4 numbers or none, not 3"),
        ({"window": (8, 8, 0, 8)}, "window's height must be a multiple of 8, not 0"),
        ({"window": (8, 8, 8, 12)}, "window's width must be a multiple of 8, not 12"),
        ({"window": (8, 40, 8, 32)}, r"window \(8, 40, 8, 32\) is not inside of 64 pixels"),
        ({"image_size": 512, "channels": (8, 1024)}, "1024 channels are too many for 512 pixels"),
    ],
)
def test_a_network_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ClassifierConfig(**fields)


def test_a_window_is_looked_at_in_all_its_pixels_and_the_rest_shrunk():
    torch.manual_seed(0)
    config = ClassifierConfig(64, (8, 8), 1, 12, overview_size=16, window=(20, 24, 8, 16))
    network = ClassifierNetwork(config).eval()
    x = torch.randn(1, 4, 64, 64)
    overview, detail = network.features(x).split(12, dim=1)
    swapped = x.clone()  # two pixels of one cell of the overview
    swapped[..., 20, 24], swapped[..., 21, 25] = x[..., 21, 25], x[..., 20, 24]
    same, other = network.features(swapped).split(12, dim=1)
    assert torch.allclose(same, overview, atol=1e-6) and not torch.equal(other, detail)
    outside = x.clone()
    outside[..., 19, 24] += 9
    other, same = network.features(outside).split(12, dim=1)
    assert torch.equal(same, detail) and not torch.equal(other, overview)


def test_a_hidden_attribute_gets_the_frequencies_of_the_data(classifier):
    network, start = classifier.network, OFFSETS[GLASSES] + 11
    before = network.head.bias.detach().clone()
    part = slice(OFFSETS[COLOR], OFFSETS[COLOR] + SIZES[COLOR])
    for push, spread in ((50.0, 0.0), (-50.0, 0.01)):  # surely no glasses; surely some
        with torch.no_grad():
            network.head.bias[start] = push
        p = classifier(pictures(3)).probabilities[:, part]
        assert np.allclose(p.sum(axis=1), 1, atol=1e-5)
        assert (np.abs(p - 1 / 7).max() > spread) if spread else np.allclose(p, 1 / 7)
    with torch.no_grad():
        network.head.bias.copy_(before)


def test_visible_says_where_the_pixels_cannot_show_a_value(classifier):
    attributes = np.zeros((3, 18), dtype=np.uint8)
    attributes[1, GLASSES] = 11
    seen = classifier.visible(attributes)
    assert seen.dtype == bool and not seen[1, COLOR]
    assert seen.sum() == 3 * 18 - 1
    with pytest.raises(ValueError, match=r"must be \[N, 18\]"):
        classifier.visible(attributes[0])


def test_saving_and_loading_keeps_everything(classifier, tmp_path):
    classifier.save_pretrained(tmp_path / "new")
    loaded = AvatarClassifier.from_pretrained(tmp_path / "new", device="cpu")
    for name in ("vocabulary", "image_size", "crop", "accuracy", "hidden", "training"):
        assert getattr(loaded, name) == getattr(classifier, name)
    assert loaded.hidden == {"glasses_color": {"glasses": (11,)}}
    a, b = (c(pictures(4)).probabilities for c in (classifier, loaded))
    assert np.abs(a - b).max() < 0.02  # half precision on disk
    assert {f.name for f in (tmp_path / "new").iterdir()} == {"config.json", "model.safetensors"}


def test_another_crop_is_viewed_through_its_own(classifier):
    assert classifier.crop == 360
    large = np.zeros((2, 70, 70, 4), dtype=np.uint8)
    large[:, 5:65, 5:65] = 255  # all of 360, in a picture of 420
    view = classifier.view(large, 420)
    assert view.shape == (2, 16, 16, 4)
    assert (view[:, 1:-1, 1:-1] == 255).all() and view.min() > 200  # antialiased at its edge
    assert (classifier.view(view, 360) == view).all()
    narrow = classifier.view(large, 300)  # what it does not show is transparent
    assert (narrow[:, 0] == 0).all() and (narrow[:, 4:-4, 8] == 255).all()


class TestBrokenFolders:
    @pytest.fixture
    def folder(self, classifier, tmp_path):
        classifier.save_pretrained(tmp_path)
        return tmp_path

    def refused(self, folder, message):
        with pytest.raises(CheckpointError, match=message):
            AvatarClassifier.from_pretrained(folder, device="cpu")

    def edit(self, folder, change):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    def test_no_folder(self, tmp_path):
        self.refused(tmp_path / "nowhere", "there is no checkpoint folder .*nowhere")

    def test_truncated_weights(self, folder):
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        self.refused(folder, r"model\.safetensors is not a whole safetensors file")

    def test_a_pickle_instead_of_weights(self, folder):
        torch.save({"a": torch.ones(1)}, folder / "model.safetensors")
        self.refused(folder, r"model\.safetensors is not a whole safetensors file")

    def test_another_architecture(self, folder):
        self.edit(folder, lambda c: c["classifier"].update(width=13))
        self.refused(folder, r"model\.safetensors: .* has shape .* the config asks for")

    def test_a_model_that_draws(self):
        self.refused("assets/model", "does not describe a classifier: it has no 'classifier'")

    def test_an_unknown_attribute(self, folder):
        self.edit(folder, lambda c: c["hidden"].update(hare={}))
        self.refused(folder, "does not describe a classifier: unknown attribute 'hare'")

    def test_a_value_that_does_not_exist(self, folder):
        self.edit(folder, lambda c: c["hidden"].update(hair={"glasses": [12]}))
        self.refused(folder, "hair is said to be hidden by glasses 12")

    def test_a_crop_that_is_none(self, folder):
        self.edit(folder, lambda c: c.update(crop=501))
        self.refused(folder, "not describe a classifier: crop must be a whole number from 1 to 500")

    def test_without_a_crop_it_is_that_of_old_classifiers(self, folder):
        self.edit(folder, lambda c: c.pop("crop"))
        assert AvatarClassifier.from_pretrained(folder, device="cpu").crop == 360

    def test_a_vocabulary_without_an_attribute(self, folder):
        self.edit(folder, lambda c: c["vocabulary"].pop("hair"))
        self.refused(folder, "does not describe a classifier: the vocabulary lacks hair")


def test_the_bundled_classifier_reads_what_the_bundled_model_drew():
    """Two networks that share nothing agree on pictures that neither was trained on."""
    classifier = AvatarClassifier.from_pretrained("assets/classifier", device="cpu")
    pipeline = AvatarPipeline.from_pretrained("assets/model", device="cpu")
    out = pipeline({}, num_images=32, seed=5, output_type="np")
    asked = np.stack([to_row(a) for a in out.attributes])
    seen = classifier.visible(asked)
    pixels = classifier.view(out.images, pipeline.network.config.crop)
    right = classifier(pixels).values == asked
    assert right[seen].mean() > 0.75
    assert not seen.all() and right[~seen].mean() < 0.75
