import dataclasses

import numpy as np
import pytest
import torch

from avatar_model.attention import CrossAttention
from avatar_model.attributes import ATTRIBUTES, NAMES, ONE_HOT_SIZE, SIZES, one_hot, to_row
from avatar_model.blocks import GroupNorm
from avatar_model.config import ModelConfig
from avatar_model.network import AvatarNetwork
from avatar_model.tau import Tau, drop_conditions
from tests.tiny import TINY_MODEL

TINY = dataclasses.replace(TINY_MODEL, self_attention=(False, True), cross_attention=(True, True))


def random_request(batch, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.integers(0, SIZES) for _ in range(batch)])
    return torch.from_numpy(one_hot(rows))


def trained_looking(config):
    """Zero-initialised layers would hide a broken path: give every weight a value."""
    torch.manual_seed(0)
    network = AvatarNetwork(config).eval()
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return network


ONLY_ATTENTION = {"conditioning": ("attention",), "canvas_channels": 0}
ONLY_SCALE_SHIFT = {
    "conditioning": ("scale_shift",),
    "cross_attention": (False, False),
    "canvas_channels": 0,
}
ONLY_CANVAS = {"conditioning": ("canvas",), "cross_attention": (False, False)}
DIFFUSERS = {**ONLY_ATTENTION, "unet": "diffusers", "patch_size": 1, "blocks_up": 2}
DIFFUSERS |= {"self_attention": (False, False)}
UNCONDITIONAL = {**ONLY_SCALE_SHIFT, "conditioning": ()}


@pytest.mark.parametrize("encoding", ["one_hot", "integers", "raw_integers"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"canvas_channels": 0, "patch_size": 1},
        {"image_channels": 3},
        ONLY_ATTENTION,
        {**ONLY_ATTENTION, "tau_tokens": 3},
        ONLY_SCALE_SHIFT,
        ONLY_CANVAS,
        DIFFUSERS,
    ],
    ids=lambda changes: ",".join(f"{k}={v}" for k, v in changes.items()) or "all ways",
)
def test_every_attribute_and_the_time_reach_the_output(encoding, changes):
    config = dataclasses.replace(TINY, tau_encoding=encoding, **changes)
    # In double precision, where rounding is no change.
    network = trained_looking(config).double()
    x, t = torch.randn(1, config.image_channels, 16, 16).double(), torch.tensor([0.5]).double()
    # Not 0, which raw integers cannot tell from an open attribute.
    base = dict.fromkeys(NAMES, 1)
    other = {a.name: a.num_values - 1 if a.num_values > 2 else 0 for a in ATTRIBUTES}
    rows = [base] + [{**base, name: value} for name, value in other.items()]
    rows.append({**base, "hair": -1})
    requests = torch.from_numpy(one_hot(np.stack([to_row(r) for r in rows]))).double()
    with torch.no_grad():
        out = network(x.expand(len(rows), -1, -1, -1), t.expand(len(rows)), requests)
        later = network(x, t + 0.2, requests[:1])
    assert out.shape == (len(rows), config.image_channels, 16, 16)
    change = (out[1:] - out[:1]).abs().amax((1, 2, 3))
    assert (change > 1e-9).all(), dict(zip([*NAMES, "open"], change.tolist(), strict=True))
    assert (later - out[:1]).abs().max() > 1e-9


def test_an_unconditional_network_has_no_tau():
    network = trained_looking(dataclasses.replace(TINY, **UNCONDITIONAL))
    assert not network.config.is_conditional
    assert [name for name, _ in network.named_parameters() if name.startswith("tau")] == []
    x, t = torch.randn(1, 4, 16, 16), torch.tensor([0.5])
    with torch.no_grad():
        a, b = (network(x, t, random_request(1, seed)) for seed in (1, 2))
    assert torch.equal(a, b) and a.any()


def spread(**config):
    """How far Tau's tokens and pooled vector differ from person to person, as a deviation."""
    torch.manual_seed(0)
    tau = Tau(ModelConfig(**config))
    with torch.no_grad():
        found = tau(random_request(300))
    return torch.stack([found.tokens.std(0).mean(), found.pooled.std(0).mean()])


@pytest.mark.parametrize("config", [{}, {"tau_tokens": 8}, {"tau_width": 512}], ids=str)
def test_a_deep_tau_starts_by_seeing_as_much_as_a_shallow_one(config):
    one = spread(tau_projections=1, **config)
    for projections in range(2, 9):
        ratio = spread(tau_projections=projections, **config) / one
        assert ((ratio > 0.5) & (ratio < 2)).all(), (projections, ratio)


def test_raw_integers_are_the_numbers_of_the_files():
    config = dataclasses.replace(TINY, tau_encoding="raw_integers")
    tau, row = Tau(config), {**dict.fromkeys(NAMES, 0), "hair": 56, "glasses": 11, "eye_lid": -1}
    with torch.no_grad():
        tau.token_values.copy_(torch.ones_like(tau.token_values))
        tau.token_open.zero_()
        tau.token_mlp = torch.nn.Identity()
        tokens = tau(torch.from_numpy(one_hot(to_row(row)[None]))).tokens[0, :, 0]
    expected = [max(row[name], 0) for name in NAMES]
    assert tokens.tolist() == expected


@pytest.mark.parametrize("changes", [{}, DIFFUSERS], ids=["own", "diffusers"])
def test_every_parameter_gets_a_gradient(changes):
    network = trained_looking(dataclasses.replace(TINY, **changes)).train()
    network(torch.randn(4, 4, 16, 16), torch.rand(4), random_request(4)).square().mean().backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def test_an_image_does_not_depend_on_its_batch():
    network = trained_looking(TINY)
    x, t, c = torch.randn(5, 4, 16, 16), torch.rand(5), random_request(5)
    with torch.no_grad():
        together, alone = network(x, t, c)[2:3], network(x[2:3], t[2:3], c[2:3])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("cross_attention", [(True, True), (False, False)])
def test_a_prepared_condition_serves_every_step(cross_attention):
    network = trained_looking(dataclasses.replace(TINY, cross_attention=cross_attention))
    x, c = torch.randn(2, 4, 16, 16), random_request(2)
    with torch.no_grad():
        prepared = network.prepare(c)
        for t in (torch.tensor([1.0, 0.7]), torch.tensor([0.1, 0.2])):
            assert torch.equal(network.unet(x, t, prepared), network(x, t, c))


def test_keys_and_values_are_those_of_the_layers_in_the_order_of_the_forward_pass():
    network = trained_looking(TINY)
    c = random_request(2)
    seen = []
    for module in network.modules():
        if isinstance(module, CrossAttention):
            module.register_forward_pre_hook(lambda m, inputs: seen.append((m, inputs[1])))
    with torch.no_grad():
        network(torch.randn(2, 4, 16, 16), torch.rand(2), c)
        tokens = network.tau(c).tokens
        assert [m for m, _ in seen] == network.unet.cross_attentions() and len(seen) == 6
        for attention, keys_values in seen:
            assert torch.allclose(keys_values, attention.kv(tokens), rtol=0, atol=1e-6)


def test_a_fresh_network_predicts_zero():
    out = AvatarNetwork(TINY)(torch.randn(1, 4, 16, 16), torch.rand(1), random_request(1))
    assert not out.any()


def test_tau_is_linear_in_the_canvas_and_silent_when_everything_is_open():
    tau = Tau(ModelConfig(image_size=8, tau_width=8, canvas_channels=3))
    a, b = random_request(1, 1), random_request(1, 2)
    both = tau((a + b) / 2).canvas
    assert torch.allclose(both, (tau(a).canvas + tau(b).canvas) / 2, atol=1e-6)
    assert not tau(torch.zeros(1, ONE_HOT_SIZE)).canvas.any()


def test_a_token_depends_on_its_own_attribute_only():
    tau = Tau(ModelConfig(tau_width=8))
    a = dict.fromkeys(NAMES, 0)
    requests = torch.from_numpy(one_hot(np.stack([to_row(a), to_row({**a, "hair": 7})])))
    tokens = tau(requests).tokens
    changed = (tokens[0] - tokens[1]).abs().amax(1) > 0
    assert [NAMES[i] for i in changed.nonzero()[:, 0]] == ["hair"]


def test_condition_dropout_drops_whole_attributes_at_the_asked_rate():
    request = random_request(4000)
    kept = drop_conditions(request, 0.5, torch.Generator().manual_seed(0))
    per_attribute = torch.stack([p.sum(1) for p in kept.split(SIZES, dim=1)], 1)  # [N, 18]
    assert set(per_attribute.unique().tolist()) == {0.0, 1.0}
    assert ((kept == request) | (kept == 0)).all()
    given = per_attribute.sum(1)
    assert (given == 0).float().mean().item() == pytest.approx(0.25 + 0.25 / 19, abs=0.03)
    assert (given == 18).float().mean().item() == pytest.approx(0.5 + 0.25 / 19, abs=0.03)
    assert torch.equal(drop_conditions(request, 0.0), request)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"self_attention": (True,)}, "self_attention needs 2 entries"),
        ({"image_size": 30}, "image_size 30 must be a multiple of 4"),
        ({"num_heads": 5}, "channels 16 must be a multiple of num_heads 5"),
        ({"prediction": "v", "input_scaling": "wiener"}, "'wiener' needs prediction 'x0'"),
        (
            {"prediction": "eps", "input_scaling": "unit"},
            "'flow' ends in pure noise.*use prediction 'x0' or 'v'",
        ),
        ({"conditioning": ("scale_shift", "canvas")}, "cross_attention needs 'attention'"),
        ({"conditioning": ("attention",)}, "without 'canvas' in conditioning, canvas_channels"),
        ({"conditioning": ("text",)}, "conditioning must be a list of values, each one of attent"),
        ({"image_channels": 1}, "image_channels must be one of 3, 4"),
        ({**DIFFUSERS, "patch_size": 2}, "unet 'diffusers' needs patch_size 1"),
        ({**DIFFUSERS, "self_attention": (True, False)}, r"needs self_attention \(True, True\)"),
        ({**DIFFUSERS, "conditioning": ("attention", "scale_shift")}, "needs conditioning"),
        ({"image_size": 1024, "patch_size": 1, "canvas_channels": 65}, "65 channels of 1048576"),
        ({"image_size": 1024, "patch_size": 2, "self_attention": (False, True)}, "65536 pixels"),
        (
            {
                "image_size": 1024,
                "patch_size": 1,
                "channels": (64, 256),
                "self_attention": (False,) * 2,
            },
            "multiply-adds is too",
        ),
    ],
)
def test_impossible_architectures_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **change)


def test_config_survives_json_and_names_unknown_fields():
    assert ModelConfig.from_dict(TINY.to_dict()) == TINY
    with pytest.raises(ValueError, match="unknown model config fields: 'depth'"):
        ModelConfig.from_dict({"depth": 3})


def test_under_autocast_a_norm_keeps_bfloat16_and_the_layout():
    norm = GroupNorm(32)
    torch.nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(0))
    x = 3 + torch.randn(2, 32, 8, 8, generator=torch.Generator().manual_seed(1))
    x = x.bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        y = torch.compile(norm, backend="eager", fullgraph=True)(x)
    assert y.dtype == torch.bfloat16 and y.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(y.float(), norm(x.float()), rtol=2**-6, atol=0.01)


def test_under_autocast_no_activation_is_float32():
    network = trained_looking(TINY)
    seen = {}
    for name, module in network.unet.named_modules():
        if isinstance(module, (GroupNorm, torch.nn.Conv2d)):
            hook = lambda _, inputs, output, n=name: seen.update({n: output.dtype})  # noqa: E731
            module.register_forward_hook(hook)
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.zeros(1, 4, 16, 16), torch.zeros(1), torch.zeros(1, 217)).sum().backward()
    assert len(seen) > 20 and set(seen.values()) == {torch.bfloat16}
    assert all(p.grad.dtype == torch.float32 for p in network.parameters())
