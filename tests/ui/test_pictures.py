"""Pictures at plain addresses, and how the page is."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.error
import urllib.request
import zipfile
from types import SimpleNamespace
from urllib.parse import urlencode

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.coroutines import run
from tests.ui.pictures import opened, same
from ui.files.picture_file import read_recipe
from ui.from_name import looks_and_seed
from ui.inference.scheduler import Scheduler, too_long
from ui.link import to_short_query
from ui.recipe import Recipe
from ui.routes.answering import GoneError, unless_gone
from ui.routes.pictures import make_routes


def get(server, kind="png", **query):
    """Status, headers, content."""
    address = f"{server}/avatar.{kind}?{urlencode(query)}"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def client(pipeline, **options):
    """Without a server, for what is hard to bring about in one."""
    return TestClient(Starlette(routes=make_routes(Scheduler(pipeline, **options), "tiny")))


@pytest.mark.parametrize("size", [64, 256, 512, 1024])
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_formats_and_sizes(server, kind, size):
    status, headers, content = get(server, kind, hair=12, seed=7, size=size)
    assert (status, headers["Content-Type"]) == (200, f"image/{kind}")
    image = opened(content)
    assert (image.format, image.mode, image.size) == (kind.upper(), "RGBA", (size, size))
    assert image.getextrema()[3][0] < 255


def test_svg(server):
    status, headers, content = get(server, "svg", seed=7)
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    assert content.startswith(b"<svg") and b"<path" in content
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_background_shape_and_style(server):
    red = opened(get(server, seed=7, size=64, background="#ff0000")[2])
    assert red.mode == "RGB"
    bare = opened(get(server, seed=7, size=64)[2])
    clear = np.asarray(bare)[..., 3] == 0
    assert clear.any() and (np.asarray(red)[clear] == (255, 0, 0)).all()
    circle = opened(get(server, seed=7, size=64, background="#ff0000", shape="circle")[2])
    assert circle.mode == "RGBA" and circle.getpixel((0, 0))[3] == 0
    assert circle.getpixel((32, 0))[3] > 0
    crisp = opened(get(server, seed=7, size=256, style="crisp")[2])
    assert (np.asarray(crisp)[::4, ::4] == np.asarray(bare)).all()
    smooth = opened(get(server, seed=7, size=256)[2])
    assert smooth.tobytes() != crisp.tobytes()


@pytest.mark.parametrize("kind", ["png", "webp", "svg"])
def test_the_file_knows_its_complete_recipe(server, kind):
    _, _, content = get(server, kind, hair=12, eye_lashes="Long lashes", seed=7, guidance_scale=2)
    values = read_recipe(content)
    assert (values["hair"], values["eye_lashes"], values["seed"]) == (12, 1, 7)
    assert values["guidance_scale"] == 2
    assert len(values) == 18 + 5
    assert get(server, kind, **values)[2] == content


def test_the_same_address_is_the_same_file_and_may_be_kept(server):
    first, again = get(server, hair=12, seed=7), get(server, hair=12, seed=7)
    assert first[2] == again[2] != get(server, hair=12, seed=8)[2]
    assert first[1]["Cache-Control"] == "public, max-age=3600"
    assert "Content-Disposition" not in first[1]


def test_download(server):
    headers = get(server, "webp", seed=7, download=1)[1]
    assert headers["Content-Disposition"] == 'attachment; filename="avatar-7.webp"'


def test_several_as_one_file(server):
    with urllib.request.urlopen(f"{server}/avatars.zip?hair=12&seed=7&num_images=3") as answer:
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="avatars-7.zip"'
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.namelist() == [f"avatar-{seed}.png" for seed in (7, 8, 9)]
    first = archive.read("avatar-7.png")
    assert same(opened(first), opened(get(server, hair=12, seed=7, size=64)[2]))
    assert (read_recipe(first)["hair"], read_recipe(first)["seed"]) == (12, 7)


def test_a_name_and_a_short_link_are_the_avatar_that_they_stand_for(server, pipeline):
    ada = looks_and_seed("Ada", pipeline.vocabulary) | {"glasses": 3}
    _, headers, content = get(server, name="\u3000ada", name_version=1, glasses=3, size=64)
    assert content == get(server, **ada, size=64)[2]
    assert {"name", "name_version", "a"}.isdisjoint(read_recipe(content))
    assert headers["Cache-Control"] == "private, max-age=3600"  # with the address goes the name
    short = dict([to_short_query(Recipe.parse(pipeline, ada)).split("=")])
    assert get(server, **short, size=64)[2] == content
    assert get(server, **short, size=64)[1]["Cache-Control"] == "public, max-age=3600"


@pytest.mark.parametrize("query", ["num_images=17", "size=64", "hair=999"])
def test_a_mistake_in_it_is_one_sentence(server, query):
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{server}/avatars.zip?{query}")
    assert raised.value.code == 400
    sentence = json.load(raised.value)["error"]
    assert query.partition("=")[0] in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"hair": 999}, "hair 999 is out of range; it has values 0..110"),
        ({"hair": "mohawk"}, "hair has no value 'mohawk'"),
        ({"face_shape": 6}, "face_shape 6 (face shape 6) never occurred"),
        ({"hare": 1}, "there is no parameter 'hare'"),
        ({"size": 15}, "size must be a whole number from 16 to 1024, not 15"),
        ({"size": "big"}, "size must be a whole number from 16 to 1024, not 'big'"),
        ({"zoom": 3}, "zoom must be a number from 0.5 to 2.5, not 3"),
        ({"border_color": "red"}, "border_color must be an opaque colour"),
        ({"background2": "#fff"}, "background2 needs a background"),
        ({"format": "webp"}, "there is no parameter 'format'"),
        ({"shape": "heart"}, "shape must be square or circle, not 'heart'"),
        ({"style": "oil"}, "style must be smooth or crisp"),
        ({"background": "pinkish"}, "background must be an opaque colour"),
        ({"num_images": 2}, "an address is one picture: num_images must be 1"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"name": "\u3000"}, "name must not be empty"),
        ({"name": "Ada", "name_version": 2}, "name_version must be 1; there is no other"),
        ({"a": "AQmAG21uJwhAAADYslEAUbHX"}, "a is no short link, or one that is mistyped"),
        ({"seed": "nan"}, "seed must be a whole number"),
        ({"guidance_scale": "1e999"}, "guidance_scale must be a number from 0 to 10"),
        ({"num_inference_steps": 10_000}, "num_inference_steps must be a whole number from 1"),
        ({"sampler": "magic"}, "sampler must be one of"),
        ({"hair": "<script>" * 50}, "hair has no value '<script>"),
    ],
)
def test_a_mistake_is_one_sentence(server, query, sentence):
    status, headers, content = get(server, **query)
    assert (status, headers["Content-Type"]) == (400, "application/json")
    error = json.loads(content)["error"]
    assert error.startswith(sentence)
    assert "\n" not in error and len(error) < 300
    assert headers["Cache-Control"] == "no-store"


def test_an_unknown_format(server):
    status, _, content = get(server, "bmp", seed=7)
    assert status == 400
    assert json.loads(content)["error"] == "format must be png, webp or svg, not 'bmp'"


def test_health(server):
    with urllib.request.urlopen(f"{server}/health") as answer:
        health = json.load(answer)
    assert health["uptime_seconds"] >= 0
    assert health["model"].startswith("model")
    known = {"status": "ok", "device": "cpu", "waiting": 0, "sizes": [64]}
    assert {name: health[name] for name in known} == known


def test_busy(pipeline):
    answer = client(pipeline, max_waiting=0).get("/avatar.png")
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert answer.json()["error"].startswith("0 of your avatars and 0 of others")


def test_a_failure_is_ours_and_told_without_its_details(pipeline):
    def broken(*_, **__):
        raise RuntimeError("secret path")

    names = ("vocabulary", "defaults", "sizes", "morph", "evaluations", "stages")
    working = {name: getattr(pipeline, name) for name in names}
    stand_in = type("Broken", (), {**working, "__call__": broken})()
    answer = client(stand_in).get("/avatar.png")
    assert answer.status_code == 500
    assert answer.json() == {"error": "something went wrong while drawing"}


def test_nobody_draws_for_who_has_hung_up(pipeline):
    scheduler, gone = Scheduler(pipeline), []

    async def is_disconnected():
        return bool(gone)

    async def ask():
        futures = scheduler.submit_all([Recipe.parse(pipeline, {"seed": 3})], 64)
        request = SimpleNamespace(is_disconnected=is_disconnected)
        asking = asyncio.create_task(unless_gone(futures, request, 60, too_long))
        await asyncio.sleep(1.2)
        assert not asking.done() and scheduler.waiting == 1
        gone.append(True)
        with pytest.raises(GoneError):
            await asyncio.wait_for(asking, 20)
        scheduler.abandon(futures)

    with scheduler.alone():  # so that it has to wait
        run(ask())
        assert scheduler.waiting == 0
