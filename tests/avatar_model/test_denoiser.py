import pytest
import torch

from avatar_model.denoiser import INPUT_SCALINGS, PREDICTIONS, Denoiser
from avatar_model.schedules import cosine, flow, linear, sigmoid

SCHEDULES = [flow(), cosine(), linear(), sigmoid(input_scale=0.5)]


def example(seed=0):
    g = torch.Generator().manual_seed(seed)
    x0 = torch.rand(6, 4, 8, 8, generator=g) * 2 - 1
    eps = torch.randn(x0.shape, generator=g)
    t = torch.tensor([0.02, 0.2, 0.5, 0.8, 0.95, 0.99])
    return x0, eps, t


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_a_network_that_hits_its_target_recovers_the_image(schedule, prediction):
    x0, eps, t = example()
    target = Denoiser(lambda *_: None, schedule, prediction).target(x0, eps, t)
    denoiser = Denoiser(lambda *_: target, schedule, prediction)
    recovered = denoiser(denoiser.noised(x0, eps, t), t, None)
    assert torch.allclose(recovered, x0, atol=2e-4)


@pytest.mark.parametrize("prediction", ["x0", "v"])
def test_pure_noise_is_fine_for_x0_and_v(prediction):
    x0, eps, _ = example()
    t = torch.ones(6)
    denoiser = Denoiser(lambda *_: torch.zeros_like(x0), flow(), prediction)
    assert denoiser(eps, t, None).isfinite().all()


def test_unit_scaling_gives_the_network_unit_variance_and_wiener_the_linear_estimate():
    x0, eps = torch.randn(2, 1, 4, 100, 100, generator=torch.Generator().manual_seed(0))
    seen = {}
    for scaling in INPUT_SCALINGS:
        for t in (0.1, 0.5, 0.9, 1.0):
            denoiser = Denoiser(lambda x, *_: x, flow(), "x0", scaling)
            times = torch.tensor([t])
            seen[scaling, t] = denoiser.predict(denoiser.noised(x0, eps, times), times, None)
    for t in (0.1, 0.5, 0.9, 1.0):
        assert seen["unit", t].std().item() == pytest.approx(1, abs=0.02)
    # The best linear estimate of x0 leaves an error that is uncorrelated with what it saw.
    for t in (0.1, 0.5, 0.9):
        estimate = seen["wiener", t]
        assert ((x0 - estimate) * estimate).mean().item() == pytest.approx(0, abs=0.01)
    assert not seen["wiener", 1.0].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prediction": "score"}, "unknown prediction 'score'"),
        ({"input_scaling": "none"}, "unknown scaling 'none'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Denoiser(lambda *_: None, flow(), **options)
