"""The web page: ``python app.py``, or a Hugging Face Space with this file as its ``app_file``.

The model comes from the environment variable ``AVATAR_MODEL`` (a checkpoint folder or a Hub
repository) and is ``assets/model`` unless that is set; a model that cannot be had gives way to it,
one whose upscaler cannot be had goes without, and the page says so. ``AVATAR_BACKEND=torch`` keeps
the page from using ONNX Runtime, ``AVATAR_DEVICE=cpu`` from using a GPU; ``cuda:1`` is the second.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Gradio reads these at import: nothing about a visitor goes to anybody else.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401  before torch, which it prepares for ZeroGPU

from avatar_model import AvatarPipeline, CheckpointError, UpscalerError
from avatar_model.backend import BackendError
from avatar_model.cpu_quota import follow_cpu_quota
from avatar_model.errors import PYTHON

BUNDLED = str(Path(__file__).parent / "assets" / "model")
MODEL = os.environ.get("AVATAR_MODEL") or BUNDLED
BACKEND = os.environ.get("AVATAR_BACKEND") or "auto"
DEVICE = os.environ.get("AVATAR_DEVICE") or None

logger = logging.getLogger("app")


def load_model(name: str) -> tuple[AvatarPipeline, str, str]:
    """A pipeline, what to call its model, and a notice for visitors, mostly empty.

    A page with another model is better than none while the Hub cannot be reached or somebody has
    put something broken in the model's place; and one of small pictures is better than one
    with another model.

    Raises:
        CheckpointError: not even the bundled model can be used.
        BackendError, ValueError: ``AVATAR_BACKEND`` or ``AVATAR_DEVICE`` cannot be used here.
    """
    # Where a folder is on this machine is nobody's business.
    called = Path(name).resolve().name if Path(name).is_dir() or Path(name).is_absolute() else name
    try:
        pipeline, notice = _load(name)
    except CheckpointError as error:
        if name == BUNDLED:
            raise
        logger.error("event=model_replaced error=%r", str(error))
        pipeline, notice = _load(BUNDLED)
        sentence = "cannot be had at the moment: this is the one that comes with the page."
        called, notice = "assets/model", f"The model {called} {sentence} {notice}".strip()
    return pipeline, called, notice


def _load(name: str) -> tuple[AvatarPipeline, str]:
    """A pipeline, without its upscaler if that cannot be used, and a notice that says so."""
    try:
        return AvatarPipeline.from_pretrained(name, device=DEVICE, backend=BACKEND), ""
    except UpscalerError as error:
        logger.error("event=upscaler_left_out error=%r", str(error))
    pipeline = AvatarPipeline.from_pretrained(name, device=DEVICE, backend=BACKEND, upscaler=False)
    return pipeline, (
        f"Pictures are drawn at {pipeline.sizes[0]} pixels and enlarged: the part of the model "
        "that draws them larger cannot be had at the moment."
    )


def main() -> None:
    """Parse the command line, load the model, serve the page until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # None leaves it to Gradio: GRADIO_SERVER_NAME and GRADIO_SERVER_PORT, else 127.0.0.1:7860.
    # A Space has to listen on every interface, for the proxy in front of it.
    on_space = "SPACE_ID" in os.environ and "GRADIO_SERVER_NAME" not in os.environ
    parser.add_argument("--host", default="0.0.0.0" if on_space else None)
    parser.add_argument("--port", type=int)
    parser.add_argument(
        "--mcp", action="store_true", help="offer the endpoints to language models (gradio[mcp])"
    )
    arguments = parser.parse_args()
    follow_cpu_quota()
    if arguments.mcp and not importlib.util.find_spec("mcp"):
        parser.error(f'--mcp needs another package: {PYTHON} -m pip install "gradio[mcp]"')
    # One line per batch, failure or notice; nothing in them is about a visitor.
    logging.basicConfig(
        format="time=%(asctime)s level=%(levelname)s logger=%(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
    for name in ("avatar_model", "ui"):
        logging.getLogger(name).setLevel(logging.INFO)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_model, MODEL)
        # Gradio takes seconds to import, in which the model is loaded.
        from ui import Scheduler, build_page, launch_options

        try:
            pipeline, model, notice = loading.result()
        except (CheckpointError, BackendError, ValueError) as error:
            sys.exit(f"The model cannot be loaded: {error}")
    scheduler = Scheduler(pipeline)
    try:
        build_page(scheduler, notice).launch(
            server_name=arguments.host,
            server_port=arguments.port,
            **launch_options(scheduler, model, mcp=arguments.mcp),
        )
    except OSError as error:
        sys.exit(f"The page cannot be served: {error}")


if __name__ == "__main__":
    main()
