"""Blog, its final network: four heads and the doubled Tau, about 76 M parameters."""

from train.presets._blog import blog

PRESET = blog("blog-7", num_heads=4, tau_projections=4)
