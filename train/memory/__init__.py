"""Where the memory of a training step goes."""
