"""How good a model is: avatars of unseen combinations against the true images."""
