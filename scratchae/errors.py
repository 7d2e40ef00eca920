"""The library's errors. Every message says what came, what was expected and the way out."""


def printable(text: object) -> str:
    """What comes from elsewhere, as text that cannot steer the terminal on which it is shown: escape sequences are written out."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in str(text))


class ScratchaeError(Exception):
    """Base of all errors that the library raises on purpose."""


class ShapeError(ScratchaeError, ValueError):
    """An array has the wrong number of axes, or the wrong size along one."""


class ArrayTypeError(ScratchaeError, TypeError):
    """Expected a float array, got something else."""


class OptionError(ScratchaeError, ValueError):
    """An argument has a value that is not allowed."""


class MissingError(ScratchaeError, AttributeError):
    """An object has no such attribute, or not yet, as it is computed by something that has not run."""


class DataError(ScratchaeError, ValueError):
    """The data is empty, out of range or not finite, or a data file is missing or damaged."""


class CheckpointError(ScratchaeError, ValueError):
    """A checkpoint is missing or damaged, or does not fit the model that it should be loaded into."""


class DeviceError(ScratchaeError, ValueError):
    """The requested device cannot be used here."""


class RunError(ScratchaeError, ValueError):
    """A run folder cannot be written, or already holds something else."""


class DivergenceError(ScratchaeError, ArithmeticError):
    """The loss became NaN or infinite."""


class RankError(ScratchaeError, ValueError):
    """Of several processes that train together, another one failed, or they do not agree."""


class FormulaError(ScratchaeError, ValueError):
    """A formula that a layer or a model declares cannot be read, or does not say what the code computes."""
