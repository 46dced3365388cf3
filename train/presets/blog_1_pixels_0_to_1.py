"""Blog, first try: unconditional, pixels in [0, 1]; mostly noise for epochs."""

from train.presets._blog import blog

PRESET = blog("blog-1", tau_encoding="none", pixel_range=(0.0, 1.0))
