# %% [markdown]
# # 14 · Errors in the wild
#
# *Which formulas and claims about autoencoders are wrong, how do you prove it in five lines, and what is right?*
#
# **Time** 50 minutes to read, 3 s to run on two cores.

# %% [markdown]
# ## The question
#
# You will read code and articles by others. Some of it is wrong, and much of the wrong part is copied from one place
# to the next, since it runs, the loss falls, and pictures come out. How do you find out?
#
# With a **counter-example**: one case, as small as possible, in which the formula and the truth differ. It needs no
# authority and no long argument. This chapter collects eighteen statements that you are likely to meet. Each has the
# same three parts: **wrong**, what is said; a counter-example, which runs, with an `assert`; **right**, and the
# chapter that treats it. At the end a table says which kind of test would have caught which error. It holds a
# surprise: the best-known test misses most of them.

# %%
import itertools
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.presets import PRESETS
from scratchae.tutorial import dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)
data = dataset()  # strokes, or what --data names
train, test = pixels(data.train_images), pixels(data.test_images)[:500]
caught = {}  # error: does a gradient check fail on it?


def column(value):
    """A number as one example of one feature."""
    return np.array([[value]], float)


# %% [markdown]
# ## Probabilities
#
# In this part, $\ell$ stands for $\log\sigma^2$, the log of the [variance](mathematics.md#expectation-variance-covariance) that an encoder gives;
# $K$ is the size of the code.
#
# ### 1. A KL term with the variance squared
#
# **Wrong**, for $\ell = \log \sigma^2$: $\;\mathrm{KL} = \frac12 \big(\mu^2 + (e^{\ell})^2\big) - \ell - 1$.
#
# The [KL divergence](glossary.md#kl-divergence) of two equal distributions is 0, and it is never negative. At
# $\mu = 0$, $\ell = 0$ both are the [normal distribution](mathematics.md#density-and-the-normal-distribution) $\mathcal N(0, 1)$.


# %%
def wrong_kl(mu, log_var):
    """WRONG for log σ²."""
    n = len(mu)
    value = (0.5 * (mu**2 + np.exp(log_var) ** 2) - log_var - 1).sum() / n
    return value, mu / n, (np.exp(2 * log_var) - 1) / n


mu, log_var = rng.standard_normal((2, 4, 3))
print(
    f"KL(N(0, 1) ‖ N(0, 1)): wrong {wrong_kl(column(0), column(0))[0]:.2f}, "
    f"right {sae.gaussian_kl(column(0), column(0))[0]:.2f}"
)
assert wrong_kl(column(0), column(0))[0] == -0.5
assert sae.gaussian_kl(column(0), column(0))[0] == 0
caught["KL with the variance squared"] = not sae.check_gradients(
    wrong_kl, mu, log_var
).passed

s = 0.3  # where the variable is log σ, not log σ², the formula is right but for a constant
assert np.isclose(
    wrong_kl(column(0.7), column(s))[0] + 0.5,
    sae.gaussian_kl(column(0.7), column(2 * s))[0],
)

# %% tags=["hide-input"]
drawn, (left, right) = figure(7, 3.2, columns=2)
at = np.linspace(-3, 1.5, 200)
for axes, wanted, name in ((left, 0, "KL, nats"), (right, 2, "∂KL / ∂ℓ")):
    for label, formula, line, colour in (
        ("right", sae.gaussian_kl, "-", plots.BLUE),
        ("wrong", wrong_kl, "--", plots.RED),
    ):
        values = [float(np.squeeze(formula(column(0.0), column(v))[wanted])) for v in at]
        axes.plot(at, values, line, color=colour, label=label, linewidth=2)
    axes.axhline(0, color=plots.GREY, linewidth=0.8)
    axes.set(xlabel="ℓ = log σ², at μ = 0", ylabel=name, ylim=(-1.2, 3))
left.legend()
show(
    drawn,
    "kl",
    "Left: the right KL touches 0 at log variance 0 and is positive elsewhere; the wrong one goes below 0. Right: their derivatives both cross 0 at 0, the wrong one much more steeply.",
    "The two agree on where the minimum is, and on nothing else. That is why training with the wrong one still works, somehow.",
)

# %% [markdown]
# **Right:** $\mathrm{KL} = \frac12 \big(\mu^2 + e^{\ell} - \ell - 1\big)$, summed over the code, averaged over the
# batch. Where the variable is $\log\sigma$, the formula on top is right but for a constant ½. So say which logarithm
# it is. Derived in [chapter 11](11_variational.py#the-kl-term-by-hand).
#
# ### 2. σ from log σ² without the half
#
# **Wrong:** $z = \mu + e^{\ell}\varepsilon$, with a KL term for $\ell = \log\sigma^2$.
#
# If the backward pass differentiates the same wrong thing, every gradient is right. So measure the spread of the
# draws:

# %%


class WrongDraw(sae.Layer):
    """z = μ + e^ℓ ε for x = (μ, ℓ) side by side, with the noise held fixed: WRONG, and consistent."""

    epsilon = rng.standard_normal((4, 3))

    def forward(self, x, rng=None):
        self.spread = np.exp(x[:, 3:])
        return x[:, :3] + self.spread * self.epsilon

    def backward(self, dy):
        return np.concatenate([dy, dy * self.epsilon * self.spread], axis=1)


caught["σ without the half"] = not sae.check_gradients(
    WrongDraw(), rng.standard_normal((4, 6))
).passed
l0, draws = -1.2, rng.standard_normal(100_000)
wrong_spread, right_spread = (math.exp(l0) * draws).std(), (math.exp(l0 / 2) * draws).std()
print(
    f"log σ² = {l0}, so σ = {math.exp(l0 / 2):.3f}; draws spread by {wrong_spread:.3f} (wrong), {right_spread:.3f} (right)"
)
assert abs(right_spread - math.exp(l0 / 2)) < 0.01 < abs(wrong_spread - math.exp(l0 / 2))

# %% [markdown]
# **Right:** $z = \mu + e^{\ell / 2}\varepsilon$.
# [Chapter 11](11_variational.py#1-the-one-that-no-gradient-check-can-see) shows a second test, the KL of the actual
# draws.
#
# ### 3. The root of a head
#
# **Wrong:** let a layer give the variance, $\sigma = \sqrt{hW + b}$.
#
# Nothing keeps $hW + b$ positive. The root of a negative number is NaN, "not a number", and its slope at 0 is
# infinite.

# %%
head = sae.Dense(100, 8, rng=rng)
variance = head.forward(rng.standard_normal((500, 100)).astype(np.float32))
with np.errstate(invalid="ignore"):
    share = float(np.isnan(np.sqrt(variance)).mean())
print(f"NaN in {share:.0%} of the standard deviations, with fresh weights")
assert share > 0.2 and np.isfinite(np.exp(variance / 2)).all()

# %% [markdown]
# **Right:** let it give $\ell = \log\sigma^2$, and take $\sigma = e^{\ell/2}$: positive whatever the layer says.
# [Chapter 11](11_variational.py#4-the-root-of-a-head-that-may-be-negative).
#
# ### 4. A VAE needs no KL term
#
# **Wrong:** "Drop the KL term and train on the squared error: it is still a VAE, with sharper images."
#
# The smallest VAE has one number: $\hat x = c\,(\mu + \sigma\varepsilon)$. Its expected squared error is
# $(x - c\mu)^2 + c^2\sigma^2$. By $\ell$ the derivative is $c^2 e^{\ell}$, always positive: descent lowers $\ell$ for
# ever. With the Gaussian [likelihood](mathematics.md#likelihood-and-logarithms) of variance $s^2$ and the KL term, the part that depends on $\sigma$ is
#
# $$
# \frac{c^2\sigma^2}{2s^2} + \frac12\big(\sigma^2 - \log\sigma^2\big)
# \quad\Rightarrow\quad \frac{\partial}{\partial\ell} = \frac{c^2 e^\ell}{2s^2} + \frac12\big(e^\ell - 1\big) = 0
# \quad\Rightarrow\quad \sigma^2 = \frac{1}{1 + c^2 / s^2} .
# $$

# %%
c, noise = 1.5, 0.8
for name, with_kl in (("without KL", False), ("with KL", True)):
    l0 = 0.0
    for _ in range(20_000):
        slope = c**2 * math.exp(l0) / (2 * noise**2) + (
            0.5 * (math.exp(l0) - 1) if with_kl else 0
        )
        l0 -= 0.05 * slope
    print(f"{name:<11} σ after 20,000 steps: {math.exp(l0 / 2):.4f}")
    if with_kl:
        assert np.isclose(math.exp(l0), 1 / (1 + c**2 / noise**2), rtol=1e-6)
    else:
        assert math.exp(l0 / 2) < 0.03

# %% [markdown]
# **Right:** without the KL term the noise dies out and an autoencoder is left; nothing ties its codes to
# $\mathcal N(0, I)$, so drawing from there means nothing. The squared error itself is fine, as the likelihood of a
# Gaussian: $-\log \mathcal N(x; \hat x, s^2 I) = \frac{|x - \hat x|^2}{2 s^2} + \frac D2 \log(2\pi s^2)$.
# [Chapter 11](11_variational.py#5-a-vae-without-its-kl-term).

# %%
v, v_hat = rng.standard_normal((2, 10))
density = np.prod(
    np.exp(-((v - v_hat) ** 2) / (2 * noise**2)) / math.sqrt(2 * math.pi * noise**2)
)
formula = ((v - v_hat) ** 2).sum() / (2 * noise**2) + 5 * math.log(2 * math.pi * noise**2)
assert np.isclose(-math.log(density), formula)

# %% [markdown]
# ## Scale
#
# The most frequent questions of learners are of this kind. This book: **sum over features, mean over the batch**.
#
# ### 5. A mean for one term, a sum for the other
#
# **Wrong:** cross-entropy averaged over the 784 pixels, plus KL summed over the code. Or: both averaged, each over
# its own size.
#
# Multiply the loss by a constant and its minimum stays where it is. So the first is, times 784,
# $\text{sum} + 784\,\mathrm{KL}$: a β-VAE with a β that nobody chose.

# %%
D, K = 784, 20
terms = rng.uniform(20, 100, (5, 2))  # any reconstruction costs and KLs, in nats per image
for pixels_by, code_by, beta in (
    ("mean", "sum", D),
    ("mean", "mean", D / K),
    ("sum", "mean", 1 / K),
):
    loss = terms[:, 0] / (D if pixels_by == "mean" else 1) + terms[:, 1] / (
        K if code_by == "mean" else 1
    )
    same = (terms[:, 0] + beta * terms[:, 1]) / (D if pixels_by == "mean" else 1)
    print(
        f"pixels: {pixels_by:<4}  code: {code_by:<4}  the ELBO's KL term counts {beta:6.2f} times"
    )
    assert np.allclose(loss, same)


def mean_kl(mu, log_var):
    """WRONG beside a sum over pixels: the mean over the code."""
    value, dmu, dlog_var = sae.gaussian_kl(mu, log_var)
    return value / mu.shape[1], dmu / mu.shape[1], dlog_var / mu.shape[1]


caught["KL averaged over the code"] = not sae.check_gradients(mean_kl, mu, log_var).passed

# %% [markdown]
# With the *squared* error averaged over pixels it is $D/2 = 392$ times: the likelihood with $s = 1$ is half the
# *sum*. **Right:** sum over pixels, sum over the code, one mean over the batch.
# [Chapter 11](11_variational.py#3-sums-and-means).
#
# ### 6. The factor in front of the squared error
#
# **Wrong:** take the value from one convention and the gradient from another, $L = \frac{1}{ND}\sum (\hat x - x)^2$
# with $\frac{2}{N}(\hat x - x)$. Or: copy a learning rate from a program with the other convention.
#
# The two differ by the factor $D$. Plain gradient descent with the same rate then takes steps 784 times shorter, and
# "does not learn":

# %%


def mixed_mse(prediction, target):
    """WRONG: the mean over all numbers, with the gradient of the sum over features."""
    return ((prediction - target) ** 2).mean(), 2 * (prediction - target) / len(prediction)


both = rng.standard_normal((2, 4, 3))
caught["MSE: value and gradient mixed"] = not sae.check_gradients(mixed_mse, *both).passed

scale, w = {"sum over pixels": 1.0, "mean over pixels": 1 / D}, {}
for name, factor in scale.items():
    w[name] = np.zeros(D)  # a constant prediction, to become the mean image
    for _ in range(100):
        w[name] -= 0.02 * factor * 2 * (w[name] - test.mean(axis=0))
    left_over = np.linalg.norm(w[name] - test.mean(axis=0)) / np.linalg.norm(
        test.mean(axis=0)
    )
    print(f"{name:<17} learning rate 0.02, 100 steps: {left_over:.1%} of the way is left")
    assert (left_over < 0.02) == (name == "sum over pixels")

# %% [markdown]
# (Adam divides by the size of the gradient and hardly notices, which is a reason for its popularity.) **Right:**
# state loss, reduction and learning rate together. [Chapter 02](02_backpropagation.py#mse-where-the-chain-begins),
# [chapter 04](04_optimizers.py).
#
# ### 7. "10,000 epochs"
#
# **Wrong:** calling every mini-batch an epoch. An [epoch](glossary.md#epoch) is one pass over all examples.

# %%
steps_an_epoch = math.ceil(60_000 / 128)
print(
    f"60,000 images, batch 128: {steps_an_epoch} steps an epoch; 10,000 steps are {10_000 / steps_an_epoch:.1f} epochs"
)
assert steps_an_epoch == 469 and round(10_000 / steps_an_epoch, 1) == 21.3

# %% [markdown]
# **Right:** steps $= \lceil N / B \rceil \cdot$ epochs.
# [Chapter 04](04_optimizers.py#a-batch-instead-of-all-examples).
#
# ### 8. "The cross-entropy should go to 0"
#
# **Wrong** for grey targets. The best answer to a pixel of grey $t$ is $p = t$, and it costs the
# [entropy](glossary.md#entropy) of $t$:

# %%
grey = float(sae.BCE().floor(test))
binary = float(sae.BCE().floor(np.rint(test)))
better = [float(sae.BCE()(np.clip(test + shift, 0, 1), test)[0]) for shift in (-0.05, 0.05)]
print(
    f"a perfect reconstruction of grey images costs {grey:.1f} nats each, "
    f"{grey / 784:.4f} per pixel; of rounded ones {abs(binary):.1f}"
)
assert grey > 1 and binary == 0 and min(better) > grey

# %% [markdown]
# **Right:** print the floor beside the loss, and never compare values of grey and of rounded pixels.
# [Chapter 07](07_cross_entropy.py#what-a-value-means-the-floor).
#
# ### 9. Clipping p to rescue the logarithm
#
# **Wrong:** $-t \log p - (1 - t)\log(1 - p)$ with $p = \sigma(a)$ cut to, say, $[10^{-15}, 0.999]$.
#
# Three flaws at once: a perfect black pixel costs something, a hopeless one has gradient 0 and stays hopeless, and
# the two ends are treated differently.


# %%
def clipped_bce(logits, target):
    """WRONG beyond the limits."""
    p = np.clip(1 / (1 + np.exp(-logits)), 1e-15, 0.999)
    inside = (p > 1e-15) & (p < 0.999)
    value = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum() / len(logits)
    return value, np.where(inside, p - target, 0) / len(logits)


from_logits = sae.BCEWithLogits()
for a, t, name in ((30, 1, "perfect"), (30, 0, "certain and wrong")):
    cost, slope = (float(np.squeeze(part)) for part in clipped_bce(column(a), column(t)))
    true_cost, true_slope = (
        float(np.squeeze(part)) for part in from_logits(column(a), column(t))
    )
    print(
        f"a = {a}, t = {t}, {name:<17}: clipped {cost:7.4f} nats, slope {slope:g}; right {true_cost:7.4f}, slope {true_slope:.0e}"
    )
assert np.isclose(clipped_bce(column(30), column(1))[0], 0.001, rtol=0.01)
assert (
    clipped_bce(column(30), column(0))[1]
    == 0
    < 0.99
    < from_logits(column(30), column(0))[1]
)
logits, targets = rng.standard_normal((4, 3)), rng.random((4, 3))
caught["clipped probabilities"] = not sae.check_gradients(
    clipped_bce, logits, targets
).passed

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.2)
at = np.linspace(-20, 20, 400)
axes.plot(at, np.logaddexp(0, at), color=plots.BLUE, linewidth=2, label="from logits")
axes.plot(
    at,
    [clipped_bce(column(v), column(0))[0] for v in at],
    "--",
    color=plots.RED,
    label="clipped at 0.999",
)
axes.set(xlabel="logit a, where the target is 0", ylabel="cost, nats")
axes.legend()
show(
    drawn,
    "clipped",
    "The cost from logits rises in a straight line for large logits; the clipped cost follows it up to about 7 and is flat from there on.",
    "A pixel that should be 0. Beyond a = 7 the clipped cost is flat: no gradient leads back.",
)

# %% [markdown]
# **Right:** compute from logits, $\log(1 + e^a) - t\,a$, with the gradient $\sigma(a) - t$.
# [Chapter 07](07_cross_entropy.py#where-the-obvious-formulas-break).
#
# ## Targets and data
#
# ### 10. Denoising with the noisy image as target
#
# **Wrong:** `loss(reconstruct(noisy), noisy)`; or noise added to the training images once, before training.
#
# One number, one weight, $\hat x = w\tilde x$, least squares. With the noisy target $w = 1$: nothing is removed.

# %%
clean = rng.standard_normal(100_000)
noisy = clean + rng.standard_normal(100_000)
for name, target in (("noisy", noisy), ("clean", clean)):
    w = float(noisy @ target / (noisy @ noisy))
    print(
        f"{name} target: w = {w:.3f}, squared error to the clean signal {np.mean((w * noisy - clean) ** 2):.3f}"
    )
    assert np.isclose(w, 1 if name == "noisy" else 0.5, atol=0.01)

# noise drawn once: 20 examples of pure noise, learned by heart
few = rng.standard_normal((20, 30))
once = rng.standard_normal(few.shape)
weights = np.linalg.lstsq(few + once, few, rcond=None)[0]
fresh = rng.standard_normal(few.shape)
on_pairs, on_new = (float((((few + e) @ weights - few) ** 2).mean()) for e in (once, fresh))
print(
    f"noise drawn once: error {on_pairs:.3f} on these pairs, {on_new:.3f} on the same signals with fresh noise"
)
assert on_pairs < 1e-6 < 0.3 < on_new

# %% [markdown]
# **Right:** the target is the clean image, and the noise is drawn anew for every batch.
# [Chapter 09](09_denoising.py#two-errors-that-you-will-meet).
#
# ### 11. The test set that helped to choose
#
# **Wrong:** pick the epoch, the learning rate or the model by its figure on the test set, and report that figure.
#
# Take 200 "models" that toss coins, and 100 labels of 0 and 1. The best of them looks better than chance, on these
# labels.

# %%
# what each answers on the test set, and on new data
models = rng.integers(0, 2, (200, 2, 100))
truth = rng.integers(0, 2, (2, 100))
accuracy = (models == truth).mean(axis=2)
winner = accuracy[:, 0].argmax()
print(
    f"the best of 200 coins: {accuracy[winner, 0]:.0%} right on the set it was chosen on, {accuracy[winner, 1]:.0%} on new data"
)
assert accuracy[winner, 0] > 0.58 and accuracy[winner, 0] > accuracy[winner, 1]

# %% [markdown]
# **Right:** choose on a *validation* set, held out from training; touch the test set once, at the end; say how the
# data were split. [Chapter 01](01_autoencoder.py#the-images-as-a-matrix). Nor may the test set be part of training,
# as when all 70,000 images of MNIST are joined.
#
# ### 12. "Compressing" two numbers into fifty
#
# **Wrong:** a code of 50 numbers for points of a two-dimensional Gaussian, as a demonstration that the autoencoder
# has found the structure of the data.
#
# A code at least as large as the data is [overcomplete](glossary.md#overcomplete): copying solves it, for any data,
# also for data never seen. And a round Gaussian has no structure to find: whichever single direction you keep, half
# of it is lost.

# %%
encode = rng.standard_normal((2, 50))  # drawn at random, never trained
decode = np.linalg.pinv(encode)
for name, points in (
    ("the Gaussian", rng.standard_normal((5000, 2))),
    ("other data", rng.uniform(50, 60, (5000, 2))),
):
    print(
        f"{name:<13} 2 - 50 - 2 without training: squared error {((points @ encode @ decode - points) ** 2).sum(axis=1).mean():.0e}"
    )
    assert np.allclose(points @ encode @ decode, points)
points = rng.standard_normal((50_000, 2))
losses = []
for angle in (0, 0.7, 2):
    u = np.array([math.cos(angle), math.sin(angle)])
    losses.append(
        float(((points - np.outer(points @ u, u)) ** 2).sum() / (points**2).sum())
    )
print("share lost by keeping one direction:", ", ".join(f"{lost:.3f}" for lost in losses))
assert np.allclose(losses, 0.5, atol=0.01)

# %% [markdown]
# **Right:** an overcomplete code learns something only if another rule forbids copying: noise, sparsity, contraction,
# a KL term. [Chapter 06](06_pca.py#when-the-code-is-larger-than-the-data), chapters [09](09_denoising.py) to
# [11](11_variational.py).
#
# ### 13. Sparsity of the wrong thing
#
# **Wrong:** the sparse KL penalty with each single activation for $\hat\rho$; or on a ReLU code; or with a sigmoid
# that only the penalty sees.
#
# The penalty asks that each unit be on in a share $\rho$ *of the examples*. A code with exactly that property should
# cost nothing.


# %%
def per_example(z, rho=0.05):
    """WRONG: every activation is compared with ρ."""
    value = (rho * np.log(rho / z) + (1 - rho) * np.log((1 - rho) / (1 - z))).sum() / len(z)
    return value, ((1 - rho) / (1 - z) - rho / z) / len(z)


# 20 examples; each of 20 units is on in one of them
sparse = np.where(np.eye(20) == 1, 0.99, 0.0005)
constant = np.full((20, 20), 0.05)  # says the same of every example
for name, z in (("each unit on in 1 of 20", sparse), ("all 0.05, always", constant)):
    print(
        f"{name:<24} wrong {per_example(z)[0]:6.3f}, right {abs(sae.SparseKL(0.05, 1.0)(z)[0]):6.3f} nats"
    )
assert per_example(sparse)[0] > 1 > 0.001 > sae.SparseKL(0.05, 1.0)(sparse)[0]
assert np.isclose(per_example(constant)[0], 0)
caught["sparsity of each example"] = not sae.check_gradients(
    per_example, rng.uniform(0.1, 0.9, (4, 3))
).passed

with np.errstate(invalid="ignore"):  # a ReLU code: ρ̂ above 1
    assert np.isnan(0.95 * np.log(0.95 / (1 - np.float64(1.4))))

# %% [markdown]
# The wrong penalty punishes the sparse code and rewards the useless one. **Right:**
# $\hat\rho_j = \frac1N\sum_n z_{nj}$, of a sigmoid's output; for ReLU use L1.
# [Chapter 10](10_sparse_contractive.py#three-ways-to-get-it-wrong).
#
# ## Operators and models
#
# ### 14. "Deconvolution undoes convolution"
#
# **Wrong:** $\mathrm{ConvTranspose}(\mathrm{Conv}(x)) = x$. **Right:** it is the [adjoint](glossary.md#adjoint),
# $\langle \mathrm{Conv}\,x, y\rangle = \langle x, \mathrm{ConvTranspose}\,y\rangle$.

# %%
down = sae.Conv2d(1, 2, 3, stride=2, padding=1, rng=rng).to(dtype=np.float64)
up = sae.ConvTranspose2d(2, 1, 3, stride=2, padding=1, rng=rng).to(dtype=np.float64)
up.W[...] = down.W
v = rng.standard_normal((1, 7, 7, 1))
y = rng.standard_normal(down.forward(v).shape)
one, other = (down.forward(v) * y).sum(), (v * up.forward(y)).sum()
change = np.abs(up.forward(down.forward(v)) - v).max()
print(f"⟨Conv x, y⟩ = {one:.6f}, ⟨x, ConvTranspose y⟩ = {other:.6f}")
print(f"largest change of x there and back: {change:.2f}")
assert np.isclose(one, other) and change > 0.3

# %% [markdown]
# [Chapter 08](08_convolution.py#it-does-not-undo-the-convolution).
#
# ### 15. "Contrastive divergence minimises the reconstruction error"
#
# **Wrong**, and so is "it is the gradient of the log-likelihood". Nor is a small reconstruction error the sign of a
# good RBM. Two machines for data of two images, 1100 and 0011. The first copies each pixel through a hidden unit of
# its own.

# %%
patterns = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], float)
copier, knower = sae.RBM(4, 4).to(dtype=np.float64), sae.RBM(4, 1).to(dtype=np.float64)
copier.energy.W[...], copier.energy.a[...], copier.energy.b[...] = 20 * np.eye(4), -10, -10
knower.energy.W[...] = np.array([[3.0], [3.0], [-3.0], [-3.0]])
knower.energy.a[...] = [-1.5, -1.5, 1.5, 1.5]
judged = {}
for name, rbm in (("copies everything", copier), ("knows the two images", knower)):
    log_p = rbm.log_likelihood(patterns, rbm.log_partition_function()).mean()
    judged[name] = float(rbm.objective(patterns)["loss"]), log_p
    print(
        f"{name:<21} reconstruction {judged[name][0]:.3f} nats, log-likelihood {log_p:.3f} nats per image"
    )
assert judged["copies everything"][0] < 0.01 < 0.5 < judged["knows the two images"][0]
assert np.isclose(judged["copies everything"][1], -math.log(16), atol=1e-3)
assert judged["knows the two images"][1] > judged["copies everything"][1] + 1

# %% [markdown]
# The copier rebuilds both images without fault, and gives all 16 images the same probability: it knows nothing.
# **Right:** CD is the gradient of no function; judge by likelihood, exact, by AIS, or by pseudo-likelihood.
# [Chapter 12](12_boltzmann.py#it-is-the-gradient-of-nothing), where the [Jacobian](mathematics.md#gradient-jacobian-hessian) is measured, and where a third error
# of this family is broken open: the last hidden units taken from the data.
#
# ## Words
#
# ### 16. "Lossless compression"
#
# **Wrong:** an autoencoder as a lossless compressor. Train one, and look for images that come back exactly, each
# pixel rounded to its 256 grey values:

# %%
model = PRESETS["deep"].build(np.random.default_rng(0))
images = train[: quick(8000, 3000)]
sae.fit(
    model,
    images,
    epochs=quick(4, 2),
    batch_size=128,
    optimizer=sae.Adam(2e-3),
    progress=False,
)
back = model.reconstruct(test)
exact = float((np.round(255 * back) == np.round(255 * test)).all(axis=1).mean())
numbers = model.encode(test[:1]).shape[1]
strange = rng.random(test.shape, dtype=np.float32)
error, error_strange = (
    float(((model.reconstruct(v) - v) ** 2).sum(axis=1).mean()) for v in (test, strange)
)
print(
    f"images that come back exactly: {exact:.0%}; a code of {numbers} floats has {32 * numbers:,} bits"
)
print(
    f"squared error: {error:.1f} per image of the kind it knows, {error_strange:.0f} per image of noise"
)
assert exact == 0 and error_strange > 2 * error

# %% [markdown]
# **Right:** it is lossy, and made for one kind of data. A lossless code needs the probabilities of a model *and* an
# entropy coder that stores what the model did not expect.
# [Chapter 01](01_autoencoder.py#three-things-that-an-autoencoder-is-not).
#
# ### 17. "An autoencoder has no parameters"
#
# **Wrong.** Meant is: it needs no *labels*. Parameters it has, inputs times outputs plus outputs for each dense
# layer:

# %%


def parameters_of(*chain):
    return sum(i * o + o for i, o in itertools.pairwise(chain))


counts = {
    "784-32-784": (parameters_of(784, 32, 784), 50_992),
    "784-1000-500-250-30 and back": (
        parameters_of(784, 1000, 500, 250, 30, 250, 500, 1000, 784),
        2_837_314,
    ),
    "VAE 784-400-20, two heads": (
        parameters_of(784, 400, 20) + parameters_of(400, 20) + parameters_of(20, 400, 784),
        652_824,
    ),
}
for name, (count, expected) in counts.items():
    print(f"{name:<29} {count:>9,}")
    assert count == expected
assert PRESETS["science2006"].build(np.random.default_rng(0)).parameter_count() == 2_837_314
assert PRESETS["vae-400"].build(np.random.default_rng(0)).parameter_count() == 652_824

# %% [markdown]
# [Chapter 01](01_autoencoder.py#how-many-knobs).
#
# ### 18. "The autoencoder was invented in 2006"
#
# Or in 2012. **Wrong** by twenty years or more. A counter-example to a date is an earlier date:

# %%
history = {
    1985: "the encoding problem: input through a narrow layer, by a Boltzmann machine",
    1986: "the same, by backpropagation",
    1988: "what a linear one learns: the singular value decomposition (proved)",
    1989: "its landscape has no local minima but the global one",
    2006: "deep ones can be trained, layer by layer first",
    2008: "denoising",
    2013: "variational",
}
for year, what in history.items():
    print(year, what)
assert min(history) < 2006

# %% [markdown]
# **Right:** [Ackley, Hinton and Sejnowski 1985](bibliography.md#ackley-1985);
# [Rumelhart, Hinton and Williams 1986](bibliography.md#rumelhart-1986b);
# [Bourlard and Kamp 1988](bibliography.md#bourlard-1988); [Baldi and Hornik 1989](bibliography.md#baldi-1989);
# [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b) made *deep* ones trainable;
# [Vincent et al. 2008](bibliography.md#vincent-2008); [Kingma and Welling 2013](bibliography.md#kingma-2013) and
# [Rezende et al. 2014](bibliography.md#rezende-2014). In code, chapters [06](06_pca.py), [12](12_boltzmann.py),
# [09](09_denoising.py) and [11](11_variational.py).
#
# ## Which test would have caught it?
#
# A gradient check compares `backward` with `forward`. It ran above on every wrong formula that has a gradient. Here
# is what it said:

# %%
for name, failed in caught.items():
    print(
        f"{name:<32} gradient check: {'fails, error found' if failed else 'passes, error not seen'}"
    )
assert [name for name, failed in caught.items() if failed] == [
    "MSE: value and gradient mixed"
]
print(f"{sum(caught.values())} of {len(caught)} found")

# %% [markdown]
# One. The others compute a wrong thing and differentiate *that* correctly. A gradient check is necessary
# ([chapter 03](03_gradient_check.py#what-a-check-cannot-see)) and not enough. What finds the rest is a second kind of
# question, about what the number *means*:
#
# | question | finds |
# | --- | --- |
# | What should it be in a case where I know the answer? Equal distributions, a perfect prediction. | 1, 8, 9, 13 |
# | Does the average of many draws agree with the formula? | 2, 11 |
# | What does it do in the limit: very large, very small, for ever? | 3, 4, 9 |
# | How does it change when I double the pixels, the code, the batch? | 5, 6, 7 |
# | Would something useless score well? A copier, a constant, a coin. | 10, 11, 12, 13, 15, 16 |
# | Does the identity that gives it its name hold? | 14 |
#
# The library's own tests ask these questions beside the gradient checks. As an example of the first, its KL term:

# %%
source(sae.gaussian_kl)
draws = 0.7 + math.exp(0.25) * rng.standard_normal(200_000)  # μ = 0.7, log σ² = 0.5
log_ratio = -0.25 - (draws - 0.7) ** 2 / (2 * math.exp(0.5)) + draws**2 / 2
estimate, error = log_ratio.mean(), log_ratio.std() / math.sqrt(len(draws))
formula = float(sae.gaussian_kl(column(0.7), column(0.5))[0])
print(
    f"E[log q - log p] by draws {estimate:.4f} ± {error:.4f}, right formula {formula:.4f}, "
    f"wrong formula {wrong_kl(column(0.7), column(0.5))[0]:.4f}"
)
assert (
    abs(estimate - formula)
    < 5 * error
    < abs(estimate - wrong_kl(column(0.7), column(0.5))[0])
)

# %% [markdown]
# ## What to change for MNIST
#
# `scratchae tutorial 14 --data mnist`: only entries 6, 8 and 16 look at images. It takes as long.
#
# ## Exercises
#
# Three of the errors, as files that run, pass every gradient check, and are wrong. Mend them.

# %%
exercise("14_kl_mistake")

# %%
exercise("14_sigma_mistake")

# %%
exercise("14_sparsity_mistake")

# %% [markdown]
# **Think, then compute.**
#
# 1. Somebody reports a "loss of 105" for a VAE on MNIST, somebody else "87". What do you ask before you compare them?
# 2. A program takes `mean` over all numbers for the squared error of 784 pixels, and a learning rate of 1.0 with
#    plain gradient descent. Which rate gives the same steps with the sum over features?
# 3. A gradient check passes, and the loss falls. Name a third thing to look at for a VAE, in one line of code.
#
# Answers:

# %%
p = rng.uniform(0.05, 0.95, 784)
grey_cost, binary_cost = (float(sae.BCE()(p[None], v[None])[0]) for v in (p, np.rint(p)))
print(
    f"1. the same prediction: {grey_cost:.0f} nats for grey pixels, {binary_cost:.0f} for rounded ones"
)
print(f"2. {1.0 / 784:.6f}")
print(f"3. gaussian_kl(0, 0) = {sae.gaussian_kl(column(0), column(0))[0]:.1f}")
assert grey_cost > binary_cost

# %% [markdown]
# 1\. Grey or rounded pixels (the costs above differ for one and the same prediction)? Is it a bound, −ELBO, or an
# estimate of $-\log p(x)$ by importance sampling? Sum or mean over pixels? Test or training images?
#
# 2\. $1 / 784$: the sum's gradient is 784 times as large.
#
# 3\. The KL at $\mu = 0$, $\ell = 0$ has to be 0. Or the spread of draws against $e^{\ell/2}$.
#
# ## Further reading
#
# - [Goodfellow et al. 2016](bibliography.md#goodfellow-2016), chapter 14, and [Bishop 2006](bibliography.md#bishop-2006), chapter 12: what to compare a claim with.
#
# ## What to read in the source next
#
# - `scratchae/losses.py`, `scratchae/penalties.py`: each formula with its convention in the first lines.
# - `tests/test_losses.py`, `tests/models/test_variational.py`, `tests/models/test_boltzmann.py`: the tests that a
#   gradient check cannot replace.
# - `scratchae/study/diagnosis/`: what `check_gradients` says of a gradient that *is* wrong.
