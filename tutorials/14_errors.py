# %% [markdown]
# # 14 · Errors in the wild
#
# *Which formulas and claims about autoencoders are wrong, how do you prove it in five lines, and what is right?*
#
# **Time** 45 minutes to read, 5 s to run on two cores.

# %% [markdown]
# ## The question
#
# You will read code and articles by others. Some of it is wrong, and much of what is wrong is copied from one place to
# the next, because the program runs, its loss falls, and pictures come out. How do you find out what is wrong?
#
# With a **counter-example**: one case, as small as possible, in which the formula and the truth differ. A counter-example
# needs no authority and no long argument. This chapter collects twenty-nine statements that you are likely to meet. Each
# entry has the same three parts: **wrong**, what is said; a counter-example, which runs, with an `assert`; **right**, and the
# chapter that treats it. At the end a table says which kind of test would have caught which error. The best-known test is
# the gradient check, and only 1 of the 8 wrong formulas below that have a gradient fails it.
#
# Each entry stands by itself. So read those that you have met, and then
# [the table](14_errors.py#which-test-would-have-caught-it).
#
# **While you read** (★): of an entry, read what is **wrong** only. Write down a case in which it fails, and what the case will
# show. Then read on.

# %%
import itertools
import math
import textwrap

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.errors import ShapeError
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
# The [KL divergence](glossary.md#kl-divergence) of two equal distributions is 0, and it is never negative. This one compares the
# [normal distribution](mathematics.md#density-and-the-normal-distribution) $\mathcal N(\mu, \sigma^2)$ with $\mathcal N(0, 1)$, and at $\mu = 0$, $\ell = 0$ the two are equal.


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

bend = lambda formula: formula(column(0.0), column(1e-4))[2].item() / 1e-4  # noqa: E731
print(f"curvature at σ = 1: wrong {bend(wrong_kl):.2f}, right {bend(sae.gaussian_kl):.2f}")
assert np.isclose(bend(wrong_kl) / bend(sae.gaussian_kl), 4, rtol=1e-3)

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
    "Left: both have their minimum at σ = 1, so training still runs with the wrong one, whose minimum lies below 0. Right: near σ = 1 its slope changes four times as fast.",
)

# %% [markdown]
# **Right:** $\mathrm{KL} = \frac12 \big(\mu^2 + e^{\ell} - \ell - 1\big)$, summed over the code, averaged over the
# batch. Where the variable is $\log\sigma$, the wrong formula is right, except for a constant ½. So say in every program
# which of the two logarithms a variable holds. Derived in [chapter 11](11_variational.py#the-kl-term-by-hand).
#
# ### 2. σ from log σ² without the half
#
# **Wrong:** $z = \mu + e^{\ell}\varepsilon$, with a KL term for $\ell = \log\sigma^2$.
#
# If the backward pass differentiates this wrong formula, it passes every gradient check, because the check compares it with
# that formula. So measure the spread of the draws instead:

# %%


class WrongDraw(sae.Layer):
    """z = μ + e^ℓ ε, with μ and ℓ side by side in x, and fixed noise: WRONG, and consistent."""

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
    f"log σ² = {l0}, so σ = {math.exp(l0 / 2):.3f}; draws spread by {wrong_spread:.3f} "
    f"(wrong), {right_spread:.3f} (right)"
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
# Nothing keeps $hW + b$ positive. The root of a negative number is NaN, "not a number", and the slope of the root at 0
# is infinite.

# %%
head = sae.Dense(100, 8, rng=rng)
variance = head.forward(rng.standard_normal((500, 100)).astype(np.float32))
with np.errstate(invalid="ignore"):
    share = float(np.isnan(np.sqrt(variance)).mean())
print(f"NaN in {share:.0%} of the standard deviations, with fresh weights")
assert share > 0.2 and np.isfinite(np.exp(variance / 2)).all()

# %% [markdown]
# **Right:** let the layer give $\ell = \log\sigma^2$, and take $\sigma = e^{\ell/2}$, which is positive for every $\ell$.
# [Chapter 11](11_variational.py#4-the-root-of-a-head-that-may-be-negative).
#
# ### 4. A VAE needs no KL term
#
# **Wrong:** "Drop the KL term and train on the squared error: it is still a VAE, with sharper images."
#
# The smallest VAE has one number: $\hat x = c\,(\mu + \sigma\varepsilon)$. Its expected squared error is
# $(x - c\mu)^2 + c^2\sigma^2$. The derivative of this error by $\ell$ is $c^2 e^{\ell}$. Because this is positive everywhere, descent lowers
# $\ell$ for ever. With the Gaussian [likelihood](mathematics.md#likelihood-and-logarithms) of variance $s^2$ and the KL term, the part of the loss that depends on $\sigma$ is
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
# **Right:** without the KL term the noise dies out and an autoencoder is left. Nothing ties its codes to
# $\mathcal N(0, I)$, so a code that is drawn from there need not be like any code of an image. The squared error itself is fine, as the likelihood of a
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
# The most frequent questions of learners are of this kind. In this book every loss is **summed over the features and averaged
# over the batch**.
#
# ### 5. A mean for one term, a sum for the other
#
# **Wrong:** cross-entropy averaged over the 784 pixels, plus KL summed over the code. Or: both averaged, each over
# its own size.
#
# A loss that is multiplied by a constant has its minimum at the same place. Multiply the first loss by 784: it becomes
# $\text{sum} + 784\,\mathrm{KL}$, which is a β-VAE with a β that nobody chose.

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
        f"pixels: {pixels_by:<4}  code: {code_by:<4}  the ELBO's KL term counts "
        f"{beta:6.2f} times"
    )
    assert np.allclose(loss, same)


def mean_kl(mu, log_var):
    """WRONG beside a sum over pixels: the mean over the code."""
    value, dmu, dlog_var = sae.gaussian_kl(mu, log_var)
    return value / mu.shape[1], dmu / mu.shape[1], dlog_var / mu.shape[1]


caught["KL averaged over the code"] = not sae.check_gradients(mean_kl, mu, log_var).passed

# %% [markdown]
# With the *squared* error averaged over pixels the KL term counts $D/2 = 392$ times, because
# $-\log p(x \mid z)$ with $s = 1$ is *half* the *sum* of the squares, plus a constant. **Right:** sum over pixels, sum over the code, one mean over the batch.
# [Chapter 11](11_variational.py#3-sums-and-means).
#
# ### 6. The factor in front of the squared error
#
# **Wrong:** take the value from one convention and the gradient from another, $L = \frac{1}{ND}\sum (\hat x - x)^2$
# with $\frac{2}{N}(\hat x - x)$. Or: copy a learning rate from a program with the other convention.
#
# The two conventions differ by the factor $D$. With the same rate, plain gradient descent on the mean takes steps that are 784 times
# shorter, and it looks as if the network did not learn:

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
# (Adam hardly notices the difference, because it divides by the size of the gradient. This is a reason for its popularity.)
# **Right:** state loss, reduction and learning rate together. [Chapter 02](02_backpropagation.py#mse-where-the-chain-begins),
# [chapter 04](04_optimizers.py).
#
# ### 7. "10,000 epochs"
#
# **Wrong:** calling every mini-batch an epoch. An [epoch](glossary.md#epoch) is one pass over all examples.

# %%
steps_an_epoch = math.ceil(60_000 / 128)
print(
    f"60,000 images, batch 128: {steps_an_epoch} steps an epoch; 10,000 steps are "
    f"{10_000 / steps_an_epoch:.1f} epochs"
)
assert steps_an_epoch == 469 and round(10_000 / steps_an_epoch, 1) == 21.3

# %% [markdown]
# **Right:** steps $= \lceil N / B \rceil \cdot$ epochs.
# [Chapter 04](04_optimizers.py#a-batch-instead-of-all-examples).
#
# ### 8. "The cross-entropy should go to 0"
#
# **Wrong** for grey targets. The best answer to a pixel of grey $t$ is $p = t$, and even this answer costs the
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
# This has three flaws at once. A pixel with $t = 1$ that is predicted perfectly costs something. A pixel that is certain and
# wrong has the gradient 0, so it stays wrong. And $t = 0$ and $t = 1$ are treated differently.


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
        f"a = {a}, t = {t}, {name:<17}: clipped {cost:7.4f} nats, slope {slope:g}; "
        f"right {true_cost:7.4f}, slope {true_slope:.0e}"
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
# Take one number, one weight $\hat x = w\tilde x$, and least squares. With the noisy target the best weight is $w = 1$, so
# no noise is removed.

# %%
clean = rng.standard_normal(100_000)
noisy = clean + rng.standard_normal(100_000)
for name, target in (("noisy", noisy), ("clean", clean)):
    w = float(noisy @ target / (noisy @ noisy))
    print(
        f"{name} target: w = {w:.3f}, squared error to the clean signal "
        f"{np.mean((w * noisy - clean) ** 2):.3f}"
    )
    assert np.isclose(w, 1 if name == "noisy" else 0.5, atol=0.01)

# noise drawn once: 20 examples of pure noise, learned by heart
few = rng.standard_normal((20, 30))
once = rng.standard_normal(few.shape)
weights = np.linalg.lstsq(few + once, few, rcond=None)[0]
fresh = rng.standard_normal(few.shape)
on_pairs, on_new = (float((((few + e) @ weights - few) ** 2).mean()) for e in (once, fresh))
print(
    f"noise drawn once: error {on_pairs:.3f} on these pairs, {on_new:.3f} on the same "
    "signals with fresh noise"
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
# Take 200 "models" that toss coins, and 100 labels of 0 and 1. Guess how often the best of the 200 is right: on these labels, and on
# new ones.

# %%
# what each answers on the test set, and on new data
models = rng.integers(0, 2, (200, 2, 100))
truth = rng.integers(0, 2, (2, 100))
accuracy = (models == truth).mean(axis=2)
winner = accuracy[:, 0].argmax()
print(
    f"the best of 200 coins: {accuracy[winner, 0]:.0%} right on the set it was chosen "
    f"on, {accuracy[winner, 1]:.0%} on new data"
)
assert accuracy[winner, 0] > 0.58 and accuracy[winner, 0] > accuracy[winner, 1]

# %% [markdown]
# **Right:** choose on a *validation* set, held out from training; touch the test set once, at the end; say how the
# data were split. [Chapter 01](01_autoencoder.py#the-images-as-a-matrix). Nor may the test set be part of training, which it is
# when all 70,000 images of MNIST are joined. Where examples are few, let each fifth of the training set be the validation set once, and average the
# five figures: **cross-validation**. [Chapter 17](17_what_a_code_is_good_for.py#choosing) chooses among settings that are drawn at random.
#
# ### 12. "Compressing" two numbers into fifty
#
# **Wrong:** a code of 50 numbers for points of a two-dimensional Gaussian, as a demonstration that the autoencoder
# has found the structure of the data.
#
# A code at least as large as the data is [overcomplete](glossary.md#overcomplete): copying rebuilds any data, also data that were
# never seen. And a round Gaussian has no structure to find: whichever single direction you keep, you lose half of the
# variance.

# %%
encode = rng.standard_normal((2, 50))  # drawn at random, never trained
decode = np.linalg.pinv(encode)
for name, points in (
    ("the Gaussian", rng.standard_normal((5000, 2))),
    ("other data", rng.uniform(50, 60, (5000, 2))),
):
    print(
        f"{name:<13} 2 - 50 - 2 without training: squared error "
        f"{((points @ encode @ decode - points) ** 2).sum(axis=1).mean():.0e}"
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
least = float(((points - points.clip(0, 1)) ** 2).sum(axis=1).mean())
print(f"outputs between 0 and 1: a squared error of at least {least:.2f} of 2")
assert 1.1 < least < 1.2

# %% [markdown]
# The last line printed shows a second error, an output by a sigmoid: it lies between 0 and 1, but half of all the numbers of these points
# are negative. The range of the output has to hold the data, whatever the code is.
#
# **Right:** an overcomplete code learns something only if another rule forbids copying: noise, sparsity, contraction,
# a KL term. [Chapter 06](06_pca.py#when-the-code-is-larger-than-the-data), chapters [09](09_denoising.py) to
# [11](11_variational.py).
#
# ### 13. Sparsity of the wrong thing
#
# **Wrong:** the sparse KL penalty with each single activation in place of the mean $\hat\rho$; or on a ReLU code; or on $\sigma(z)$, while
# the decoder gets $z$.
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
        f"{name:<24} wrong {per_example(z)[0]:6.3f}, right "
        f"{abs(sae.SparseKL(0.05, 1.0)(z)[0]):6.3f} nats"
    )
assert per_example(sparse)[0] > 1 > 0.001 > sae.SparseKL(0.05, 1.0)(sparse)[0]
assert np.isclose(per_example(constant)[0], 0)
caught["sparsity of each example"] = not sae.check_gradients(
    per_example, rng.uniform(0.1, 0.9, (4, 3))
).passed

with np.errstate(invalid="ignore"):  # a ReLU code: ρ̂ above 1
    assert np.isnan(0.95 * np.log(0.95 / (1 - np.float64(1.4))))

few_weights = rng.standard_normal((784, 100)) * (rng.random((784, 100)) < 0.1)
code = test @ few_weights
print(
    f"nine weights in ten are 0, and of the code {(abs(code) < 0.01).mean():.0%} is near 0"
)
assert (abs(code) < 0.01).mean() < 0.1

# %% [markdown]
# The wrong penalty punishes the sparse code and rewards the useless one. **Right:**
# $\hat\rho_j = \frac1N\sum_n z_{nj}$, of a sigmoid's output; for ReLU use L1. And "sparse connections", a layer with few weights that are not 0,
# do not make a sparse *code*: the last line printed shows that hardly a number of the code behind them is 0. A sparse code may well have more numbers than the image.
# [Chapter 10](10_sparse_contractive.py#three-ways-to-get-it-wrong).
#
# ## Operators and models
#
# ### 14. "Deconvolution undoes convolution"
#
# **Wrong:** $\mathrm{ConvTranspose}(\mathrm{Conv}(x)) = x$. **Right:** ConvTranspose is the [adjoint](glossary.md#adjoint) of Conv. This
# means that $\langle \mathrm{Conv}\,x, y\rangle = \langle x, \mathrm{ConvTranspose}\,y\rangle$ for all $x$ and $y$.

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
# **Wrong**, and so are "it is the gradient of the log-likelihood" and "it compares the distances between samples": its direction is a
# difference of two averages of $\partial F / \partial\theta$, and no distance is in this difference. Nor is a small reconstruction error the sign of a good RBM.
# Take two machines for data of two images, 1100 and 0011. The first copies each pixel through a hidden unit of its own. The second has
# one hidden unit, which says which of the two images is there. Predict which of them rebuilds better, and which is the better model.

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
        f"{name:<21} reconstruction {judged[name][0]:.3f} nats, log-likelihood "
        f"{log_p:.3f} nats per image"
    )
assert judged["copies everything"][0] < 0.01 < 0.5 < judged["knows the two images"][0]
assert np.isclose(judged["copies everything"][1], -math.log(16), atol=1e-3)
assert judged["knows the two images"][1] > judged["copies everything"][1] + 1

# %% [markdown]
# The copier rebuilds both images without fault, and gives all 16 images the same probability. So it knows nothing about which of them
# are the data. **Right:** CD is the gradient of no function; judge by likelihood, exact, by AIS, or by pseudo-likelihood.
# [Chapter 12](12_boltzmann.py#it-is-the-gradient-of-nothing), where the [Jacobian](mathematics.md#gradient-jacobian-hessian) is measured, and where a further
# mistake is tried out: the last hidden units are taken from the data.
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
    f"images that come back exactly: {exact:.0%}; a code of {numbers} floats has "
    f"{32 * numbers:,} bits"
)
print(
    f"squared error: {error:.1f} per image of the kind it knows, {error_strange:.0f} "
    "per image of noise"
)
assert exact == 0 and error_strange > 2 * error

# %% [markdown]
# **Right:** it is lossy, and made for one kind of data. A lossless code needs the probabilities of a model *and* an
# entropy coder that stores what the model did not expect.
# [Chapter 01](01_autoencoder.py#three-things-that-an-autoencoder-is-not).
#
# ### 17. "An autoencoder has no parameters"
#
# **Wrong.** What is meant: it needs no *labels*. (For the same reason a reconstruction is no "recognition" of digits: no digit is named. To
# name digits, train a classifier on the codes, as in [chapter 17](17_what_a_code_is_good_for.py#few-labels).) An autoencoder does have parameters.
# Each dense layer has inputs times outputs, plus outputs:

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
# **Wrong** by twenty years or more, and so is "in 2012". Nor is variational inference "the follow-up work of the autoencoder", because it was
# made for graphical models, and the VAE is one use of it. A counter-example to a date is an earlier date:

# %%
history = {
    1985: "the encoding problem: input through a narrow layer, by a Boltzmann machine",
    1986: "the same, by backpropagation",
    1988: "what a linear one learns: the singular value decomposition (proved)",
    1989: "its landscape has no local minima but the global one",
    1999: "variational inference, for graphical models: the VAE is one use of it",
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
# [Jordan et al. 1999](bibliography.md#jordan-1999);
# [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b) made *deep* ones trainable;
# [Vincent et al. 2008](bibliography.md#vincent-2008); [Kingma and Welling 2013](bibliography.md#kingma-2013) and
# [Rezende et al. 2014](bibliography.md#rezende-2014). In code, chapters [06](06_pca.py), [12](12_boltzmann.py),
# [09](09_denoising.py) and [11](11_variational.py).
#
# ## Programs that run
#
# The programs of the next four entries run without an error, and are wrong.
#
# ### 19. The number of examples taken for the number of features
#
# **Wrong:** "My data are 1,000 points of two numbers each, so the input of the network has the shape (1000,)."
#
# The sizes of a layer are numbers of *features*. A network for 1,000 features refuses these points. But it takes their
# transpose, which it reads as two "examples" of 1,000 numbers each. This is worse than an error, because the program runs on.

# %%
points = rng.standard_normal((1000, 2)).astype(np.float32)
wide = sae.Dense(1000, 50, rng=rng)
try:
    wide.forward(points)
    raise AssertionError("it should have been refused")
except ShapeError as error:
    print(textwrap.fill(f"ShapeError: {error}", 88))
codes = wide.forward(np.ascontiguousarray(points.T))
print(f"the transpose is taken: {len(codes)} codes for {len(points):,} points")
assert len(codes) == 2
try:
    wide.forward(np.ascontiguousarray(points[:999].T))  # one point fewer
    raise AssertionError("it should have been refused")
except ShapeError:
    print("and with one point fewer that network is of no use")

# %% [markdown]
# **Right:** a row for each example, a column for each feature; layers know the columns alone, so that any number of
# examples goes through the same network. [Chapter 01](01_autoencoder.py#the-images-as-a-matrix).
#
# ### 20. A shape that broadcasts
#
# **Wrong:** for a code of two numbers, a layer with *two* outputs is split into one column for $\mu$ and one for
# $\ell$; then $z = \mu + e^{\ell/2}\varepsilon$ with $\varepsilon$ of shape $(N, 2)$.
#
# NumPy, PyTorch and TensorFlow stretch a column of shape $(N, 1)$ to $(N, 2)$ without a word. So both numbers of the
# code have the *same* mean and the same spread, and nothing tells them apart but the noise.


# %%
class SharedMean(sae.Layer):
    """z = μ + e^(ℓ/2) ε, one column each for μ and ℓ: WRONG for two numbers, and consistent."""

    epsilon = rng.standard_normal((4, 2))

    def forward(self, x, rng=None):
        self.mu, self.spread = x[:, :1], np.exp(x[:, 1:] / 2)
        return self.mu + self.spread * self.epsilon

    def backward(self, dy):
        dlog_var = (dy * self.epsilon * self.spread).sum(axis=1, keepdims=True) / 2
        return np.concatenate([dy.sum(axis=1, keepdims=True), dlog_var], axis=1)


heads, shared = rng.standard_normal((4, 2)), SharedMean()
z = shared.forward(heads)
means = z - shared.spread * shared.epsilon
print("the means of the two code numbers, for four examples:\n", means.round(2))
assert z.shape == (4, 2) and np.allclose(means[:, 0], means[:, 1])
caught["one mean for two numbers"] = not sae.check_gradients(shared, heads).passed

t = rng.standard_normal(5)  # the same accident in a loss: (5, 1) minus (5,) is (5, 5)
perfect = t[:, None]
stretched = ((perfect - t) ** 2).mean()
print(f"MSE of a perfect prediction, (5, 1) against (5,): {stretched:.2f}, not 0")
assert np.isclose(stretched, 2 * t.var()) and stretched > 0.1
try:
    sae.MSE()(perfect, t)
    raise AssertionError("it should have been refused")
except ShapeError as error:
    print("ShapeError:", error)

# %% [markdown]
# **Right:** a code of $K$ numbers needs $2K$ outputs, split in the middle. Let your program `assert` the shapes of $\mu$,
# $\ell$ and $\varepsilon$ to be equal, because arithmetic will not.
# [Chapter 11](11_variational.py#backward-with-shapes).
#
# ### 21. The loss of the last batch, printed as that of the epoch
#
# **Wrong:** `for batch in data: loss = step(batch)`, and after the loop `print(epoch, loss)`. Predict: by how much does
# this figure change if nothing but the order of the images changes?

# %%
of_each = ((model.reconstruct(test) - test) ** 2).sum(axis=1)  # the model of entry 16
orders = [np.random.default_rng(seed).permutation(len(test)) for seed in range(50)]
last = [
    float(of_each[order][384:].mean()) for order in orders
]  # 128 + 128 + 128 + the rest
whole = [float(of_each[order].mean()) for order in orders]
print(
    f"one network, 50 orders of the images: last batch {min(last):.1f} to "
    f"{max(last):.1f}, "
    f"all batches {min(whole):.2f} to {max(whole):.2f}"
)
assert max(last) > 1.05 * min(last) and np.ptp(whole) < 1e-3

some = of_each[:388]  # three batches of 128 images, and one of 4
parts = [some[start : start + 128] for start in range(0, len(some), 128)]
unweighted = float(np.mean([part.mean() for part in parts]))
weighted = float(sum(len(part) * part.mean() for part in parts)) / len(some)
print(
    f"388 images: {some.mean():.2f}; the mean of the four batches' means {unweighted:.2f}"
)
assert np.isclose(weighted, some.mean(), rtol=1e-5) and abs(unweighted - weighted) > 1e-3

# %% [markdown]
# **Right:** $\frac1N \sum_b N_b L_b$ over all batches $b$ of an epoch, each with its number of examples $N_b$, because the last
# batch may be smaller. With such a figure for *validation* images there is also an answer to "train until it
# converges", which says neither what has to converge nor how near: stop when the validation error has not fallen for some
# epochs, and keep the parameters of the best one. [Chapter 17](17_what_a_code_is_good_for.py#choosing) says which images may choose.
#
# ### 22. Weights from the standard normal distribution
#
# **Wrong:** `W = rng.standard_normal((784, 32))` in front of a sigmoid.
#
# For one image, $a_j = \sum_i x_i W_{ij}$ is a sum of independent terms, so its variance is $\sum_i x_i^2$: near 90 for a
# digit. At $|a| = 9$ the slope $y(1 - y)$ of the sigmoid is 0.0001. The largest slope is $\frac14$. Predict for which share of the units the slope is below a
# tenth of this:

# %%
flat = {}
for name, W in (
    ("from N(0, 1)", rng.standard_normal((784, 32))),
    ("as chapter 05 draws them", sae.Dense(784, 32, rng=rng).W),
):
    a = train[:2000] @ W
    y = 1 / (1 + np.exp(-a))
    flat[name] = float((y * (1 - y) < 0.025).mean())
    print(
        f"weights {name:<25}: a has a std of {a.std():4.1f}; slope below 0.025 for "
        f"{flat[name]:.0%}"
    )
energy = float((train[:2000] ** 2).sum(axis=1).mean())
print(f"the mean of Σ x² is {energy:.0f}, its root {math.sqrt(energy):.1f}")
assert flat["from N(0, 1)"] > 0.5 and flat["as chapter 05 draws them"] == 0

# %% [markdown]
# So most units begin with hardly any gradient. **Right:** with $D$ inputs and $H$ outputs, a variance of $\frac{2}{D + H}$ for sigmoid and tanh, $\frac 2D$ for ReLU,
# so that a signal keeps its size. [Chapter 05](05_going_deep.py#forward-what-a-layer-does-to-the-size-of-a-signal).
#
# ## Formulas in articles
#
# ### 23. Two minima, one after the other
#
# **Wrong:** "The best encoder is $\theta^* = \arg\min_\theta L(\theta, \varphi)$, the best decoder is
# $\varphi^* = \arg\min_\varphi L(\theta, \varphi)$."
#
# The first formula leaves open for *which* decoder the encoder is best, and the second for which encoder. Take one
# number with $\mathbb E[x^2] = 1$, an encoder $z = ux$, a decoder $\hat x = wz$, so that $L = \mathbb E[(wux - x)^2] = (uw - 1)^2$,
# and begin at $u = w = \frac12$:

# %%


def product_loss(u, w):
    """E[(w u x - x)²] for E[x²] = 1."""
    return (u * w - 1) ** 2


grid = np.linspace(0, 4, 4001)
u_best = grid[product_loss(grid, 0.5).argmin()]  # for the decoder w = ½
w_best = grid[product_loss(0.5, grid).argmin()]  # for the encoder u = ½
for name, u, w in (
    ("at the start", 0.5, 0.5),
    ("with the best u for w = ½", u_best, 0.5),
    ("with the best w for u = ½", 0.5, w_best),
    ("with both of these", u_best, w_best),
):
    print(f"{name:<26} L = {product_loss(u, w):.4f}")
assert u_best == w_best == 2 and product_loss(2, 2) == 9 > product_loss(0.5, 0.5)

# %% [markdown]
# Each is perfect for the partner that it was computed for, and together they are far worse than before. **Right:** one
# minimum over both, $(\theta^*, \varphi^*) = \arg\min_{\theta, \varphi} L(\theta, \varphi)$, and one gradient of all parameters.
# [Chapter 01](01_autoencoder.py#backward-in-one-paragraph).
#
# ### 24. The entropy counted twice
#
# **Wrong**, as the objective of a VAE, to be made large:
# $\;\mathbb E_q[\log p(x \mid z)] - \mathrm{KL}(q \,\|\, p) + \lambda\,\mathrm{Ent}(q)$, "with the entropy of $q$ as a regulariser".
#
# The KL term has the entropy in it: with $p(z)$, the prior of the code, $-\mathrm{KL}(q \,\|\, p) = \mathbb E_q[\log p(z)] - \mathbb E_q[\log q(z)]$, and the last term *is*
# $+\mathrm{Ent}(q)$. With the entropy counted once more, the objective is no lower bound of $\log p(x)$ any more. In the model $p(z) = \mathcal N(0, 1)$,
# $p(x \mid z) = \mathcal N(z, s^2)$ everything is known: $p(x) = \mathcal N(0, 1 + s^2)$, and the true posterior is
# $q = \mathcal N(vx / s^2, v)$ with $v = \frac{s^2}{1 + s^2}$.

# %%
s, at, weight = 0.8, 1.3, 0.5  # the decoder's noise, an x, and λ
v = s**2 / (1 + s**2)
m = v * at / s**2
log_p = -(at**2) / (2 * (1 + s**2)) - 0.5 * math.log(2 * math.pi * (1 + s**2))
expected_log = -((at - m) ** 2 + v) / (2 * s**2) - 0.5 * math.log(2 * math.pi * s**2)
kl = float(sae.gaussian_kl(column(m), column(math.log(v)))[0])
entropy = 0.5 * math.log(2 * math.pi * math.e * v)
print(
    f"log p(x) = {log_p:.4f}; the ELBO at the true posterior {expected_log - kl:.4f}; "
    f"with λ = {weight} {expected_log - kl + weight * entropy:.4f}"
)
assert np.isclose(expected_log - kl, log_p)
assert expected_log - kl + weight * entropy > log_p + 0.1  # a "lower bound" above it


def kl_and_entropy(mu, log_var):
    """WRONG: KL - λ Ent(q), but for a constant."""
    value, dmu, dlog_var = sae.gaussian_kl(mu, log_var)
    n = len(mu)
    return value - weight * log_var.sum() / (2 * n), dmu, dlog_var - weight / (2 * n)


caught["entropy counted twice"] = not sae.check_gradients(
    kl_and_entropy, mu, log_var
).passed
flattest = np.log(1 + weight) * np.ones((4, 3))  # the minimum: σ² = 1 + λ, not 1
assert np.allclose(kl_and_entropy(0 * mu, flattest)[2], 0)

# %% [markdown]
# And where the code says nothing about an image, the $q$ that is best by the wrong objective is not the prior but $\mathcal N(0, 1 + \lambda)$. **Right:** the ELBO has two
# terms, and the entropy of $q$ is within the second. [Chapter 11](11_variational.py#the-bound).
#
# ### 25. A decoder that may look
#
# **Wrong:** "The decoder makes the image from the code, and may refer to the original image for details."
#
# Then it copies, and the code is of no use. The smallest case is a linear decoder of $z$ *and* $x$. Let the code be pure noise,
# and fit the decoder by least squares:

# %%
x = rng.standard_normal((500, 6))
z = rng.standard_normal((500, 2))  # has nothing to do with x
for name, given in (("z alone", z), ("z and x", np.concatenate([z, x], axis=1))):
    decoder = np.linalg.lstsq(given, x, rcond=None)[0]
    error = ((given @ decoder - x) ** 2).sum(axis=1).mean()
    print(
        f"a decoder of {name}: squared error {error:.3f}, largest weight on z "
        f"{np.abs(decoder[:2]).max():.0e}"
    )
    assert (error < 1e-20) == (name == "z and x")
assert np.abs(decoder[:2]).max() < 1e-12

# %% [markdown]
# The error is 0, and the decoder has no weight on the code. **Right:** whatever the decoder is given, it is given *instead of* a
# part of the code. So give it only what is not to be coded, such as the label of the digit (`sae.CVAE`), or the rows that came before
# ([chapter 16](16_sequences.py#the-teacher-and-what-happens-without), where the same temptation is called teacher
# forcing).
#
# ## Claims
#
# ### 26. "ReLU keeps values from being negative, or too large"
#
# **Wrong** in its second half: $\max(0, a)$ has no upper limit. Here are ten layers with weights twice as large as He's:

# %%
signal = rng.standard_normal((200, 100))
for _ in range(10):
    signal = np.maximum(
        0, signal @ (2 * math.sqrt(2 / 100) * rng.standard_normal((100, 100)))
    )
growth = float(np.sqrt((signal**2).mean()))
print(
    f"the size of the signal after 10 layers of ReLU: {growth:.0f} times that of the input"
)
assert 200 < growth < 5000  # 2¹⁰ = 1024, but for chance

# %% [markdown]
# **Right:** what keeps a signal from growing is the size of the weights, or a normalisation, not the ReLU. A sigmoid is
# bounded, and pays with slopes near 0. [Chapter 05](05_going_deep.py#forward-what-a-layer-does-to-the-size-of-a-signal).
#
# ### 27. "PCA assumes Gaussian data, an autoencoder assumes nothing"
#
# **Wrong.** PCA minimises a squared error, and the proof in chapter 06 holds for every matrix of data. As a test take data that are
# nowhere near Gaussian (before centring half of the numbers are 0, and a few are huge), and compare the plane of PCA with 2,000 other
# [planes](mathematics.md#orthonormal-directions-projection-rank):

# %%
coins = rng.integers(0, 2, (400, 5)) * rng.exponential(1, (400, 5)) ** 3
coins -= coins.mean(axis=0)
eigenvalues = np.linalg.eigvalsh(coins.T @ coins)[::-1]
least = eigenvalues[2:].sum()  # what PCA with two directions loses
others = []
for _ in range(2000):
    Q, _ = np.linalg.qr(rng.standard_normal((5, 2)))  # two orthonormal directions
    others.append(float(((coins - coins @ Q @ Q.T) ** 2).sum()))
by_pca = float(((sae.PCA(2).fit(coins).reconstruct(coins) - coins) ** 2).sum())
print(f"squared error of PCA-2 {by_pca:.0f}; best of 2,000 other planes {min(others):.0f}")
assert np.isclose(by_pca, least) and by_pca < min(others)

# %% [markdown]
# **Right:** PCA uses nothing of the data but means and covariances, and is best among *linear* maps for any data. It is *probabilistic*
# PCA, a model with a density, that is Gaussian. And an autoencoder assumes as well: its loss is the negative log-likelihood under a model of the noise.
# [Chapter 06](06_pca.py#what-is-the-best-that-any-rank-can-do), [chapter 07](07_cross_entropy.py#one-idea-two-losses).
#
# ### 28. "Unlike convolutional and recurrent nets, an autoencoder needs no pretraining"
#
# **Wrong** twice. Convolutional and recurrent nets need none either, and a deep autoencoder once did need it. Here are three
# autoencoders that begin with random weights and are trained for the same number of epochs (the recurrent net of [chapter 16](16_sequences.py) begins so too). Guess which of
# the three gets no farther than the mean image:

# %%
few, flat_or_not = train[: quick(3000, 2000)], {}
draw = np.random.default_rng(0)


def chain(activation, *sizes):
    """Dense layers with an activation after each but the last."""
    made = [
        part
        for i, o in itertools.pairwise(sizes)
        for part in (sae.Dense(i, o, rng=draw), activation())
    ]
    return made[:-1]


fourth = {"stride": 4, "padding": 1, "init": "he", "rng": draw}
contestants = {
    "convolutional": (
        [sae.Conv2d(1, 8, 5, **fourth), sae.ReLU()],
        [sae.ConvTranspose2d(8, 1, 5, output_padding=1, **fourth)],
    ),
    "three dense layers, one back": (
        chain(sae.ReLU, 784, 64, 32, 16),
        chain(sae.ReLU, 16, 784),
    ),
    "deep, of sigmoids": (
        [*chain(sae.Sigmoid, 784, 64, 32, 16), sae.Sigmoid()],
        chain(sae.Sigmoid, 16, 32, 64, 784),
    ),
}
mean_error = float(((few.mean(axis=0) - test) ** 2).sum(axis=1).mean())
for name, (encoder, decoder) in contestants.items():
    net = sae.Autoencoder(
        sae.Sequential(*encoder), sae.Sequential(*decoder), loss=sae.BCEWithLogits()
    )
    shape = (-1, 28, 28, 1) if name == "convolutional" else (-1, 784)
    sae.fit(
        net,
        few.reshape(shape),
        epochs=quick(4, 3),
        batch_size=32,
        optimizer=sae.Adam(3e-3),
        progress=False,
    )
    made = net.reconstruct(test.reshape(shape)).reshape(-1, 784)
    flat_or_not[name] = float(((made - test) ** 2).sum(axis=1).mean())
    print(
        f"{name:<29} squared error {flat_or_not[name]:5.1f}, of the mean image "
        f"{mean_error:.1f}"
    )
assert flat_or_not["deep, of sigmoids"] > 0.9 * mean_error
assert flat_or_not["convolutional"] < 0.8 * mean_error
assert flat_or_not["three dense layers, one back"] < 0.8 * mean_error

# %% [markdown]
# **Right:** whether a network learns from random weights depends on its depth, its activation and its initialisation, and not
# on its name. Pretraining is a way to choose the weights to begin with; an autoencoder can also *be* the pretraining of another
# network. [Chapter 05](05_going_deep.py#2006), [chapter 12](12_boltzmann.py#2006-layer-by-layer-then-all-at-once). The second of the
# three has three layers in its encoder and one in its decoder: that the two mirror each other is a habit, not a need.
#
# ### 29. "The output of an autoencoder is a probability distribution"
#
# **Wrong.** The output is an image: for each pixel the mean of what is expected there. Its pixels do not add up to 1, and the error of a
# reconstruction is no $-\log p(x)$. If it were, an image with a smaller error would be a more probable one. Guess which images have a smaller error than the digits:

# %%
drawn_back = model.reconstruct(test)
print(
    f"the pixels of a reconstruction add up to {drawn_back.sum(axis=1).mean():.0f} on "
    "average"
)
pale = test / 3  # nothing as grey as this was among the training images


def error_of(v):
    """Squared error per image, by the model of entry 16."""
    return float(((model.reconstruct(v) - v) ** 2).sum(axis=1).mean())


print(
    f"squared error: digits {error_of(test):.1f}, the same at a third of their "
    f"brightness {error_of(pale):.1f}"
)
assert drawn_back.sum(axis=1).mean() > 10 and error_of(pale) < 0.85 * error_of(test)

# %% [markdown]
# By their error the pale digits would be more probable than the digits, though no pale digit was among the training images; and no
# net of [chapter 17](17_what_a_code_is_good_for.py#where-it-fails) sees anything odd in a blank page. **Right:** a decoder gives the parameters of
# $p(x \mid z)$. A probability of $x$ needs a distribution of $z$ as well ([chapter 11](11_variational.py#the-bound)), or an
# energy and its partition function ([chapter 12](12_boltzmann.py#forward-from-energy-to-probability)).
#
# ## Which test would have caught it?
#
# A gradient check compares `backward` with `forward`. It ran above on every wrong formula that has a gradient. Here
# is what it said:

# %%
for name, failed in caught.items():
    print(
        f"{name:<32} gradient check: "
        f"{'fails, error found' if failed else 'passes, error not seen'}"
    )
assert [name for name, failed in caught.items() if failed] == [
    "MSE: value and gradient mixed"
]
print(f"{sum(caught.values())} of {len(caught)} found")
assert len(caught) == 8

# %% [markdown]
# It finds one. Each of the other formulas computes a wrong quantity, and differentiates *that* quantity correctly. So a gradient check is necessary
# ([chapter 03](03_gradient_check.py#what-a-check-cannot-see)) and not enough. What finds the rest is a second kind of
# question, about what the number *means*:
#
# | question | finds |
# | --- | --- |
# | What should the number be in a case where I know the answer? Equal distributions, a perfect prediction. | 1, 8, 9, 13, 20, 24 |
# | Does the average of many draws agree with the formula? | 2, 11 |
# | What does the formula do in the limit: very large, very small, for ever? | 3, 4, 9, 22, 26 |
# | How does the number change when I double the pixels, the code, the batch, or shuffle the examples? | 5, 6, 7, 19, 21 |
# | Would something useless score well? A copier, a constant, a coin. | 10, 11, 12, 13, 15, 16, 25, 29 |
# | Does the operation have the property that its name promises? | 14 |
# | Is the statement still true when both parts change at once? | 23 |
# | Is there one case, a count or a date that contradicts the statement? Look it up, or train a network. | 17, 18, 27, 28 |
#
# The library's own tests ask these questions beside the gradient checks. As an example of the second question, the KL term of the library:

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
# `scratchae tutorial 14 --data mnist`: only entries 6, 8, 13, 16, 21, 22, 28 and 29 look at images. It takes as long.
#
# ## Exercises
#
# Four of the errors are here as files that run, pass every gradient check, and are wrong. Mend them.
#
# 1. ★★, 15 minutes. A KL term that is right for another variable. After *1. A KL term with the variance squared*.

# %%
exercise("14_kl_mistake")

# %% [markdown]
# 2. ★★, 20 minutes. One mean for all numbers of a code. After *20. A shape that broadcasts*.

# %%
exercise("14_heads_mistake")

# %% [markdown]
# 3. ★★, 20 minutes. Sparsity of an example in place of a unit. After *13. Sparsity of the wrong thing*.

# %%
exercise("14_sparsity_mistake")

# %% [markdown]
# The fourth file is short, and repeats what chapter 11 says of the sampler. ★, 10 minutes. A sampler that takes $\log\sigma^2$ for $\log\sigma$. After
# *2. σ from log σ² without the half*.

# %%
exercise("14_sigma_mistake")

# %% [markdown]
# Without code:
#
# 4. ★, 5 minutes. Somebody reports a "loss of 105" for a VAE on MNIST, somebody else "87". What do you ask before you compare
#    them? After *8. "The cross-entropy should go to 0"*.
# 5. ★, 5 minutes. A program averages the squared error over the 784 pixels, too, and trains by plain gradient descent with a learning rate of 1.0.
#    Which rate gives the same steps if the error is summed over the pixels? After *6. The factor in front of
#    the squared error*.
# 6. ★★, 5 minutes. A gradient check passes, and the loss falls. Name a third test of a VAE, in one line of code.
#    After *Which test would have caught it?*
#
# Derive:
#
# 7. ★★, 10 minutes. $p$ has the shape $(N, 1)$ and equals the target $t$, whose shape is $(N)$. Show that the mean of
#    the squares of `p - t` is twice the variance of $t$. After *20. A shape that broadcasts*.
# 8. ★★★, 20 minutes. Which normal distribution $q = \mathcal N(\mu, \sigma^2)$ makes
#    $-\mathrm{KL}(q \,\|\, \mathcal N(0, 1)) + \lambda\,\mathrm{Ent}(q)$ largest? After *24. The entropy counted twice*.
#
# Explore:
#
# 9. ★★, 20 minutes. The sigmoid network of entry 28 stays at the mean image. Change one thing at a time, the activation, the number of
#    epochs, the learning rate, the depth, and find out which change lets the network leave it. After *28. "Unlike convolutional and recurrent nets, an
#    autoencoder needs no pretraining"*.
# 10. ★★★, 40 minutes. Take an article or a program about autoencoders that you find on the web. Look for one statement that fails one of the
#     questions of the table, and write its counter-example in five lines. After *Which test would have caught it?*

# %% tags=["hide-cell"]
# Answers, in numbers
p = np.clip(model.reconstruct(test), 1e-6, 1 - 1e-6)  # by the network of entry 16
grey_cost, binary_cost = (float(sae.BCE()(p, v)[0]) for v in (test, np.rint(test)))
print(
    f"4. the same predictions: {grey_cost:.0f} nats for grey pixels, {binary_cost:.0f} "
    "for rounded ones"
)
assert abs(grey_cost - binary_cost) > 1
print(f"5. {1.0 / 784:.6f}")
print(f"6. gaussian_kl(0, 0) = {sae.gaussian_kl(column(0), column(0))[0]:.1f}")
best_of = np.linspace(0.05, 4, 4000)  # variances, for λ = ½
height = 0.5 * (np.log(best_of) - best_of) + 0.5 * 0.5 * np.log(best_of)
print(f"8. for λ = ½ the largest value is at σ² = {best_of[height.argmax()]:.2f}")
assert abs(best_of[height.argmax()] - 1.5) < 0.01

# %% [markdown]
# <details><summary>Answers</summary>
#
# 4\. Are the pixels grey or rounded (the same prediction has different costs)? Is the number a bound, −ELBO, or an estimate of
# $-\log p(x)$ by importance sampling? Is it a sum or a mean over pixels? Was it measured on test or on training images?
#
# 5\. $1 / 784$, because the sum's gradient is 784 times as large.
#
# 6\. The KL at $\mu = 0$, $\ell = 0$ has to be 0. Or compare the spread of draws with $e^{\ell/2}$.
#
# 7\. The array has the entries $(t_i - t_k)^2$ for all pairs. With $\bar t$ for the mean, $t_i - t_k = (t_i - \bar t) - (t_k - \bar t)$. In
# the mean over all pairs the product of the two brackets vanishes, because each bracket has the mean 0. Two squares are left, each with the mean
# $\operatorname{Var}[t]$.
#
# 8\. The sum is $\frac12(1 + \lambda)\log\sigma^2 - \frac12(\mu^2 + \sigma^2)$, plus a constant. So $\mu = 0$, and the derivative by
# $\sigma^2$, which is $\frac{1 + \lambda}{2\sigma^2} - \frac12$, vanishes at $\sigma^2 = 1 + \lambda$.
#
# </details>
#
# ## Further reading
#
# - [Goodfellow et al. 2016](bibliography.md#goodfellow-2016), chapter 14, and [Bishop 2006](bibliography.md#bishop-2006), chapter 12: what to compare a claim
#   with. (The first, *Deep Learning*, is sometimes ascribed to Hinton. It is by Goodfellow, Bengio and Courville.)
#
# ## What to read in the source next
#
# - `scratchae/losses.py`, `scratchae/penalties.py`: each formula with its convention in the first lines.
# - `tests/test_losses.py`, `tests/models/test_variational.py`, `tests/models/test_boltzmann.py`: the tests that a
#   gradient check cannot replace.
# - `scratchae/study/diagnosis/`: what `check_gradients` says of a gradient that *is* wrong.
