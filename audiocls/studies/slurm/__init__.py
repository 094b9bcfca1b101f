"""Studies on SLURM: a job array of launches is submitted, followed, looked at and stopped."""
