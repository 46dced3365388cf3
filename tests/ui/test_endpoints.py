"""``/generate``, ``/sheet`` and ``/attributes`` as programs use them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from avatar_model import ATTRIBUTES
from tests.ui.pictures import same
from ui.from_name import looks_and_seed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def client(server, tmp_path_factory):
    return Client(server, download_files=str(tmp_path_factory.mktemp("downloads")), verbose=False)


def generate(client, **arguments):
    return client.predict(api_name="/generate", **arguments)


def post(server, payload):
    """A plain HTTP call, without a client that would check the arguments first: status, body."""
    request = urllib.request.Request(
        f"{server}/gradio_api/call/v2/generate",
        data=payload.encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            event = json.load(answer)["event_id"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    with urllib.request.urlopen(f"{server}/gradio_api/call/generate/{event}") as answer:
        return 200, answer.read().decode()


def test_three_are_public_and_every_parameter_is_named_and_optional(client):
    endpoints = client.view_api(print_info=False, return_format="dict")
    assert list(endpoints["named_endpoints"]) == ["/generate", "/sheet", "/attributes"]
    assert not endpoints["unnamed_endpoints"]
    for name, own in (("/generate", ["num_images", "size"]), ("/sheet", ["count"])):
        parameters = endpoints["named_endpoints"][name]["parameters"]
        assert [p["parameter_name"] for p in parameters] == [
            *(a.name for a in ATTRIBUTES),
            "guidance_scale",
            "guidance_method",
            "num_inference_steps",
            "sampler",
            "seed",
            "name",
            "name_version",
            *own,
        ]
        assert all(p["parameter_has_default"] for p in parameters)
    assert endpoints["named_endpoints"]["/attributes"]["parameters"] == []


def test_defaults_give_one_transparent_png_and_its_complete_attributes(client):
    (file,), (details,) = generate(client)
    with Image.open(file) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (64, 64))
    assert Path(file).name == f"avatar-{details['seed']}.png"
    names = {a.name for a in ATTRIBUTES}
    assert set(details["attributes"]) == set(details["values"]) == names


def test_labels_numbers_and_any_are_understood(client):
    looks = {"hair": 57, "eye_lashes": "Long lashes", "glasses": "glasses 3", "hair_color": "Any"}
    _, details = generate(client, **looks, num_images=2, num_inference_steps=1)
    for one in details:
        assert one["values"]["hair"] == 57
        assert one["values"]["eye_lashes"] == 1
        assert one["attributes"]["glasses"] == "glasses 3"
    assert details[1]["seed"] == details[0]["seed"] + 1


def test_the_answer_sent_back_gives_the_same_image(client):
    (first,), (details,) = generate(client, num_inference_steps=2)
    again = {"seed": details["seed"], "num_inference_steps": 2}
    for looks in (details["attributes"], details["values"], {}):
        (file,), _ = generate(client, **looks, **again)
        assert Path(file).read_bytes() == Path(first).read_bytes()
    (other,), _ = generate(client, **details["values"], seed=details["seed"] ^ 1)
    assert Path(other).read_bytes() != Path(first).read_bytes()


def test_a_name_decides_what_is_not_given(client, pipeline):
    ada = looks_and_seed("Ada Lovelace", pipeline.vocabulary)
    _, (details,) = generate(client, name="ada  LOVELACE", hair=12, glasses="Any")
    assert details["seed"] == ada.pop("seed")
    assert details["values"] == ada | {"hair": 12}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"eye_lashes": "long lashed"}, "eye_lashes has no value 'long lashed'; did you mean"),
        ({"hair": 111}, "hair 111 is out of range; it has values 0..110"),
        ({"hair": 1.5}, "hair must be a whole number, not 1.5"),
        ({"hair": [1]}, "hair must be a number, a label or 'Any', not [1]"),
        ({"face_shape": 6}, "face_shape 6 (face shape 6) never occurred"),
        ({"num_inference_steps": 0}, "num_inference_steps must be a whole number from 1"),
        (
            {"num_inference_steps": 10_000},
            "num_inference_steps must be a whole number from 1 to",
        ),
        ({"num_images": 1000}, "num_images must be a whole number from 1 to 16, not 1000"),
        ({"num_images": "two"}, "num_images must be a whole number from 1"),
        ({"guidance_scale": -1}, "guidance_scale must be a number from 0"),
        ({"sampler": "magic"}, "sampler must be one of"),
        ({"seed": "abc"}, "seed must be a whole number from 0 to 4294967295, not 'abc'"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"name": " "}, "name must not be empty"),
        ({"name": 7}, "name must be text of 1 to 200 characters"),
        ({"name_version": 1}, "name_version needs a name"),
        ({"size": 15}, "size must be a whole number from 16 to 1024, not 15"),
        ({"size": "large"}, "size must be a whole number from 16 to 1024, not 'large'"),
        ({"size": 256.5}, "size must be a whole number from 16 to 1024, not 256.5"),
        ({"size": [256]}, "size must be a whole number from 16 to 1024, not [256]"),
    ],
)
def test_bad_input_gives_one_clear_sentence(client, arguments, sentence):
    with pytest.raises(AppError) as raised:
        generate(client, **arguments)
    message = str(raised.value)
    assert message.startswith(sentence)
    assert "\n" not in message and len(message) < 300


@pytest.mark.parametrize("name", ["seed", "guidance_scale", "hair", "num_images"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_give_one_clear_sentence(server, name, number):
    status, body = post(server, f'{{"{name}": {number}}}')
    assert status == 200
    assert body.startswith("event: error")
    assert f"{name} must be" in body or f"{name} inf is out of range" in body


def test_an_unknown_parameter_is_named(server):
    status, body = post(server, '{"hare": 1}')
    assert status == 400
    assert "hare" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("variable", "sentence"), [("AVATAR_DEVICE", "there is no device 'tpu' here, only cpu")]
)
def test_a_page_that_cannot_start_is_one_sentence(variable, sentence):
    environment = {variable: "tpu", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"The model cannot be loaded: {sentence}")
    assert done.stderr.count("\n") == 1


def test_a_sheet_is_one_picture_of_many(client):
    def sheet(**given):
        with Image.open(client.predict(api_name="/sheet", num_inference_steps=1, **given)) as image:
            assert (image.format, image.mode) == ("PNG", "RGBA")
            image.load()
            return image

    six = sheet(count=6, hair=12, seed=7)
    assert six.size == (3 * 128 + 4 * 8, 2 * 128 + 3 * 8)
    assert sheet(count=6, hair=12, seed=7).tobytes() == six.tobytes()
    assert sheet(count=6, hair=13, seed=7).tobytes() != six.tobytes()
    cells = {six.crop((x, y, x + 128, y + 128)).tobytes() for x in (8, 144, 280) for y in (8, 144)}
    assert len(cells) == 6  # what is left on Any differs
    # Avatar i is that of seed + i; more than are drawn at once.
    last = sheet(count=20, seed=7).crop((4 * 136 + 8, 3 * 136 + 8, 5 * 136, 4 * 136))
    (file,), _ = generate(client, seed=26, num_inference_steps=1)
    with Image.open(file) as single:
        assert same(single.resize((128, 128), Image.Resampling.NEAREST), last)


@pytest.mark.parametrize("count", [0, 65, 1.5, "many"])
def test_a_sheet_has_limits(client, count):
    with pytest.raises(AppError, match="^count must be a whole number from 1 to 64, not"):
        client.predict(api_name="/sheet", count=count)


def test_attributes_are_the_vocabulary(client, pipeline):
    attributes = client.predict(api_name="/attributes")
    assert list(attributes) == [a.name for a in ATTRIBUTES]
    assert attributes["eye_lashes"] == {
        "title": "Eye lashes",
        "group": "Eyes",
        "values": [{"label": "none", "value": 0}, {"label": "long lashes", "value": 1}],
    }
    for name, described in attributes.items():
        offered = [(one["label"], one["value"]) for one in described["values"]]
        assert offered == pipeline.vocabulary.offered(name)
    assert [one["value"] for one in attributes["face_shape"]["values"]] == list(range(6))
    every = {name: described["values"][-1]["label"] for name, described in attributes.items()}
    assert generate(client, **every)[1][0]["attributes"] == every


def test_curl(server, client, tmp_path):
    """A plain address is enough for a picture; an endpoint takes two calls."""
    file = tmp_path / "avatar.png"
    curl = ["curl", "--silent", "--show-error", "--fail"]
    subprocess.run([*curl, "-o", file, f"{server}/avatar.png?hair=12&seed=7&size=64"], check=True)
    script = f"""
        id=$({" ".join(curl)} {server}/gradio_api/call/v2/generate \\
            -H "Content-Type: application/json" -d '{{"hair": 12, "seed": 7}}' | cut -d '"' -f 4)
        {" ".join(curl)} {server}/gradio_api/call/generate/$id
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("event: complete\ndata: ")
    (drawn,), (details,) = json.loads(done.stdout.partition("data: ")[2])
    assert (details["seed"], details["values"]["hair"]) == (7, 12)
    with urllib.request.urlopen(drawn["url"]) as answer:
        assert answer.read() == file.read_bytes()


def test_the_example_of_the_readme(server):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(from gradio_client.*?)```", text, re.DOTALL)
    address = "http://127.0.0.1:7860"
    assert address in example
    done = subprocess.run(
        [sys.executable, "-c", example.replace(address, server)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
