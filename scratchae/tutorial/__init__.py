"""What the chapters in `tutorials/` use to show things; the book made of them; exercises and their grading."""

from .showing import data_name, dataset, exercise, figure, quick, show, source, study_page

__all__ = ["data_name", "dataset", "exercise", "figure", "quick", "show", "source", "study_page"]
