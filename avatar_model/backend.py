"""What evaluates the UNet: torch, the reference, or ONNX Runtime, the same in less time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from torch import Tensor

from .arguments import one_of
from .checkpoint_files import GRAPH_FILE, UPSCALER_FOLDER
from .errors import PYTHON, AvatarError
from .network import AvatarNetwork
from .onnx_unet import TOLERANCE, OnnxUNet, difference
from .unet import Prepared

BACKENDS = ("auto", "torch", "onnx")
Step = Callable[[Tensor, Tensor, Prepared], Tensor]

log = logging.getLogger(__name__)


class BackendError(AvatarError, RuntimeError):
    """A backend that cannot be used; the message says why."""


class MissingError(BackendError):
    """Nothing is broken: the backend is an extra, and not all of it is there."""


def choose_backend(name: str, network: AvatarNetwork, graph: bytes | None) -> tuple[str, Step]:
    """The name, "torch" or "onnx", and a function that is called like the UNet of ``network``.

    Args:
        name: "torch"; "onnx"; or "auto", ONNX Runtime if it can be used, else torch and a line in
            the log that says why.
        graph: from ``onnx_unet.export_graph``, if there is one.

    Raises:
        BackendError: "onnx" was asked for and cannot be used.
        ValueError: an unknown name.
    """
    one_of("backend", name, BACKENDS)
    if name == "torch":
        return "torch", network.unet
    try:
        step = checked_onnx(network, graph)
    except BackendError as error:
        if name == "onnx":
            raise
        level = logging.INFO if isinstance(error, MissingError) else logging.WARNING
        log.log(level, "Drawing with torch: %s", error)
        return "torch", network.unet
    return "onnx", step if name == "onnx" else _OrTorch(step, network.unet)


def checked_onnx(network: AvatarNetwork, graph: bytes | None) -> OnnxUNet:
    """ONNX Runtime with this graph, compared with torch; BackendError says what is wrong."""
    device = next(network.parameters()).device
    if device.type != "cpu":
        raise MissingError(f"ONNX Runtime draws on the CPU here, and the network is on {device}")
    upscales = network.config.is_upscaler
    file = f"{UPSCALER_FOLDER}/{GRAPH_FILE}" if upscales else GRAPH_FILE
    if graph is None:
        raise MissingError(
            f"the checkpoint has no {file}, which {PYTHON} -m avatar_model.export would make"
        )
    try:
        step = OnnxUNet(network, graph)
        worst = difference(network, step)
    except ImportError:
        message = f"ONNX Runtime is not installed ({PYTHON} -m pip install onnxruntime)"
        raise MissingError(message) from None
    except Exception as error:  # whatever it is, torch can still be used
        raise BackendError(f"{file} cannot be used: {_short(error)}") from error
    if not worst <= TOLERANCE:  # nor is NaN
        raise BackendError(f"{file} draws something else than torch, by {worst:.2g}")
    return step


class _OrTorch:
    """ONNX Runtime until it fails; from then on torch."""

    def __init__(self, step: Step, unet: Step) -> None:
        self._step, self._unet = step, unet

    def __call__(self, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
        try:
            return self._step(x, t, prepared)
        except Exception as error:
            if self._step is self._unet:
                raise
            log.warning("Drawing with torch from now on: %s", _short(error))
            self._step = self._unet
            return self._step(x, t, prepared)


def _short(error: Exception) -> str:
    """The type and what happened; ONNX Runtime puts a page of C++ in front of it."""
    message = str(error).split("[ONNXRuntimeError]")[-1].strip(" :\n")
    return f"{type(error).__name__}: {message.splitlines()[0] if message else ''}"[:300]
