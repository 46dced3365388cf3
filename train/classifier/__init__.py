"""The classifier that judges avatars: its training, its calibration, its card."""
