"""The UNet for ONNX Runtime: the same function of the same inputs, in less time.

The graph is exported without weights and depends on the architecture alone. Weights are put in when
it is loaded, so the file is small and more training does not make it stale.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .attributes import SIZES, one_hot
from .config import ModelConfig
from .network import AvatarNetwork
from .unet import Prepared, UNet

OPSET = 20
ARCHITECTURE = "architecture"
"""Under this name the graph's metadata tells which architecture it was exported from."""
TOLERANCE = 1e-3
"""An eighth of the step between two neighbouring 8-bit values of a pixel in [-1, 1]."""


def architecture(config: ModelConfig) -> str:
    """A short hash of the config; a graph belongs to one."""
    fields = config.to_dict()
    # What is no part of the graph, and what graphs that are older than it do not have.
    for name in ("crop", *(() if config.is_upscaler else ("low_res_size",))):
        del fields[name]
    text = json.dumps(fields, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def probe(network: AvatarNetwork, batch: int) -> tuple[Tensor, Tensor, Prepared]:
    """An input for the UNet, the same in every process: noise, times and random attributes.

    Returns:
        x [B, 4, H, W], t [B] from 1 down, and the prepared condition, on the CPU.
    """
    size = network.config.image_size
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((batch, 4, size, size), dtype=np.float32))
    values = np.stack([rng.integers(0, SIZES) for _ in range(batch)])
    low_res = None
    if side := network.config.low_res_size:
        low_res = torch.from_numpy(rng.uniform(-1, 1, (batch, 4, side, side)).astype(np.float32))
    prepared = network.prepare(torch.from_numpy(one_hot(values)), low_res)
    return x, torch.linspace(1, 0.25, batch), prepared


@torch.no_grad()
def export_graph(network: AvatarNetwork) -> bytes:
    """The UNet of ``network``, on the CPU, as a serialised ONNX model for any batch size.

    Inputs are ``x``, ``t`` and the fields of ``Prepared`` that are not None. All
    ``step_parameters`` are external initializers, to be given by name.

    Raises:
        ImportError: without the packages onnx and onnxscript.
    """
    import onnx

    x, t, prepared = probe(network, 2)
    names = ["x", "t", *prepared.tensors()]
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    shapes = Prepared._make(None if value is None else batch for value in prepared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own internals
        program = torch.onnx.export(
            network.unet,
            (x, t, prepared),
            dynamo=True,
            # Its optimizer would fold transposed weights into constants without a name.
            optimize=False,
            verbose=False,
            opset_version=OPSET,
            input_names=names,
            output_names=["output"],
            dynamic_shapes=(batch, batch, shapes),
        )
    assert program is not None, "torch.onnx.export with dynamo=True returns one"
    model = program.model_proto
    _drop_weights(model, network.unet)
    _drop_notes(model)
    onnx.helper.set_model_props(model, {ARCHITECTURE: architecture(network.config)})
    return bytes(model.SerializeToString())


def step_parameters(unet: UNet) -> dict[str, Tensor]:
    """The parameters of a step by their names: all but those of ``UNet.prepare``."""
    once = [unet.pooled, *(attention.kv for attention in unet.cross_attentions())]
    left_out = {id(p) for module in once for p in module.parameters()}
    return {name: p for name, p in unet.named_parameters() if id(p) not in left_out}


def _drop_weights(model: Any, unet: UNet) -> None:
    """Leave name, type and shape of every parameter, and say that its values come later."""
    import onnx

    names = step_parameters(unet)
    for initializer in model.graph.initializer:
        if initializer.name in names:
            initializer.ClearField("raw_data")
            initializer.data_location = onnx.TensorProto.EXTERNAL
            initializer.external_data.add(key="location", value="from the checkpoint")


def _drop_notes(model: Any) -> None:
    """Remove the exporter's notes: stack traces with the paths of this machine, and names."""
    for node in model.graph.node:
        for field in ("metadata_props", "doc_string", "name"):
            node.ClearField(field)
    for field in ("value_info", "metadata_props", "doc_string"):
        model.graph.ClearField(field)


class OnnxUNet:
    """Called like the ``UNet``, on the CPU, with the weights ``network`` has now.

    Args:
        network: in float32 on the CPU; later changes to it do not arrive here.
        graph: from ``export_graph``.

    Raises:
        ImportError: ONNX Runtime is not installed.
        ValueError: the graph was exported from another architecture.
        Exception: whatever ONNX Runtime raises for a damaged graph.
    """

    def __init__(self, network: AvatarNetwork, graph: bytes) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = torch.get_num_threads()
        # Threads that wait for work in a loop would take the cores from torch and the web server.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        weights = {
            name: parameter.detach().numpy().copy(order="C")
            for name, parameter in step_parameters(network.unet).items()
        }
        options.add_external_initializers(
            list(weights), [ort.OrtValue.ortvalue_from_numpy(w) for w in weights.values()]
        )
        self._weights = weights  # ONNX Runtime may use them where they are
        self._session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        found = self._session.get_modelmeta().custom_metadata_map.get(ARCHITECTURE)
        if found != architecture(network.config):
            raise ValueError("the graph was exported from another architecture")

    def __call__(self, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
        """x: [B, C, H, W], t: [B], ``prepared`` for B requests. Returns [B, C, H, W]."""
        inputs = {"x": x, "t": t, **prepared.tensors()}
        (output,) = self._session.run(None, {name: v.numpy() for name, v in inputs.items()})
        return torch.from_numpy(output)


@torch.no_grad()
def difference(network: AvatarNetwork, step: OnnxUNet) -> float:
    """The largest difference from torch over a probe batch, for outputs in the range of a pixel.

    Larger outputs, such as those of an untrained network, may differ as much in proportion.
    """
    inputs = probe(network, 3)  # not the batch size of the export, which could have been baked in
    reference = network.unet(*inputs)
    worst = (step(*inputs) - reference).abs().max() / reference.abs().max().clamp(min=1)
    return float(worst)
