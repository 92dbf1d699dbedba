"""Hyperparameter search: grid, random and Bayesian, over any field of a recipe, by Optuna.

`tuning.tune` begins a study and `tuning.resume_study` goes on with one; `space_file` says how a space is written.
"""

from plaingrad.search.results import Opening, StudyResult, TrialResult
from plaingrad.search.space import Dimension, Space
from plaingrad.search.space_file import read_space, space_of

__all__ = ["Dimension", "Opening", "Space", "StudyResult", "TrialResult", "read_space", "space_of"]
