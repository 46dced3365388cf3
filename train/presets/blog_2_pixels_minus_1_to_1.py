"""Blog, pixel range: the same in [-1, 1]; faces appear, with few hair styles."""

from train.presets._blog import blog

PRESET = blog("blog-2", tau_encoding="none")
