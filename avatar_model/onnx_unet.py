"""The UNet evaluated by ONNX Runtime: the same function of the same inputs, in less time."""

from __future__ import annotations

import torch
from torch import Tensor

from .network import AvatarNetwork
from .onnx_graph import ARCHITECTURE, architecture, given, parameters, probe
from .unet import Prepared

TOLERANCE = 1e-3
"""An eighth of the step between two neighbouring 8-bit values of a pixel in [-1, 1]."""


class OnnxUNet:
    """Called like the ``UNet``, on the CPU, with the weights ``network`` has now.

    Args:
        network: in float32 on the CPU; later changes to it do not arrive here.
        graph: from ``onnx_graph.export_graph``.

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
            name: p.detach().numpy().copy(order="C") for name, p in parameters(network.unet).items()
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
        inputs = {"x": x, "t": t, **given(prepared)}
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
    return worst.item()
