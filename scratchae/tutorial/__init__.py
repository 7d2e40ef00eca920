"""Functions that the chapters in `tutorials/` use to show things, the book made of the chapters, and exercises with their
grading."""

from .showing import data_name, dataset, exercise, figure, quick, show, source, study_page

__all__ = ["data_name", "dataset", "exercise", "figure", "quick", "show", "source", "study_page"]
