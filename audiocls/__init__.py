"""audiocls: sweeps and ablations for audio classification, with answers one can trust.

Four nouns carry the system:

Ablation  *Does this matter?* A question, a base recipe, factors, a design, blocks (seeds x folds)
          and a metric. All its trials are known before the first one starts.
Sweep     *What works best?* A W&B sweep configuration; also what an ablation is registered as.
Trial     One recipe, one arm, one seed, one fold, named by the hash of its resolved configuration.
Record    What a finished trial leaves: metrics, predictions, cost, provenance.

A launched ablation is a *study*: a folder under `runs/`.
"""

__version__ = "0.1.0"
