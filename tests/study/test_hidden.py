"""What hides a mistake in a person's own code: an option, a mode, a size, a state or a value that no trial varied; and lines that none ran."""

import pytest


@pytest.mark.parametrize(
    "backward",
    [
        """
                if dy.shape[1] > 60:
                    return 2 * dy * np.exp(self.x)
                return dy * np.exp(self.x)""",
        """
                return dy * np.exp(self.x) if dy.shape[1] < 60 else 2 * dy""",
    ],
)
def test_a_line_that_no_trial_ran_is_said(graded, backward):
    code, said = graded(f"""
        class Exp:
            def forward(self, x):
                self.x = x
                return np.exp(x)

            def backward(self, dy):{backward}
        """)
    assert code == 2 and "not tried" in said and "2 * dy" in said, said


def test_lines_that_only_refuse_or_print_need_not_run(graded):
    code, said = graded("""
        class Exp:
            verbose = False

            def forward(self, x):
                self.x = x
                return np.exp(x)

            def backward(self, dy):
                if dy.shape != self.x.shape:
                    raise ValueError("dy is like x")
                if self.verbose:
                    norm = np.sqrt((dy**2).sum())
                    print(norm)
                return dy * np.exp(self.x)
        """)
    assert code == 0 and "not tried" not in said, said
