"""The up-down algorithm: a deep belief network whose layers are trained together, after they were trained one by one.

Below the top RBM the weights that guess (up) and those that make (down) are untied, and each learns from the other's draws:

    wake    h ~ Q(h|v) from the data, up: the weights down learn to make each layer from the one above it;
    top     the prior learns these h by contrastive divergence, k steps of Gibbs sampling from them;
    sleep   from where its chain ended draws go down to v: the weights up learn to guess, of each layer, what it was made from.

Hinton, Osindero and Teh 2006, section 5 and appendix B; the wake-sleep algorithm (Hinton et al. 1995), with an RBM on top.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arguments import whole
from ..backend import Array, array_module, generator, noise_source, require_examples
from ..layers import Dense
from ..layers.activations import sigmoid
from ..losses import BCEWithLogits
from .belief import BeliefNet
from .energy import bernoulli, require_pixels
from .rbm import RBM


class UpDown(BeliefNet):
    """A deep belief network with separate weights up and down, to be fitted as a whole. `DBN.untie()` makes one of a pretrained DBN.

    sizes, from the data to the top, three at least. up1, up2, … and down1, down2, … are Dense layers, counted from the data, `prior` is
    the RBM on top, with `energy`.

        loss      E_Q[-log P(v|h¹) - log P(h¹|h²) - …]: what `down` descends, given h ~ Q(h|v)
        contrast  mean F(h) - mean F(h_k) at the prior, h_k after k steps of Gibbs sampling, both held fixed: what the prior descends
        sleep     E[-log Q(h¹|v) - …] of draws that were made downwards from h_k: what `up` descends

    Only the first is a slope of the variational bound (`bound`). The third fits Q to the model's own draws, KL(P ‖ Q) in place of
    KL(Q ‖ P); so training is the descent of no single objective. Without an rng nothing is drawn: probabilities stand for states.
    Raises DataError for data outside [0, 1].
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        top: str = "bernoulli",
        k: int = 1,
        rng: int | np.random.Generator | None = None,
    ):
        super().__init__(sizes, top, count=3)
        self.k, rng = whole(self, "k", k), generator(rng)
        below = [*zip(self.sizes[:-2], self.sizes[1:-1], strict=True)]
        up = [Dense(visible, hidden, rng=rng) for visible, hidden in below]
        down = [Dense(hidden, visible, rng=rng) for visible, hidden in below]
        self.begin(up, down, RBM(*self.sizes[-2:], hidden_units=top, rng=rng))

    def begin(self, up: list[Dense], down: list[Dense], prior: RBM) -> None:
        """Take these layers as its own."""
        named = {
            f"{way}{i + 1}": layer for way, layers in (("up", up), ("down", down)) for i, layer in enumerate(layers)
        }
        vars(self).update(named)
        self.prior, self.energy, self.awake = prior, prior.energy, None
        self.part_names = (*named, "energy")
        self.descends = {name: "sleep" for name in named if name.startswith("up")} | {"energy": "contrast"}
        self.gather()

    @property
    def up(self) -> list[Dense]:
        return [getattr(self, f"up{i + 1}") for i in self.directed]

    @property
    def down(self) -> list[Dense]:
        return [getattr(self, f"down{i + 1}") for i in self.directed]

    def ascend(self, i: int, v: Array) -> Array:
        return self.up[self.layer(i)].forward(v)

    def descend(self, i: int, h: Array) -> Array:
        return self.down[self.layer(i)].forward(h)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        require_examples(x)
        rng = noise_source(rng, x)
        self.awake = self.recognise(x, rng)
        self.asleep = self.dream(self.awake[-1], rng)
        return self.costs()

    def recognise(self, v: Array, rng: np.random.Generator | None) -> list[Array]:
        """v, h¹, …, hᴸ⁻¹, drawn upwards."""
        states = [v]
        for i in self.directed:
            states.append(bits(sigmoid(self.ascend(i, states[-1])), rng))
        return states

    def dream(self, h: Array, rng: np.random.Generator | None) -> list[Array]:
        """v, h¹, …, hᴸ⁻¹, drawn downwards, after k steps of Gibbs sampling in the prior that begin at h; v as probabilities."""
        for _ in range(self.k):
            code = self.prior.propup(h)
            h = bits(self.prior.propdown(code if rng is None else self.prior.draw_hidden(code, rng)), rng)
        states = [h]
        for i in reversed(self.directed):
            p = sigmoid(self.descend(i, states[0]))
            states.insert(0, bits(p, rng) if i else p)
        return states

    def costs(self) -> dict[str, Array]:
        """The metrics, given the states that were drawn."""
        xp = array_module(self.awake[0])
        wake, self.ddown = surprise(self.down, given=self.awake[1:], found=self.awake[:-1])
        F = self.energy.forward(xp.concatenate([self.awake[-1], self.asleep[-1]]))
        n = len(self.awake[0])
        sleep, self.dup = surprise(self.up, given=self.asleep[:-1], found=self.asleep[1:])
        return {"loss": wake, "contrast": F[:n].mean() - F[n:].mean(), "sleep": sleep}

    def backward(self) -> None:
        # -log P(x|y) = Σ log(1 + eᵃ) - x a, a = y W + b: da = (σ(a) - x) / N, dW = yᵀ da
        for layer, da in zip(self.down + self.up, self.ddown + self.dup, strict=True):
            layer.backward_parameters(da)
        self.energy.backward_contrast(len(self.awake[0]))

    def hold(self) -> None:
        super().hold()
        self.awake = None

    def descended(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """The metrics at the states of the last step, which are held fixed, or at new ones if there was none since `hold`."""
        return self.objective(x, rng) if self.awake is None else self.costs()

    def check_data(self, x: Array) -> None:
        require_pixels(x)
        self.ascend(0, x[:1])


def bits(p: Array, rng: np.random.Generator | None) -> Array:
    """Zeros and ones drawn with probabilities p, or p itself without an rng."""
    return p if rng is None else bernoulli(p, rng)


def surprise(layers: list[Dense], given: list[Array], found: list[Array]) -> tuple[Array, list[Array]]:
    """Σ -log P(found | given) over the layers, averaged over the batch, and its slopes by the logits of each."""
    pairs = [BCEWithLogits()(layer.forward(y), x) for layer, y, x in zip(layers, given, found, strict=True)]
    return sum(value for value, _ in pairs), [da for _, da in pairs]
