"""Studies compared with each other."""

from audiocls.analysis.cross_study.joint import (
    CrossStudyEffect,
    MultiStudyReport,
    StudyRecords,
    compare_studies,
)

__all__ = ["CrossStudyEffect", "MultiStudyReport", "StudyRecords", "compare_studies"]
