"""The restricted Boltzmann machine: a joint distribution of visible and hidden units, trained by contrastive divergence."""

from __future__ import annotations

import warnings

import numpy as np

from ..arguments import affordable, choice, flag, number, whole
from ..backend import Array, array_module, generator, noise_source, require_examples
from ..errors import OptionError
from ..layers.activations import softplus
from ..losses import cross_entropy
from .energy import FreeEnergy, ais, binary, drawn, log_partition_function, require_pixels
from .model import Model

# why, of each quantity of a step, by the name before its number
BECAUSE = {
    "h": "Given the visible units, the hidden ones are independent of each other, and this is the mean of each. ([Chapter 12](12_boltzmann.py))",
    "drawn": "Each unit is drawn, independently of the others.",
    "logits": "The hidden units speak back to the visible ones, through the same weights.",
    "loss": "It tells how well x comes back. No step descends it.",
    "p": "Given the hidden units, this is the mean of each visible one.",
    "v": "This is what the machine itself would show, after so many steps of [Gibbs sampling](glossary.md#gibbs-sampling).",
    "fantasy": "This is what the machine itself shows, whose chain goes on from step to step.",
    "energy.dW": "What the machine shows by itself gets more energy and what the data show gets less, until both occur equally often: [contrastive divergence](glossary.md#contrastive-divergence).",
    "energy.da": "It is 0 when a visible unit has the same mean in the machine's own examples as in the data.",
    "energy.db": "It is 0 when a hidden unit has the same mean on the machine's own examples as on the data.",
}


class RBM(Model):
    """Restricted Boltzmann machine: P(v, h) = e^-E(v, h) / Z, with E as in `FreeEnergy`.

    v (N, visible) and h (N, hidden) are binary, or real with unit variance: hidden_units="gaussian", or visible_units="gaussian"
    for data that should be standardised, mean 0 and standard deviation 1 in each column (Hinton 2010, section 13.2).
    `rbm.energy` holds W (visible, hidden), a (visible,) and b (hidden,).

    `training_step` leaves the direction of contrastive divergence in `gradient`, where v₀ is the data and v_k the model's reply:

        ∂/∂θ [mean F(v₀) - mean F(v_k)], with v_k held fixed.

    It is **not the gradient of any objective** (Sutskever and Tieleman 2010), since v_k depends on θ too, and it does not
    minimise the reconstruction error. `loss` is the cross-entropy of the reconstruction of v₀ from sampled hidden units, in
    nats per example. It shows only that training makes progress. Judge by `pseudo_log_likelihood` or `log_likelihood`.

    CD-k (Hinton 2002; 2010, section 3): k steps of Gibbs sampling from the data; hidden units are sampled when they
    make a reconstruction. Reconstructions, and the last hidden units P(h|v_k), are probabilities. Gaussian visible units are drawn:
    without their noise the reply would lack the variance of 1 that data have, and W would grow to make up for it.
    `persistent=True`, PCD-k (Tieleman 2008): k steps of `chains` Gibbs chains, which continue from one update to the next.
    All of their units are sampled, since the chains should follow the model's distribution.

    Grey data in [0, 1] are taken as the probabilities that pixels are on, and are used for v₀ without sampling (as in
    Hinton and Salakhutdinov 2006). Only zeros and ones have a probability P(v): methods that need it say what they do with
    grey data.
    Raises DataError for data outside [0, 1].
    """

    part_names = ("energy",)
    examples_apart = True  # but for persistent chains, which are a buffer
    symbols = {"logits": "ℓ", "drawn": "h\u0303", "fantasy": "v"}  # with a number behind it: fantasy_1 is v₁

    @property
    def formulas(self) -> dict[str, str]:
        """The formulas of `training_step`: the data's phase, the model's phase, and their difference."""
        return {name: f"{text}  # {BECAUSE.get(name.partition('_')[0], '')}" for name, _, text in self.phases()}

    @property
    def formula_phases(self) -> dict[str, str]:
        """The phase of each formula: "positive", "loss" (the monitor), "negative" or "direction"."""
        return {name: phase for name, phase, _ in self.phases()}

    @property
    def carried(self) -> dict[str, str]:
        """The chains go on from where they are."""
        return {"energy.chain": f"drawn_{self.k}"} if self.persistent else {}

    def phases(self) -> list[tuple[str, str, str]]:
        """Name, phase and expression of each array that `training_step` computes."""
        binary, pixels = self.hidden_units == "bernoulli", self.visible_units == "bernoulli"

        def mean(v: str) -> str:
            return f"sigmoid({v} @ 'energy.W' + 'energy.b')" if binary else f"{v} @ 'energy.W' + 'energy.b'"

        def drawn(i: int, phase: str) -> list[tuple[str, str, str]]:
            draw = ("uniform()", f"u_{i} < h_{i}") if binary else ("normal()", f"h_{i} + u_{i}")
            return [(f"u_{i}", phase, draw[0]), (f"drawn_{i}", phase, draw[1])]

        found = [("h_0", "positive", mean("x")), *drawn(0, "positive")]
        cost = "sum(softplus(logits) - x * logits) / N" if pixels else "sum((x - logits) ** 2) / N / 2"
        found += [("logits", "loss", "drawn_0 @ 'energy.W'.T + 'energy.a'"), ("loss", "loss", cost)]
        before = "'energy.chain'" if self.persistent else "drawn_0"
        for i in range(1, self.k + 1):
            reply = "logits" if before == "drawn_0" else f"{before} @ 'energy.W'.T + 'energy.a'"
            reply = f"sigmoid({reply})" if pixels else reply
            if self.persistent or not pixels:
                noise, drawn_v = ("uniform()", f"r_{i} < p_{i}") if pixels else ("normal()", f"p_{i} + r_{i}")
                found += [(f"p_{i}", "negative", reply), (f"r_{i}", "negative", noise)]
                reply = drawn_v
            v = f"fantasy_{i}" if self.persistent else f"v_{i}"
            found += [(v, "negative", reply), (f"h_{i}", "negative", mean(v))]
            if self.persistent or i < self.k:
                found += drawn(i, "negative")
            before = f"drawn_{i}"
        h, count = f"h_{self.k}", "chains" if self.persistent else "N"
        return [
            *found,
            ("energy.dW", "direction", f"{v}.T @ {h} / {count} - x.T @ h_0 / N"),
            ("energy.da", "direction", f"sum({v}, axis=0) / {count} - sum(x, axis=0) / N"),
            ("energy.db", "direction", f"sum({h}, axis=0) / {count} - sum(h_0, axis=0) / N"),
        ]

    def __init__(
        self,
        visible: int,
        hidden: int,
        *,
        k: int = 1,
        persistent: bool = False,
        hidden_units: str = "bernoulli",
        visible_units: str = "bernoulli",
        chains: int = 100,
        rng: int | np.random.Generator | None = None,
    ):
        self.visible, self.hidden = whole(self, "visible", visible), whole(self, "hidden", hidden)
        self.k = whole(self, "k", k, hint=": contrastive divergence needs at least one step of Gibbs sampling")
        self.persistent, self.chains = flag(self, "persistent", persistent), whole(self, "chains", chains)
        self.hidden_units = choice(self, "hidden_units", hidden_units, ("bernoulli", "gaussian"))
        self.visible_units = choice(self, "visible_units", visible_units, ("bernoulli", "gaussian"))
        if hidden_units == visible_units == "gaussian":
            raise OptionError(
                "RBM(visible_units='gaussian', hidden_units='gaussian'): both real make a normal distribution, which has no Z where "
                "a singular value of W reaches 1: use binary hidden units, or PCA for a linear code"
            )
        self.energy = FreeEnergy(
            self.visible,
            self.hidden,
            hidden_units=hidden_units,
            visible_units=visible_units,
            chains=self.chains if persistent else 0,
            rng=rng,
        )
        self.gather()

    # One layer, given the other

    def propup(self, v: Array) -> Array:
        """E[h | v], (N, hidden): P(hⱼ=1|v) = σ(v W + b) for binary units, v W + b for Gaussian units."""
        return self.energy.expected(self.energy.up(v))

    def propdown(self, h: Array) -> Array:
        """E[v | h], (N, visible): P(vᵢ=1|h) = σ(h Wᵀ + a) for binary units, h Wᵀ + a for Gaussian units."""
        return self.energy.expected_visible(self.energy.down(h))

    def sample_h_given_v(self, v: Array, rng: int | np.random.Generator | None = None) -> tuple[Array, Array]:
        """E[h | v], and h drawn from P(h|v)."""
        mean = self.propup(v)
        return mean, self.draw_hidden(mean, rng)

    def sample_v_given_h(self, h: Array, rng: int | np.random.Generator | None = None) -> tuple[Array, Array]:
        """E[v | h], and v drawn from P(v|h)."""
        mean = self.propdown(h)
        return mean, drawn(mean, self.visible_units, rng)

    def gibbs_vhv(self, v: Array, rng: int | np.random.Generator | None = None) -> tuple[Array, Array]:
        """One step of Gibbs sampling, v to h to v: E[v | h], and v drawn from P(v|h)."""
        rng = generator(rng, v)
        _, h = self.sample_h_given_v(v, rng)
        return self.sample_v_given_h(h, rng)

    def draw_hidden(self, mean: Array, rng: int | np.random.Generator | None = None) -> Array:
        """h drawn from P(h|v), given its mean."""
        return drawn(mean, self.hidden_units, rng)

    def encode(self, x: Array) -> Array:
        """The code of x: `propup`."""
        return self.propup(x)

    def decode(self, z: Array) -> Array:
        """The data that a code represents: `propdown`."""
        return self.propdown(z)

    def reconstruct(self, x: Array) -> Array:
        """propdown(propup(x)): the reconstruction by means, without sampling."""
        return self.propdown(self.propup(x))

    def sample(self, n: int, *, steps: int = 1000, rng: int | np.random.Generator | None = None) -> Array:
        """n visible vectors, as E[v | h], after `steps` steps of Gibbs sampling from random bits, or from N(a, 1)."""
        n, steps = whole("sample", "n", n), whole("sample", "steps", steps, least=0)
        rng = generator(rng, self.energy.W)
        a, half = self.energy.a, self.visible_units == "bernoulli"
        mean = array_module(a).zeros(affordable("sample", n, self.visible), dtype=a.dtype) + (0.5 if half else a)
        v = drawn(mean, self.visible_units, rng)
        for _ in range(steps):
            mean, v = self.gibbs_vhv(v, rng)
        return mean

    # Learning

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """{"loss": the reconstruction's cost, nats per example}, from the means of h, or with an rng from sampled h.

        Its cross-entropy, or for Gaussian visible units ½ |x - E[v|h]|². It is a monitor: `training_step` does not descend it.
        """
        require_examples(x)
        mean = self.propup(x)
        logits = self.energy.down(mean if rng is None else self.draw_hidden(mean, rng))
        return {"loss": self.cost(logits, self.energy.expected_visible(logits), x)}

    def cost(self, logits: Array, mean: Array, x: Array) -> Array:
        """-log P(x | h), averaged over the batch, without the constant of the normal distribution."""
        if self.visible_units == "bernoulli":
            return cross_entropy(logits, mean, x)
        return 0.5 * array_module(x).sum((x - mean) ** 2) / len(x)

    def training_step(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """Leave the direction of contrastive divergence in `gradient`. It is not the gradient of an objective."""
        if rng is None:
            raise OptionError("RBM.training_step draws samples: give it a generator, training_step(x, rng)")
        xp, rng = require_examples(x), noise_source(rng, x)
        energy = self.energy
        h = self.propup(x)  # h_0
        logits = energy.down(self.draw_hidden(h, rng))  # u_0, drawn_0, logits
        mean = energy.expected_visible(logits)  # v_1, p_1
        loss = self.cost(logits, mean, x)
        v, h_model = self.continue_chains(rng) if self.persistent else self.follow(self.reply(mean, rng), rng)
        energy.v, energy.h = xp.concatenate([x, v]), xp.concatenate([h, h_model])
        energy.backward_contrast(len(x))  # dW, da, db
        return {"loss": loss}

    def reply(self, mean: Array, rng: np.random.Generator) -> Array:
        """Visible units in the model's reply: the probabilities of binary ones, but Gaussian ones are drawn."""
        return mean if self.visible_units == "bernoulli" else drawn(mean, "gaussian", rng)  # r, v

    def follow(self, v: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """v_k, from v₁, and E[h | v_k]."""
        h = self.propup(v)  # h
        for _ in range(self.k - 1):
            v = self.reply(self.propdown(self.draw_hidden(h, rng)), rng)  # u, drawn, p, v
            h = self.propup(v)  # h
        return v, h

    def continue_chains(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """Run the persistent chains k steps further. Returns their sampled v, and E[h | v]."""
        h = self.energy.chain
        for _ in range(self.k):
            v = drawn(self.propdown(h), self.visible_units, rng)  # p, r, fantasy
            mean = self.propup(v)  # h
            h = self.draw_hidden(mean, rng)  # u, drawn
        self.energy.chain[...] = h  # in place, so that a recorded step finds it again
        return v, mean

    def check_data(self, x: Array) -> None:
        require_pixels(x) if self.visible_units == "bernoulli" else require_examples(x)
        self.energy.up(x[:1])

    def check_training(self, x: Array) -> None:
        """Warns if Gaussian visible units get data of another size than their noise, which is 1."""
        self.check_data(x)
        if self.visible_units == "bernoulli":
            return
        spread = float(array_module(x).std(x[:: max(1, len(x) // 1000)], axis=0).max())
        if not 0.5 < spread < 2:
            warnings.warn(
                f"Gaussian visible units have a standard deviation of 1 around what the hidden units say, and the largest of x is {spread:.3g}: "
                "standardise the columns, x = (x - x.mean(axis=0)) / x.std(axis=0)",
                stacklevel=3,
            )

    # The probability of data

    def free_energy(self, v: Array) -> Array:
        """F(v) = -log Σ_h e^-E(v, h), (N,): P(v) = e^-F(v) / Z."""
        return self.energy.forward(v)

    def pseudo_log_likelihood(self, x: Array) -> Array:
        """Σᵢ log P(vᵢ | all other pixels), over all pixels i, in nats, (N,). Grey x is rounded to 0 and 1 first.

        log P(vᵢ | v₋ᵢ) = log σ(F(v with pixel i flipped) - F(v)) (Besag 1975). It computes `visible` free energies
        for each example, without further matrix products: a pixel that flips changes c = v W + b by a row of W.
        """
        if self.visible_units == "gaussian":
            raise OptionError(
                "pseudo_log_likelihood is for binary visible units, of which each has two states: judge Gaussian ones by "
                "log_likelihood(x, log_partition_function()), up to 20 hidden units"
            )
        energy = self.energy
        v = binary(x)
        c = energy.up(v)
        before = energy.log_sum(c)
        flip = 1 - 2 * v  # 0 to 1, or 1 to 0
        total = 0 * before
        for i in range(self.visible):
            change = flip[:, i] * energy.a[i] + energy.log_sum(c + flip[:, i : i + 1] * energy.W[i]) - before
            total -= softplus(change)  # log σ(-change)
        return total

    def log_likelihood(self, x: Array, log_Z: float) -> Array:
        """log P(v) = -F(v) - log Z, in nats, (N,); a density for Gaussian visible units. For binary ones, grey x is rounded to 0 and 1
        first. log Z comes from `log_partition_function` or `ais`.
        """
        v = binary(x) if self.visible_units == "bernoulli" else x
        return -self.free_energy(v) - number("log_likelihood", "log_Z", log_Z)

    def log_partition_function(self) -> float:
        """log Z = log Σᵥ e^-F(v), exactly: summed over all states of the smaller layer, or of the binary one. Raises OptionError
        above 20 units.
        """
        return log_partition_function(self.energy)

    def ais(
        self,
        chains: int = 100,
        temperatures: int = 1000,
        rng: int | np.random.Generator | None = None,
        *,
        x: Array | None = None,
    ) -> tuple[float, float]:
        """An estimate of log Z and its standard error, by annealed importance sampling (Salakhutdinov and Murray 2008).

        Chains move from a distribution of independent pixels to the model's in `temperatures` steps, with β from 0 to 1 in
        p_β(v) ∝ e^((1-β) a₀·v + β a·v + Σⱼ log(1 + e^(β cⱼ))). The weight of a chain is the product of the ratios of p_β between
        its steps. Pixels start with the frequencies of the data x, which needs far fewer steps, or with σ(a) if x is not given.
        The estimate of Z is unbiased; that of log Z is mostly too small. The error comes from the spread of the weights, and
        is too small if chains got stuck.
        """
        return ais(self.energy, chains, temperatures, rng, x)
