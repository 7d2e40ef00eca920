# %% [markdown]
# # 07 · Cross-entropy, logits, and what a loss value means
#
# *One report says the loss is 0.06, another says 48. Can they be the same network, and is it any good?*
#
# **Time** 50 minutes to read, 8 s to run on two cores.

# %% [markdown]
# ## The question
#
# Two people train the same autoencoder on the same images. One reports a loss of 0.0622, the other 48.8. Both are right. The
# first took the mean over the pixels, the second the sum, and $0.0622 \cdot 784 = 48.8$. But what is the unit of these numbers? Can the
# loss become 0? And is 48.8 good?
#
# A loss is a choice, and it comes with a unit, a least value (its *floor*), and a formula that may or may not survive 32-bit arithmetic.
# This chapter derives three losses from one idea, the squared error, the cross-entropy of pixels and the cross-entropy of classes. It
# shows where their obvious formulas break and what to write instead. Then it explains what the value of a loss says.

# %%
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.layers.activations import sigmoid, softplus
from scratchae.losses import cross_entropy, pixel_costs
from scratchae.presets.dense import stack
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)
assert round(0.0622 * 784, 1) == 48.8

# %% [markdown]
# ## One idea, two losses
#
# How surprising is an event of probability $p$? A certain event, $p = 1$, should not surprise at all, and the less probable an event is,
# the more it should surprise. Two independent events, whose probabilities multiply, should surprise by the sum of both surprises.
# The number $-\log p$ has these three properties, because $\log 1 = 0$, the logarithm rises, and $\log pq = \log p + \log q$. It is
# called the **surprise**. With the natural logarithm its unit is the [nat](glossary.md#nat).
#
# Now let the network predict not the pixel, but a *probability distribution* of the pixel. The loss is the surprise of the target $t$
# under this distribution. (For an autoencoder the target is the input.)
#
# $$
# L = - \log p(t \mid \text{prediction}) .
# $$
#
# We assume that the pixels are [independent](mathematics.md#expectation-variance-covariance) once the prediction is given. Then their
# probabilities multiply, and their surprises add up: **the sum over the features is not a choice, it follows**. The mean over the
# examples is a choice.
#
# **[Gaussian](mathematics.md#density-and-the-normal-distribution).** Let the network give the mean $\hat x$ of a Gaussian with a fixed
# standard deviation $s$, for each of $D$ features:
#
# $$
# -\log \prod_{j=1}^{D} \frac{1}{\sqrt{2\pi s^2}}\, e^{-(t_j - \hat x_j)^2 / 2 s^2}
# = \frac{1}{2 s^2} \underbrace{\sum_{j=1}^{D} (\hat x_j - t_j)^2}_{\text{squared error}}
# + \frac D2 \log (2 \pi s^2) .
# $$
#
# The sum is the [squared error](glossary.md#squared-error), SSE for short; the loss is this sum times a constant, plus a constant. So
# whoever minimises the squared error makes the data most likely under this Gaussian, whatever $s$ is. The value of $s$ begins to matter
# when another term stands beside the squared error, as in [chapter 11](11_variational.py). And which $s$ makes the data most likely? The
# derivative by $s$ is $-\frac{1}{s^3} \mathrm{SSE} + \frac Ds$, and it vanishes at $s^2 = \mathrm{SSE} / D$, the mean squared error per
# feature.
#
# (A pixel may be any real number here, so $p$ is a [density](mathematics.md#density-and-the-normal-distribution) and not a probability. A
# density may be larger than 1, so $-\log p$ may be negative, and its value depends on the unit in which the pixels are measured.)
#
# **Bernoulli.** Let the target be 0 or 1, and let the network give the probability $p$ of a 1. Then $p(t) = p^t (1 - p)^{1 - t}$, and
#
# $$
# -\log p(t) = - t \log p - (1 - t) \log (1 - p),
# $$
#
# the [cross-entropy](glossary.md#cross-entropy) (BCE, *binary* cross-entropy). The formula can also be computed for a grey $t$ between
# 0 and 1. What its value then means is the subject of *What a value means*.

# %%
D = 5
made, target = rng.random(D), rng.random(D)
for s in (0.3, 1.0, 4.0):
    density = np.prod(
        np.exp(-((target - made) ** 2) / (2 * s**2)) / math.sqrt(2 * math.pi * s**2)
    )
    sse = ((made - target) ** 2).sum()
    formula = sse / (2 * s**2) + D / 2 * math.log(2 * math.pi * s**2)
    print(f"s = {s}: −log density {-math.log(density):.4f}, formula {formula:.4f} nats")
    assert np.isclose(-math.log(density), formula)


def gaussian(s):
    return sse / (2 * s**2) + D / 2 * math.log(2 * math.pi * s**2)


best = math.sqrt(sse / D)
assert all(gaussian(best) < gaussian(best * factor) for factor in (0.5, 0.9, 1.1, 2.0))

loss, _ = sae.BCE()(made[None], np.round(target)[None])
likelihood = np.prod(np.where(np.round(target) == 1, made, 1 - made))
assert np.isclose(float(loss), -math.log(likelihood))
print(
    f"Bernoulli: −log likelihood {-math.log(likelihood):.4f}, sae.BCE {float(loss):.4f} nats"
)

# %% [markdown]
# ## A picture of it
#
# The two charts show what a single pixel costs, for a white target (0), a grey one (0.3) and a black one (1), as the prediction goes
# from 0 to 1.
# **Predict:** where does each curve have its minimum, and is the minimum 0?

# %%
p = np.linspace(0.001, 0.999, 999)
drawn, axes_row = figure(7, 3.2, columns=2, sharex=True)
for t, colour, look in (
    (0.0, plots.BLUE, "-"),
    (0.3, plots.RED, "--"),
    (1.0, "black", "-."),
):
    squared = (p - t) ** 2
    entropy = -t * np.log(p) - (1 - t) * np.log(1 - p)
    for axes, values in zip(axes_row, (squared, entropy), strict=True):
        axes.plot(p, values, look, color=colour, label=f"target {t:g}")
        axes.plot(p[values.argmin()], values.min(), "o", color=colour, markersize=5)
axes_row[0].set(xlabel="prediction p", ylabel="squared error", ylim=(-0.03, 1.03))
axes_row[1].set(xlabel="prediction p", ylabel="cross-entropy, nats", ylim=(-0.13, 4.5))
axes_row[0].legend(fontsize=9, loc="upper center")
show(
    drawn,
    "two-losses",
    "Two charts. The squared error is a parabola with its minimum 0 at the target. The cross-entropy rises without bound "
    "where a prediction is certain and wrong; for a target of 0.3 its minimum, at 0.3, is 0.61 and not 0.",
    "Dots: the minimum. Both losses are least at p = t, but only the squared error is 0 there for a grey target.",
)

# %% [markdown]
# ## Forward: from logits
#
# The last layer of the network gives a real number $a$ for each pixel, the [logit](glossary.md#logit), and
# $p = \sigma(a) = 1 / (1 + e^{-a})$. Put the sigmoid into the cross-entropy on paper, before the computer rounds $p$. With
# $\operatorname{softplus}(a) = \log(1 + e^a)$:
#
# $$
# \begin{aligned}
# \log p &= \log \frac{1}{1 + e^{-a}} = - \operatorname{softplus}(-a) \\
# \log (1 - p) &= \log \frac{e^{-a}}{1 + e^{-a}} = \log \frac{1}{1 + e^{a}} = - \operatorname{softplus}(a) \\
# \operatorname{softplus}(a) - \operatorname{softplus}(-a) &= \log \frac{1 + e^a}{1 + e^{-a}} = \log e^a = a .
# \end{aligned}
# $$
#
# Put the first two lines into the cross-entropy, and then replace $\operatorname{softplus}(-a)$ by $\operatorname{softplus}(a) - a$, which
# is the third line. For arrays $a$, $t$ of shape $(N, D)$ this gives
#
# $$
# L = \frac1N \sum_{n, j} \Big( t_{nj} \operatorname{softplus}(-a_{nj}) + (1 - t_{nj}) \operatorname{softplus}(a_{nj}) \Big)
# = \frac1N \sum_{n, j} \Big( \operatorname{softplus}(a_{nj}) - t_{nj}\, a_{nj} \Big) .
# $$
#
# ## Backward, with shapes
#
# The derivative of softplus is $\frac{e^a}{1 + e^a} = \sigma(a)$ ([chapter 05](05_going_deep.py#the-slopes-of-five-functions)), so
#
# $$
# \underset{(N, D)}{da} = \frac1N \big( \underset{(N, D)}{\sigma(a)} - \underset{(N, D)}{t} \big):
# $$
#
# *prediction minus target*. In two steps, first through the cross-entropy and then through the sigmoid, the result is the same. For one
# pixel $\partial L / \partial p = -\frac tp + \frac{1 - t}{1 - p} = \frac{p - t}{p (1 - p)}$, and this times the sigmoid's slope
# $p (1 - p)$ is $p - t$. But then the computer divides by a number that may be almost 0, and multiplies by the same number afterwards.
#
# For the squared error behind a sigmoid nothing cancels the sigmoid's slope:
#
# $$
# \frac{\partial}{\partial a} (\sigma(a) - t)^2 = 2 (p - t)\, p (1 - p) .
# $$
#
# Where the network is **certain and wrong**, $p (1 - p)$ is almost 0, and so is this gradient. So when a very wrong
# answer becomes worse still, the gradient of the squared error becomes smaller. The gradient of the cross-entropy becomes larger.

# %%
a = np.linspace(-10, 10, 401)
t = 1.0
identity = softplus(a) - softplus(-a)
assert np.allclose(identity, a) and np.allclose(softplus(a), np.log(1 + np.exp(a)))
step = 1e-6
gradients = {}
for name, cost in (
    ("cross-entropy", lambda a: softplus(a) - t * a),
    ("squared error", lambda a: (sigmoid(a) - t) ** 2),
):
    gradients[name] = (cost(a + step) - cost(a - step)) / (2 * step)
p = sigmoid(a)
assert np.allclose(gradients["cross-entropy"], p - t, atol=1e-6)
assert np.allclose(gradients["squared error"], 2 * (p - t) * p * (1 - p), atol=1e-6)

drawn, axes = figure(6.2, 3.3)
for (name, values), colour, look in zip(
    gradients.items(), (plots.BLUE, plots.RED), ("-", "--"), strict=True
):
    axes.plot(a, values, look, color=colour, label=name)
axes.set(xlabel="logit a of a pixel that should be 1", ylabel="∂L/∂a")
axes.annotate(
    "certain and wrong",
    (-9.5, -0.02),
    (-9.8, -0.45),
    fontsize=9,
    arrowprops={"arrowstyle": "->"},
)
axes.legend(fontsize=9, loc="center right")
show(
    drawn,
    "gradients",
    "Gradient with respect to the logit of a pixel whose target is 1. For cross-entropy it goes from -1 on the wrong side to 0 "
    "on the right side. For the squared error it is almost 0 on both, with a dip between.",
    "Look at the left end, where the network is certain and wrong: the solid line is near −1, but the dashed line is near 0.",
)

# %% [markdown]
# ## One of many classes: softmax
#
# A pixel is on or off, but a digit is one of $K = 10$. So let a last layer give $K$ logits $a_1 \dots a_K$, and turn them into $K$
# probabilities. These should be positive, add up to 1, and rise with their own logit. The **[softmax](glossary.md#softmax)** makes
# each logit positive by $e^{a}$ and divides by the sum:
#
# $$
# p_j = \frac{e^{a_j}}{\sum_{k=1}^{K} e^{a_k}} .
# $$
#
# For two classes this is the sigmoid again: divide numerator and denominator of $p_1 = e^{a_1} / (e^{a_1} + e^{a_2})$ by $e^{a_1}$, and
# $p_1 = \sigma(a_1 - a_2)$.
#
# **Backward through softmax.** A logit $a_i$ is used in the numerator of $p_i$ alone, and in the denominator of every $p_j$. Take the logarithm
# first, $\log p_j = a_j - \log \sum_k e^{a_k}$, whose derivative is short. With $[i = j]$ for 1 if $i = j$ and 0 otherwise,
#
# $$
# \frac{\partial \log p_j}{\partial a_i} = [i = j] - \frac{e^{a_i}}{\sum_k e^{a_k}} = [i = j] - p_i,
# \qquad
# \frac{\partial p_j}{\partial a_i} = p_j\, \frac{\partial \log p_j}{\partial a_i} = p_j \big( [i = j] - p_i \big) .
# $$
#
# These slopes are a symmetric matrix, $\operatorname{diag} p - p^\top p$ for a row $p$. Let $dp$ be the gradient that comes in. Every $p_j$
# depends on $a_i$, so the chain rule sums over all $j$:
#
# $$
# da_i = \sum_j dp_j\, p_j \big( [i = j] - p_i \big) = p_i \Big( dp_i - \sum_j dp_j\, p_j \Big) .
# $$
#
# In words: take the gradient of the logit's own probability, subtract the mean of all $dp_j$ weighted by the $p_j$, and multiply by $p_i$.
# The mean is subtracted because what one class gains the others lose.
#
# **Backward through softmax and loss together.** Let $t$ be the target: 1 for the right class and 0 for all others, or shares of several
# classes that add up to 1. The loss is the surprise $-\log p$ of the right class; for shares it is the mean of the surprises, weighted by the
# shares:
#
# $$
# L = - \sum_j t_j \log p_j, \qquad
# \frac{\partial L}{\partial a_i} = - \sum_j t_j \big( [i = j] - p_i \big) = p_i \sum_j t_j - t_i = p_i - t_i .
# $$
#
# The last step holds because the $t_j$ add up to 1. *Prediction minus target* again. For a batch of $N$ rows the loss is their mean, so
#
# $$
# \underset{(N, K)}{da} = \frac1N \big( \underset{(N, K)}{\operatorname{softmax}(a)} - \underset{(N, K)}{t} \big) .
# $$
#
# **Without overflow.** $e^{89}$ is larger than any number of float32. But the same number $m$ may be taken off all logits of a row, because
# $e^{a_k} = e^m e^{a_k - m}$:
#
# $$
# \log \sum_k e^{a_k} = m + \log \sum_k e^{a_k - m}, \qquad
# \log p_j = (a_j - m) - \log \sum_k e^{a_k - m} .
# $$
#
# Choose $m = \max_k a_k$. Then no exponent is above 0, so nothing overflows. And the largest exponent is 0, so the sum is at least 1, and
# the logarithm of 0 never occurs. This is the *log-sum-exp* trick, and these are the lines of the library:

# %%
source(sae.SoftmaxCrossEntropy.__call__)

# %% [markdown]
# **While reading** (★, 2 minutes). Add 5 to all logits of an example. What does the loss do, and what follows for the sum of the numbers of
# a row of $da$?
#
# <details><summary>Answer</summary>
#
# The loss stays as it is, because $m = 5$ may be taken off again. So the slope of the loss in that direction is 0, and this slope is the
# sum of the row.
#
# </details>

# %%
logits = rng.standard_normal((4, 3))
target = np.eye(3)[[0, 2, 1, 1]]
p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
loss, da = sae.SoftmaxCrossEntropy()(logits, target)
assert np.isclose(loss, -np.log(p[target == 1]).mean()) and np.allclose(
    da, (p - target) / 4
)
assert np.allclose(da.sum(axis=1), 0)

row, step = logits[0], 1e-6
softmax = lambda a: np.exp(a) / np.exp(a).sum()  # noqa: E731
measured = np.stack(
    [(softmax(row + step * e) - softmax(row - step * e)) / (2 * step) for e in np.eye(3)]
)
print("the matrix diag p − pᵀp:")
print((np.diag(p[0]) - np.outer(p[0], p[0])).round(3))
assert np.allclose(measured, np.diag(p[0]) - np.outer(p[0], p[0]))

dp = rng.standard_normal(3)
assert np.allclose(p[0] * (dp - dp @ p[0]), measured @ dp)
assert np.allclose(p[0] * (-target[0] / p[0] + 1), 4 * da[0])  # the long way, dp = −t / p
assert np.isclose(softmax(np.array([1.7, 0.4]))[0], sigmoid(np.array([1.3]))[0])
report = sae.check_gradients(sae.SoftmaxCrossEntropy(), logits, target)
print(report)
assert report.passed

# %% [markdown]
# ## Why the gradient is prediction minus target: the matching pairs
#
# Three pairs of a distribution and a last function have the gradient prediction minus target: the Bernoulli distribution with the sigmoid,
# classes with softmax, and the Gaussian with $s = 1$ and no last function, $\hat x = a$. That is no coincidence, because all three losses
# have one form, in which the logit $a$ and the target $t$ meet only as a product:
#
# $$
# -\log p(t) = A(a) - t\, a + c(t) .
# $$
#
# Here $A$ depends on the logit alone, and $c$ on the target alone.
#
# | distribution of $t$ | $-\log p(t)$ | $A(a)$ | $A'(a)$ |
# | --- | --- | --- | --- |
# | Gaussian with mean $a$, $s = 1$ | $\frac12 (a - t)^2 + \frac12 \log 2\pi$ | $\frac12 a^2$ | $a$ |
# | Bernoulli with $p = \sigma(a)$ | $\operatorname{softplus}(a) - t\,a$ | $\operatorname{softplus}(a)$ | $\sigma(a)$ |
# | one of $K$ classes, $p = \operatorname{softmax}(a)$ | $\log \sum_k e^{a_k} - \sum_j t_j a_j$ | $\log \sum_k e^{a_k}$ | $\operatorname{softmax}(a)$ |
#
# What is $A$? It is what makes the probabilities add up to 1 for every $a$ (for the Gaussian, read the sum as an integral):
#
# $$
# \sum_t p(t) = \sum_t e^{t a - A(a) - c(t)} = 1 .
# $$
#
# This sum does not change with $a$, so its derivative by $a$ is 0. Differentiate it term by term:
#
# $$
# \sum_t \big( t - A'(a) \big)\, p(t) = 0
# \quad\Rightarrow\quad
# A'(a) = \sum_t t\, p(t) = \mathbb E[t] .
# $$
#
# The [mean](mathematics.md#expectation-variance-covariance) of $t$ is what the network predicts. So for every loss of this form
#
# $$
# \frac{\partial}{\partial a} \big( -\log p(t) \big) = A'(a) - t = \mathbb E[t] - t :
# $$
#
# prediction minus target. (A Gaussian with another $s$ has the factor $\frac{1}{s^2}$ before it.) In statistics these last functions
# are called *canonical links*. Be wary of other pairs: there the slope of the last function stays in the gradient, as it did for the squared
# error behind a sigmoid.

# %%
for name, A, mean in (
    ("Gaussian", lambda a: a**2 / 2, lambda a: a),
    ("Bernoulli", softplus, sigmoid),
):
    a = rng.standard_normal((1, 5))
    assert np.allclose((A(a + step) - A(a - step)) / (2 * step), mean(a))
    print(f"{name:<10} A'(a) is the mean of t")
log_sum_exp = lambda a: np.log(np.exp(a).sum())  # noqa: E731
slopes = [
    (log_sum_exp(row + step * e) - log_sum_exp(row - step * e)) / (2 * step)
    for e in np.eye(3)
]
assert np.allclose(slopes, softmax(row))
print("categories A'(a) is the mean of t")

# %% [markdown]
# ## The code
#
# The loss of pixels, from logits: `cross_entropy` sums up the cost of each pixel.

# %%
source(sae.BCEWithLogits.__call__, cross_entropy, pixel_costs, softplus, sigmoid)

# %% [markdown]
# `pixel_costs` gets $p = \sigma(a)$ along with $a$, because the gradient needs it anyway. So it can use
#
# $$
# \operatorname{softplus}(a) = \max(a, 0) - \log \max(p, 1 - p),
# $$
#
# which needs no exponential beyond the one in $p$. Why is this true? For $a \ge 0$ we have $p \ge 1 - p$, and $\operatorname{softplus}(a) = a +
# \operatorname{softplus}(-a) = a - \log p$ by the lines above. For $a < 0$ we have $1 - p > p$, and $\operatorname{softplus}(a) =
# -\log(1 - p)$.

# %%
a = np.linspace(-10, 10, 401)
assert np.allclose(
    softplus(a), np.maximum(a, 0) - np.log(np.maximum(sigmoid(a), 1 - sigmoid(a)))
)

# %% [markdown]
# ## Checking it

# %%
logits = rng.standard_normal((4, 5))
targets = rng.random((4, 5))
for report in (
    sae.check_gradients(sae.BCEWithLogits(), logits, targets),
    sae.check_gradients(sae.BCE(), sigmoid(logits), targets),
    sae.check_gradients(sae.MSE(), logits, targets),
):
    print(report)
    assert report.passed

# %% [markdown]
# ## Where the obvious formulas break
#
# Now compute in float32, which has about 7 digits and ends at $3.4 \cdot 10^{38}$. Here are four ways to write one formula.
# **Predict:** for which of the logits $-100$, $-20$, $20$ and $100$ does each of them fail?

# %%
f32 = np.float32


def by_definition(a, t):
    p = 1 / (1 + np.exp(-a))
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def clipped(a, t, low=1e-7, high=1 - 1e-7):  # what many programs do about it
    p = np.clip(1 / (1 + np.exp(-a)), f32(low), f32(high))
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def log_1_plus_exp(a, t):
    return np.log(1 + np.exp(a)) - t * a


def library(a, t):
    return sae.BCEWithLogits()(a.reshape(1, 1), t.reshape(1, 1))[0]


ways = (by_definition, clipped, log_1_plus_exp, library)
print("   a    t   exact" + " " * 5 + "".join(f"{way.__name__:>15}" for way in ways))
table = {}
with np.errstate(all="ignore"):
    for a, t in (
        (-100, 1),
        (-20, 0),
        (-5, 0.3),
        (0, 1),
        (20, 0),
        (20, 1),
        (100, 0),
        (100, 1),
    ):
        exact = float(np.logaddexp(0.0, a) - t * a)  # softplus in float64
        table[a, t] = {way.__name__: float(way(f32(a), f32(t))) for way in ways}
        print(
            f"{a:4d}  {t:3g}   {exact:<10.4g}"
            + "".join(f"{value:15.4g}" for value in table[a, t].values())
        )
        assert abs(table[a, t]["library"] - exact) < 1e-6 * max(1, exact)

# break it: each of these fails exactly so
assert math.isinf(table[20, 0]["by_definition"])  # p rounds to 1, and log(1 − p) is log 0
assert math.isnan(table[100, 1]["by_definition"])  # 0 · log 0
# the true cost is 100
assert table[100, 0]["clipped"] < 17 and table[-100, 1]["clipped"] < 17
assert math.isinf(table[100, 1]["log_1_plus_exp"])  # e¹⁰⁰ is larger than any float32
# 1 + e⁻²⁰ rounds to 1
assert table[-20, 0]["log_1_plus_exp"] == 0 == table[-20, 0]["library"]
# log1p would keep it
assert math.isclose(np.log1p(np.exp(f32(-20))), math.exp(-20), rel_tol=1e-5)

# %% [markdown]
# Read the table column by column.
#
# - **By definition.** $\sigma(20)$ differs from 1 by $2 \cdot 10^{-9}$. Float32 cannot tell such a number from 1, so $1 - p = 0$, and the
#   cost is infinite, or it is $0 \cdot \infty$, which is not a number (NaN). One such pixel makes the loss NaN, and the next step makes all
#   weights NaN.
# - **Clipped.** The cost is finite, and wrong: a cost of 100 nats is reported as about 16. What is worse, the clipped probability is a constant,
#   and a constant has no gradient. So a pixel that is certain and wrong stays so for ever.
# - **`log(1 + exp(a))`, as written.** $e^{89}$ overflows, and so does the loss. The form with $\max(a, 0)$ takes the large part out first.
# - **The library's formula** agrees with float64 for any logit. Small costs are wrong by about $10^{-7}$ nats at most, and large costs are
#   right to the 7 digits of float32. (A cost of $2 \cdot 10^{-9}$ becomes 0, because the formula takes the logarithm of a number that
#   rounds to 1. NumPy's `log1p(e)`, which is $\log(1 + e)$ without this rounding, would keep such a cost, but takes longer. The
#   gradient is right in any case, because $\sigma(a)$ does not lose small numbers near 0.)
#
# **Where to clip is itself a source of errors.** In float32 the numbers near 0 are dense and those near 1 are not. So $\sigma(a)$ rounds to 1
# for $a$ beyond about 17, but it rounds to 0 only below about $-88$. An upper limit of $1 - \varepsilon$, where
# $\varepsilon = 2 \cdot 10^{-16}$ is the spacing of float64 above 1, rounds to 1 in float32 and clips nothing. And limits that are not
# symmetric, such as $[10^{-15}, 0.999]$, treat black and white differently:

# %%
certain = next(a for a in range(1, 60) if 1 / (1 + np.exp(-f32(a))) == 1)
print(
    f"σ(a) is exactly 1 in float32 from a = {certain} on; the spacing just below 1 is {np.spacing(f32(1)) / 2:.0e}"
)
assert 15 <= certain <= 18
assert f32(1 - np.finfo(np.float64).eps) == 1

for t, name in ((0, "white wanted"), (1, "black wanted")):
    perfect = f32(60 if t else -60)
    print(
        f"{name}, clipped to [1e-15, 0.999]: a perfect pixel costs "
        f"{clipped(perfect, f32(t), 1e-15, 0.999):.3f}, the opposite {clipped(-perfect, f32(t), 1e-15, 0.999):.1f}"
    )
# a perfect pixel costs something
assert np.isclose(clipped(f32(60), f32(1), 1e-15, 0.999), 0.001, rtol=0.01)
assert (
    clipped(f32(60), f32(0), 1e-15, 0.999)
    < 7
    < 34
    < clipped(f32(-60), f32(1), 1e-15, 0.999)
)

# %% [markdown]
# (Ink is 1 in these images, so "black" is 1.)
#
# **What happens to one pixel.** A pixel should be 1, and the network says $a = -25$. We let gradient descent with rate 1 mend $a$, once with the
# clipped formula and once with the one from logits. **Predict:** what is $a$ after 60 steps?

# %%
outcome = {}
for name in ("clipped", "from logits"):
    a = f32(-25.0)
    for _ in range(60):
        if name == "clipped":
            p = sigmoid(a[None])[0]
            inside = 1e-7 < p < 1 - 1e-7
            slope = (p - 1) if inside else f32(0)  # ∂ clip / ∂p = 0 outside
        else:
            slope = sae.BCEWithLogits()(a.reshape(1, 1), np.ones((1, 1), f32))[1].item()
        a = f32(a - slope)
    outcome[name] = float(sigmoid(a[None])[0])
    print(f"{name:<12} after 60 steps: a = {a:6.2f}, p = {outcome[name]:.4f}")
assert outcome["clipped"] < 1e-9 and outcome["from logits"] > 0.9

# %% [markdown]
# ## What a value means: the floor
#
# For a target of exactly 0 or 1 the least cross-entropy is 0. For a grey target $t$ the least is larger. To see how large, write the
# cross-entropy as a sum of two terms, of which only the second depends on $p$:
#
# $$
# \underbrace{- t \log p - (1 - t) \log (1 - p)}_{\text{cross-entropy}}
# = \underbrace{- t \log t - (1 - t) \log (1 - t)}_{\text{entropy } H(t)}
# + \underbrace{t \log \frac tp + (1 - t) \log \frac{1 - t}{1 - p}}_{\mathrm{KL}(t \,\|\, p)} .
# $$
#
# The second term is a [KL divergence](glossary.md#kl-divergence). It is never negative. This follows from $\log u \le u - 1$, which is an
# equality only at $u = 1$:
#
# $$
# \begin{aligned}
# \mathrm{KL}(t \,\|\, p) &= - t \log \frac pt - (1 - t) \log \frac{1 - p}{1 - t} \\
# &\ge - t \Big( \frac pt - 1 \Big) - (1 - t) \Big( \frac{1 - p}{1 - t} - 1 \Big) = -(p - t) + (p - t) = 0 .
# \end{aligned}
# $$
#
# So the best possible prediction is $p = t$, and its cost is the **[entropy](glossary.md#entropy) of the pixels themselves**. This is a floor:
# no network gets below it, and it depends on the data alone.
#
# The other end of the scale is an answer that ignores the image, the same $p$ for every example. The cost is linear in $t$, so its mean over
# the data is the cost for the mean target $\bar t$. As was just shown, the best $p$ for the target $\bar t$ is $p = \bar t$, and it costs
# $H(\bar t)$. For the squared error, too, the mean is the best constant. So for both losses the best answer that ignores the image is
# **the mean image**; compare every network with it.

# %%
t, p = rng.random(1000), rng.random(1000)


def entropy_of(t):
    """H(t) in nats, with 0 log 0 = 0."""
    t = np.asarray(t, np.float64)
    safe = np.clip(t, 1e-300, 1)
    rest = np.clip(1 - t, 1e-300, 1)
    return -t * np.log(safe) - (1 - t) * np.log(rest)


kl = t * np.log(t / p) + (1 - t) * np.log((1 - t) / (1 - p))
assert (
    np.allclose(-t * np.log(p) - (1 - t) * np.log(1 - p), entropy_of(t) + kl)
    and (kl >= 0).all()
)

data = dataset()
x, test = (
    pixels(images).reshape(-1, 784) for images in (data.train_images, data.test_images)
)
mean = test.mean(axis=0, dtype=np.float64)
floor = float(entropy_of(test).sum(axis=1).mean())
constant = float(entropy_of(mean).sum())
grey = ((test > 0) & (test < 1)).mean()
print(f"{grey:.1%} of the pixels are neither 0 nor 1")
print(
    f"floor, the pixels' own entropy   {floor:7.2f} nats per image, {floor / 784:.4f} per pixel"
)
print(
    f"the mean image as the answer     {constant:7.2f} nats per image, {constant / 784:.4f} per pixel"
)
assert np.isclose(sae.BCE().floor(test), floor, rtol=1e-4)
assert np.isclose(
    float(sae.BCE()(np.tile(mean, (len(test), 1)), test.astype(np.float64))[0]),
    constant,
    rtol=1e-6,
)
rounded = float(entropy_of(np.rint(test)).sum())
print(f"the same images with every pixel rounded to 0 or 1: floor {rounded:.2f}")
assert rounded == 0 and 0 < floor < constant

# %% [markdown]
# So the value of a loss is a point on a scale, which begins at the floor and ends at the cost of the mean image. Both ends differ from
# one data set to another, and they differ between grey and rounded pixels. **So never compare the losses of different data, or of
# differently prepared pixels.** And "BCE should go to 0" is wrong wherever targets are grey.
#
# Grey targets bring one more difficulty. A [likelihood](mathematics.md#likelihood-and-logarithms) must integrate to 1 over all targets, or its
# values cannot be compared as likelihoods. If $t$ is 0 or 1, the sum over both targets is $p + (1 - p) = 1$. If $t$ may be anywhere in
# $[0, 1]$, then with $p = \sigma(a)$
#
# $$
# \int_0^1 p^t (1 - p)^{1 - t}\, dt = (1 - p) \int_0^1 e^{a t}\, dt = (1 - p)\, \frac{e^a - 1}{a} = \frac{2p - 1}{a},
# $$
#
# because $p = (1 - p)\, e^a$, which the first step and the last one use. At $p = \frac12$, where $a = 0$, the integral is ½. Elsewhere it
# is smaller, so it is never 1. Therefore cross-entropy on grey
# pixels is a useful loss with its minimum at the right place, but its value is not the negative log-likelihood of any distribution of
# images. Divided by this integral, $p^t (1 - p)^{1 - t}$ becomes a density, the *continuous Bernoulli* distribution
# ([Loaiza-Ganem and Cunningham 2019](bibliography.md#loaiza-ganem-2019)).

# %%
grid = (np.arange(20_000) + 0.5) / 20_000
for p in (0.5001, 0.7, 0.9, 0.999):
    integral = (p**grid * (1 - p) ** (1 - grid)).mean()
    formula = (2 * p - 1) / math.log(p / (1 - p))
    print(f"p = {p:<6}: ∫ p^t (1 − p)^(1 − t) dt = {integral:.4f}, formula {formula:.4f}")
    assert np.isclose(integral, formula, rtol=1e-4) and formula < 1

# %% [markdown]
# ## An experiment: the same network, three losses
#
# Train the network 784-128-32 and back three times, from the same first weights and with the same batches: on the squared error behind
# a sigmoid, on the cross-entropy behind a sigmoid, and on the cross-entropy from logits. Then measure each network by *both* losses.
# **Predict:** which of them has the smallest squared error?


# %%
def network(loss, last, bias=0.0):
    rng = np.random.default_rng(0)
    encoder = stack([784, 128, 32], sae.ReLU, rng, last=None)
    decoder = stack([32, 128, 784], sae.ReLU, rng, last=last)
    decoder.layers[2].b[...] = bias  # of the layer that makes the pixels
    return sae.Autoencoder(encoder, decoder, loss=loss)


LOSSES = {
    "squared error, sigmoid": (sae.MSE, sae.Sigmoid),
    "cross-entropy, sigmoid": (sae.BCE, sae.Sigmoid),
    "cross-entropy, logits": (sae.BCEWithLogits, lambda: None),
}


def measure(model):
    """Squared error and cross-entropy per test image; p within 1e-12 of 0 and 1, in float64."""
    made = model.reconstruct(test).astype(np.float64)
    squared = ((made - test) ** 2).sum(axis=1).mean()
    nats = float(sae.BCE()(np.clip(made, 1e-12, 1 - 1e-12), test.astype(np.float64))[0])
    return squared, nats


figures, models = {}, {}
print(f"{'trained on':<26}squared error    cross-entropy, nats    explained")
for name, (loss, last) in LOSSES.items():
    models[name] = network(loss(), last())
    sae.fit(
        models[name],
        x,
        epochs=quick(4, 1),
        batch_size=128,
        optimizer=sae.Adam(1e-3),
        progress=False,
    )
    squared, nats = figures[name] = measure(models[name])
    explained = (constant - nats) / (constant - floor)
    print(f"{name:<26}{squared:13.2f}{nats:20.2f}{explained:16.1%}")
print(f"{'floor':<26}{0:13.2f}{floor:20.2f}{1:16.1%}")
print(
    f"{'the mean image':<26}{((test - mean) ** 2).sum(axis=1).mean():13.2f}{constant:20.2f}{0:16.1%}"
)
by_error, by_probability, by_logits = figures.values()
# the same gradient, while nothing rounds
assert np.allclose(by_probability, by_logits, rtol=0.02)
assert by_logits[1] < by_error[1]
assert data_name() != "strokes" or by_logits[0] < by_error[0]
assert all(floor < nats < constant for _, nats in figures.values())

# %% [markdown]
# "Explained" says how much of the way from the mean image down to the floor a network's cross-entropy has gone. The two forms of
# cross-entropy agree, as long as no $p$ rounds to 0 or 1. The network that was trained on the squared error has the larger cross-entropy,
# because the cross-entropy of a pixel that is certain and wrong has no bound, and the squared error hardly minds such a pixel. It does not
# even have the smaller squared error, after these few epochs: where its pixels are certain and wrong, its gradient is weak, so it learns
# more slowly.
#
# **One network, six numbers.** All six describe the same predictions, those of the network that was trained from logits:

# %%
squared, nats = by_logits
print(f"squared error          {squared:8.3f}  summed over 784 pixels, mean over images")
print(
    f"                       {squared / 784:8.5f}  per pixel (what many libraries call MSE)"
)
print(f"root mean square error {255 * math.sqrt(squared / 784):8.2f}  of 255 grey levels")
print(f"cross-entropy          {nats:8.2f}  nats per image; floor {floor:.2f}")
print(f"                       {nats / 784:8.5f}  nats per pixel; floor {floor / 784:.5f}")
print(
    f"                       {nats / 784 / math.log(2):8.5f}  bits per pixel; floor {floor / 784 / math.log(2):.5f}"
)
assert np.isclose(
    float(models["cross-entropy, logits"].objective(test)["loss"]), nats, rtol=1e-3
)

# %% [markdown]
# **What the mean over pixels does.** As long as the loss is the only term, a constant factor does little harm: the learning rate can make
# up for it, and Adam nearly ignores it ([chapter 04](04_optimizers.py)). If a second term is added to the loss, the factor says how much the
# pixels count beside that term. Compare the mean over $D$ pixels with the Gaussian likelihood:
#
# $$
# \frac1D \mathrm{SSE} = \frac{1}{2 s^2} \mathrm{SSE} \quad\Rightarrow\quad s^2 = \frac D2 = 392, \qquad s = 19.8 .
# $$
#
# So the mean over pixels claims that the pixels, which lie between 0 and 1, carry noise of standard deviation 20. A variational autoencoder
# ([chapter 11](11_variational.py)) that is told so learns, quite rightly, that the pixels tell it nothing. The $s$ that makes the images of
# the network above most likely is much smaller:

# %%
s = math.sqrt(784 / 2)
print(
    f"per-pixel mean: s = {s:.1f}; the best s for this network: {math.sqrt(squared / 784):.3f}"
)
assert np.isclose(squared / (2 * s**2), squared / 784) and round(s, 1) == 19.8

# %% [markdown]
# **Break it: a network that begins certain and wrong.** Let every pixel start with a logit near 20, so that the network is certain of black
# everywhere. Train it with gradient descent for one epoch. The length of each step is bounded ([chapter 05](05_going_deep.py)), because the
# first gradients from logits are huge. **Predict:** which of the three losses lets it learn?

# %%
print(f"{'trained on':<26}squared error before    after    first gradient of b")
stuck = {}
for name, (loss, last) in LOSSES.items():
    model = network(loss(), last(), bias=20.0)
    before = measure(model)[0]
    model.training_step(x[:128])
    slope = np.abs(model.decoder.layers[2].db).max()
    sae.fit(
        model,
        x[: quick(30_000, 10_000)],
        epochs=1,
        batch_size=128,
        optimizer=sae.SGD(0.01, clip_norm=30.0),
        progress=False,
    )
    stuck[name] = before, measure(model)[0], slope
    print(f"{name:<26}{before:13.1f}{stuck[name][1]:16.1f}{slope:23.0e}")
for name in ("squared error, sigmoid", "cross-entropy, sigmoid"):
    assert stuck[name][2] < 1e-3 and stuck[name][1] > 0.9 * stuck[name][0]
assert (
    stuck["cross-entropy, logits"][2] > 0.5
    and stuck["cross-entropy, logits"][1] < 0.4 * stuck["cross-entropy, logits"][0]
)

# %% [markdown]
# The squared error has the gradient $2 (p - t)\, p (1 - p)$, which is almost 0 here. The cross-entropy behind a sigmoid should have
# $p - t$, but in float32 $p$ is exactly 1, the slope of the sigmoid is exactly 0, and no gradient passes back through the sigmoid. From logits
# the gradient of a white pixel is $\sigma(a) - t = 1$. That is why the library recommends `BCEWithLogits` for training, and why
# `science2006` and all variational autoencoders of images in the library use it.
#
# ## What to change for MNIST
#
# `scratchae tutorial 7 --data mnist` runs this chapter on MNIST, in about 20 s. The floor there is 0.0581 nats per pixel on the test images. Two
# presets with convolutions, the subject of the next chapter, were trained once each: `scratchae train conv-pool --data mnist` (15 epochs,
# 87 s) reached 0.0929, and `scratchae train conv-denoising --data mnist` (30 epochs, 8 min) reached 0.0835 (`benchmarks/README.md`). So a
# loss of 0.0929 is not an error of 9 %: it is 0.0348 nats above the least value that is possible.

# %%
print(
    f"{0.0929 - 0.0581:.4f} nats per pixel above the floor; of 0.0929, the floor is {0.0581 / 0.0929:.0%}"
)
if data_name() == "mnist":
    assert round(floor / 784, 4) == 0.0581

# %% [markdown]
# ## Exercises
#
# 1. The logarithm of a sum of exponentials. After *One of many classes: softmax*. ★, 10 minutes.

# %%
exercise("07_log_sum_exp")

# %% [markdown]
# 2. Binary cross-entropy from logits. After *Backward, with shapes*. ★★★, 25 minutes.

# %%
exercise("07_bce_with_logits")

# %% [markdown]
# 3. Softmax and its cross-entropy, forward and backward. After *One of many classes: softmax*. ★★★, 25 minutes.

# %%
exercise("07_softmax_ce")

# %% [markdown]
# **Derive**, then compute.
#
# 4. ★, 5 minutes, after *What a value means*. A pixel is ½. What does the best prediction cost, in nats and in bits? And where does
#    this cost lie on the scale from floor to mean image?
# 5. ★★, 10 minutes, after *One idea, two losses*. A pixel is 1 in seven of ten images, and 0 in the other three. Which constant $p$
#    minimises the squared error, which one the cross-entropy, and which one the absolute error $|p - t|$?
# 6. ★, 5 minutes, after *Forward: from logits*. For which logit does a target of $t = 1$ cost exactly 1 nat?
# 7. ★, 3 minutes, after *An experiment*. Someone trains on images of 784 pixels by plain gradient descent, with the mean over pixels *and*
#    batch as the loss, and a learning rate of 0.1. You use this library. Which learning rate repeats the run?
# 8. ★★, 5 minutes, after *The code*. Why does `BCEWithLogits` subtract $t\,a$ pixel by pixel, before it sums over the pixels?
# 9. ★★★, 15 minutes, after *Why the gradient is prediction minus target*. A count $t = 0, 1, 2, \dots$ has the Poisson distribution
#    $p(t) = \mu^t e^{-\mu} / t!$. Which function of the logit $a$ should $\mu$ be, so that the gradient is prediction minus target?
#
# **Explore.**
#
# 10. ★★, 20 minutes, after *An experiment*. Round all pixels to 0 or 1, `x, test = np.rint(x), np.rint(test)`, and run the experiment
#     again. What are the floor, the cross-entropy and "explained" now? Which of the three numbers may be compared with the run before?
#
# <details><summary>Answers</summary>
#
# 4\. The cost is $\log 2 = 0.693$ nats, which is one bit. It is the floor of that pixel, so it lies at the lower end of the scale, however
# large it looks.
#
# 5\. For the squared error and the cross-entropy the best $p$ is the mean, 0.7. For the absolute error it is the median, 1 (the grid of the
# next cell ends at 0.999).
#
# 6\. The cost is $\operatorname{softplus}(-a) = 1$, so $1 + e^{-a} = e$, and $a = -\log(e - 1) = -0.541$.
#
# 7\. The gradients of this library are 784 times as large, so the rate must be 784 times smaller.
#
# 8\. If the sums came first, two large sums would nearly cancel, and what remains would be mostly rounding. If the subtraction comes first,
# only small numbers are added.
#
# 9\. $-\log p(t) = \mu - t \log \mu + \log t!$ has the form $A(a) - t\,a + c(t)$ with $a = \log \mu$. So $\mu = e^a$, $A(a) = e^a$, and the
# gradient is $e^a - t$.
#
# 10\. The floor is 0. None of the three numbers may be compared with the run before, because the pixels are different. But of each run you
# may ask how far it is from its own floor.
#
# </details>

# %% tags=["hide-cell"]
half = float(entropy_of(0.5))
print(f"4. ln 2 = {half:.4f} nats = {half / math.log(2):.0f} bit")
seven = np.array([1.0] * 7 + [0.0] * 3)
choices = np.linspace(0.001, 0.999, 999)
costs = {
    "squared error": [((c - seven) ** 2).mean() for c in choices],
    "cross-entropy": [
        (-seven * np.log(c) - (1 - seven) * np.log(1 - c)).mean() for c in choices
    ],
    "absolute error": [np.abs(c - seven).mean() for c in choices],
}
print(
    "5.", {name: round(float(choices[np.argmin(cost)]), 3) for name, cost in costs.items()}
)
assert np.isclose(choices[np.argmin(costs["squared error"])], 0.7)
assert np.isclose(choices[np.argmin(costs["cross-entropy"])], 0.7)
logit = -math.log(math.e - 1)
print(
    f"6. softplus(−a) = 1 at a = −log(e − 1) = {logit:.4f}: cost {np.logaddexp(0, -logit):.4f}"
)
assert np.isclose(np.logaddexp(0, -logit), 1)
print(f"7. 0.1 / 784 = {0.1 / 784:.2e}")
big = np.full((1, 10_000), 1e4, np.float32)
ones = np.ones_like(big)
late = np.sum(np.maximum(big, 0) + np.log1p(np.exp(-big)) + f32(0.01)) - np.sum(ones * big)
pixelwise = np.sum(np.maximum(big, 0) - ones * big + np.log1p(np.exp(-big)) + f32(0.01))
print(
    f"8. 10,000 pixels of 0.01 nats each: summed first {late:.2f}, pixel by pixel {pixelwise:.2f}"
)
assert np.isclose(pixelwise, 100, rtol=1e-3) and not np.isclose(late, 100, rtol=1e-2)

# %% [markdown]
# ## Further reading
#
# - [Bishop 2006](bibliography.md#bishop-2006), sections 1.6, 4.3.6 and 5.2: information, and the pairs of loss and output.
# - [MacKay 2003](bibliography.md#mackay-2003), chapters 2 and 4: entropy from the beginning.
#
# ## What to read in the source next
#
# - `scratchae/losses.py`: `MSE`, `BCE`, `BCEWithLogits`, `SoftmaxCrossEntropy`, and the one scale of all losses, explained at the top.
# - `scratchae/layers/activations.py`: `sigmoid` and `softplus`, written so that nothing overflows.
# - `tests/test_losses.py`: the same claims at $\pm 10^4$, exact zeros, and both dtypes.
#
# Then [chapter 08](08_convolution.py): layers that know what an image is.
