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
# **[generative adversarial network](glossary.md#gan)**
# ([Goodfellow et al. 2014](bibliography.md#goodfellow-2014)) is not told. Its *generator* makes examples
# from noise, and nobody knows what example a given noise should become. The generator learns from a
# *discriminator*, a second net, which sees real and made examples and learns to tell them apart.
#
# Three things are new in this. The gradient that trains the generator is a gradient by the *input* of
# another net. The two nets descend *different* losses. And because the losses differ, there is no one loss
# that both make smaller, so training need not come to rest.

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
# The discriminator gives an example $x$ a [logit](glossary.md#logit) $a(x)$, and $D(x) = \sigma(a)$ is its
# probability that $x$ is real. "Real or made?" has two answers, so its loss is the
# [cross-entropy](glossary.md#cross-entropy) of [chapter 07](07_cross_entropy.py): with target 1 for real
# examples $x$, and with target 0 for made examples $\tilde x = G(z)$, whose $z$ is drawn from $N(0, 1)$. With
# $\operatorname{softplus}(a) = \log(1 + e^a)$ that chapter found
# $-\log\sigma(a) = \operatorname{softplus}(-a)$ and
# $-\log(1 - \sigma(a)) = \operatorname{softplus}(a)$. So
#
# $$
# \begin{aligned}
# L_D &= -\frac1N \sum_n \log D(x_n) - \frac1N \sum_n \log\big(1 - D(\tilde x_n)\big) \\
#     &= \frac1N \sum_n \operatorname{softplus}(-a(x_n)) + \frac1N \sum_n \operatorname{softplus}(a(\tilde x_n)) .
# \end{aligned}
# $$
#
# The generator is to make examples that the discriminator takes for real. So its loss is the cross-entropy
# of the made examples with the target 1:
#
# $$
# L_G = -\frac1N \sum_n \log D(\tilde x_n) = \frac1N \sum_n \operatorname{softplus}(-a(\tilde x_n)) .
# $$
#
# Why does the generator not descend $-L_D$, so that one player gains what the other loses? Compare the two
# gradients by the logit of a made example:
#
# $$
# \frac{\partial (-L_D)}{\partial a_n} = -\frac{\sigma(a_n)}{N} , \qquad
# \frac{\partial L_G}{\partial a_n} = \frac{\sigma(a_n) - 1}{N} .
# $$
#
# The second is the cross-entropy's $(\text{prediction} - \text{target})/N$ of chapter 07 with the target 1.
# While the generator is bad, the discriminator is sure that the generator's examples are made, and
# $\sigma(a) \approx 0$. Then the first gradient vanishes, and the second is as large as it can be. So with
# $-L_D$ a generator would learn least where it has most to learn.

# %%
a = np.linspace(-8, 8, 161)
D = 1 / (1 + np.exp(-a))
drawn, axes = figure(6, 3)
axes.plot(D, D, label="of $-L_D$: σ(a)")
axes.plot(D, 1 - D, "--", label="of $L_G$: 1 − σ(a)")
axes.set(xlabel="D of a made example", ylabel="N times the size of the gradient")
axes.legend()
show(
    drawn,
    "saturation",
    "Two lines against D from 0 to 1: the first rises from 0, the second falls to 0.",
    "On the left the discriminator is sure that an example was made. There the gradient of −L_D (solid) is near 0, and that of L_G (dashed) is largest.",
)

# %% [markdown]
# ## Through the discriminator, and past it
#
# In which direction should a made example change, so that $D$ finds it more probably real? The answer is
# $-\partial L_G / \partial \tilde x$. To compute it, send $\partial L_G / \partial a$ back through the
# discriminator and take the `dx` that its first layer returns. In the chapters before, `dx` of the first
# layer was not needed, because the data are given and do not change. Here the input was made by the
# generator, so the gradient goes on through the generator, as if the two nets were one deep net:

# %%
source(Discriminating.backward_made, sae.GAN.backward)

# %% [markdown]
# On the way, `backward` has also set the `dW` and `db` of the discriminator. They are gradients of $L_G$:
# they say how the *discriminator* would have to change to make $L_G$ small, which is against its own
# interest. They must not be used. So the library sends a second gradient back through the discriminator,
# that of $L_D$. It comes last, because each `backward` *sets* `dW` and `db`, and those that are set last
# stay:

# %%
source(Discriminating.backward_discriminator)
small = points(6, rng).astype(np.float64)
print(sae.check_gradients(players(rng, width=4), small))

# %% [markdown]
# The check compares the generator's gradients with differences of $L_G$, and the discriminator's with
# differences of $L_D$.
#
# **Break it.** Send the gradient of $L_D$ back first, and that of $L_G$ last.
#
# *Predict (★, 1 minute):* whose gradients will be wrong, the generator's, the discriminator's, or both?

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
# The generator's gradients are right. The discriminator's are those of $L_G$: it would change so that it
# takes made examples for real. No shape is wrong and no array is missing, so only the check finds the
# mistake.
#
# ## What the best discriminator knows
#
# Let real examples have probabilities $p(x)$ and made ones $q(x)$. With many examples the two means of
# $L_D$ become sums over all possible $x$, and each $x$ contributes $-p \log D - q \log(1 - D)$. The slope of
# this in $D$ is $-p/D + q/(1 - D)$. The slope is negative for small $D$ and positive for large $D$, so the
# contribution is least where the slope is 0, at
#
# $$
# D^*(x) = \frac{p(x)}{p(x) + q(x)} .
# $$
#
# With this $D^*$, and with $m = (p + q)/2$, so that $p + q = 2m$, the loss is
#
# $$
# L_D^* = -\sum_x p \log \frac{p}{2m} - \sum_x q \log\frac{q}{2m}
#       = 2 \log 2 - \mathrm{KL}(p \,\|\, m) - \mathrm{KL}(q \,\|\, m)
#       = \log 4 - 2\, \mathrm{JS}(p, q) .
# $$
#
# Each of the two sums gives one $\log 2$, because $\sum_x p = \sum_x q = 1$.
# $\mathrm{JS}(p, q) = \frac12 \mathrm{KL}(p \,\|\, m) + \frac12 \mathrm{KL}(q \,\|\, m)$ is the divergence
# of Jensen and Shannon. It is 0 if $p = q$, and $\log 2$ if no $x$ is possible under both. So the loss of
# the *best* discriminator measures how far $q$ is from $p$. If $x$ can be only one of four points,
# everything can be computed. The cell trains a discriminator that has a logit of its own for each point,
# and compares its answers and its loss with the formulas of $D^*$ and $L_D^*$:

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
# If the made examples are distributed like the real ones, $p = q$, then $D^* = \tfrac12$ everywhere,
# $L_D = \log 4 = 1.386$ and $L_G = \log 2 = 0.693$. That is where the game could end. It does not follow
# that training gets there, for two reasons: a trained discriminator is not the best one, and the generator
# descends $L_G$ and not $-L_D^*$.
#
# ## No hill to go down
#
# The smallest game has two numbers. One player descends $V = \theta\varphi$ in $\theta$, the other descends
# $-V$ in $\varphi$. Both take a step at the same time, with the learning rate $\eta$:
#
# $$
# \theta' = \theta - \eta \varphi, \qquad \varphi' = \varphi + \eta \theta,
# \qquad \theta'^2 + \varphi'^2 = (1 + \eta^2)(\theta^2 + \varphi^2) .
# $$
#
# In the sum of the squares the mixed terms $\mp 2\eta\theta\varphi$ cancel. The only point of rest is
# $(0, 0)$. Each step multiplies the distance to it by $\sqrt{1 + \eta^2}$, so the pair moves *away* from it,
# however small the rate is.
#
# The two players' gradients, side by side, are the *field* $(\varphi, -\theta)$. The pair moves away because
# this field is not the gradient of any loss. The
# [Jacobian](mathematics.md#gradient-jacobian-hessian) of a gradient is symmetric, because the order of two
# derivatives does not matter. The Jacobian of this field has the rows $(0, 1)$ and $(-1, 0)$. It is not
# symmetric. The next cell measures the Jacobian of the field of a real pair of players, by differences.
# Within the block of one player the Jacobian must be symmetric, because a player descends a loss while the
# other player holds still.
#
# *Predict (★, 1 minute):* two blocks say how one player's gradient depends on the *other* player's
# parameters. Is each of these two blocks the transpose of the other?

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
# Within a player the Jacobian is symmetric, up to the rounding of the differences. Between the players it
# is not, so the two together descend no loss.
#
# ## Eight clouds
#
# What does such a training look like? The data are points in eight small clouds on a ring. The generator
# makes points from two numbers of noise, with two hidden layers. A made point lies *in a cloud* if it is
# within four standard deviations of the cloud's middle, and a cloud is *found* if at least a hundredth of
# the made points lie in it.

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
    "Points that the generator makes, and crosses in the middles of the clouds where they should lie. The dotted line is log 4, the loss of a discriminator that cannot tell made points from real ones.",
)

# %% [markdown]
# [Adam](glossary.md#adam) with its usual $\beta_1 = 0.9$ averages the gradients of about ten steps. In a
# game the oldest of these gradients belong to a state of the other player that is gone. So one might expect
# a smaller $\beta_1$ to do better. But one run proves little where training need not come to rest. Here are
# five seeds of 100 epochs each, by `python benchmarks/modes.py` (mean ± standard deviation over the seeds):
#
# | way | clouds found | points in a cloud |
# | --- | ---: | ---: |
# | β₁ = 0.9 | 8.0 ± 0.0 | 81.8 ± 5.6 % |
# | β₁ = 0.5 | 7.6 ± 0.9 | 85.5 ± 5.5 % |
# | β₁ = 0.5, noise 0.1 | 7.8 ± 0.4 | 85.3 ± 6.2 % |
# | β₁ = 0.5, the discriminator's learning rate five times as large | 7.2 ± 0.8 | 81.4 ± 6.0 % |
# | the same, noise 0.1 | 7.8 ± 0.4 | 82.3 ± 9.0 % |
#
# Noise on what the discriminator sees ([Sønderby et al. 2017](bibliography.md#sønderby-2017)) blurs real
# and made examples alike, so that it cannot tell them apart by a small detail. In the library this is a
# layer `GaussianNoise(0.1)` at the beginning of the discriminator.
#
# In 100 epochs all five ways find seven clouds or more on average. The differences between the ways are no
# larger than the spread over five seeds. This is so for the noise too, even where the discriminator's
# learning rate is large. So a difference that is seen in one run says little.
#
# ## An autoencoder with a critic
#
# A [VAE](glossary.md#variational-autoencoder) pulls the code of *each* image to the prior $N(0, 1)$. To
# make new images from draws of the prior, less is enough: the codes of *all* images together should be
# distributed like the prior. The distribution of these codes is the
# [aggregated posterior](glossary.md#aggregated-posterior). A discriminator can compare it with the prior.
# In an **[adversarial autoencoder](glossary.md#adversarial-autoencoder)**
# ([Makhzani et al. 2016](bibliography.md#makhzani-2016)) the "real" examples of the discriminator are draws
# of $N(0, 1)$, and the "made" ones are the codes $z = \text{encoder}(x)$. The encoder descends the sum of
# two losses, that of the reconstruction and $L_G$. The code is used twice, by the decoder and by the
# discriminator, so the gradients of its two uses are added:

# %%
source(sae.AdversarialAutoencoder.backward)

# %% [markdown]
# On MNIST, `scratchae train aae --data mnist` makes a picture of the codes of the test images, and new
# images from draws of $N(0, 1)$. `scratchae train gan --data mnist` and `gan-conv` make digits from noise.
#
# ## Exercises
#
# 1. Code one step of the game: both players' gradients, for a discriminator with one layer. After
#    *Through the discriminator, and past it*. ★★, 20 minutes.

# %%
exercise("15_gan_step")

# %% [markdown]
# 2. **While reading.** What is $L_D$ if the discriminator answers ½ to everything? To which values do
#    $L_D$ and $L_G$ go if it is always right, and more and more sure? After *The game*. ★, 5 minutes.
# 3. **Derive.** Both players of $V = \theta\varphi$ move in turn instead of at once: first $\theta$, then
#    $\varphi$ with the new $\theta$. Write the two moves as one $2 \times 2$ matrix. Does the distance to
#    $(0, 0)$ still grow without end? After *No hill to go down*. ★★, 15 minutes.
# 4. **Derive.** Let the discriminator be the best one, $D^*$. Show that $L_G$ is then
#    $\mathrm{KL}(q \,\|\, p) - \mathrm{KL}(q \,\|\, m) + \log 2$ on average. (Begin with
#    $-\log D^* = \log \frac{2m}{p}$.) What does this $L_G$ cost a generator that never makes one part of the
#    data? After *What the best discriminator knows*. ★★, 20 minutes.
# 5. **Explore.** Give every second cloud four times as many points as its neighbours, as [chapter
#    19](19_diffusion.py) does. Does the generator get these shares right? Use several seeds before you
#    answer. After *Eight clouds*. ★★, 30 minutes.
#
# <details><summary>Answers</summary>
#
# 2\. $\log 4$. If the discriminator is always right and more and more sure, $L_D \to 0$ and
# $L_G \to \infty$.
#
# 3\. No. With $\theta' = \theta - \eta\varphi$ and $\varphi' = \varphi + \eta\theta'$ the matrix has the
# rows $(1, -\eta)$ and $(\eta, 1 - \eta^2)$. Its
# [determinant](mathematics.md#eigenvalues-trace-determinant) is 1, and its trace is $2 - \eta^2$. For
# $\eta < 2$ the eigenvalues are complex and conjugate, so both have the absolute value 1. The pair goes
# round for ever, neither away nor to rest. The next cell checks it.
#
# 4\. $-\log D^* = \log\frac{2m}{p} = \log\frac qp - \log\frac qm + \log 2$, and the mean over made examples
# is the mean under $q$. Both divergences are sums with the weight $q(x)$. Where $q(x) = 0$ they have no
# term, so leaving out a part of the data costs nothing there. This is one reason why generators leave out
# parts of the data.
#
# 5\. There is no one answer, and it differs between seeds: neither loss asks for the right shares more than
# for the right places.
#
# </details>

# %% tags=["hide-cell"]
step = np.array([[1, -0.1], [0, 1]])  # θ moves, then φ with the new θ
turn = np.array([[1, 0], [0.1, 1]]) @ step
assert np.allclose(turn, [[1, -0.1], [0.1, 1 - 0.01]])
assert np.isclose(np.linalg.det(turn), 1)
assert np.allclose(np.abs(np.linalg.eigvals(turn)), 1)
of_made = (q * np.log((p + q) / p)).sum()  # answer 4, on the four points
kl = lambda a, b: (a * np.log(a / b)).sum()  # noqa: E731
assert np.isclose(of_made, kl(q, p) - kl(q, m) + np.log(2))

# %% [markdown]
# ## Further reading
#
# - [Goodfellow et al. 2014](bibliography.md#goodfellow-2014): the GAN.
#   [Makhzani et al. 2016](bibliography.md#makhzani-2016): the adversarial autoencoder.
# - [Radford et al. 2016](bibliography.md#radford-2016): GANs of convolutions, and what made them train.
# - [Prince 2023](bibliography.md#prince-2023), chapter 15: why the game is hard, with pictures.
#
# ## What to read in the source next
#
# - `scratchae/models/adversarial.py`, whole: both models in a few lines each.
# - `scratchae/optimizers/parts.py`: how two players have two optimizers in one vector.
# - `scratchae/presets/adversarial.py`: two nets that make digits.
