"""The web page around an ``AvatarPipeline``; it holds no model code."""

from ui import gradio_import  # noqa: F401  before all that imports Gradio
from ui.inference.scheduler import Scheduler
from ui.page import build_page, launch_options

__all__ = ["Scheduler", "build_page", "launch_options"]
