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
