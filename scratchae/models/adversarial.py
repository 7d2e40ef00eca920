"""Two players: one makes examples, the other learns to tell them from real ones, and shows the first how to get better.

The discriminator gives each example a logit a, and σ(a) is its probability that the example is real. It descends

    L_D = mean softplus(-a(real)) + mean softplus(a(made)),        the cross-entropy of its answers,

and who makes examples descends mean softplus(-a(made)): the discriminator shall take them for real (Goodfellow et al. 2014, the
"non-saturating" loss of section 3). Its gradient is one that no other model here needs, that of the discriminator's *input*:

    ∂L/∂a = (σ(a) - 1) / N,    ∂L/∂made = discriminator.backward(∂L/∂a),    and from there on through whoever made it.

The discriminator's own parameters have no part in that, so its gradient for L_D is computed last and stays.

Both players move at once: `gradient` holds ∂L_G/∂θ in the parts that make examples and ∂L_D/∂θ in the discriminator. That is a
field, but not the gradient of any function: what one player gains, the other loses. So it need not come to rest.
"""

from __future__ import annotations

import numpy as np

from ..arguments import affordable, choice, number, whole
from ..backend import Array, array_module, generator, noise_source, require_examples, require_floats
from ..errors import OptionError, ShapeError
from ..layers import Layer
from ..layers.activations import sigmoid
from ..layers.layer import as_layer
from ..losses import Loss
from .autoencoder import Autoencoder
from .classifier import require_classes
from .discriminating import LETTERS, Discriminating, inputs
from .model import Model


class GAN(Discriminating, Model):
    """made = generator(z) with z ~ N(0, 1), and a discriminator that learns to tell made examples from the data x.

    x (N, …); z (N, code), of as many numbers as the generator's first layer has inputs; the discriminator ends in one logit.
    `loss` is the generator's, "discriminator_loss" the other player's. If the discriminator does no better than chance they are
    log 2 = 0.693 and 2 log 2 = 1.386. Neither says how good the examples are: look at them (`sample`).

    Noise on the discriminator's input (`Sequential(GaussianNoise(0.1), …)`) blurs data and made examples alike, so that the
    discriminator cannot win by a detail (Sønderby et al. 2017). For two learning rates, see `optimizers.Parts`.

    Without an rng nothing is drawn, and z = 0. Raises ShapeError if the players do not fit together. Goodfellow et al. 2014.
    """

    part_names = ("generator", "discriminator")
    examples_apart = True
    players = {"generator": "loss", "discriminator": "discriminator_loss"}
    symbols = LETTERS | {"loss": "L_G"}
    notes = {"made": "the examples made"}
    z: Array | None = None  # until `objective` has run

    @property
    def formulas(self) -> dict[str, str]:
        """Both ways forward, both losses, and back: first to the generator, through the discriminator, then to the discriminator."""
        return {
            "z": "normal()" if self.random else "0",
            "made": "generator(z)",
            "both": "stacked(x, made)  # Real and made examples go through the discriminator in one batch.",
            **self.judging,
            "loss": "mean(softplus(-made_logits))  # Who makes examples wants them to be taken for real: it is minus the log of that probability. ([Chapter 15](15_two_players.py))",
            **self.discriminator_formulas,
            **self.back_to_made(),
            "dmade": "dboth[N:]  # Of what came back through the discriminator, the second half belongs to what was made.",
            "dz": "backward(generator, dmade)",
            **self.discriminator_backward,
        }

    def __init__(self, generator: Layer, discriminator: Layer, *, code: int | None = None):
        self.generator, self.discriminator = (
            as_layer(generator, "generator"),
            as_layer(discriminator, "discriminator"),
        )
        self.code = inputs(self.generator) if code is None else whole(self, "code", code)
        self.gather()

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        require_examples(x)
        self.random, self.z = rng is not None, self.noise(len(x), rng)
        made = self.generator.forward(self.z, rng)
        metrics = self.tell_apart(x, made, rng)
        return {"loss": metrics.pop("adversarial"), **metrics}

    def backward(self) -> None:
        self.generator.backward_first(self.backward_made())
        self.backward_discriminator()

    def noise(self, n: int, rng: np.random.Generator | None) -> Array:
        """n codes z, (n, code)."""
        θ = self.parameters
        if rng is None:
            return array_module(θ).zeros((n, self.code), dtype=θ.dtype)
        return noise_source(rng, θ).standard_normal(affordable("sample", n, self.code), dtype=θ.dtype)

    def sample(self, n: int, rng: int | np.random.Generator | None = None) -> Array:
        """n new examples."""
        return self.decode(self.noise(whole("sample", "n", n), generator(rng, self.parameters)))

    def decode(self, z: Array) -> Array:
        """The examples that codes z (N, code) stand for."""
        return self.generator.forward(z)

    def probability_real(self, x: Array) -> Array:
        """σ(a), (N,): how probable the discriminator finds it that each x is real."""
        return sigmoid(self.discriminator.forward(x))[:, 0]

    def check_data(self, x: Array) -> None:
        require_examples(x)
        made = self.generator.forward(self.noise(1, None))
        if made.shape[1:] != x.shape[1:]:
            raise ShapeError(
                f"the generator makes examples of shape {made.shape[1:]}, x has {x.shape[1:]}: they must be equal"
            )
        self.check_discriminator(x)


PRIORS = ("normal", "ring")
RING = 4.0, 0.5  # of the prior "ring": the distance of its clouds from 0, and their standard deviation


class AdversarialAutoencoder(Discriminating, Autoencoder):
    """An autoencoder whose codes of all x together shall be distributed like a prior p(z): a discriminator compares them.

    z = encoder(x), L = loss(decoder(z), x) + weight · mean softplus(-a(z)): the encoder also shall make the discriminator take
    its codes for draws of p(z). Where the KL term of a VAE draws the code of *each* x to the prior, this only shapes the
    codes of all x together, the aggregated posterior. So codes may keep apart, and `sample` decodes draws of p(z).

    prior: "normal", N(0, 1) in every number; or "ring", a code of two numbers in as many clouds on a ring as there are labels.
    labels: as in `CVAE`, the last columns of x are the class, one-hot. The discriminator is told it, (N, D + labels), so that with
    "ring" each class gets a cloud of its own; encoder and decoder see only the pixels.

    `loss` is what encoder and decoder descend, "discriminator_loss" what the discriminator descends: see `GAN`. Without an rng, the
    prior's draws are its means. Raises OptionError for weight < 0 and impossible priors. Makhzani et al. 2016.
    """

    part_names = ("encoder", "decoder", "discriminator")
    examples_apart = True
    players = {"encoder": "adversarial", "discriminator": "discriminator_loss"}
    symbols = Autoencoder.symbols | LETTERS

    @property
    def formulas(self) -> dict[str, str]:
        """As of a GAN, whose generator is the encoder; z goes on into the decoder."""
        x, spread = ("pixels" if self.labels else "x"), f"{RING[1]} * noise" if self.random else "0 * z"
        drawn = {"drawn": "normal()" if self.random else "0 * z"}
        if self.prior == "ring":
            noise = {"noise": "normal()"} if self.random else {}
            drawn = noise | {"drawn": f"y @ ring + {spread}  # The prior has a place on a ring for each class."}
        told = {
            "real": "joined(drawn, y)  # The discriminator is told the label too.",
            "made": "joined(z, y)  # The discriminator is told the label too.",
            "both": "stacked(real, made)  # Real and made examples go through the discriminator in one batch.",
        }
        dz = {
            "dmade_of_adversarial": "dboth_of_adversarial[N:]  # Of what came back through the discriminator, the second half belongs to the codes."
        }
        return {
            **(
                {
                    "pixels": "x[:, :-labels]  # The first columns are the picture.",
                    "y": "x[:, -labels:]  # The last columns are the label.",
                }
                if self.labels
                else {}
            ),
            "z": f"encoder({x})",
            "prediction": "decoder(z)",
            **drawn,
            **(
                told
                if self.labels
                else {
                    "both": "stacked(drawn, z)  # Real and made examples go through the discriminator in one batch."
                }
            ),
            **self.judging,
            "reconstruction": f"loss(prediction, {x})",
            "adversarial": "mean(softplus(-made_logits))  # Who makes examples wants them to be taken for real: it is minus the log of that probability. ([Chapter 15](15_two_players.py))",
            "loss": "reconstruction + weight * adversarial  # What is descended is the error of the reconstruction plus what the discriminator finds.",
            **self.discriminator_formulas,
            **self.back_to_made("_of_adversarial"),
            **(dz if self.labels else {}),
            "dz_of_adversarial": "dmade_of_adversarial[:, :-labels]  # The label is given, so only what is asked of the code goes on."
            if self.labels
            else "dboth_of_adversarial[N:]  # Of what came back through the discriminator, the second half belongs to the codes.",
            "dz": "backward(decoder, dprediction) + weight * dz_of_adversarial  # The code goes into the decoder and before the discriminator, so both gradients add up.",
            f"d{x}": "backward(encoder, dz)",
            **self.discriminator_backward,
        }

    def __init__(
        self,
        encoder: Layer,
        decoder: Layer,
        discriminator: Layer,
        *,
        loss: Loss,
        weight: float = 1.0,
        prior: str = "normal",
        labels: int = 0,
    ):
        self.discriminator = as_layer(discriminator, "discriminator")
        self.weight = number(self, "0 <= weight", weight)
        self.prior, self.labels = choice(self, "prior", prior, PRIORS), whole(self, "labels", labels, least=0)
        if prior == "ring" and not labels:
            raise OptionError(
                "prior='ring' has a cloud for each class, and labels=0: give the number of classes, labels=…"
            )
        super().__init__(encoder, decoder, loss=loss)

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        xp, (x, y) = array_module(x), self.parted(x)
        self.random = rng is not None
        self.z = self.encoder.forward(x, rng)
        prediction = self.decoder.forward(self.z, rng)
        reconstruction, self.dprediction = self.loss(prediction, x)
        drawn = self.draw_prior(y, self.z, rng)
        both = (drawn, self.z) if y is None else (xp.concatenate([z, y], axis=1) for z in (drawn, self.z))
        metrics = self.tell_apart(*both, rng)
        loss = reconstruction + self.weight * metrics["adversarial"]
        return {"loss": loss, "reconstruction": reconstruction, **metrics}

    def backward(self) -> None:
        dz = self.decoder.backward(self.dprediction)
        dz_of_adversarial = self.backward_made()[:, : dz.shape[1]]
        # z goes into the decoder and into the discriminator: the gradients add
        dz = dz + self.weight * dz_of_adversarial
        self.encoder.backward_first(dz)
        self.backward_discriminator()

    def parted(self, x: Array) -> tuple[Array, Array | None]:
        """The pixels of x, and its classes, if there are any. Raises ShapeError if x has no columns for both."""
        require_floats(x)
        if self.labels and (x.ndim != 2 or x.shape[1] <= self.labels):
            raise ShapeError(
                f"AdversarialAutoencoder(labels={self.labels}) expects rows of pixels and, at their end, {self.labels} labels, got "
                f"{tuple(x.shape)}"
            )
        return (x[:, : -self.labels], x[:, -self.labels :]) if self.labels else (x, None)  # pixels, y

    def draw_prior(self, y: Array | None, like: Array, rng: np.random.Generator | None) -> Array:
        """As many draws of p(z) as there are codes in `like` (N, D), of its shape; with "ring" from the cloud of each class in y."""
        xp = array_module(like)
        noise = xp.zeros_like(like)
        if rng is not None:
            noise = noise_source(rng, like).standard_normal(like.shape, dtype=like.dtype)
        return noise if self.prior == "normal" else self.centres(y) + RING[1] * noise  # drawn

    def centres(self, y: Array) -> Array:
        """The middle of the cloud of each class in y (N, labels), one-hot: (N, 2)."""
        xp = array_module(y)
        # two sums instead of a product with a matrix from the host, which a recorded step cannot take along
        return xp.stack([sum(float(at) * y[:, i] for i, at in enumerate(axis)) for axis in self.ring.T], axis=1)

    @property
    def ring(self) -> np.ndarray:
        """The middles of all clouds, (labels, 2)."""
        angle = 2 * np.pi * np.arange(self.labels) / self.labels
        return RING[0] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    def encode(self, x: Array) -> Array:
        """The code z of x, whose classes, if it has any, are not looked at."""
        return super().encode(self.parted(x)[0])

    def sample(self, n: int, rng: int | np.random.Generator | None = None) -> Array:
        """n new examples: draws of p(z), decoded. With "ring" the classes take turns."""
        θ, size = self.parameters, 2 if self.prior == "ring" else inputs(self.decoder)
        n, _ = affordable("sample", whole("sample", "n", n), max(size, self.labels))
        xp, rng = array_module(θ), generator(rng, θ)
        y = xp.asarray(np.eye(self.labels)[np.arange(n) % self.labels], dtype=θ.dtype) if self.labels else None
        return self.decode(self.draw_prior(y, xp.zeros((n, size), dtype=θ.dtype), rng))

    def check_data(self, x: Array) -> None:
        pixels, y = self.parted(x)
        if y is not None:
            require_classes(y)
        super().check_data(pixels)
        z = self.encoder.forward(pixels[:1])
        if z.ndim != 2 or (self.prior == "ring" and z.shape[1] != 2):
            size = "(2,), two numbers, for prior='ring'" if self.prior == "ring" else "a row of numbers"
            raise ShapeError(f"the encoder makes codes of shape {z.shape[1:]}: expected {size}")
        if y is None:
            self.check_discriminator(z, "codes")
        else:
            told = array_module(z).concatenate([z, y[:1]], axis=1)
            self.check_discriminator(told, f"codes of {z.shape[1]} numbers with {self.labels} labels behind them")
