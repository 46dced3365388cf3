"""Blog, attention: four heads instead of one; hair colours appear."""

from train.presets._blog import blog

PRESET = blog("blog-6", num_heads=4)
