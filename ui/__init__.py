"""The web page around an ``AvatarPipeline``; it holds no model code."""

from ui import gradio_import  # noqa: F401  before all that imports Gradio
