"""Blog, finding 2: twice the projections in Tau; colours stay wrong."""

from train.presets._blog import blog

PRESET = blog("blog-5", tau_projections=4)
