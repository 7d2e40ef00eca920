"""What the tests of a person's own code share."""

import textwrap

import pytest

from scratchae.tutorial import grade


@pytest.fixture
def graded(tmp_path):
    """A function that grades code, behind `import numpy as np`, in a file mine.py: its exit code, and what is said."""

    def run(text):
        path = tmp_path / "mine.py"
        path.write_text("import numpy as np\n" + textwrap.dedent(text), encoding="utf-8")
        return grade.grade(path)

    return run


@pytest.fixture
def slipped(graded):
    """A function that grades right code, and then the same with one slip, which is wrong: what is said of each."""

    def run(text, before, after):
        code, of_right = graded(text)
        assert code == 0, of_right
        assert before in text
        code, of_wrong = graded(text.replace(before, after))
        assert code == 1, of_wrong
        return of_right, of_wrong

    return run
