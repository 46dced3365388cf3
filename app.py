"""The web page: ``python app.py``, or a Hugging Face Space with this file as its ``app_file``.

The model comes from the environment variable ``AVATAR_MODEL`` (a checkpoint folder or a Hub
repository) and is ``assets/model`` unless that is set; a model that cannot be had gives way to it,
one whose upscaler cannot be had goes without, and the page says so. ``AVATAR_DEVICE=cpu`` keeps
the page from using a GPU; ``cuda:1`` is the second.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    # Until the server listens there is nothing to finish. The first process of a container would
    # pass SIGTERM over without a handler; what was told to ignore one, as by nohup, goes on.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(0))

# Gradio reads these at import: nothing about a visitor goes to anybody else.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# After every event it would make a table of the last 10,000, which nobody looks at.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"
# torch's at import: its threads would wait at full speed, on cores that others need
# (benchmarks/README.md).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401  before torch, which it prepares for ZeroGPU

from avatar_model import AvatarPipeline, CheckpointError, UpscalerError
from avatar_model.cpu_quota import follow_cpu_quota
from avatar_model.errors import PYTHON

BUNDLED = str(Path(__file__).parent / "assets" / "model")
MODEL = os.environ.get("AVATAR_MODEL") or BUNDLED
DEVICE = os.environ.get("AVATAR_DEVICE") or None

LINE = "time=%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"
DATE = "%Y-%m-%dT%H:%M:%S%z"

logger = logging.getLogger("app")


def public_name(name: str) -> str:
    """What visitors are told: a repository's name as it is, of a folder the last part.

    Where a folder is on this machine is nobody's business; in what is neither may be a password.
    """
    if Path(name).is_dir() or Path(name).is_absolute():
        return Path(name).resolve().name
    return name if re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name) else "that was asked for"


def load_model(name: str) -> tuple[AvatarPipeline, str, str]:
    """A pipeline, what to call its model, and a notice for visitors, mostly empty.

    A page with another model is better than none while the Hub cannot be reached or somebody has
    put something broken in the model's place; and one of small pictures is better than one
    with another model.

    Raises:
        CheckpointError: not even the bundled model can be used.
        ValueError: ``AVATAR_DEVICE`` cannot be used here.
    """
    called = public_name(name)
    try:
        pipeline, notice = _load(name)
    except CheckpointError as error:
        if name == BUNDLED:
            raise
        said = str(error).replace(name, called) if "://" in name else str(error)
        logger.error("event=model_replaced error=%r", said)
        pipeline, notice = _load(BUNDLED)
        sentence = "cannot be had at the moment: this is the one that comes with the page."
        called, notice = "assets/model", f"The model {called} {sentence} {notice}".strip()
    return pipeline, called, notice


def _load(name: str) -> tuple[AvatarPipeline, str]:
    """A pipeline, without its upscaler if that cannot be used, and a notice that says so."""
    try:
        return AvatarPipeline.from_pretrained(name, device=DEVICE), ""
    except UpscalerError as error:
        logger.error("event=upscaler_left_out error=%r", str(error))
    pipeline = AvatarPipeline.from_pretrained(name, device=DEVICE, upscaler=False)
    return pipeline, (
        f"Pictures are drawn at {pipeline.sizes[0]} pixels and enlarged: the part of the model "
        "that draws them larger cannot be had at the moment."
    )


def main() -> None:
    """Parse the command line, load the model, serve the page until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # A Space has to listen on every interface, for the proxy in front of it.
    host = "0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1"
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME") or host)
    parser.add_argument("--port", type=int, default=os.environ.get("GRADIO_SERVER_PORT") or None)
    parser.add_argument(
        "--mcp", action="store_true", help="offer the endpoints to language models (gradio[mcp])"
    )
    arguments = parser.parse_args()
    follow_cpu_quota()
    if arguments.mcp and not importlib.util.find_spec("mcp"):
        parser.error(f'--mcp needs another package: {PYTHON} -m pip install "gradio[mcp]"')
    # One line per batch, failure or notice; nothing in them is about a visitor.
    logging.basicConfig(format=LINE, datefmt=DATE)
    for name in ("avatar_model", "ui"):
        logging.getLogger(name).setLevel(logging.INFO)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_model, MODEL)
        # Gradio takes seconds to import, in which the model is loaded.
        from ui.server.log import harden_log
        from ui.server.server import listen, serve
        from ui.server.site import Site

        harden_log(LINE, DATE)
        try:
            pipeline, model, notice = loading.result()
        except (CheckpointError, ValueError) as error:
            sys.exit(f"The model cannot be loaded: {error}")
    try:
        listening = listen(arguments.host, arguments.port)
        serve(Site(pipeline, model, notice, mcp=arguments.mcp), listening)
    except (OSError, ValueError) as error:
        sys.exit(f"The page cannot be served: {error}")


if __name__ == "__main__":
    main()
