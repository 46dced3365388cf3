"""The benchmark of many visitors, short, around a tiny model; and what operators look at."""

from __future__ import annotations

import re
import time

import gradio
import torch

from benchmarks import load
from tests.coroutines import run


def test_visitors_and_a_burst_without_an_error(site):
    for record in (
        run(load.run_visitors(site.server, 5, 3)),
        run(load.run_burst(site.server, 40)),
    ):
        assert record.errors == []
        assert "0 errors" in load.report(record, 1)
    assert len(record.seconds["generate"]) == 40


def test_memory_stays_flat(site):
    """Far too short to prove it: a leak of a picture per request would show."""
    record = run(load.run_soak(site.server, 40, warm_up=40))
    assert record.errors == []
    assert record.memory[-1] - record.memory[0] < 40  # MiB


def test_health_says_what_runs(site, large_model):
    before = site.get("/health").json()
    assert site.draw(seed=time.monotonic_ns() % 2**32)[0] == "complete"
    after = site.get("/health").json()
    assert after.pop("drawn") == before["drawn"] + 1
    assert after.pop("uptime_seconds") >= 0
    assert after == {
        "status": "ok",
        "model": large_model.name,
        "sizes": [64, 256],
        "device": "cpu",
        "waiting": 0,
        "files_waiting": 0,
        "stands_in": False,
        "versions": {"gradio": gradio.__version__, "torch": torch.__version__},
    }


def test_every_drawing_is_one_line_of_the_log_about_nobody(site):
    site.draw(hair=42, seed=987654321)
    lines = [line for line in site.server.log().splitlines() if "event=drawn" in line]
    pattern = (
        r"time=\S+ level=INFO logger=ui.inference.scheduler event=drawn images=\d+ "
        r"guidance=\S+ method=\w+ steps=\d+ sampler=\S+ size=\d+ seconds=\d+\.\d{3} "
        r"waited=\d+\.\d{3} waiting=\d+"
    )
    assert lines and all(re.fullmatch(pattern, line) for line in lines)
    assert "987654321" not in site.server.log() and "127.0.0.1 " not in site.server.log()
