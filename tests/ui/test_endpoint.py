"""``/generate`` as programs use it."""

from __future__ import annotations

import json
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


def test_only_generate_is_public_and_every_parameter_is_named_and_optional(client):
    endpoints = client.view_api(print_info=False, return_format="dict")
    assert list(endpoints["named_endpoints"]) == ["/generate"]
    assert not endpoints["unnamed_endpoints"]
    parameters = endpoints["named_endpoints"]["/generate"]["parameters"]
    assert [p["parameter_name"] for p in parameters] == [
        *(a.name for a in ATTRIBUTES),
        "guidance_scale",
        "num_inference_steps",
        "sampler",
        "seed",
        "num_images",
    ]
    assert all(p["parameter_has_default"] for p in parameters)


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


def test_a_missing_model_is_one_sentence(tmp_path):
    environment = {"AVATAR_MODEL": str(tmp_path / "nothing"), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The model cannot be loaded: there is no checkpoint folder")
    assert done.stderr.count("\n") == 1
