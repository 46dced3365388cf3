"""Blog, finding 1: conditional, the attributes as 18 integers."""

from train.presets._blog import blog

PRESET = blog("blog-3", tau_encoding="integers")
