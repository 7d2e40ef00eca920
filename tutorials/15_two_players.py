# %% [markdown]
# # 15 · Two players
#
# *Can a net learn to make examples from a critic alone, without ever being shown what to make?*
#
# **Time** 45 minutes to read, 25 s to run on two cores.

# %% [markdown]
# ## The question
#
# Every model so far was told how far its output is from what it should be. A
# **[generative adversarial network](glossary.md#gan)** is not: its *generator* makes examples
# from noise, and nobody knows what a given noise should become. What it gets is the opinion of a
# *discriminator*, which sees real and made examples and learns to tell them apart (Goodfellow et
# al. 2014).
#
# Three things are new in it. The gradient that trains the generator is one with respect to an
# *input* of another net. The two nets descend *different* losses. And so there is no hill that
# both go down: training need not come to rest.

# %%
import numpy as np

import scratchae as sae
from scratchae.backend import to_numpy
from scratchae.models.adversarial import Discriminating
from scratchae.tutorial import exercise, figure, quick, show, source
from scratchae.tutorial.ring import CENTRES, found, players, points

rng = np.random.default_rng(0)

# %% [markdown]
# ## The game
#
# The discriminator gives an example $x$ a [logit](glossary.md#logit) $a(x)$, and
# $D(x) = \sigma(a)$ is its probability that $x$ is real. It answers a yes-or-no question, so its
# loss is the [cross-entropy](glossary.md#cross-entropy) of chapter 07, over real examples $x$
# and made ones $\tilde x = G(z)$, with $z$ drawn from $N(0, 1)$:
#
# $$
# \begin{aligned}
# L_D &= -\frac1N \sum_n \log D(x_n) - \frac1N \sum_n \log\big(1 - D(\tilde x_n)\big) \\
#     &= \frac1N \sum_n \operatorname{softplus}(-a(x_n)) + \frac1N \sum_n \operatorname{softplus}(a(\tilde x_n)) .
# \end{aligned}
# $$
#
# The generator would like to be taken for real. So it descends
#
# $$
# L_G = -\frac1N \sum_n \log D(\tilde x_n) = \frac1N \sum_n \operatorname{softplus}(-a(\tilde x_n)) .
# $$
#
# Why not $-L_D$, so that what the one loses, the other gains? Its gradient in $a$ is
# $-\sigma(a) / N$, which vanishes exactly where the generator is bad, as $D$ is sure there:
# $\sigma(a) \approx 0$. That of $L_G$ is
#
# $$
# \frac{\partial L_G}{\partial a_n} = \frac{\sigma(a_n) - 1}{N} ,
# $$
#
# which is largest there. That is the cross-entropy's $(\text{prediction} - \text{target})/N$ of
# chapter 07 with the target 1.

# %%
a = np.linspace(-8, 8, 161)
D = 1 / (1 + np.exp(-a))
drawn, axes = figure(6, 3)
axes.plot(D, D, label="of $-L_D$: σ(a)")
axes.plot(D, 1 - D, "--", label="of $L_G$: 1 − σ(a)")
axes.set(xlabel="D of a made example", ylabel="size of the gradient in a")
axes.legend()
show(
    drawn,
    "saturation",
    "Two lines against D from 0 to 1: the first rises from 0, the second falls to 0.",
    "Where the discriminator is sure that an example was made, on the left, the first loss teaches nothing.",
)

# %% [markdown]
# ## Through the discriminator, and past it
#
# How should a made example change, so that $D$ takes it more for real? That is
# $\partial L_G / \partial \tilde x$: send $\partial L_G / \partial a$ back through the
# discriminator and take what comes out *at its input*. No other chapter asks for this gradient,
# since nobody wants to change the data. From there it goes on through the generator, as if the
# two were one deep net:

# %%
source(Discriminating.backward_made, sae.GAN.backward)

# %% [markdown]
# On its way the discriminator's own `dW` and `db` were computed too, and they say how to change
# the *discriminator* to make $L_G$ small: the opposite of what it wants. They must not be used.
# The library goes back through it twice, and last for its own loss:

# %%
source(Discriminating.backward_discriminator)
small = points(6, rng).astype(np.float64)
print(sae.check_gradients(players(rng, width=4), small))

# %% [markdown]
# The check compares the generator's gradients with differences of $L_G$, and the discriminator's
# with differences of $L_D$.
#
# **Break it.** Go back for the discriminator first, and for the generator last:

# %%


class Wrong(sae.GAN):
    def backward(self):
        self.backward_discriminator()
        self.generator.backward_first(self.backward_made())


right = players(rng, width=4)
report = sae.check_gradients(Wrong(right.generator, right.discriminator), small)
wrong = [check.name for check in report.checks if not check.passed]
print("wrong:", ", ".join(wrong))
assert wrong and all(name.startswith("discriminator") for name in wrong)

# %% [markdown]
# The discriminator would help the generator to deceive it. Nothing else is wrong, no shape, no
# sign, and the losses even fall.
#
# ## What the best discriminator knows
#
# Let real examples have probabilities $p(x)$ and made ones $q(x)$. At each $x$ the loss $L_D$ has
# the terms $-p \log D - q \log(1 - D)$. Its slope in $D$ is $-p/D + q/(1 - D)$, which is 0 at
#
# $$
# D^*(x) = \frac{p(x)}{p(x) + q(x)} .
# $$
#
# With it, and with $m = (p + q)/2$, the loss is
#
# $$
# L_D^* = -\sum_x p \log \frac{p}{2m} - \sum_x q \log\frac{q}{2m}
#       = 2 \log 2 - \mathrm{KL}(p \,\|\, m) - \mathrm{KL}(q \,\|\, m)
#       = \log 4 - 2\, \mathrm{JS}(p, q) .
# $$
#
# JS is the divergence of Jensen and Shannon: 0 if $p = q$, and $\log 2$ if the two share no $x$.
# So if the discriminator were always the best one, it would measure how far $q$ is from $p$. On
# four points all of it can be enumerated; a discriminator with a logit for each, trained by
# gradient descent, must come to it:

# %%
p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.1, 0.3, 0.5])
logits = np.zeros(4)
for _ in range(5000):
    D = 1 / (1 + np.exp(-logits))
    logits -= p * (D - 1) + q * D  # the gradient of L_D in each logit
L_D = -(p * np.log(D) + q * np.log(1 - D)).sum()
m = (p + q) / 2
js = (p * np.log(p / m)).sum() / 2 + (q * np.log(q / m)).sum() / 2
print("D*         ", (p / (p + q)).round(6))
print("trained    ", D.round(6))
print(f"L_D {L_D:.6f}, log 4 - 2 JS = {np.log(4) - 2 * js:.6f}")
assert np.allclose(D, p / (p + q)) and np.isclose(L_D, np.log(4) - 2 * js)

# %% [markdown]
# A trained discriminator is not the best one, and the generator descends $L_G$, not $-L_D^*$. So
# this says where the game would end, at $p = q$ with $D = \tfrac12$ everywhere, $L_D = \log 4 = 1.386$
# and $L_G = \log 2 = 0.693$. It does not say that training gets there.
#
# ## No hill to go down
#
# The smallest game has two numbers. One player descends $V = \theta\varphi$ in $\theta$, the
# other descends $-V$ in $\varphi$. Both take a step of rate $\eta$ at once:
#
# $$
# \theta' = \theta - \eta \varphi, \qquad \varphi' = \varphi + \eta \theta,
# \qquad \theta'^2 + \varphi'^2 = (1 + \eta^2)(\theta^2 + \varphi^2) .
# $$
#
# Each step turns the pair, and takes it *away* from the only point of rest, $(0, 0)$, whatever
# the rate. The field $(\varphi, -\theta)$ is the gradient of nothing: the [Jacobian](mathematics.md#gradient-jacobian-hessian) of a gradient
# is symmetric (second derivatives commute), and this one is not. Nor is that of a real pair of
# players, in the two blocks that say how each one's gradient depends on the *other*:

# %%
θ, φ, η = 1.0, 0.0, 0.1
for _ in range(50):
    θ, φ = θ - η * φ, φ + η * θ
print(
    f"after 50 steps the distance is {np.hypot(θ, φ):.4f}, and √(1 + η²)^50 = {(1 + η**2) ** 25:.4f}"
)
assert np.isclose(np.hypot(θ, φ), (1 + η**2) ** 25)

smooth = (
    sae.Sequential(sae.Dense(2, 3, rng=rng), sae.Tanh(), sae.Dense(3, 2, rng=rng)),
    sae.Sequential(sae.Dense(2, 3, rng=rng), sae.Tanh(), sae.Dense(3, 1, rng=rng)),
)  # without corners, at which a gradient jumps
model = sae.GAN(*smooth).to(dtype=np.float64)
split, parameters = model.stretches()["discriminator"].start, model.parameters


def field():
    model.training_step(small, np.random.default_rng(0))
    return model.gradient.copy()


J = np.empty((parameters.size, parameters.size))
for i in range(parameters.size):
    parameters[i] += 1e-6
    plus = field()
    parameters[i] -= 2e-6
    J[:, i] = (plus - field()) / 2e-6
    parameters[i] += 1e-6
inside = max(
    np.abs(block - block.T).max() for block in (J[:split, :split], J[split:, split:])
)
across = np.abs(J[:split, split:] - J[split:, :split].T).max()
print(f"asymmetry within a player {inside:.0e}, between the players {across:.2f}")
assert inside < 1e-5 and across > 0.01

# %% [markdown]
# Within a player it is symmetric, up to the rounding of the differences: each descends a loss
# while the other holds still. Together they do not.
#
# ## Eight clouds
#
# What does that look like? The data are eight small clouds on a ring. The generator has noise of
# two numbers, and two hidden layers.

# %%
epochs = quick(40, 6)
trained = {}
for name, momentum in (("β₁ = 0.9", 0.9), ("β₁ = 0.5", 0.5)):
    begin = np.random.default_rng(0)
    x, model = points(4000, begin), players(begin)
    history = sae.fit(
        model,
        x,
        epochs=epochs,
        batch_size=100,
        optimizer=sae.Adam(1e-3, beta1=momentum),
        progress=False,
    )
    made = to_numpy(model.sample(2000, 0))
    trained[name] = made, history
    clouds, share = found(made)
    print(
        f"{name}: {clouds} of 8 clouds found, {share:.0%} of the points in a cloud; L_D {history['discriminator_loss'][-1]:.2f}, L_G {history['loss'][-1]:.2f}"
    )

# %% tags=["hide-input"]
drawn, panels = figure(9, 3.4, columns=3)
for axes, (name, (made, _)) in zip(panels, trained.items(), strict=False):
    axes.plot(*made[:1000].T, ".", markersize=2)
    axes.plot(*CENTRES.T, "x", color="black", markersize=5)
    axes.set(title=name, xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
for name, (_, history) in trained.items():
    panels[2].plot(history["epoch"], history["discriminator_loss"], label=name)
panels[2].axhline(np.log(4), color="grey", linestyle=":")
panels[2].set(title="$L_D$", xlabel="epoch")
panels[2].legend()
show(
    drawn,
    "clouds",
    "Two panels of points around eight crosses on a ring, and the loss of the discriminator by epoch for both, beside a dotted line at log 4.",
    "Crosses are the middles of the clouds. The dotted line is log 4, where neither player wins.",
)

# %% [markdown]
# The usual momentum of [Adam](glossary.md#adam), $\beta_1 = 0.9$, goes on for about ten steps in
# a direction that the other player has made wrong meanwhile: it goes round for longer before it
# finds the clouds. But one run proves little in a game that need not come to rest. Five seeds of
# 100 epochs each, by `python benchmarks/modes.py` (mean ± standard deviation over the seeds):
#
# | way | clouds found | points in a cloud |
# | --- | ---: | ---: |
# | β₁ = 0.9 | 8.0 ± 0.0 | 81.8 ± 5.6 % |
# | β₁ = 0.5 | 7.6 ± 0.9 | 85.5 ± 5.5 % |
# | β₁ = 0.5, noise 0.1 | 7.8 ± 0.4 | 85.3 ± 6.2 % |
# | β₁ = 0.5, the discriminator five times as fast | 7.2 ± 0.8 | 81.4 ± 6.0 % |
# | the same, noise 0.1 | 7.8 ± 0.4 | 82.3 ± 9.0 % |
#
# Noise on what the discriminator sees ([Sønderby et al.
# 2017](bibliography.md#sønderby-2017)) blurs both kinds alike, so that it
# cannot win by a detail. In the library that is a layer at its beginning, `GaussianNoise(0.1)`,
# and nothing else. Given time, all five ways find nearly all clouds here. Even where the
# discriminator is fast, noise gains no more than the spread of five seeds: what looks like a cure
# after one run may be a matter of patience.
#
# ## An autoencoder with a critic
#
# A [VAE](glossary.md#variational-autoencoder) pulls the code of *each* image to the prior
# $N(0, 1)$. What is wanted is less: that the codes of *all* images together, the aggregated
# posterior, look like draws of the prior, so that draws of the prior decode to images. A
# discriminator can tell whether they do. In an **[adversarial
# autoencoder](glossary.md#adversarial-autoencoder)** (Makhzani et al. 2016) real examples are
# draws of $N(0, 1)$, and made ones are the codes $z = \text{encoder}(x)$. The encoder descends
# the reconstruction's loss and $L_G$; the code goes into the decoder and into the discriminator,
# so its gradients add, as in chapter 10:

# %%
source(sae.AdversarialAutoencoder.backward)

# %% [markdown]
# On MNIST: `scratchae train aae --data mnist` draws the codes of the test images and images from
# draws of $N(0, 1)$; `scratchae train gan --data mnist` and `gan-conv` make digits from noise.
#
# ## Exercises
#
# 1. One step of the game by hand: both players' gradients, for a discriminator with one layer. ★★,
#    20 minutes.

# %%
exercise("15_gan_step")

# %% [markdown]
# Without code:
#
# 2. What is $L_D$ if the discriminator answers ½ to everything? What are the two losses if it is
#    always right and sure?
# 3. Both players of $V = \theta\varphi$ move in turn instead of at once: first $\theta$, then
#    $\varphi$ with the new $\theta$. Does the distance still grow?
#
# *Answers:* 2. $\log 4$; $L_D \to 0$ and $L_G \to \infty$. 3. No: for $\eta < 2$ the map has
# [determinant](mathematics.md#eigenvalues-trace-determinant) 1 and eigenvalues of size 1, so the pair goes round for ever, neither away nor home.

# %%
step = np.array([[1, -0.1], [0, 1]])  # θ moves, then φ with the new θ
turn = np.array([[1, 0], [0.1, 1]]) @ step
assert np.isclose(np.linalg.det(turn), 1) and np.allclose(
    np.abs(np.linalg.eigvals(turn)), 1
)

# %% [markdown]
# ## Further reading
#
# - [Goodfellow et al. 2014](bibliography.md#goodfellow-2014): the GAN. [Makhzani et al. 2016](bibliography.md#makhzani-2016): the adversarial autoencoder.
# - [Radford et al. 2016](bibliography.md#radford-2016): GANs of convolutions, and what made them train.
# - [Prince 2023](bibliography.md#prince-2023), chapter 15: why the game is hard, with pictures.
#
# ## What to read in the source next
#
# - `scratchae/models/adversarial.py`, whole: both models in a few lines each.
# - `scratchae/optimizers/parts.py`: how two players have two optimizers in one vector.
# - `scratchae/presets/adversarial.py`: two nets that make digits.
