"""What can go wrong, by name. Every message says what came, what was expected and the way out."""


class ScratchaeError(Exception):
    """Base of all errors that the library raises on purpose."""


class ShapeError(ScratchaeError, ValueError):
    """An array has the wrong number of axes, or the wrong size along one."""


class ArrayTypeError(ScratchaeError, TypeError):
    """Something that is no float array came where one is needed."""


class OptionError(ScratchaeError, ValueError):
    """An argument is outside the values that make sense for it."""


class DataError(ScratchaeError, ValueError):
    """The data is empty, out of range or not finite, or a data file is missing or damaged."""


class CheckpointError(ScratchaeError, ValueError):
    """A checkpoint is missing or damaged, or does not fit what it should be loaded into."""


class DeviceError(ScratchaeError, ValueError):
    """A device was asked for that cannot be had here."""


class RunError(ScratchaeError, ValueError):
    """A run folder cannot be written, or holds something else already."""


class DivergenceError(ScratchaeError, ArithmeticError):
    """The loss became NaN or infinite."""


class FormulaError(ScratchaeError, ValueError):
    """A formula that a layer or a model declares cannot be read, or does not say what the code computes."""
