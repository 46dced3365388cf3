"""The same under ``torch.compile``; last, because compiling takes longer than all the rest."""

import numpy as np
import pytest
import torch

from tests.gpu.test_drawing import FLOAT32, assert_near, draw

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def backend(device, monkeypatch):
    """In a rehearsal only trace, which needs no compiler."""
    if device.type != "cuda":
        compiled = torch.compile
        monkeypatch.setattr(torch, "compile", lambda m, **_: compiled(m, backend="aot_eager"))
    yield
    torch.compiler.reset()


def test_a_compiled_run_has_the_same_losses(train, config, change, tmp_path):
    plain = train(config)
    compiled = train(change(config, run=tmp_path / "compiled", compile=True))
    assert np.allclose(compiled, plain, rtol=0.03)


@pytest.mark.parametrize("stage", ["base", "upscaler"])
def test_a_compiled_stage_draws_what_the_cpu_draws(on_cpu, pipeline, stage):
    denoiser = getattr(pipeline, stage).denoiser
    denoiser.network = torch.compile(denoiser.network)
    assert_near(draw(pipeline, None), draw(on_cpu, None), FLOAT32)
