"""Functions that the chapters in `tutorials/` use to show things, the book made of the chapters, and exercises with their
grading."""

from ..environment import write_twins
from .showing import data_name, dataset, exercise, figure, quick, show, source, study_page
from .trained import trained

__all__ = ["data_name", "dataset", "exercise", "figure", "quick", "show", "source", "study_page", "trained"]

write_twins()  # chapters, and checks of a learner's own code, print formulas on whatever console there is
