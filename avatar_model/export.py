"""Export the graphs that ONNX Runtime draws with, one of each stage, into a checkpoint folder:

    python -m avatar_model.export runs/mine/checkpoints/step-00010000

It takes about 15 seconds a stage, which no visitor should wait for, so the page never exports.
Needs ``pip install -e '.[onnx]'``.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .backend import BackendError, checked
from .checkpoint import (
    GRAPH_FILE,
    UPSCALER_FOLDER,
    CheckpointError,
    load_checkpoint,
    write_atomically,
)
from .network import AvatarNetwork
from .onnx_graph import export_graph


def export(folder: Path) -> list[Path]:
    """Write ``unet.onnx`` into a checkpoint folder and its upscaler's, if they draw as torch does.

    Returns:
        the files, the base's first.

    Raises:
        CheckpointError, BackendError: what is wrong; nothing is written then.
    """
    checkpoint = load_checkpoint(folder)
    graphs = {folder / GRAPH_FILE: _graph(checkpoint.network)}
    if checkpoint.upscaler is not None:
        graphs[folder / UPSCALER_FOLDER / GRAPH_FILE] = _graph(checkpoint.upscaler.network)
    for path, graph in graphs.items():
        write_atomically(path, graph)
    return list(graphs)


def _graph(network: AvatarNetwork) -> bytes:
    try:
        graph = export_graph(network)
    except ImportError as error:
        raise BackendError(f"{error} (pip install -e '.[onnx]')") from error
    checked(network, graph)
    return graph


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a checkpoint folder")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses a torchvision it needs not
    try:
        paths = export(parser.parse_args().folder)
    except (CheckpointError, BackendError) as error:
        sys.exit(f"Nothing was exported: {error}")
    for path in paths:
        print(f"{path}, {path.stat().st_size / 1000:.0f} kB, draws what torch draws")


if __name__ == "__main__":
    main()
