import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from avatar_model.samplers import SAMPLERS, ddim, ddpm, dpm_solver_pp_2m, noise_like, time_grid
from avatar_model.schedules import cosine, flow, linear

STEPS = 300  # of the linear schedule: t = k / 300 is timestep k - 1 of diffusers


def toy(x, t):
    """A smooth stand-in for a model, so that every sampler has something to integrate."""
    return torch.tanh(x * (1.2 - t) + 0.3)


@pytest.fixture
def x():
    return torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def eps_of(x, x0, k):
    alpha, sigma = linear()(torch.tensor([k / STEPS], dtype=torch.float64))
    return (x - alpha.item() * x0) / sigma.item()


def theirs(scheduler, x, num_steps, **kwargs):
    """Run a diffusers scheduler on the same grid of times."""
    scheduler.set_timesteps(num_steps)
    ks = [round(t * STEPS) for t in time_grid(num_steps)[:-1]]
    assert scheduler.timesteps.tolist() == [k - 1 for k in ks]
    for k, timestep in zip(ks, scheduler.timesteps, strict=True):
        eps = eps_of(x, toy(x, k / STEPS), k)
        x = scheduler.step(eps, timestep, x, **kwargs).prev_sample
    return x


def test_ddim_equals_diffusers(x):
    scheduler = DDIMScheduler(
        STEPS, 1e-4, 0.008, clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=True
    )
    expected = theirs(scheduler, x, 10)
    assert torch.allclose(ddim(toy, linear(), x, time_grid(10)), expected, atol=1e-4)


def test_ddpm_equals_diffusers(x):
    scheduler = DDPMScheduler(
        STEPS, beta_start=1e-4, beta_end=0.008, clip_sample=False, timestep_spacing="trailing"
    )
    for i, row in enumerate(x.float().split(1)):  # diffusers has one stream of noise per batch
        expected = theirs(scheduler, row, 10, generator=torch.Generator().manual_seed(i))
        generators = [torch.Generator().manual_seed(i)]
        got = ddpm(toy, linear(), row, time_grid(10), generators=generators)
        assert torch.allclose(got, expected, atol=1e-4)


def test_dpm_solver_pp_2m_equals_diffusers(x):
    scheduler = DPMSolverMultistepScheduler(
        STEPS,
        1e-4,
        0.008,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        lower_order_final=True,
        timestep_spacing="trailing",
        final_sigmas_type="zero",
    )
    expected = theirs(scheduler, x, 10)
    assert torch.allclose(dpm_solver_pp_2m(toy, linear(), x, time_grid(10)), expected, atol=1e-4)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("schedule", [flow(), cosine(), linear()], ids=lambda s: s.name)
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_a_perfect_denoiser_is_reached_exactly(name, schedule, num_steps, x):
    target = torch.rand_like(x)
    generators = [torch.Generator().manual_seed(i) for i in range(len(x))]
    out = SAMPLERS[name](lambda *_: target, schedule, x, time_grid(num_steps), None, generators)
    assert torch.allclose(out, target, atol=1e-6)


@pytest.mark.parametrize("name", SAMPLERS)
def test_recovers_a_gaussian(name):
    """For data N(m, s^2) the best denoiser is known in closed form, and so is the answer."""
    mean, std = 0.4, 0.25
    schedule = cosine()

    def denoise(x, t):
        alpha, sigma = (v.item() for v in schedule(torch.tensor([t], dtype=torch.float64)))
        gain = alpha * std**2 / (alpha**2 * std**2 + sigma**2)
        return mean + gain * (x - alpha * mean)

    x = torch.randn(1, 1, 100, 100, generator=torch.Generator().manual_seed(1)).double()
    generators = [torch.Generator().manual_seed(2)]
    out = SAMPLERS[name](denoise, schedule, x, time_grid(400), None, generators)
    assert out.mean().item() == pytest.approx(mean, abs=0.02)
    assert out.std().item() == pytest.approx(std, rel=0.06)


def test_second_order_is_more_accurate_than_first():
    x = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(3)).double()

    def times(num_steps):  # stops short of t = 0, where both take a first-order step
        return [0.95 * t + 0.05 for t in time_grid(num_steps)]

    exact = ddim(toy, linear(), x, times(2000))
    error = {
        sampler: (sampler(toy, linear(), x, times(20)) - exact).abs().mean().item()
        for sampler in (ddim, dpm_solver_pp_2m)
    }
    assert error[dpm_solver_pp_2m] < error[ddim] / 5


def test_callback_sees_every_step(x):
    seen = []
    ddim(toy, flow(), x, time_grid(4), lambda i, t, x, x0: seen.append((i, t, x.shape, x0.shape)))
    assert [s[:2] for s in seen] == [(0, 0.75), (1, 0.5), (2, 0.25), (3, 0.0)]
    assert all(s[2] == s[3] == x.shape for s in seen)


def test_noise_of_an_image_does_not_depend_on_its_batch(x):
    def row(seed):
        return torch.Generator().manual_seed(seed)

    both = noise_like(x, [row(5), row(6)])
    assert torch.equal(both[1:], noise_like(x[1:], [row(6)]))


def stale_epsilon_ddim(denoise, schedule, x, times):
    """The bug to guard against: x_0 is clipped, but eps is still that of the unclipped x_0."""
    for t, s in pairwise(times):
        alpha, sigma = schedule(torch.tensor([t, s], dtype=torch.float64))
        raw = denoise(x, t)
        eps = (x - alpha[0] * raw) / sigma[0]
        x = alpha[1] * raw.clamp(-1, 1) + sigma[1] * eps
    return x


def test_clipped_x0_needs_a_recomputed_epsilon():
    """Guidance pushes x_0 out of range; reusing its eps then carries the colour away.

    The model of a data set of flat colours, each pure (-1 or 1), asked for colour 1 with guidance:
    the exact posterior mean, extrapolated against the unconditional mean 0.
    """
    schedule, scale, colour = linear(1000, 1e-4, 0.02), 6.0, torch.tensor([1.0, -1.0, 1.0])
    colour = colour.view(1, 3, 1, 1).double()

    def denoise(x, t):
        alpha, sigma = (v.item() for v in schedule(torch.tensor([t], dtype=torch.float64)))
        unconditional = torch.tanh(x * alpha / sigma**2 if sigma else x * math.inf)
        return unconditional + scale * (colour - unconditional)

    x = torch.randn(64, 3, 1, 1, generator=torch.Generator().manual_seed(4)).double()

    def error(out):
        return (out - colour).abs().max().item()

    times = time_grid(10)
    clipped = ddim(lambda x, t: denoise(x, t).clamp(-1, 1), schedule, x, times)
    stale = stale_epsilon_ddim(denoise, schedule, x, [*times[:-1], 1 / 1000])
    assert error(clipped) < 1e-6
    assert error(stale) > 0.5
