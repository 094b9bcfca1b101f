"""audiocls: sweeps and ablations for audio classification, with statistically sound verdicts.

Ablation     *Does this matter?* A base recipe, factors, a design, blocks (seeds x folds), a metric.
Sweep        *What works best?* A W&B sweep configuration; ablations can be registered as one.
Trial        One recipe, arm, seed and fold; its id is the hash of its resolved configuration.
Record       What a finished trial leaves in the store: metrics, cost, provenance.
Study        A launched ablation or sweep: a folder with the request, its trials and their records.
TrialSource  Which trial a study runs next: a plan, interim analyses, a search, or a W&B server.
TrialJob     One trial as an executor gets it: trained in a worker, or a program of the user's.
Family       The Contrasts (an arm against its reference, an effect) that one report tests together,
             under one correction for multiple testing; each gets a verdict.
Document     A report as titles, text, tables, figures and sound, which every format renders.
"""

from audiocls.result import report_result

__all__ = ["report_result"]
__version__ = "0.1.0"
