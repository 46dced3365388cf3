"""Export the graphs for ONNX Runtime, one of each stage, into a checkpoint folder.

    python -m avatar_model.export runs/mine/checkpoints/step-00010000

It takes about 15 seconds a stage, which no visitor should wait for, so the page never exports.
Needs ``pip install -e '.[onnx]'``.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .atomic import write_atomically
from .backend import BackendError, checked_onnx
from .checkpoint import load_checkpoint
from .checkpoint_files import GRAPH_FILE, UPSCALER_FOLDER, CheckpointError, fetch_checkpoint
from .errors import PYTHON
from .network import AvatarNetwork
from .onnx_unet import export_graph


def export(folder: Path) -> list[Path]:
    """Write ``unet.onnx`` into a checkpoint folder and its upscaler's, if they match torch.

    Of the folder of a training run it is its best checkpoint.

    Returns:
        the files, the base's first.

    Raises:
        CheckpointError, BackendError: what is wrong; nothing is written then.
    """
    folder = fetch_checkpoint(str(folder))
    _, base, upscaler = load_checkpoint(folder)
    graphs = {folder / GRAPH_FILE: _graph(base.network)}
    if upscaler is not None:
        graphs[folder / UPSCALER_FOLDER / GRAPH_FILE] = _graph(upscaler.network)
    for path, graph in graphs.items():
        write_atomically(path, graph)
    return list(graphs)


def _graph(network: AvatarNetwork) -> bytes:
    try:
        graph = export_graph(network)
    except ImportError as error:
        raise BackendError(f"{error} ({PYTHON} -m pip install -e '.[onnx]')") from error
    checked_onnx(network, graph)
    return graph


def cli() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a checkpoint folder, or that of a training run")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses a torchvision it needs not
    try:
        paths = export(parser.parse_args().folder)
    except (CheckpointError, BackendError) as error:
        sys.exit(f"Nothing was exported: {error}")
    for path in paths:
        print(f"{path}, {path.stat().st_size / 1000:.0f} kB, draws what torch draws")


if __name__ == "__main__":
    cli()
