"""A person's own code under many conditions. A mistake that is invisible at one shape, at the first value of a parameter, at the
default of an option or in one mode is still a mistake, so a check is a plan of trials, each run on copies.

`inputs.py` draws inputs and other options, `plan.py` lists the trials of a layer, `layers.py` runs them; `functions.py` does the
same for losses, penalties and pairs of functions, `optimizers.py` for optimizers, against their definitions. `result.py` says
what was tried, and in which trial something is wrong.
"""

from .result import Result

__all__ = ["Result"]
