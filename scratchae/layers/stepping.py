"""What recurrent layers share: the steps of a sequence, and the state that goes from one to the next."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..arguments import flag, number, whole
from ..backend import Array, array_module, generator, require_floats
from ..errors import DataError
from .initial import draw_weights
from .layer import Layer


class Recurrent(Layer):
    """What recurrent layers share: the steps of x, the states, what is skipped and where the way back ends.

    x (N, T, inputs) -> y (N, T, hidden), the states of all steps; with `last`, y (N, hidden), that of the last step only.

    padding: a step of x that holds this number only is no step: the state stays as it is, and y holds the number too, so that
    a layer behind knows it. So sequences of several lengths fit into one array, and that alone goes through `fit`, its shuffled
    batches and its parts for several cores, where an array of lengths would have to go beside it. `padded` makes such an array.

    truncate: the way back ends at every so many steps, counted from the first, as if the state there had come from outside. That
    keeps the gradient from growing, and leaves out what depends on longer times: `check_gradients` tells.
    """

    gates, biases = 1, 1  # how many times `hidden` columns W and U have, and numbers b
    # the operations that each number of h takes, in forward and in backward
    operations: tuple[int, int]

    def __init__(
        self,
        inputs: int,
        hidden: int,
        *,
        last: bool = False,
        padding: float | None = None,
        truncate: int | None = None,
        rng: int | np.random.Generator | None = None,
    ):
        self.inputs, self.hidden = whole(self, "inputs", inputs), whole(self, "hidden", hidden)
        self.last = flag(self, "last", last)
        self.padding = None if padding is None else number(self, "padding", padding, " or None")
        self.truncate = None if truncate is None else whole(self, "truncate", truncate, hint=", or None")
        rng = generator(rng)
        # of each gate as of a Dense layer, with a variance that lets signals neither grow nor fade
        self.W, self.U = (
            np.concatenate(
                [draw_weights((n, self.hidden), n, self.hidden, "glorot", rng, self) for _ in range(self.gates)],
                axis=1,
            )
            for n in (self.inputs, self.hidden)
        )
        self.b = np.zeros(self.biases * self.hidden, np.float32)
        self.dW, self.dU, self.db = map(np.zeros_like, (self.W, self.U, self.b))

    def products(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        return x_shape[0] * x_shape[1] * (self.W.size + self.U.size)  # each number of both, with every step

    def computed(self, y: Array) -> int:
        return self.h.size  # every state, also where y is the last

    @property
    def flops(self) -> tuple[int, int, int]:
        """Of every step, also if y is that of the last only: then of as many as the last x had."""
        steps = len(self.states) - 1 if self.last and hasattr(self, "states") else 1
        forward, backward = self.operations
        return steps * forward, steps * backward, 0

    # The formulas, with what `last`, `padding` and `truncate` make of them

    @property
    def output(self) -> str:
        """y, of the states."""
        if self.last:
            return "reshape(h[:, -1:], y_shape)"
        return "h" if self.padding is None else "where(real, h, padding)"

    @property
    def arrives(self) -> str:
        """∂L/∂h, as far as it comes from y."""
        if self.last:
            return "at_last(dy, T)"
        return "dy" if self.padding is None else "dy * real"

    @property
    def handed_on(self) -> str:
        """What comes from the next step where that is none."""
        return "" if self.padding is None else f" + {self.later('dh * (1 - real)')}"

    def kept_where_skipped(self, state: str) -> str:
        """The state of a step, or where there is none that of the step before."""
        return state if self.padding is None else f"where(real, {state}, earlier(h))"

    def where_real(self, gradient: str) -> str:
        """A gradient of the steps that there are."""
        return gradient if self.padding is None else f"{gradient} * real"

    def later(self, gradient: str) -> str:
        """What comes from the next step."""
        return f"later({gradient})" if self.truncate is None else f"later({gradient}, truncate)"

    # Forward

    def begin(self, x: Array) -> tuple[ModuleType, Array]:
        """Keep x as rows, step by step, (T N, inputs). Returns the array module and room for the states, (T + 1, N, hidden), of
        which the first is 0.
        """
        xp = require_floats(x, self.W)
        if x.ndim != 3 or x.shape[2] != self.inputs:
            self.refuse(
                x,
                f"(N, T, {self.inputs})",
                "N sequences of T steps each; Reshape((T, D)) makes steps of an example, as rows of an image",
            )
        if not x.shape[1]:
            raise DataError(f"{self.label()} got x of shape {tuple(x.shape)}: a sequence needs at least one step")
        self.real = None if self.padding is None else real_steps(x, self.padding, self.label())
        self.T, self.x = x.shape[1], flat(turned(x))
        self.states = xp.zeros((self.T + 1, len(x), self.hidden), dtype=np.result_type(x.dtype, self.W.dtype))
        return xp, self.states

    def read(self, W: Array, b: Array) -> Array:
        """x W + b of all steps in one product, (T, N, hidden)."""
        a = array_module(b).matmul(self.x, W)
        a += b
        return a.reshape(self.T, -1, self.hidden)

    def skip(self, t: int) -> None:
        """After step t: in sequences that have no such step, the state is what it was."""
        if self.real is not None:
            here = self.real[:, t]  # (N, 1)
            self.states[t + 1] = array_module(here).where(here, self.states[t + 1], self.states[t])

    def end(self) -> Array:
        """y, of the states."""
        self.h = turned(self.states[1:])
        if self.last:
            return self.states[-1]
        if self.real is None:
            return self.h
        return array_module(self.h).where(self.real, self.h, self.h.dtype.type(self.padding))

    # Backward

    def begin_backward(self, dy: Array) -> Array:
        """∂L/∂h of all steps, (T, N, hidden), as far as it comes from y."""
        dh = array_module(dy).zeros(self.states[1:].shape, dtype=dy.dtype)
        if self.last:
            # y = h of the last step
            dh[-1] = dy
        else:
            # y = h, or padding where there is no step
            dh[...] = turned(dy if self.real is None else dy * self.real)
        self.dh = turned(dh)
        return dh

    def goes_back(self, t: int) -> bool:
        """Whether the gradient goes from step t to the step before."""
        return t > 0 and (self.truncate is None or t % self.truncate > 0)

    def arriving(self, dh: Array, t: int) -> Array:
        """∂L/∂h of step t. Where a sequence has no such step, it goes to the step before, whose state had stayed."""
        if self.real is None:
            return dh[t]
        here = self.real[:, t]
        if self.goes_back(t):
            dh[t - 1] += dh[t] * ~here
        return dh[t] * here

    def in_shape_of_x(self, dx: Array) -> Array:
        """Rows (T N, inputs) as (N, T, inputs)."""
        return turned(dx.reshape(self.T, -1, self.inputs))


def turned(x: Array) -> Array:
    """(N, T, …) as (T, N, …), and the other way round: a view of the same numbers."""
    return x.swapaxes(0, 1)


def flat(x: Array) -> Array:
    """(T, N, features) as rows, (T N, features)."""
    return x.reshape(-1, x.shape[-1])


def real_steps(x: Array, padding: float, owner: str) -> Array:
    """Which steps of x (N, T, inputs) are none of padding, (N, T, 1).

    Raises DataError for a sequence of padding only; not on a GPU, which the host should not wait for.
    """
    xp = array_module(x)
    real = xp.any(x != x.dtype.type(padding), axis=2, keepdims=True)
    if xp is np and not (some := real.any(axis=(1, 2))).all():
        raise DataError(
            f"{owner}: sequence {int(np.argmin(some))} of x holds padding={padding:g} only, so that no step of it is left: leave it out"
        )
    return real
