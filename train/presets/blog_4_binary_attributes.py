"""Blog, finding 1: the attributes as one binary vector of 217."""

from ._blog import blog

PRESET = blog("blog-4")
