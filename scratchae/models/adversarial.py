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

from collections.abc import Mapping

import numpy as np

from ..arguments import affordable, choice, number, whole
from ..backend import Array, array_module, generator, noise_source, require_examples, require_floats
from ..errors import OptionError, ShapeError
from ..layers import Layer
from ..layers.activations import sigmoid, softplus
from ..layers.layer import as_layer
from ..losses import Loss
from .autoencoder import Autoencoder
from .model import Model


class Discriminating:
    """What both models have: a discriminator, and what either player descends."""

    discriminator: Layer
    descends: Mapping[str, str] = {"discriminator": "discriminator_loss"}

    def tell_apart(self, real: Array, made: Array, rng: np.random.Generator | None) -> dict[str, Array]:
        """The metrics of both players. Real and made examples go through the discriminator in one batch."""
        xp = require_examples(real)
        if real.shape[1:] != made.shape[1:]:
            raise ShapeError(
                f"what is made has examples of shape {made.shape[1:]}, the real ones have {real.shape[1:]}: they must be equal"
            )
        logits = self.discriminator.forward(xp.concatenate([real, made]), rng)
        self.real_logits, self.made_logits = logits[: len(real)], logits[len(real) :]
        return {
            "adversarial": xp.mean(softplus(-self.made_logits)),
            "discriminator_loss": xp.mean(softplus(-self.real_logits)) + xp.mean(softplus(self.made_logits)),
            "real_taken_for_real": xp.mean(sigmoid(self.real_logits)),
            "made_taken_for_real": xp.mean(sigmoid(self.made_logits)),
        }

    def backward_made(self) -> Array:
        """∂adversarial/∂made, through the discriminator, whose own gradients are of no use after it."""
        xp, a = array_module(self.made_logits), self.made_logits
        # adversarial = mean softplus(-a)
        da = (sigmoid(a) - 1) / len(a)
        dboth = self.discriminator.backward(xp.concatenate([xp.zeros_like(self.real_logits), da]))
        return dboth[len(self.real_logits) :]

    def backward_discriminator(self) -> None:
        """∂L_D/∂θ of the discriminator."""
        xp, real, made = array_module(self.made_logits), self.real_logits, self.made_logits
        # L_D = mean softplus(-real) + mean softplus(made)
        da = [(sigmoid(real) - 1) / len(real), sigmoid(made) / len(made)]
        self.discriminator.backward_first(xp.concatenate(da))

    def check_discriminator(self, example: Array) -> None:
        """Raise ShapeError unless the discriminator gives one number for each example."""
        require_examples(example, "example")
        logits = self.discriminator.forward(example[:1])
        if logits.shape != (1, 1):
            raise ShapeError(
                f"the discriminator makes {logits.shape[1:]} of an example: expected one number, (1,), the logit of its being "
                "real: let it end with Dense(…, 1) and without Sigmoid"
            )


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

    def __init__(self, generator: Layer, discriminator: Layer, *, code: int | None = None):
        self.generator, self.discriminator = (
            as_layer(generator, "generator"),
            as_layer(discriminator, "discriminator"),
        )
        self.code = inputs(self.generator) if code is None else whole(self, "code", code)
        self.gather()

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        require_examples(x)
        made = self.generator.forward(self.noise(len(x), rng), rng)
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
    formulas: Mapping[str, str] = {}

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
        # z goes into the decoder and into the discriminator: the gradients add
        dz = dz + self.weight * self.backward_made()[:, : dz.shape[1]]
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
        return (x[:, : -self.labels], x[:, -self.labels :]) if self.labels else (x, None)

    def draw_prior(self, y: Array | None, like: Array, rng: np.random.Generator | None) -> Array:
        """As many draws of p(z) as there are codes in `like` (N, D), of its shape; with "ring" from the cloud of each class in y."""
        xp = array_module(like)
        noise = xp.zeros_like(like)
        if rng is not None:
            noise = noise_source(rng, like).standard_normal(like.shape, dtype=like.dtype)
        return noise if self.prior == "normal" else self.centres(y) + RING[1] * noise

    def centres(self, y: Array) -> Array:
        """The middle of the cloud of each class in y (N, labels), one-hot: (N, 2)."""
        angle = 2 * np.pi * np.arange(self.labels) / self.labels
        ring = RING[0] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        xp = array_module(y)
        # two sums instead of a product with a matrix from the host, which a recorded step cannot take along
        return xp.stack([sum(float(at) * y[:, i] for i, at in enumerate(axis)) for axis in ring.T], axis=1)

    def encode(self, x: Array) -> Array:
        """The code z of x, whose classes, if it has any, are not looked at."""
        return super().encode(self.parted(x)[0])

    def sample(self, n: int, rng: int | np.random.Generator | None = None) -> Array:
        """n new examples: draws of p(z), decoded. With "ring" the classes take turns."""
        θ, n = self.parameters, whole("sample", "n", n)
        xp, rng = array_module(θ), generator(rng, θ)
        y = xp.asarray(np.eye(self.labels)[np.arange(n) % self.labels], dtype=θ.dtype) if self.labels else None
        size = 2 if self.prior == "ring" else inputs(self.decoder)
        return self.decode(self.draw_prior(y, xp.zeros((n, size), dtype=θ.dtype), rng))

    def check_data(self, x: Array) -> None:
        pixels, y = self.parted(x)
        super().check_data(pixels)
        z = self.encoder.forward(pixels[:1])
        if z.ndim != 2 or (self.prior == "ring" and z.shape[1] != 2):
            size = "(2,), two numbers, for prior='ring'" if self.prior == "ring" else "a row of numbers"
            raise ShapeError(f"the encoder makes codes of shape {z.shape[1:]}: expected {size}")
        self.check_discriminator(z if y is None else array_module(z).concatenate([z, y[:1]], axis=1))


def inputs(first: Layer) -> int:
    """The number of numbers that a part takes: `inputs` of the first of its layers that has it, such as a Dense."""
    sizes = [layer.inputs for _, layer in first.leaves() if isinstance(getattr(layer, "inputs", None), int)]
    if not sizes:
        raise OptionError(
            f"{first!r}: none of its layers says in `inputs` how many numbers it takes: say it there, or of a GAN give the number, code=…"
        )
    return sizes[0]
