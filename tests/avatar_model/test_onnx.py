"""ONNX Runtime against torch, and what happens when it cannot be used."""

import dataclasses
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_model import AvatarPipeline, Vocabulary, backend, export
from avatar_model.attributes import ATTRIBUTES
from avatar_model.backend import BackendError, choose_backend
from avatar_model.images import ALPHA_FLOOR
from avatar_model.network import AvatarNetwork
from avatar_model.onnx_unet import OnnxUNet, export_graph, probe
from tests.tiny import TINY_MODEL, TINY_UPSCALER, random_network, two_stages

onnx = pytest.importorskip("onnx", reason="pip install -e '.[onnx]'")
pytest.importorskip("onnxscript", reason="pip install -e '.[onnx]'")
pytest.importorskip("onnxruntime", reason="pip install -e '.[onnx]'")

CONFIG = dataclasses.replace(TINY_MODEL, self_attention=(False, True))
OTHER = dataclasses.replace(CONFIG, prediction="v", input_scaling="unit")
BUNDLED = Path(__file__).parents[2] / "assets" / "model" / "unet.onnx"
LOOK = {"hair": 12, "glasses": None}


def make_pipe(graph=None, config=CONFIG, seed=0):
    torch.manual_seed(seed)
    network = AvatarNetwork(config).eval()
    for p in network.parameters():  # layers that start at zero would hide a mistake
        torch.nn.init.normal_(p, std=0.1)
    counts = {a.name: [1] * a.num_values for a in ATTRIBUTES}
    return AvatarPipeline(network, Vocabulary.from_options({}, counts), graph=graph)


@pytest.fixture(scope="module")
def graph():
    return export_graph(make_pipe().network)


@pytest.fixture(scope="module")
def larger():
    """The graph of an upscaler."""
    return export_graph(random_network(TINY_UPSCALER))


@pytest.fixture
def pipe(graph):
    return make_pipe(graph)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_graph_draws_what_torch_draws_with_any_weights_and_batch(graph, seed, batch):
    network = make_pipe(seed=seed).network
    inputs = probe(network, batch)
    with torch.no_grad():
        reference = network.unet(*inputs)
        assert reference.abs().max() > 0.1
        assert (OnnxUNet(network, graph)(*inputs) - reference).abs().max() < 1e-4


GUIDED = [
    {},
    {"guidance_scale": 2.0, "sampler": "ddpm"},
    *({"guidance_scale": 2.0, "guidance_method": m} for m in ("condition", "projected")),
]


@pytest.mark.parametrize("options", GUIDED)
def test_the_pipeline_draws_the_same_images(pipe, options):
    options = {"seed": 3, "num_images": 3, "num_inference_steps": 3, **options}
    expected = pipe(LOOK, output_type="np", **options)
    drawn = pipe.use_backend("onnx")(LOOK, output_type="np", **options)
    assert pipe.backend == "onnx" and drawn.attributes == expected.attributes
    assert np.abs(drawn.images.astype(int) - expected.images).max() <= 1
    assert expected.images.std() > 10


def test_the_graph_holds_no_weights_and_no_paths(graph):
    model = onnx.load_from_string(graph)
    assert all(
        i.data_location == onnx.TensorProto.EXTERNAL
        for i in model.graph.initializer
        if i.name.endswith((".weight", ".bias"))
    )
    assert b".py" not in graph and b"-packages" not in graph


def test_a_checkpoint_folder_keeps_its_graph(pipe, tmp_path):
    pipe.save_pretrained(tmp_path / "a")
    loaded = AvatarPipeline.from_pretrained(tmp_path / "a", device="cpu")
    assert loaded.backend == "onnx"
    loaded.save_pretrained(tmp_path / "b")
    assert AvatarPipeline.from_pretrained(tmp_path / "b", device="cpu").backend == "onnx"
    (tmp_path / "b" / "unet.onnx").unlink()
    assert AvatarPipeline.from_pretrained(tmp_path / "b", device="cpu").backend == "torch"


def test_export_adds_the_graph_to_a_folder(pipe, graph, tmp_path, monkeypatch):
    make_pipe().save_pretrained(tmp_path)
    monkeypatch.setattr(export, "export_graph", lambda network: graph)
    monkeypatch.setattr(sys, "argv", ["export", str(tmp_path)])
    export.cli()
    assert (tmp_path / "unet.onnx").read_bytes() == graph


def test_export_writes_nothing_that_draws_something_else(graph, tmp_path, monkeypatch):
    make_pipe(config=OTHER).save_pretrained(tmp_path)
    monkeypatch.setattr(export, "export_graph", lambda network: graph)
    monkeypatch.setattr(sys, "argv", ["export", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"Nothing was exported: .* another architecture"):
        export.cli()
    assert not (tmp_path / "unet.onnx").exists()


class TestTwoStages:
    @pytest.fixture
    def folder(self, tmp_path, graph, larger, monkeypatch):
        """A checkpoint that has been through the exporter."""
        two_stages(TINY_UPSCALER, CONFIG).save_pretrained(tmp_path)
        graphs = {16: graph, 64: larger}
        monkeypatch.setattr(export, "export_graph", lambda net: graphs[net.config.image_size])
        monkeypatch.setattr(sys, "argv", ["export", str(tmp_path)])
        export.cli()
        return tmp_path

    def test_export_adds_a_graph_to_each_stage(self, folder, graph, larger):
        assert (folder / "unet.onnx").read_bytes() == graph
        assert (folder / "upscaler" / "unet.onnx").read_bytes() == larger

    @pytest.mark.parametrize("options", GUIDED)
    @pytest.mark.parametrize("size", [16, 64])
    def test_both_stages_draw_the_same_images(self, folder, size, options):
        pipe = AvatarPipeline.from_pretrained(folder, device="cpu")
        assert pipe.backend == pipe.upscaler.backend == "onnx"
        options = {"seed": 3, "num_images": 18, "upscaler_steps": 2, "size": size, **options}
        drawn = pipe(LOOK, output_type="np", **options).images.astype(int)
        expected = pipe.use_backend("torch")(LOOK, output_type="np", **options).images
        assert np.abs(drawn - expected).max() <= ALPHA_FLOOR + 1
        assert (drawn == expected).mean() > 0.999
        assert pipe.backend == pipe.upscaler.backend == "torch" and expected.std() > 10

    def test_the_graph_serves_any_small_picture(self, larger):
        network = random_network(TINY_UPSCALER, seed=7)
        step = OnnxUNet(network, larger)
        x, t, _ = probe(network, 3)
        with torch.no_grad():
            for low_res in (torch.rand(3, 4, 16, 16), torch.full((3, 4, 16, 16), -1.0)):
                prepared = network.prepare(torch.zeros(3, 217), low_res)
                assert (step(x, t, prepared) - network.unet(x, t, prepared)).abs().max() < 1e-4

    def test_a_damaged_graph_of_the_upscaler_leaves_it_to_torch_alone(self, folder, caplog):
        (folder / "upscaler" / "unet.onnx").write_bytes(b"no graph")
        pipe = AvatarPipeline.from_pretrained(folder, device="cpu")
        assert (pipe.backend, pipe.upscaler.backend) == ("onnx", "torch")
        (record,) = caplog.records
        assert "upscaler/unet.onnx cannot be used" in record.getMessage()
        with pytest.raises(BackendError, match=r"upscaler/unet\.onnx cannot be used"):
            pipe.use_backend("onnx")

    def test_nothing_is_exported_if_a_stage_is_bad(self, folder, monkeypatch):
        (folder / "unet.onnx").unlink()
        (folder / "upscaler" / "model.safetensors").unlink()
        with pytest.raises(SystemExit, match="Nothing was exported: there is no .*upscaler/model"):
            export.cli()
        assert not (folder / "unet.onnx").exists()


class TestFallback:
    """Whatever is wrong, "auto" draws with torch and says why, and "onnx" raises."""

    @pytest.fixture
    def refused(self, caplog):
        def check(pipe, message, level):
            caplog.set_level(logging.INFO)
            assert pipe.use_backend("auto").backend == "torch"
            assert pipe(LOOK, seed=1).images
            (record,) = caplog.records
            assert record.levelname == level and message in record.getMessage()
            with pytest.raises(BackendError, match=message):
                pipe.use_backend("onnx")

        return check

    def test_not_installed(self, pipe, refused, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        refused(pipe, "ONNX Runtime is not installed", "INFO")

    def test_never_exported(self, refused):
        refused(make_pipe(), "the checkpoint has no unet.onnx", "INFO")

    def test_graph_of_another_architecture(self, graph, refused):
        refused(make_pipe(graph, OTHER), "exported from another architecture", "WARNING")

    def test_damaged_graph(self, graph, refused):
        refused(make_pipe(graph[: len(graph) // 2]), "unet.onnx cannot be used", "WARNING")

    def test_graph_that_computes_something_else(self, graph, refused):
        model = onnx.load_from_string(graph)
        next(node for node in model.graph.node if node.op_type == "Sigmoid").op_type = "Tanh"
        refused(make_pipe(model.SerializeToString()), "draws something else than torch", "WARNING")

    def test_failure_while_drawing(self, pipe, caplog, monkeypatch):
        expected = pipe(LOOK, seed=1, output_type="np").images
        pipe.use_backend("auto")
        monkeypatch.setattr(OnnxUNet, "__call__", lambda *_: 1 / 0)
        drawn = pipe(LOOK, seed=1, num_inference_steps=3, output_type="np").images
        assert np.array_equal(pipe(LOOK, seed=1, output_type="np").images, expected)
        assert drawn.shape == expected.shape
        assert [r.getMessage() for r in caplog.records] == [
            "Drawing with torch from now on: ZeroDivisionError: division by zero"
        ]


@pytest.mark.skipif(not BUNDLED.exists(), reason="python -m avatar_model.export assets/model")
def test_the_bundled_graph_can_be_used():
    pipe = AvatarPipeline.from_pretrained(BUNDLED.parent, device="cpu", backend="onnx")
    drawn = pipe(LOOK, seed=1, output_type="np").images.astype(int)
    expected = pipe.use_backend("torch")(LOOK, seed=1, output_type="np").images
    assert np.abs(drawn - expected).max() <= 1


def test_an_unknown_backend_is_named():
    with pytest.raises(ValueError, match="backend must be one of auto, torch, onnx, not 'tpu'"):
        choose_backend("tpu", make_pipe().network, None)


def test_a_network_that_is_not_on_the_cpu_stays_with_torch(graph):
    network = make_pipe().network.to("meta")
    assert backend.choose_backend("auto", network, graph) == ("torch", network.unet)
