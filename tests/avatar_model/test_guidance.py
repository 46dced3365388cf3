"""What a guidance scale does, by each method."""

import math

import pytest
import torch

from avatar_model.attributes import NAMES, OFFSETS, SIZES, one_hot
from avatar_model.denoiser import Denoiser
from avatar_model.guidance import GUIDANCE_METHODS, NORM_LIMIT, Guidance, guided
from avatar_model.schedules import flow
from avatar_model.unet import Prepared

SIDE = 8


class Model:
    """Its image is 0.1 with all attributes open, and 0.2 brighter in half of it as asked.

    Attributes:
        asked: what was prepared, one [B, 217] each.
        batches: how many images each evaluation had.
    """

    def __init__(self):
        self.asked, self.batches = [], []

    def prepare(self, rows):
        self.asked.append(rows)
        return Prepared(rows, None, None)

    def network(self, x, t, prepared):
        self.batches.append(len(x))
        image = torch.full_like(x, 0.1)
        image[..., : SIDE // 2] += 0.2 * prepared.embedding.mean(1)[:, None, None, None] * 217 / 18
        return image

    def denoise(self, count=1, t=0.5, **guidance):
        rows = torch.from_numpy(one_hot([[0] * 18] * count))
        step = guided(Denoiser(self.network, flow()), self.prepare, rows, Guidance(**guidance))
        return step(torch.randn(count, 4, SIDE, SIDE), t)


def halves(x):
    return [round(half.mean().item(), 4) for half in x.chunk(2, dim=3)]


@pytest.mark.parametrize("method", GUIDANCE_METHODS)
def test_scale_1_is_one_evaluation_of_what_was_asked_for(method):
    model = Model()
    assert halves(model.denoise(count=3, scale=1.0, method=method)) == [0.3, 0.1]
    assert (len(model.asked), model.batches) == (1, [3])


@pytest.mark.parametrize("method", GUIDANCE_METHODS)
def test_scale_0_is_the_average_face(method):
    assert halves(Model().denoise(scale=0.0, method=method)) == [0.1, 0.1]


@pytest.mark.parametrize(("scale", "expected"), [(0.5, 0.2), (2.0, 0.5), (9.0, 1.0)])
def test_classic_guidance_extrapolates_and_clips(scale, expected):
    model = Model()
    assert halves(model.denoise(count=2, scale=scale, method="classic")) == [expected, 0.1]
    assert (len(model.asked), model.batches) == (2, [4])


def test_the_condition_is_scaled_where_tau_reads_it():
    model = Model()
    model.denoise(scale=0.25, method="condition")
    assert (model.asked[0].unique().tolist(), model.batches) == ([0, 0.25], [1])


@pytest.mark.parametrize(("scale", "factor"), [(1.5, 1.2), (3.0, 1.4), (20.0, 1.57)])
def test_above_1_only_what_is_emphasised_grows_and_never_much(scale, factor):
    model = Model()
    model.denoise(scale=scale, method="condition", emphasis={"eye_angle": 0.6})
    (row,) = model.asked[0]
    sums = {n: row[o : o + s].sum().item() for n, o, s in zip(NAMES, OFFSETS, SIZES, strict=True)}
    assert sums.pop("eye_angle") == pytest.approx(factor)
    assert set(sums.values()) == {1.0}


def test_projected_guidance_is_limited_and_does_not_brighten():
    """Of the difference, what lies along the image itself is left out, and the rest is short."""
    model = Model()
    asked = model.denoise(scale=1.0)
    step = model.denoise(scale=2.0, method="projected") - asked
    assert abs((step * asked).sum().item()) < 1e-5
    assert 0 < step.norm().item() <= NORM_LIMIT * math.sqrt(asked.numel())
    further = model.denoise(scale=9.0, method="projected") - asked
    assert torch.allclose(further, 8 * step, atol=1e-6)


def test_projected_guidance_leaves_a_small_difference_whole():

    def network(x, t, prepared):
        return (0.001 * prepared.embedding[:, :1, None, None]).expand_as(x)

    denoiser = Denoiser(network, flow())
    rows = torch.from_numpy(one_hot([[0] * 18]))
    step = guided(
        denoiser, lambda rows: Prepared(rows, None, None), rows, Guidance(3.0, "projected")
    )
    # All of it lies along the image, so nothing is added.
    assert torch.allclose(step(torch.randn(1, 4, 8, 8), 0.5), torch.tensor(0.001), atol=1e-6)


@pytest.mark.parametrize("method", GUIDANCE_METHODS)
def test_outside_of_its_interval_the_picture_is_as_asked(method):
    def drawn(t):
        return halves(Model().denoise(t=t, scale=0.5, method=method, interval=(0.2, 0.8)))

    assert [drawn(t) for t in (0.1, 0.2, 0.8, 0.9)] == [
        [0.3, 0.1],
        [0.2, 0.1],
        [0.2, 0.1],
        [0.3, 0.1],
    ]


@pytest.mark.parametrize(
    ("guidance", "expected"),
    [
        ({}, 4),
        ({"scale": 2.0}, 8),
        ({"scale": 0.0, "method": "projected"}, 8),
        ({"scale": 9.0, "method": "condition"}, 4),
        # Its steps start at t = 1, 0.75, 0.5 and 0.25.
        ({"scale": 2.0, "interval": (0.2, 0.8)}, 7),
    ],
)
def test_evaluations_of_four_steps(guidance, expected):
    assert Guidance(**guidance).evaluations(4) == expected
