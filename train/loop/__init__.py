"""One training run: its settings, its loop, and everything that a step is made of."""
