"""Blog, finding 1: the attributes as one binary vector of 217."""

from train.presets._blog import blog

PRESET = blog("blog-4")
