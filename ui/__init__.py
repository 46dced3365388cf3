"""The web page around an ``AvatarPipeline``. It holds no model code.

``page`` is the layout and what is wired to what, ``drawing`` one request with its limits,
``result`` the picture as HTML, ``endpoint`` the same for programs.
"""

from .page import LAUNCH_OPTIONS, build_page

__all__ = ["LAUNCH_OPTIONS", "build_page"]
