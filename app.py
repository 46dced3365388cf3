"""The web page: ``python app.py``, or a Hugging Face Space with this file as its ``app_file``.

The model comes from the environment variable ``AVATAR_MODEL`` (a checkpoint folder or a Hub
repository) and is ``assets/model`` unless that is set. ``AVATAR_BACKEND=torch`` keeps the page
from using ONNX Runtime where it is installed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

# Gradio reads these at import: nothing about a visitor goes to anybody else.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.backend import BackendError
from ui import LAUNCH_OPTIONS, build_page

MODEL = os.environ.get("AVATAR_MODEL") or str(Path(__file__).parent / "assets" / "model")
BACKEND = os.environ.get("AVATAR_BACKEND") or "auto"


def demo() -> gr.Blocks:
    """The page around the model, not yet launched. Raises CheckpointError, BackendError."""
    return build_page(AvatarPipeline.from_pretrained(MODEL, backend=BACKEND))


def main() -> None:
    """Parse the command line, load the model, serve the page until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # None leaves it to Gradio: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, else 127.0.0.1:7860.
    # A Space has to listen on every interface, for the proxy in front of it.
    on_space = "SPACE_ID" in os.environ and "GRADIO_SERVER_NAME" not in os.environ
    parser.add_argument("--host", default="0.0.0.0" if on_space else None)
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("avatar_model").setLevel(logging.INFO)
    try:
        page = demo()
    except (CheckpointError, BackendError) as error:
        sys.exit(f"The model cannot be loaded: {error}")
    try:
        page.launch(server_name=arguments.host, server_port=arguments.port, **LAUNCH_OPTIONS)
    except OSError as error:
        sys.exit(f"The page cannot be served: {error}")


if __name__ == "__main__":
    main()
