"""Training: the loop, scoring, checkpoints, prediction, cost. Knows no disk layout, no tracker."""
