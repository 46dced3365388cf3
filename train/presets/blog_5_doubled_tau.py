"""Blog, finding 2: twice the projections in Tau; colours stay wrong."""

from ._blog import blog

PRESET = blog("blog-5", tau_projections=4)
