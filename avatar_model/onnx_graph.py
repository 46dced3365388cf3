"""The UNet as an ONNX graph without weights.

The graph depends on the architecture alone. Weights are put in when it is loaded
(``onnx_unet.py``), so the file is small and more training does not make it stale.
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


def architecture(config: ModelConfig) -> str:
    """A short hash of the config; a graph belongs to one."""
    fields = config.to_dict()
    # What is no part of the graph, and what graphs that are older than it do not have.
    for name in ("crop", *(() if config.is_upscaler else ("low_res_size",))):
        del fields[name]
    text = json.dumps(fields, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def probe(network: AvatarNetwork, batch: int) -> tuple[Tensor, Tensor, Prepared]:
    """An input for the UNet, the same in every process: noise, times and random looks.

    Returns:
        x [B, 4, H, W], t [B] from 1 down, and the prepared condition, on the CPU.
    """
    size = network.config.image_size
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((batch, 4, size, size), dtype=np.float32))
    looks = np.stack([rng.integers(0, SIZES) for _ in range(batch)])
    low_res = None
    if side := network.config.low_res_size:
        low_res = torch.from_numpy(rng.uniform(-1, 1, (batch, 4, side, side)).astype(np.float32))
    prepared = network.prepare(torch.from_numpy(one_hot(looks)), low_res)
    return x, torch.linspace(1, 0.25, batch), prepared


@torch.no_grad()
def export_graph(network: AvatarNetwork) -> bytes:
    """The UNet of ``network``, on the CPU, as a serialised ONNX model for any batch size.

    Inputs are ``x``, ``t`` and the fields of ``Prepared`` that are not None. All ``parameters`` are
    external initializers, to be given by name.

    Raises:
        ImportError: without the packages onnx and onnxscript.
    """
    import onnx

    x, t, prepared = probe(network, 2)
    names = ["x", "t", *given(prepared)]
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    shapes = Prepared(*(None if value is None else batch for value in prepared))
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
    model = program.model_proto
    _drop_weights(model, network.unet)
    _drop_notes(model)
    onnx.helper.set_model_props(model, {ARCHITECTURE: architecture(network.config)})
    return model.SerializeToString()


def given(prepared: Prepared) -> dict[str, Tensor]:
    """The fields that the UNet of this architecture looks at, by name."""
    return {name: value for name, value in prepared._asdict().items() if value is not None}


def parameters(unet: UNet) -> dict[str, Tensor]:
    """The parameters of a step by their names: all but those of ``UNet.prepare``."""
    once = [unet.pooled, *(attention.kv for attention in unet.cross_attentions())]
    left_out = {id(p) for module in once for p in module.parameters()}
    return {name: p for name, p in unet.named_parameters() if id(p) not in left_out}


def _drop_weights(model: Any, unet: UNet) -> None:
    """Leave name, type and shape of every parameter, and say that its values come later."""
    import onnx

    names = parameters(unet)
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
