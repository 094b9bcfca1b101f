"""Import: results that exist, of any program, as a study that every report reads.

Each source (a table, a folder of W&B logs, a W&B project, an Optuna storage, an MLflow store) gives
its results as runs; `store_results` makes a study of them.
"""
