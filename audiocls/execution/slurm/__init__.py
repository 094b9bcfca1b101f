"""SLURM: a job array of launches that share a study, each of which is a task.

`profile` reads what the tasks ask of the cluster, `script` writes the batch script, `commands` is
the door to SLURM's own programs. What the tasks train is the study's business alone.
"""
