"""Recurrent layers: each step reads x and the state that the step before has left. Backward walks back through time.

A state h goes from step to step and starts at 0. So ∂L/∂h of a step has two parts: dy, of what the step gave, and what comes
back from the next step. All steps share their weights, whose gradients are sums over the steps. What needs no state, the product
with x and the gradients of the weights, is one matrix product for all steps.
"""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module
from .activations import sigmoid
from .stepping import Recurrent, flat, turned


class RNN(Recurrent):
    """Recurrent layer, a = x W + h₋₁ U + b, h = tanh(a), where h₋₁ is h one step earlier (Elman 1990).

    x (N, T, inputs) -> y (N, T, hidden), the states h of all steps; with `last`, y (N, hidden), that of the last step.
    W (inputs, hidden), U (hidden, hidden), b (hidden,).

    On its way back through each step the gradient is multiplied by tanh' and by Uᵀ: over many steps it fades or grows as the
    powers of U do (Pascanu et al. 2013). `clip_norm` of an optimizer bounds a step that has grown so; `GRU` lets the gradient
    pass. `padding` and `truncate` are explained at `Recurrent`.

    Raises ShapeError if x is not (N, T, inputs), and DataError for sequences without a step.
    """

    examples_apart = True
    parameter_names = ("W", "U", "b")
    symbols = {"padding": "p"}
    operations = 3, 5  # + h₋₁ U, + b, tanh; dh, 1 - h h, times dh, Σ da

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas, with what `last`, `padding` and `truncate` make of them."""
        state, da = "tanh(a)", self.later("da")
        return {
            "a": "x @ W + earlier(h) @ U + b  # A step sees its own input and the state of the step before, so that what came earlier can be remembered. ([Chapter 16](16_sequences.py))",
            "h": f"{self.kept_where_skipped(state)}  # Without a function that bends, all steps together would be one matrix; tanh keeps the state between −1 and 1.",
            "y": f"{self.output}  # The states are what the layer puts out.",
            "dh": f"{self.arrives} + {da} @ U.T{self.handed_on}  # A state goes into y and into the next step, so what both ask of it adds up: this is [backpropagation through time](glossary.md#backpropagation-through-time). ([Chapter 16](16_sequences.py))",
            "da": f"{self.where_real('dh')} * (1 - h ** 2)  # The slope of tanh is 1 − h², computed from h alone.",
            "dW": "rows(x).T @ rows(da)  # All steps share W, so what each of them asks for adds up.",
            "dU": "rows(earlier(h)).T @ rows(da)  # All steps share U, which multiplies the state before, so the product with that state adds up what each step asks for.",
            "db": "sum(rows(da), axis=0)  # The same b is added at every step, so what is asked of all of them adds up.",
            "dx": "da @ W.T  # An input goes into the state of its own step only, through W.",
        }

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        xp, h = self.begin(x)
        a = self.read(self.W, self.b)  # x W + b of all steps at once, (T, N, hidden)
        for t in range(len(a)):
            a[t] += xp.matmul(h[t], self.U)  # a
            xp.tanh(a[t], out=h[t + 1])
            self.skip(t)
        return self.end()

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        # a = x W + h₋₁ U + b
        return self.in_shape_of_x(array_module(dy).matmul(flat(turned(self.da)), self.W.T))  # ∂L/∂x = da Wᵀ

    def backward_parameters(self, dy: Array) -> None:
        xp, h, dh = array_module(dy), self.states, self.begin_backward(dy)
        da = xp.empty(dh.shape, dtype=dy.dtype)
        for t in reversed(range(len(da))):
            # h = tanh(a)
            da[t] = self.arriving(dh, t) * (1 - h[t + 1] * h[t + 1])  # ∂L/∂a = dh (1 − h²)
            # a = x W + h₋₁ U + b
            if self.goes_back(t):
                dh[t - 1] += xp.matmul(da[t], self.U.T)  # ∂L/∂h₋₁ = da Uᵀ
        self.da = turned(da)
        xp.matmul(self.x.T, flat(da), out=self.dW)  # ∂L/∂W = Σₜ xᵀ da
        xp.matmul(flat(h[:-1]).T, flat(da), out=self.dU)  # ∂L/∂U = Σₜ h₋₁ᵀ da
        xp.sum(flat(da), axis=0, out=self.db)  # ∂L/∂b = Σₜ Σₙ da


class GRU(Recurrent):
    """Gated recurrent unit: a state that gates hold or replace (Cho et al. 2014, with the reset gate where cuDNN and PyTorch have it).

        r = σ(x W_r + h₋₁ U_r + b_r)            what of the state counts
        z = σ(x W_z + h₋₁ U_z + b_z)            what of the state stays
        n = tanh(x W_n + b_n + r (h₋₁ U_n + c))  what is new
        h = (1 − z) n + z h₋₁

    x (N, T, inputs) -> y (N, T, hidden), the states h of all steps; with `last`, y (N, hidden), that of the last step.
    W (inputs, 3 hidden) and U (hidden, 3 hidden) hold r, z and n side by side, b (4 hidden,) holds b_r, b_z, b_n and c. Of PyTorch's
    `nn.GRU`: W = weight_ih.T, U = weight_hh.T, and b_r and b_z are the sums of its two biases, of which it has one too many.

    Where z is near 1, h and the gradient pass a step almost unchanged. `padding` and `truncate` are explained at `Recurrent`.

    Raises ShapeError if x is not (N, T, inputs), and DataError for sequences without a step.
    """

    examples_apart = True
    parameter_names = ("W", "U", "b")
    symbols = {"ar": "ρ", "az": "ζ", "an": "ν", "padding": "p"}
    gates, biases = 3, 4
    # + h₋₁ U + b: 6, + c, two σ: 8, r m, tanh, h: 3; what adds up to dh: 5, dan: 5, daz: 3, dm: 1, dar: 3, Σ: 4
    operations = 20, 21

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas, with what `last`, `padding` and `truncate` make of them."""
        r, z, n = ":hidden", "hidden:-hidden", "-hidden:"
        dh, before = self.where_real("dh"), "earlier(h)"
        back = " + ".join(f"{self.later(d)} @ U[:, {of}].T" for d, of in (("dar", r), ("daz", z), ("dm", n)))
        return {
            "ar": f"x @ W[:, {r}] + {before} @ U[:, {r}] + b[:hidden]  # A [gate](glossary.md#gated-recurrent-unit) looks at the input and at the state before. This one decides how much of that state the new proposal sees. ([Chapter 16](16_sequences.py))",
            "r": "sigmoid(ar)  # σ makes a share between 0 and 1 of it.",
            "az": f"x @ W[:, {z}] + {before} @ U[:, {z}] + b[hidden : 2 * hidden]  # The second gate decides how much of the state before is kept.",
            "z": "sigmoid(az)  # σ makes a share between 0 and 1 of it.",
            "m": f"{before} @ U[:, {n}] + b[-hidden:]  # It is what the state before says about the new one.",
            "an": f"x @ W[:, {n}] + b[2 * hidden : -hidden] + r * m  # The proposal for a new state sees the input, and of the state before as much as r lets through.",
            "n": "tanh(an)  # tanh keeps the proposal between −1 and 1.",
            "h": self.kept_where_skipped(f"(1 - z) * n + z * {before}")
            + "  # The state is a mixture of the proposal and of the state before, so that it can be kept for long.",
            "y": f"{self.output}  # The states are what the layer puts out.",
            "dh": f"{self.arrives} + {self.later(f'{dh} * z')} + {back}{self.handed_on}  # A state goes into y, and into the next step by four ways, so what all of them ask of it adds up. ([Chapter 16](16_sequences.py))",
            "dan": f"{dh} * (1 - z) * (1 - n ** 2)  # h takes the share 1 − z of n, and the slope of tanh is 1 − n².",
            "daz": f"{dh} * ({before} - n) * z * (1 - z)  # h moves from n to the state before as z grows, so z gets their difference, times the slope of σ.",
            "dm": "dan * r  # m is multiplied by r on its way into the proposal.",
            "dar": "dan * m * r * (1 - r)  # r multiplies m, so it gets m, times the slope of σ.",
            "dW": "rows(x).T @ rows(joined(joined(dar, daz), dan))  # All steps share W, so what each of them asks for, gate by gate, adds up.",
            "dU": f"rows({before}).T @ rows(joined(joined(dar, daz), dm))  # All steps share U, which multiplies the state before, so what each step asks for adds up.",
            "db": "sum(rows(joined(joined(joined(dar, daz), dan), dm)), axis=0)  # The same b is added at every step, so what is asked of all of them adds up.",
            "dx": f"dar @ W[:, {r}].T + daz @ W[:, {z}].T + dan @ W[:, {n}].T  # An input goes into both gates and into the proposal, so what the three ask of it adds up.",
        }

    def gate(self, weights: Array) -> list[Array]:
        """What of W, U, b or their gradients belongs to each gate: r, z, n, and of b also what n adds to h₋₁ U_n."""
        return [weights[..., k : k + self.hidden] for k in range(0, weights.shape[-1], self.hidden)]

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        xp, h = self.begin(x)
        (W_r, W_z, W_n), (U_r, U_z, U_n), (b_r, b_z, b_n, c) = map(self.gate, (self.W, self.U, self.b))
        # x W + b, of all steps at once; what each step adds is written into the same memory
        r, z, n = (self.read(W, b) for W, b in ((W_r, b_r), (W_z, b_z), (W_n, b_n)))  # (T, N, hidden) each
        m = xp.empty(n.shape, dtype=n.dtype)
        for t in range(len(n)):
            r[t] += xp.matmul(h[t], U_r)  # ar
            r[t] = sigmoid(r[t])
            z[t] += xp.matmul(h[t], U_z)  # az
            z[t] = sigmoid(z[t])
            xp.add(xp.matmul(h[t], U_n), c, out=m[t])
            n[t] += r[t] * m[t]  # an
            xp.tanh(n[t], out=n[t])
            xp.subtract(h[t], n[t], out=h[t + 1])
            h[t + 1] *= z[t]
            h[t + 1] += n[t]  # h: (1 − z) n + z h₋₁ = n + z (h₋₁ − n)
            self.skip(t)
        self.r, self.z, self.n, self.m = map(turned, (r, z, n, m))
        return self.end()

    def backward(self, dy: Array) -> Array:
        self.backward_parameters(dy)
        xp = array_module(dy)
        # ar = x W_r + …, az = x W_z + …, an = x W_n + …
        dx = sum(
            xp.matmul(flat(turned(da)), W.T)
            for da, W in zip((self.dar, self.daz, self.dan), self.gate(self.W), strict=True)
        )
        return self.in_shape_of_x(dx)

    def backward_parameters(self, dy: Array) -> None:
        xp, h, dh = array_module(dy), self.states, self.begin_backward(dy)
        r, z, n, m = map(turned, (self.r, self.z, self.n, self.m))
        dar, daz, dan, dm = (xp.empty(dh.shape, dtype=dy.dtype) for _ in range(4))
        U_r, U_z, U_n = self.gate(self.U)
        for t in reversed(range(len(dh))):
            d = self.arriving(dh, t)
            # h = (1 − z) n + z h₋₁
            dn = d * (1 - z[t])
            xp.multiply(dn, 1 - n[t] * n[t], out=dan[t])  # n = tanh(an)
            xp.multiply(dn, z[t], out=daz[t])  # z = σ(az): ∂L/∂az = d (h₋₁ − n) z (1 − z)
            daz[t] *= h[t] - n[t]  # daz
            # an = x W_n + b_n + r m
            xp.multiply(dan[t], r[t], out=dm[t])
            xp.multiply(dm[t], m[t], out=dar[t])  # r = σ(ar): ∂L/∂ar = dan m r (1 − r)
            dar[t] *= 1 - r[t]  # dar
            # h₋₁ is in h itself, and in ar = … + h₋₁ U_r, az = … + h₋₁ U_z and m = h₋₁ U_n + c
            if self.goes_back(t):
                back = d - dn  # d z
                for da, U in ((dar, U_r), (daz, U_z), (dm, U_n)):
                    back += xp.matmul(da[t], U.T)
                dh[t - 1] += back
        self.dar, self.daz, self.dan, self.dm = map(turned, (dar, daz, dan, dm))
        for da, dW, db in zip((dar, daz, dan, dm), [*self.gate(self.dW), None], self.gate(self.db), strict=True):
            if dW is not None:
                xp.matmul(self.x.T, flat(da), out=dW)  # ∂L/∂W = Σₜ xᵀ da
            xp.sum(flat(da), axis=0, out=db)  # ∂L/∂b = Σₜ Σₙ da
        for da, dU in zip((dar, daz, dm), self.gate(self.dU), strict=True):
            xp.matmul(flat(h[:-1]).T, flat(da), out=dU)  # ∂L/∂U = Σₜ h₋₁ᵀ da
