"""The benchmark: how long a training step takes, where the time goes, and what other libraries need for the same work."""
