# %% [markdown]
# # 07 · Cross-entropy, logits, and what a loss value means
#
# *One report says the loss is 0.06, another says 48. Can they be the same network, and is it any good?*
#
# **Time** 45 minutes to read, 8 s to run on two cores.

# %% [markdown]
# ## The question
#
# Two people train the same autoencoder on the same images. One reports a loss of 0.0622, the other 48.8. Both are right. The
# first took the mean over the pixels, the second the sum, and $0.0622 \cdot 784 = 48.8$. Which unit? Is 0 possible? Is 48.8 good?
#
# A loss is a choice, and it comes with a unit, a floor, and a formula that may or may not survive 32-bit arithmetic. This chapter
# derives the two losses of this book from one idea, shows where their obvious formulas break and what to write instead, and
# then reads loss values.

# %%
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.layers.activations import sigmoid, softplus
from scratchae.losses import cross_entropy
from scratchae.presets.dense import stack
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)
assert round(0.0622 * 784, 1) == 48.8

# %% [markdown]
# ## One idea, two losses
#
# Let the network predict not the pixel, but a *probability distribution* of the pixel. Then say how surprised it was:
#
# $$
# L = - \log p(t \mid \text{prediction}),
# $$
#
# with $t$ the target, which for an autoencoder is the input. The natural logarithm makes the unit the [nat](glossary.md#nat). The
# pixels are taken to be [independent](mathematics.md#expectation-variance-covariance) once the prediction is given. Then their
# probabilities multiply, and their surprises add up: **a sum over the features comes out by itself**. The mean over the examples is
# a choice.
#
# **[Gaussian](mathematics.md#density-and-the-normal-distribution).** Let the network give the mean $\hat x$ of a Gaussian with a fixed standard deviation $s$, for each of $D$ features:
#
# $$
# -\log \prod_{j=1}^{D} \frac{1}{\sqrt{2\pi s^2}}\, e^{-(t_j - \hat x_j)^2 / 2 s^2}
# = \frac{1}{2 s^2} \underbrace{\sum_{j=1}^{D} (\hat x_j - t_j)^2}_{\text{squared error}}
# + \frac D2 \log (2 \pi s^2) .
# $$
#
# The [squared error](glossary.md#squared-error), times a constant, plus a constant. To minimise it *is* to make the data most
# likely, whatever $s$ is; $s$ matters as soon as another term stands beside it, as in [chapter 11](11_variational.py). Its own best
# value: the derivative $-\frac{1}{s^3} \mathrm{SSE} + \frac Ds$ vanishes at $s^2 = \mathrm{SSE} / D$, the mean squared error per feature.
# (For a number that is not whole $p$ is a [density](mathematics.md#density-and-the-normal-distribution), which may be larger than 1. So
# $-\log p$ may be negative, and its value depends on the unit in which the pixels are measured.)
#
# **Bernoulli.** Let the target be 0 or 1, and let the network give the probability $p$ of a 1. Then $p(t) = p^t (1 - p)^{1 - t}$, and
#
# $$
# -\log p(t) = - t \log p - (1 - t) \log (1 - p),
# $$
#
# the [cross-entropy](glossary.md#cross-entropy) (BCE, *binary* cross-entropy). As a formula it makes sense for a grey $t$ between 0
# and 1 as well; what it then means is a question for later.

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
# The cost of a single pixel, for a white, a grey and a black target, as the prediction goes from 0 to 1:

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
# The network's last layer gives any real number $a$, the [logit](glossary.md#logit), and $p = \sigma(a) = 1 / (1 + e^{-a})$. Put the two
# together on paper, before the computer gets to see them. With $\operatorname{softplus}(a) = \log(1 + e^a)$:
#
# $$
# \begin{aligned}
# \log p &= \log \frac{1}{1 + e^{-a}} = - \operatorname{softplus}(-a) \\
# \log (1 - p) &= \log \frac{e^{-a}}{1 + e^{-a}} = \log \frac{1}{1 + e^{a}} = - \operatorname{softplus}(a) \\
# \operatorname{softplus}(a) - \operatorname{softplus}(-a) &= \log \frac{1 + e^a}{1 + e^{-a}} = \log e^a = a .
# \end{aligned}
# $$
#
# So, for arrays $a$, $t$ of shape $(N, D)$,
#
# $$
# L = \frac1N \sum_{n, j} \Big( t \operatorname{softplus}(-a) + (1 - t) \operatorname{softplus}(a) \Big)
# = \frac1N \sum_{n, j} \Big( \operatorname{softplus}(a_{nj}) - t_{nj}\, a_{nj} \Big) .
# $$
#
# ## Backward, with shapes
#
# The derivative of softplus is $\frac{e^a}{1 + e^a} = \sigma(a)$, so
#
# $$
# \underset{(N, D)}{da} = \frac1N \big( \underset{(N, D)}{\sigma(a)} - \underset{(N, D)}{t} \big):
# $$
#
# *prediction minus target*. The detour over $p$ gives the same with more trouble: $\partial L / \partial p = \frac{p - t}{p (1 - p)}$, times the
# sigmoid's slope $p (1 - p)$; a division by almost 0 and a multiplication by it. The squared error behind a sigmoid has nothing
# to cancel:
#
# $$
# \frac{\partial}{\partial a} (\sigma(a) - t)^2 = 2 (p - t)\, p (1 - p) .
# $$
#
# Where the network is **certain and wrong**, $p (1 - p)$ is almost 0, and so is this gradient. The worse the answer, the less is
# learned from it. With cross-entropy it is learned from most.

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
    "Far on the wrong side the squared error has no gradient left.",
)

# %% [markdown]
# **The matching pairs.** Gaussian and no function at the end: $da = \frac1{s^2} (a - t)$. Bernoulli and sigmoid: $da = \sigma(a) - t$. One of many
# classes and softmax: $da = \operatorname{softmax}(a) - t$. Each time *prediction minus target*, and for one reason: in all three
# $-\log p(t) = A(a) - t\, a + c(t)$, up to the factor $\frac1{s^2}$, where $A$ is what makes the probabilities add up to 1. Differentiate
# $\sum_t p(t) = 1$ by $a$, and you find $A'(a) = \mathbb E[t]$, the prediction. So the gradient is $A'(a) - t$. Be wary of other pairs.
#
# ## The code

# %%
source(sae.BCEWithLogits.__call__, cross_entropy, softplus, sigmoid)

# %% [markdown]
# `cross_entropy` has $\sigma(a)$ at hand already and uses $\operatorname{softplus}(a) = \max(a, 0) - \log \max(p, 1 - p)$, which saves an exponential. Why it is true:
# for $a \ge 0$, $\operatorname{softplus}(a) = a + \operatorname{softplus}(-a) = a - \log p$, and $p \ge 1 - p$ there; for $a < 0$, $\operatorname{softplus}(a) = -\log(1 - p)$.

# %%
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
# Now in float32, which has about 7 digits and ends at $3.4 \cdot 10^{38}$. Four ways to write one formula:

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
# log1p keeps it
assert np.isclose(softplus(np.full((1, 1), -20, f32)).item(), math.exp(-20), rtol=1e-5)

# %% [markdown]
# Read the table line by line.
#
# - **By definition.** $\sigma(20)$ differs from 1 by $2 \cdot 10^{-9}$, less than float32 can tell, so $1 - p = 0$ and the cost is infinite, or
#   $0 \cdot \infty$, which is not a number. One such pixel makes the loss NaN, and the next step makes all weights NaN.
# - **Clipped.** It is finite, and wrong: a cost of 100 nats is reported as about 16. Worse, a constant has no gradient. A pixel that is
#   certain and wrong stays so for ever.
# - **`log(1 + exp(a))`, as written.** $e^{89}$ overflows, and with it the loss. $\max(a, 0)$ takes the large part out first.
# - **The library's** agrees with float64 for any logit, to an absolute $10^{-7}$ nats or the 7 digits of float32. (A cost of
#   $2 \cdot 10^{-9}$ it gives as 0, since it takes the logarithm of a number next to 1. The function `softplus` uses `log1p`, and keeps
#   that too. The gradient is right in any case: $\sigma(a)$ has no such trouble near 0.)
#
# **Where to clip is itself a source of errors.** In float32 the numbers near 0 are dense and those near 1 are not: $\sigma(a)$ rounds to 1
# for $a$ beyond about 17, to 0 only below about $-88$. A limit of $1 - \varepsilon$ with float64's $\varepsilon$ rounds to 1, and clips nothing.
# And limits that are not symmetric, say $[10^{-15}, 0.999]$, treat black and white differently:

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
# **How it ends, for one pixel.** It should be 1, and the network says $a = -25$. Gradient descent with rate 1, on the clipped
# formula and on the one from logits:

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
# For a target of exactly 0 or 1, the least cross-entropy is 0. For a grey target $t$ it is not. Write
#
# $$
# \underbrace{- t \log p - (1 - t) \log (1 - p)}_{\text{cross-entropy}}
# = \underbrace{- t \log t - (1 - t) \log (1 - t)}_{\text{entropy } H(t)}
# + \underbrace{t \log \frac tp + (1 - t) \log \frac{1 - t}{1 - p}}_{\mathrm{KL}(t \,\|\, p)} .
# $$
#
# The last term is never negative. With $\log u \le u - 1$, which is an equality only at $u = 1$:
#
# $$
# \begin{aligned}
# \mathrm{KL}(t \,\|\, p) &= - t \log \frac pt - (1 - t) \log \frac{1 - p}{1 - t} \\
# &\ge - t \Big( \frac pt - 1 \Big) - (1 - t) \Big( \frac{1 - p}{1 - t} - 1 \Big) = -(p - t) + (p - t) = 0 .
# \end{aligned}
# $$
#
# So the best possible prediction is $p = t$, and what remains is the **[entropy](glossary.md#entropy) of the pixels themselves**: a floor that
# no network gets below, which depends on the data only.
#
# The other end of the scale is an answer that ignores the input. The cost is linear in $t$, so its mean over the data is the cost of the
# mean target $\bar t$; by what was just shown, the best constant is $p = \bar t$, and it costs $H(\bar t)$. **The mean image again**, as for the
# squared error: both losses want the mean, and both must be told apart from it.

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
# So a value is a point on a scale from the one to the other. The two ends differ between data sets, and between grey and
# rounded pixels. **Never compare losses across them.** And "BCE should go to 0" is wrong wherever targets are grey.
#
# There is one more catch with grey targets. A [likelihood](mathematics.md#likelihood-and-logarithms) must integrate to 1 over all targets, or its values cannot be
# compared as likelihoods. With $t \in \{0, 1\}$, $p + (1 - p) = 1$. With $t$ anywhere in $[0, 1]$ and $p = \sigma(a)$,
#
# $$
# \int_0^1 p^t (1 - p)^{1 - t}\, dt = (1 - p) \int_0^1 e^{a t}\, dt = (1 - p)\, \frac{e^a - 1}{a} = \frac{2p - 1}{a},
# $$
#
# as $(1 - p)\, e^a = p$. That is ½ at $p = \frac12$ (its limit), less elsewhere, and never 1. So cross-entropy on grey pixels is a useful loss with
# the right minimum, but not a log-likelihood in nats of any distribution of images. The missing constant makes it one
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
# 784-128-32 and back, the same first weights, the same batches. It is trained on the squared error behind a sigmoid, on
# cross-entropy behind a sigmoid, and on cross-entropy from logits; then each is measured by *both* yardsticks.


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
assert all(floor < nats < constant for _, nats in figures.values())

# %% [markdown]
# The two forms of cross-entropy agree, as long as no $p$ rounds to 0 or 1. The squared error is *not* better at the squared error here,
# after these few epochs, since its gradient is weak where pixels are certain; and it is much worse at cross-entropy, which punishes
# certainty without bound. "Explained" is the share of the way from the mean image down to the floor.
#
# **One network, six numbers.** All of these are the same predictions, of the network trained from logits:

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
# **What the mean over pixels does.** As long as the loss stands alone, a constant factor can be made up for by the learning rate, or
# ignored, with Adam ([chapter 04](04_optimizers.py)). As soon as a second term stands beside it, the factor says how much the pixels
# count. Compare the mean over $D$ pixels with the Gaussian likelihood:
#
# $$
# \frac1D \mathrm{SSE} = \frac{1}{2 s^2} \mathrm{SSE} \quad\Rightarrow\quad s^2 = \frac D2 = 392, \qquad s = 19.8 .
# $$
#
# It claims that the pixels, which lie between 0 and 1, carry noise of standard deviation 20. A variational autoencoder that is told so
# learns, quite rightly, that the pixels tell it nothing. The network above suggests another $s$, the one that makes its images most likely:

# %%
s = math.sqrt(784 / 2)
print(
    f"per-pixel mean: s = {s:.1f}; the best s for this network: {math.sqrt(squared / 784):.3f}"
)
assert np.isclose(squared / (2 * s**2), squared / 784) and round(s, 1) == 19.8

# %% [markdown]
# **Break it: a network that begins certain and wrong.** Every pixel starts with a logit near 20: certainly black. Gradient descent
# for one epoch, each step bounded in length ([chapter 05](05_going_deep.py)), as the first gradients from logits are huge:

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
# The squared error has a gradient of $2 (p - t)\, p (1 - p)$: almost nothing. Cross-entropy behind a sigmoid would have $p - t$, but in float32
# $p$ is exactly 1 and its slope exactly 0, so nothing arrives either. From logits, the gradient is $\sigma(a) - t = 1$. That is why the library
# recommends `BCEWithLogits` for training, and why `science2006` and all its variational autoencoders use it.
#
# ## What to change for MNIST
#
# `scratchae tutorial 7 --data mnist` runs this chapter on MNIST, in about 20 s. The floor there is 0.0581 nats per pixel on the test images; in one run each,
# `scratchae train conv-pool --data mnist` (15 epochs, 87 s) reached 0.0929, and `scratchae train conv-denoising --data mnist` (30 epochs,
# 8 min) 0.0835 (`benchmarks/README.md`). So what looks like "9 % error" is 0.0348 nats above what is possible.

# %%
print(
    f"{0.0929 - 0.0581:.4f} nats per pixel above the floor; of 0.0929, the floor is {0.0581 / 0.0929:.0%}"
)
if data_name() == "mnist":
    assert round(floor / 784, 4) == 0.0581

# %% [markdown]
# ## Exercises

# %%
exercise("07_log_sum_exp")

# %%
exercise("07_bce_with_logits")

# %% [markdown]
# **Think, then compute.**
#
# 1. A pixel is ½. What does the best prediction cost, in nats and in bits? And on the scale from floor to mean image?
# 2. Ten images of a pixel: seven are 1, three are 0. Which constant $p$ minimises the squared error, which the cross-entropy, which
#    the absolute error $|p - t|$?
# 3. For which logit does a target of $t = 1$ cost exactly 1 nat?
# 4. Someone trains with `mean` over pixels *and* batch, learning rate 0.1, plain gradient descent. You use this library. Which
#    learning rate repeats the run?
# 5. Why does `BCEWithLogits` subtract $t\,a$ pixel by pixel, before the sum?
#
# Answers:

# %%
half = float(entropy_of(0.5))
print(f"1. ln 2 = {half:.4f} nats = {half / math.log(2):.0f} bit")
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
    "2.", {name: round(float(choices[np.argmin(cost)]), 3) for name, cost in costs.items()}
)
assert np.isclose(choices[np.argmin(costs["squared error"])], 0.7)
assert np.isclose(choices[np.argmin(costs["cross-entropy"])], 0.7)
logit = -math.log(math.e - 1)
print(
    f"3. softplus(−a) = 1 at a = −log(e − 1) = {logit:.4f}: cost {np.logaddexp(0, -logit):.4f}"
)
assert np.isclose(np.logaddexp(0, -logit), 1)
print(f"4. 0.1 / 784 = {0.1 / 784:.2e}")
big = np.full((1, 10_000), 1e4, np.float32)
ones = np.ones_like(big)
late = np.sum(np.maximum(big, 0) + np.log1p(np.exp(-big)) + f32(0.01)) - np.sum(ones * big)
pixelwise = np.sum(np.maximum(big, 0) - ones * big + np.log1p(np.exp(-big)) + f32(0.01))
print(
    f"5. 10,000 pixels of 0.01 nats each: summed first {late:.2f}, pixel by pixel {pixelwise:.2f}"
)
assert np.isclose(pixelwise, 100, rtol=1e-3) and not np.isclose(late, 100, rtol=1e-2)

# %% [markdown]
# 1\. It is the floor of that pixel: nothing above what is possible, however large the number looks.
#
# 2\. The mean for both, 0.7; the absolute error wants the median, 1 (the grid ends at 0.999).
#
# 4\. The gradients here are 784 times as large, so the rate is 784 times smaller.
#
# 5\. Two large sums nearly cancel, and what is left is rounding. Subtract first, and only small numbers are added.
#
# ## Further reading
#
# - [Bishop 2006](bibliography.md#bishop-2006), sections 1.6 and 5.2: information, and the pairs of loss and output.
# - [MacKay 2003](bibliography.md#mackay-2003), chapters 2 and 4: entropy from the beginning.
#
# ## What to read in the source next
#
# - `scratchae/losses.py`: `MSE`, `BCE`, `BCEWithLogits`, `SoftmaxCrossEntropy`, and the one scale at the top.
# - `scratchae/layers/activations.py`: `sigmoid` and `softplus`, written so that nothing overflows.
# - `tests/test_losses.py`: the same claims at $\pm 10^4$, exact zeros, and both dtypes.
#
# Then [chapter 08](08_convolution.py): layers that know what an image is.
