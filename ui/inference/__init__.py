"""One queue and one thread that generate avatars for all visitors."""
