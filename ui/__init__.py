"""The web page around an ``AvatarPipeline``. It holds no model code.

``recipe`` is what a link says, ``studio`` the one sampler all visitors share, ``drawing`` one
request to it; ``page`` the layout and what is wired to what, ``handlers`` what then happens;
``routes`` pictures at plain addresses, ``endpoint`` the same for programs.
"""

from . import gradio_import  # noqa: F401  before all that imports Gradio
from .page import build_page, launch_options
from .studio import Studio

__all__ = ["Studio", "build_page", "launch_options"]
