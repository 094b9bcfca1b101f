"""Training: the loop, scoring, checkpoints, prediction, cost; without disk layout or tracking."""
