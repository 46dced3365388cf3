import pytest
import torch
from diffusers import DDPMScheduler

from avatar_model.schedules import SCHEDULES, cosine, flow, linear, make_schedule, sigmoid

T = torch.linspace(0, 1, 201, dtype=torch.float64)


@pytest.mark.parametrize("name", SCHEDULES)
def test_starts_clean_and_only_gets_noisier(name):
    schedule = make_schedule(name)
    alpha, sigma = schedule(T)
    assert alpha[0] == pytest.approx(1) and sigma[0] == pytest.approx(0, abs=1e-7)
    assert (schedule.log_snr(T).diff() < 0).all()


@pytest.mark.parametrize("schedule", [flow(), cosine(), sigmoid(), sigmoid(input_scale=0.5)])
def test_ends_in_exactly_pure_noise(schedule):
    alpha, sigma = schedule(torch.tensor([1.0]))
    assert alpha.item() == 0 and sigma.item() == 1


@pytest.mark.parametrize(("steps", "end"), [(300, 0.008), (500, 0.2), (1000, 0.02)])
def test_linear_equals_diffusers(steps, end):
    theirs = DDPMScheduler(steps, beta_start=1e-4, beta_end=end).alphas_cumprod.double()
    alpha, sigma = linear(steps, 1e-4, end)(torch.arange(1, steps + 1).double() / steps)
    # alpha-bar of diffusers is a float32 product, ours a float64 sum of logarithms.
    assert torch.allclose(alpha**2, theirs, rtol=2e-5, atol=1e-7)
    assert torch.allclose(sigma**2, 1 - theirs, rtol=2e-5, atol=2e-7)


def test_variance_preserving_schedules_preserve_variance():
    for schedule in (cosine(), sigmoid(input_scale=0.3), linear()):
        alpha, sigma = schedule(T)
        assert torch.allclose(alpha**2 + sigma**2, torch.ones_like(T))


def test_sigmoid_input_scale_shifts_the_log_snr_by_2_log_b():
    inner = T[1:-1]
    shift = sigmoid(input_scale=0.5).log_snr(inner) - sigmoid().log_snr(inner)
    assert torch.allclose(shift, torch.full_like(shift, 2 * torch.log(torch.tensor(0.5)).item()))


def test_bad_schedules_are_named():
    with pytest.raises(ValueError, match="unknown schedule 'quadratic'; choose from flow, cosine"):
        make_schedule("quadratic")
    with pytest.raises(ValueError, match="'cosine'.*beta_end"):
        make_schedule("cosine", beta_end=1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear", {"beta_end": 1}),
        ("linear", {"beta_start": 0}),
        ("linear", {"beta_start": 1e-60}),  # an eps of x_t that no float32 holds
        ("linear", {"num_steps": 1000, "beta_end": 1e-30}),  # the last steps add nothing
        ("linear", {"num_steps": 100_000, "beta_end": 0.5}),
        ("linear", {"name": 1}),
        ("sigmoid", {"input_scale": 1e30}),
        ("sigmoid", {"start": 3, "end": 3}),
        ("sigmoid", {"tau": 10**400}),
    ],
)
def test_a_schedule_that_no_sampler_gets_through_is_refused(name, options):
    with pytest.raises(ValueError, match=f"^schedule '{name}'"):
        make_schedule(name, **options)
