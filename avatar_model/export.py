"""Export the graph that ONNX Runtime draws with into a checkpoint folder:

    python -m avatar_model.export runs/mine/checkpoints/step-00010000

It takes about 15 seconds, which no visitor should wait for, so the page never exports. Needs
``pip install -e '.[onnx]'``.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .backend import BackendError, checked
from .checkpoint import GRAPH_FILE, CheckpointError, load_checkpoint, write_atomically
from .onnx_graph import export_graph


def export(folder: Path) -> Path:
    """Write ``unet.onnx`` into a checkpoint folder, if it draws what torch draws.

    Raises:
        CheckpointError, BackendError: what is wrong; nothing is written then.
    """
    network = load_checkpoint(folder).network
    try:
        graph = export_graph(network)
    except ImportError as error:
        raise BackendError(f"{error} (pip install -e '.[onnx]')") from error
    checked(network, graph)
    write_atomically(folder / GRAPH_FILE, graph)
    return folder / GRAPH_FILE


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a checkpoint folder")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses a torchvision it needs not
    try:
        path = export(parser.parse_args().folder)
    except (CheckpointError, BackendError) as error:
        sys.exit(f"Nothing was exported: {error}")
    print(f"{path}, {path.stat().st_size / 1000:.0f} kB, draws what torch draws")


if __name__ == "__main__":
    main()
