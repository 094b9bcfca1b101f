"""Weights & Biases: runs, sweeps, projects and sync; the only modules that import its client."""
