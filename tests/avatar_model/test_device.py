import pytest
import torch

from avatar_model import AvatarPipeline
from avatar_model.device import DeviceError, choose_device
from tests.tiny import two_stages


@pytest.fixture
def gpus(monkeypatch):
    """Have torch report so many GPUs."""

    def report(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return report


def test_a_gpu_if_there_is_one_else_the_cpu(gpus):
    gpus(0)
    assert choose_device() == torch.device("cpu")
    gpus(2)
    assert choose_device() == torch.device("cuda")


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1", torch.device("cuda:1")])
def test_a_device_that_is_here_is_taken(gpus, name):
    gpus(2)
    assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize(
    ("name", "count", "known"),
    [
        ("cuda", 0, "cpu"),
        ("cuda:1", 1, "cpu, cuda:0"),
        ("cuda:-1", 1, "cpu, cuda:0"),
        ("gpu", 1, "cpu, cuda:0"),
        ("", 0, "cpu"),
        ("meta", 0, "cpu"),
        ("cpu:1", 0, "cpu"),
        (7, 1, "cpu, cuda:0"),
    ],
)
def test_a_device_that_is_not_here_is_named(gpus, monkeypatch, name, count, known):
    gpus(count)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError) as caught:
        choose_device(name)
    assert str(caught.value) == f"there is no device {str(name)!r} here, only {known}"


def test_a_pipeline_asks_before_it_downloads(gpus):
    gpus(0)
    with pytest.raises(DeviceError):
        AvatarPipeline.from_pretrained("nobody/has-this", device="cuda:3")
    with pytest.raises(DeviceError):
        two_stages().to("cuda")
