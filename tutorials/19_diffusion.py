# %% [markdown]
# # 19 · From denoising to diffusion
#
# *How does a net that has only learned to take noise away make new images out of nothing but noise?*
#
# **Time** 50 minutes to read, 30 s to run on two cores.

# %% [markdown]
# ## The question
#
# [Chapter 09](09_denoising.py) ended with arrows: a denoiser's step points to where noisy data are more
# probable. If you follow the arrows from a random point, do you arrive at a new example that is like
# the data? Nearly. This chapter shows what is missing, namely a list of noise levels, and how a few
# lines lead from there to a **[diffusion model](glossary.md#diffusion-model)** ([Sohl-Dickstein et al.
# 2015](bibliography.md#sohl-dickstein-2015), [Song and Ermon 2019](bibliography.md#song-2019), [Ho,
# Jain and Abbeel 2020](bibliography.md#ho-2020)).
#
# Each claim is first tried on data that are a few points. There everything can be computed, because the
# best denoiser is a formula. If something goes wrong there, the method is to blame and not the net.

# %%
import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.presets import PRESETS
from scratchae.presets.preset import warm_cosine
from scratchae.tutorial import dataset, exercise, figure, quick, show, source
from scratchae.tutorial.ring import CENTRES, points

rng = np.random.default_rng(0)

# %% [markdown]
# ## The best answer is a mean
#
# Let $y = x + s\,\varepsilon$ with [normal](mathematics.md#density-and-the-normal-distribution) noise $\varepsilon \sim \mathcal N(0, I)$, and let $r(y)$ be any function
# that is to find $x$ again. Let $m(y) = \mathbb E[x \mid y]$ be the [expectation](mathematics.md#expectation-variance-covariance) of $x$ given $y$, that is, the mean
# of all $x$ that $y$ could have come from. Write $r(y) - x$ as $(r(y) - m(y)) + (m(y) - x)$ and take the square:
#
# $$
# \mathbb E\,\|r(y) - x\|^2 = \mathbb E\,\|r(y) - m(y)\|^2 + 2\,\mathbb E\big[(r(y) - m(y))^\top (m(y) - x)\big] + \mathbb E\,\|m(y) - x\|^2 .
# $$
#
# The middle term is 0: given $y$, the factor $r(y) - m(y)$ is a constant, and the factor $m(y) - x$ has
# the mean $m(y) - \mathbb E[x \mid y] = 0$. The last term does not depend on $r$. The first term is 0 for
# $r = m$ and otherwise positive. So $r = m$ is best, at *each* $y$. Two things follow that this chapter
# needs:
#
# - A weight on the error that depends on $s$ (or on $y$) does not change which answer is best, because
#   $m$ is best for each $s$ and each $y$ by itself.
# - One net can be the best denoiser for *all* $s$, if it is told $s$.
#
# ## Tweedie: the mean is a slope
#
# Let $p_s$ be the density of $y$: the data, *blurred* by $s$. The density of $y$ given $x$ is
# $\mathcal N(y; x, s^2) \propto e^{-\|y - x\|^2 / 2s^2}$, and its gradient in $y$ is
# $\mathcal N(y; x, s^2)\,(x - y) / s^2$. So
#
# $$
# \begin{aligned}
# p_s(y) &= \int p(x)\, \mathcal N(y; x, s^2)\, dx \\
# \nabla p_s(y) &= \int p(x)\, \mathcal N(y; x, s^2)\, \frac{x - y}{s^2}\, dx
# = \frac{p_s(y)}{s^2} \int p(x \mid y)\,(x - y)\, dx \\
# &= \frac{p_s(y)}{s^2} \big(\mathbb E[x \mid y] - y\big) \\
# \Rightarrow\quad \nabla \log p_s(y) &= \frac{\mathbb E[x \mid y] - y}{s^2} .
# \end{aligned}
# $$
#
# In the second line $p(x)\,\mathcal N(y; x, s^2) = p_s(y)\, p(x \mid y)$ is [Bayes' rule](mathematics.md#conditional-probability-and-bayes-rule), and the
# last line divides by $p_s$, because $\nabla \log p_s = \nabla p_s / p_s$. The gradient of the log of a
# density is called its **[score](glossary.md#score)**; the formula is Tweedie's
# ([Efron 2011](bibliography.md#efron-2011)). With it we know the score without knowing the density,
# because $\mathbb E[x \mid y]$ is what a denoiser learns. This is the score of the *noisy* data. The data
# themselves, points in a training set, have no score, because a set of points has no density.
#
# If the data are $n$ points $x_i$, all of this can be computed: $\mathbb E[x \mid y] = \sum_i w_i
# x_i$ with $w_i \propto e^{-\|y - x_i\|^2 / 2s^2}$, as in chapter 09. The next cell makes a `Diffusion`,
# the library's diffusion model, whose denoiser is this formula instead of a net. All other methods stay
# as they are. Then the cell compares Tweedie's score with differences of $\log p_s$, which is known for a
# few points.


# %%
class Exact(sae.Diffusion):
    """The best denoiser of data that are the points X, each as likely."""

    X: np.ndarray

    def denoise(self, noisy, sigma):
        # |y - x|² / 2, but for |y|² / 2, which all weights of a y share
        far = (self.X**2).sum(axis=1) / 2 - noisy @ self.X.T  # (N, n)
        w = np.exp((far.min(axis=1, keepdims=True) - far) / sigma**2)
        return w @ self.X / w.sum(axis=1, keepdims=True)


def exact(X, low, high):
    net = sae.Sequential(sae.Dense(X.shape[1] + 1, X.shape[1], rng=0))  # not used
    model = Exact(net, loss=sae.MSE(), low=low, high=high, levels=1)
    model.X = X.astype(np.float32)
    return model


source(sae.Diffusion.score)
few = rng.standard_normal((20, 2))
model, y, s, h = exact(few, 0.01, 10.0), rng.standard_normal((50, 2)), 0.5, 1e-5
model.X = few  # in float64


def log_density(y):
    return np.log(np.exp(-((y[:, None] - few) ** 2).sum(axis=2) / (2 * s**2)).mean(axis=1))


slope = [
    (log_density(y + h * axis) - log_density(y - h * axis)) / (2 * h) for axis in np.eye(2)
]
deviation = np.abs(model.score(y, s) - np.stack(slope, axis=1)).max()
print(f"score by Tweedie against differences of log p: largest deviation {deviation:.0e}")
assert deviation < 1e-8

# %% [markdown]
# ## Langevin: a walk that draws
#
# A walk that only follows the score ends on a peak of the density, so it always ends on the same few
# points. To *draw* from a density, add noise to each step.
# **[Langevin](glossary.md#langevin-dynamics)'s walk** with step $\eta$ is
#
# $$
# y \leftarrow y + \eta\, \nabla \log p(y) + \sqrt{2\eta}\;\xi, \qquad \xi \sim \mathcal N(0, I) ,
# $$
#
# and for small $\eta$ it visits, in the long run, each region as often as $p$ says. For a normal density
# of variance $v$ this can be seen by hand. The score is $-y/v$, so a step multiplies $y$ by
# $1 - \eta/v$ and adds noise of the variance $2\eta$. A variance $V$ that does not change in a step obeys
#
# $$
# V = \Big(1 - \frac\eta v\Big)^2 V + 2\eta
# \quad\Rightarrow\quad V = \frac{2\eta}{1 - (1 - \eta/v)^2} = \frac{v}{1 - \eta/2v}
# \;\xrightarrow{\;\eta \to 0\;}\; v .
# $$

# %%
v, eta = 2.0, 0.4
walkers = np.zeros(20_000)
for _ in range(60):
    walkers += -eta * walkers / v + np.sqrt(2 * eta) * rng.standard_normal(20_000)
print(
    f"variance {walkers.var():.3f}, by the formula {v / (1 - eta / (2 * v)):.3f}, wanted {v}"
)
assert abs(walkers.var() / (v / (1 - eta / (2 * v))) - 1) < 0.04

# %% [markdown]
# ### Why one level of noise is not enough
#
# The data are eight small clouds on a ring, as in [chapter 15](15_two_players.py), but every other
# cloud holds four times as many points as its neighbours. Place 500 walkers at random in a large square,
# and let them walk by the exact score at one small level, $s = 0.1$.
#
# Between two clouds that are far apart, the score points to the nearer one. The *weight* of a cloud, which
# is its share of the data, hardly changes the score there. To see this, let $p = \pi_1 p_1 + \pi_2 p_2$
# with the weights $\pi_1$ and $\pi_2$. Near the first cloud $p_2 \approx 0$, so
# $\nabla \log p \approx \nabla \log (\pi_1 p_1) = \nabla \log p_1$: the logarithm turns the factor $\pi_1$
# into the summand $\log \pi_1$, and a constant summand has the gradient 0. So a walker goes to the cloud that is nearest to
# its start, and stays there. A large $s$ blurs the clouds into one, so that the weights do change the
# score, but then the walkers draw from the blurred data.
#
# **[Annealing](glossary.md#annealed-langevin-dynamics)** uses both: begin at a large $s$, walk some
# steps, then go on at a smaller $s$, and so on. The steps are $\eta \propto s^2$, so that they are short
# where the details are small.
#
# *Predict:* four heavy clouds hold 80 % of the data. Which share of the walkers ends in them, at one
# level and with annealing?


# %%
def langevin(score, start, levels, steps, rng, rate=0.2):
    y = start.copy()
    for s in levels:
        for _ in range(steps):
            eta = rate * s**2
            y += eta * score(y, s) + np.sqrt(2 * eta) * rng.standard_normal(y.shape)
    return y


many = points(6000, rng)
cloud = lambda y: ((y[:, None] - CENTRES) ** 2).sum(axis=2).argmin(axis=1)  # noqa: E731
light = cloud(many) % 2 == 1
ring = np.concatenate([many[~light][:1600], many[light][:400]])  # four to one
best = exact(ring[::4], 0.02, 10.0)


def judged(y):
    """The share of points in the heavy clouds, and of all points the share that lies near a cloud."""
    near = np.linalg.norm(y - CENTRES[cloud(y)], axis=1) < 0.5
    return float((cloud(y) % 2 == 0)[near].mean()), float(near.mean())


start = rng.uniform(-4, 4, (500, 2))
levels = np.geomspace(3, 0.1, 12)
walks = {
    "one level, s = 0.1": langevin(best.score, start, [0.1], 480, rng),
    "annealed, s = 3 … 0.1": langevin(best.score, start, levels, 40, rng),
}
print("                         in the heavy clouds   near a cloud   (data: 80 %)")
for name, y in walks.items():
    heavy, near = judged(y)
    print(f"{name:<24} {heavy:20.0%} {near:14.0%}")
assert abs(judged(walks["one level, s = 0.1"])[0] - 0.5) < 0.1
assert abs(judged(walks["annealed, s = 3 … 0.1"])[0] - 0.8) < 0.07

# %% [markdown]
# Both walks have taken 480 steps with the exact score. At one level about half of the walkers end in
# the heavy clouds, because half of them began nearest to one: they are spread like their starts, and
# not like the data. With annealing about four of five end there, as in the data.
#
# ## One net for all levels
#
# So a model needs the best denoiser at every level, from noise that is larger than the data to noise
# that is too small to be seen. One net learns them all, if it is told the level. From here on, as in the
# papers, the level is $\sigma$ instead of $s$, and the noisy data are $\tilde x$ instead of $y$.
# `Diffusion` draws a level for each example, uniformly in $\log\sigma$ (with $u$ from 0 to 1). The rest is
# a denoising autoencoder, whose net is given the scaled noisy data and some features of the level, side by
# side:
#
# $$
# \begin{aligned}
# \sigma &= \sigma_{\text{low}} \Big(\frac{\sigma_{\text{high}}}{\sigma_{\text{low}}}\Big)^{u}, \qquad
# \underset{(N, D)}{\tilde x} = x + \sigma \varepsilon \\
# \underset{(N, D + \text{levels})}{c} &= \Big[\frac{\tilde x}{\sqrt{1 + \sigma^2}},\; f(u)\Big], \qquad
# \hat x = \mathrm{net}(c), \qquad L = \mathrm{loss}(\hat x, x) .
# \end{aligned}
# $$
#
# Division by $\sqrt{1 + \sigma^2}$ keeps the input near the size 1 at all levels. The features $f(u)$ are
# bumps, `levels` in number, each of which is large near one level. With them a net of ReLUs can switch
# units on for some levels and off for others, which is hard with the single number $u$. Noise and level are drawn and
# not learned, so they are constants for the gradient, and the backward pass has nothing new.

# %%
source(sae.Diffusion.objective, sae.Diffusion.told, sae.Diffusion.backward)
draw = np.random.default_rng(0)
tiny = sae.Diffusion(
    sae.Sequential(sae.Dense(4 + 3, 6, rng=draw), sae.Tanh(), sae.Dense(6, 4, rng=draw)),
    loss=sae.MSE(),
    levels=3,
)
report = sae.check_gradients(tiny, rng.random((8, 4)))
print(f"largest relative error of a gradient {report.worst:.0e}")
assert report.passed and report.worst < 1e-7

draw = np.random.default_rng(0)
he = {"init": "he", "rng": draw}
plane = sae.Diffusion(
    sae.Sequential(
        *(sae.Dense(2 + 16, 64, **he), sae.ReLU(), sae.Dense(64, 64, **he), sae.ReLU()),
        sae.Dense(64, 2, rng=draw),
    ),
    loss=sae.MSE(),
    low=0.05,
    high=5.0,
)
epochs = quick(400, 20)
sae.fit(
    plane,
    ring,
    epochs=epochs,
    batch_size=100,
    optimizer=warm_cosine()(5e-3, epochs * len(ring) // 100),
    progress=False,
)
learned = langevin(
    lambda y, s: plane.score(y.astype(np.float32), s), start, levels, 40, rng
)
walked, near = judged(learned)
print(
    f"annealed, with the net's score: {walked:.0%} in the heavy clouds, {near:.0%} near a cloud"
)
assert quick(walked > 0.82 and near > 0.9, True)

# %% tags=["hide-input"]
drawn, panels = figure(9, 3.4, columns=3, sharex=True, sharey=True)
shown = walks | {"annealed, learned score": learned}
for axes, (name, y) in zip(panels, shown.items(), strict=True):
    axes.plot(*y.T, ".", markersize=2, color=plots.BLUE)
    axes.plot(*CENTRES[::2].T, "x", color=plots.RED, markersize=6)
    axes.plot(*CENTRES[1::2].T, "+", color=plots.GREY, markersize=6)
    axes.set(title=name, xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal")
show(
    drawn,
    "ring",
    "Three panels of points around eight marks on a ring. In the first all clouds are alike; in the others every other cloud is dense and its neighbours are thin.",
    "× marks the four heavy clouds, + the light ones. Compare the light clouds of the first panel with those of the others: at one small level the score does not tell how much a cloud weighs.",
)

# %% [markdown]
# With the net's score the walk finds the clouds, but too few walkers end in the light ones. The reason
# is that errors of the score add up between two clouds: $\log p(b) - \log p(a)$ is the integral of the
# score along a way from $a$ to $b$, so small errors everywhere on the way make a large error of the
# ratio $p(b) / p(a)$. A walk that has the time to settle at a level settles at the wrong ratio.
#
# ## From one level to the next, in one step
#
# Langevin's walk takes many steps at each level. There is a shorter way ([Ho et al.
# 2020](bibliography.md#ho-2020)). Let $\tilde x_\tau = x + \tau\varepsilon$ have little noise, and let
# $\tilde x_\sigma = \tilde x_\tau + \sqrt{\sigma^2 - \tau^2}\,\varepsilon'$ have more: its noise has the
# variance $\tau^2 + (\sigma^2 - \tau^2) = \sigma^2$. Suppose that we have $\tilde x_\sigma$ *and know* $x$.
# How is $\tilde x_\tau$ distributed? By Bayes' rule its log-density is, up to a constant,
#
# $$
# -\frac{\|\tilde x_\tau - x\|^2}{2\tau^2} - \frac{\|\tilde x_\sigma - \tilde x_\tau\|^2}{2(\sigma^2 - \tau^2)} ,
# $$
#
# which is a parabola in $\tilde x_\tau$, so the density is normal. Its precision, which is 1 over the
# variance, is the sum of the two precisions,
# $\frac1{\tau^2} + \frac1{\sigma^2 - \tau^2} = \frac{\sigma^2}{\tau^2(\sigma^2 - \tau^2)}$. Its mean is the
# mean of $x$ and $\tilde x_\sigma$, weighted with these precisions, so that $\tilde x_\sigma$ has the share
# $\frac1{\sigma^2 - \tau^2} \big/ \frac{\sigma^2}{\tau^2(\sigma^2 - \tau^2)} = \frac{\tau^2}{\sigma^2}$. A
# draw from this density is, with $\xi \sim \mathcal N(0, I)$,
#
# $$
# \tilde x_\tau = x + \frac{\tau^2}{\sigma^2}\,(\tilde x_\sigma - x) + \tau\sqrt{1 - \frac{\tau^2}{\sigma^2}}\;\xi .
# $$
#
# We do not know $x$, so we put the net's $\hat x = \mathbb E[x \mid \tilde x_\sigma]$ in its place. The
# sampler begins with noise alone and repeats this step from level to level:

# %%
source(sae.Diffusion.steps)

# %% [markdown]
# With $\hat x$ in place of $x$ the step is exact only in the limit $\tau \to \sigma$. Near this limit a
# step moves $\tilde x$ only a little towards $\hat x$, and the next step has a new $\hat x$. How much does
# the number of steps matter? The exact denoiser shows it, because with that denoiser nothing else can be
# wrong.
#
# *Predict:* with 3 steps, do points end between the clouds, or in the clouds but with wrong weights?

# %%
spread = {}
for steps in (3, 5, 20, 100):
    made = best.sample(1000, steps=steps, rng=0)
    spread[steps] = judged(made)
    print(
        f"{steps:4} steps: {spread[steps][0]:.0%} in the heavy clouds, {spread[steps][1]:.0%} near a cloud"
    )
assert abs(spread[100][0] - 0.8) < 0.05 and spread[5][0] < 0.75
assert spread[5][1] > 0.95 and spread[100][1] > 0.95
heavy, near = judged(plane.sample(1000, steps=100, rng=0))
print(f" 100 steps of the net: {heavy:.0%} in the heavy clouds, {near:.0%} near a cloud")
assert quick(abs(heavy - 0.8) < min(0.12, abs(walked - 0.8)) and near > 0.9, True)

# %% [markdown]
# Few steps find the clouds, but not their weights. And with 100 steps the same net comes nearer to 80 % than Langevin's walk,
# which called it 480 times: the walk takes 40 steps at each level, and so has the time to settle at a wrong ratio.
#
# ## "Predict the noise" is chapter 09
#
# Papers write the same model differently. DDPM ([Ho et al. 2020](bibliography.md#ho-2020)) shrinks the
# data while it adds noise, and trains the net to predict the noise. From step to step $t$ a fixed number
# $\bar\alpha_t$ falls from nearly 1 to nearly 0:
#
# $$
# x_t = \sqrt{\bar\alpha_t}\,x + \sqrt{1 - \bar\alpha_t}\;\varepsilon, \qquad
# L_{\text{simple}} = \mathbb E\,\|\varepsilon - \hat\varepsilon(x_t, t)\|^2 .
# $$
#
# Divide by $\sqrt{\bar\alpha_t}$: $x_t / \sqrt{\bar\alpha_t} = x + \sigma\varepsilon$ with $\sigma^2 =
# (1 - \bar\alpha_t)/\bar\alpha_t$. So $1 + \sigma^2 = 1/\bar\alpha_t$, and $x_t = \tilde x / \sqrt{1 +
# \sigma^2}$ is exactly what our net is given. A net that predicts the noise also predicts the data,
# because $\tilde x = \hat x + \sigma\hat\varepsilon$:
#
# $$
# \hat\varepsilon = \frac{\tilde x - \hat x}{\sigma}, \qquad
# \|\varepsilon - \hat\varepsilon\|^2 = \Big\|\frac{\tilde x - x}{\sigma} - \frac{\tilde x - \hat x}{\sigma}\Big\|^2
# = \frac{\|x - \hat x\|^2}{\sigma^2} .
# $$
#
# So the loss of DDPM *is* that of a denoising autoencoder that is told the level, with the weight
# $1/\sigma^2$. By the first section the weight does not change which answer is best. But a net of finite
# size cannot be best everywhere, and the weight decides where the net becomes good. $1/\sigma^2$ is large
# at small levels, where only details are missing. Our loss has the weight 1, so most of it comes from
# the large levels, where it is not yet decided what the image shows.
#
# ### Where a weight comes from
#
# A sampler draws $\tilde x_\tau$ from the density above with $\hat x$ in place of $x$. How far is this
# from the density with $x$? Both are normal with the variance $c^2 = \tau^2(1 - \tau^2/\sigma^2)$, and
# their means differ by $d = (1 - \tau^2/\sigma^2)(x - \hat x)$. The KL divergence of two such densities
# is $\|d\|^2 / 2c^2$:
#
# $$
# \mathrm{KL} = \frac{(1 - \tau^2/\sigma^2)^2\, \|x - \hat x\|^2}{2\,\tau^2\,(1 - \tau^2/\sigma^2)}
# = \frac12 \Big(\frac1{\tau^2} - \frac1{\sigma^2}\Big) \|x - \hat x\|^2 .
# $$
#
# The sum of these divergences over the steps, with two more terms for the first and the last level, is the
# −ELBO of a VAE with as many layers as steps ([chapter 11](11_variational.py)). The encoder of this VAE
# adds noise, and so has nothing to learn. If each level is a fixed factor below the one before,
# $\tau = \sigma / r$, the weight of $\|x - \hat x\|^2$ is $\frac12 (r^2 - 1) / \sigma^2$. This is a constant
# times $1/\sigma^2$, the weight that DDPM's loss has. So, with levels drawn uniformly in $\log\sigma$, a net that learns to predict the
# noise with weight 1 descends the bound on $-\log p(x)$ ([Kingma et al.
# 2021](bibliography.md#kingma-2021)).

# %%
x, u = ring[:500], rng.random((500, 1))
sigma = plane.low * np.exp(u * plane.span)
epsilon = rng.standard_normal(x.shape)
noisy = x + sigma * epsilon
prediction = rng.standard_normal(x.shape)  # of whatever net
noise = (noisy - prediction) / sigma
assert np.allclose(
    ((epsilon - noise) ** 2).sum(axis=1),
    ((x - prediction) ** 2).sum(axis=1) / sigma[:, 0] ** 2,
)
alpha = 1 / (1 + sigma**2)
assert np.allclose(
    np.sqrt(alpha) * x + np.sqrt(1 - alpha) * epsilon, noisy / np.sqrt(1 + sigma**2)
)
chain = np.geomspace(10, 0.05, 200)
weights = (1 / chain[1:] ** 2 - 1 / chain[:-1] ** 2) / 2
assert np.allclose(weights * chain[:-1] ** 2, ((chain[0] / chain[1]) ** 2 - 1) / 2)

# %% [markdown]
# ## An experiment: digits out of noise
#
# The preset `diffusion` is a dense net, 800-512-512-784, which predicts the logits of the clean image.
# It is trained here for a tenth of the epochs that the preset asks for, on fewer images.

# %%
data = dataset()  # strokes, or what --data names
images, epochs = quick(12_000, 1500), quick(6, 3)
train = pixels(data.train_images)[:images]
test = pixels(data.test_images)[:500]
net = PRESETS["diffusion"].build(np.random.default_rng(0))
history = sae.fit(
    net,
    train,
    epochs=epochs,
    batch_size=100,
    optimizer=warm_cosine()(2e-3, epochs * images // 100),
    progress=False,
)

# %% [markdown]
# How good is the net as a denoiser, level by level? It is compared with two formulas. The first is the best
# *linear* denoiser, $\mu + C(C + \sigma^2 I)^{-1}(\tilde x - \mu)$, with the mean and the covariance of
# the training images. The second is `Exact` on training images. No net can have a smaller loss on the
# images that `Exact` knows, because `Exact` answers with the mean of all of these from which the noisy image
# can have come.
#
# *Predict:* all three are judged on test images. At which levels is the net the best of them, and at
# which is it not?

# %%
memory = exact(train[: quick(3000, 800)], net.low, net.high)
mean = train.mean(axis=0)
values, axes_of = np.linalg.eigh(np.cov(train[:6000], rowvar=False))


def linear(noisy, sigma):
    shrink = np.maximum(values, 0) / (np.maximum(values, 0) + sigma**2)
    return mean + (noisy - mean) @ axes_of * shrink @ axes_of.T


def squared_error(made, wanted):
    return float(((made - wanted) ** 2).sum(axis=1).mean())


denoisers = {"net": net.denoise, "linear": linear, "training images": memory.denoise}
at = np.geomspace(net.low, net.high, 9)
errors = {name: [] for name in denoisers}
print("sigma       " + "".join(f"{name:>17}" for name in denoisers))
for sigma in at.tolist():
    noisy = test + sigma * np.random.default_rng(1).standard_normal(test.shape, np.float32)
    for name, denoise in denoisers.items():
        errors[name].append(squared_error(denoise(noisy, sigma), test))
    print(f"{sigma:<12.2f}" + "".join(f"{errors[name][-1]:17.1f}" for name in denoisers))
middle = 4  # σ = 0.71
others = errors["linear"][middle], errors["training images"][middle]
assert quick(errors["net"][middle] < min(others), True)
assert quick(errors["linear"][0] < errors["net"][0] < errors["training images"][0], True)

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
looks = zip(
    errors.items(), ("o-", "s--", "^:"), (plots.BLUE, plots.GREY, plots.RED), strict=True
)
for (name, values_of), line, colour in looks:
    axes.loglog(at, values_of, line, color=colour, label=name, markersize=4)
axes.axhline(squared_error(mean, test), color="black", linewidth=0.8, linestyle=":")
axes.set(xlabel="level of the noise σ", ylabel="squared error per test image")
axes.set_xticks([0.05, 0.2, 1, 5, 10], ["0.05", "0.2", "1", "5", "10"])
axes.set_yticks([1, 3, 10, 30], ["1", "3", "10", "30"])
axes.minorticks_off()
axes.legend()
show(
    drawn,
    "levels",
    "Three rising lines against the level of the noise; all come to the dotted line on the right, and on the left the one of the training images stays high.",
    "Look for the lowest curve at each level. The thin dotted line across is the mean image, which is the best answer when nothing can be seen any more.",
)

# %% [markdown]
# At the largest levels all three answer nearly with the mean image. In the middle, at $\sigma = 0.71$, the
# net is best, because it has learned what digits look like. At the smallest level the net is worse than the linear denoiser.
# At that level almost nothing should be changed, but the net has to send 784 pixels through 512 units. (A net
# that predicts the noise would not need to: $\hat x = \tilde x - \sigma\hat\varepsilon$ begins with the image.)
#
# At the smallest levels the best denoiser *of the training images* answers with the nearest of them
# (here of 3,000). For a new image this answer is wrong. The training loss asks the net for exactly this
# answer, but the net does not give it, because a net of this size, trained for so short a time, is too
# smooth to store its images. A diffusion model can make new images only because its net falls short of the
# best answer. The next cell draws images with the net and with the exact denoiser. *Predict:* for which of
# the two are the images farther from their nearest training images?

# %%
n = 8
made = {
    "the net": net.sample(100, steps=100, rng=0),
    "exact": memory.sample(n, steps=100, rng=0),
}


def nearest(images, to):
    """The squared distance of each image to the nearest of others, and which one it is."""
    distance = ((to**2).sum(axis=1) - 2 * images @ to.T) + (images**2).sum(axis=1)[:, None]
    return distance.min(axis=1), to[distance.argmin(axis=1)]


for name, images_of in made.items():
    distance = np.median(nearest(images_of, memory.X)[0])
    print(
        f"{name:<8} median squared distance to the nearest of {len(memory.X):,} training images {distance:.2f}"
    )
of_test = np.median(nearest(test, memory.X)[0])
print(f"test     {of_test:.2f}")
assert np.median(nearest(made["exact"], memory.X)[0]) < 0.1
assert quick(0.3 < np.median(nearest(made["the net"], memory.X)[0]) / of_test < 2, True)
ink = float(made["the net"].mean() / test.mean())
print(f"ink of the net's images, as a share of the test images' {ink:.2f}")
assert quick(abs(ink - 1) < 0.3, True)

# %%
way, shown = {}, (0, 45, 65, 80, 99)
for i, (sigma, noisy, guess) in enumerate(net.steps(n, steps=100, rng=1)):
    if i in shown:
        way[f"σ = {sigma:.2g}"] = noisy.reshape(n, 28, 28)
        way[f"its E[x | x̃], {sigma:.2g}"] = guess.reshape(n, 28, 28)
show(
    lambda path: plots.image_rows(way, path),
    "sampling",
    "Pairs of rows of images at five falling levels of noise: noise above and below a grey blur, which becomes eight digits from level to level.",
    "Eight images on their way out of noise. Look at the row below each: what the net takes it for is first a blur, then one digit, then its details.",
)
rows = {
    "by the net": made["the net"][:n],
    "nearest training": nearest(made["the net"][:n], memory.X)[1],
    "exact denoiser": made["exact"],
    "nearest training ": nearest(made["exact"], memory.X)[1],
}
rows = {name: each.reshape(-1, 28, 28) for name, each in rows.items()}
show(
    lambda path: plots.image_rows(rows, path),
    "new",
    "Four rows of eight digits. The first pair of rows, made by the net and the nearest training images, differ; the second pair, made with the exact denoiser, are the same.",
    "Compare each made row with the row below it. With the least possible training loss a diffusion model only repeats training images. The net's images are like the data, but are not among them.",
)

# %% [markdown]
# The net's images are not as clean as the data. `scratchae train diffusion` trains for ten times as many epochs, on all images.
#
# ## What to change for MNIST
#
# `scratchae tutorial 19 --data mnist` runs this chapter on MNIST; `scratchae train diffusion --data mnist` is the full preset, and
# draws ten images on their way out of noise, and a hundred samples.
#
# ## Exercises
#
# 1. **While reading.** Write the best denoiser of a few points, and the score that follows from it. After *Tweedie: the mean is a slope*. ★★, 15 minutes.

# %%
exercise("19_tweedie")

# %% [markdown]
# 2. **Derive** a step of the sampler, and the weight of its error in the bound. After *Where a weight comes from*. ★★, 20 minutes.

# %%
exercise("19_schedule")

# %% [markdown]
# 3. **While reading.** What does `best.sample(200, steps=2)` make, with the exact denoiser of the ring? (The first step is from
#    `high` to `low`.) After *From one level to the next, in one step*. ★, 5 minutes.
# 4. **Derive.** Differentiate Tweedie's formula once more: what is $\operatorname{Cov}[x \mid y]$ in terms of $p_s$, and what does that
#    say of the [Jacobian](mathematics.md#gradient-jacobian-hessian) of the best denoiser? After *Tweedie: the mean is a slope*. ★★★, 20 minutes.
# 5. **Derive.** The noise of the sampler can be left out: a step $\tilde x_\tau = \hat x + \frac\tau\sigma (\tilde x_\sigma - \hat x)$
#    also leads from noise $\sigma$ to noise $\tau$ ([Song, Meng and Ermon 2021](bibliography.md#song-2021), DDIM). Check this for
#    $\hat x = x$. On which random numbers does the made image then depend, and what could they be used for? After *From one level to the next, in one
#    step*. ★★, 10 minutes.
# 6. **While reading.** A net predicts the noise instead of the image. What is nearly the right output at $\sigma = 10$? How large an
#    error of $\hat x$ does an error $\delta$ of this output make? After *"Predict the noise" is chapter 09*. ★★, 10 minutes.
# 7. **Explore.** How many steps does a sampler need? Write the step of exercise 5 as a loop over levels that calls `best.denoise`, and
#    compare the share in the heavy clouds with that of `best.sample` for 3, 5, 20 and 100 steps. Then do the same with `plane`. After *From one
#    level to the next, in one step*. ★★★, 30 minutes.
#
# <details><summary>Answers</summary>
#
# 3\. At `high` $\hat x$ is nearly the mean of the data, and the step leads to noise of the size `low` around this mean. The best
# denoiser of the ring's points then answers with the point that is nearest, so 200 samples are only a few points, those nearest
# to the middle of the ring. (A net, which has seen no such input in training, may answer with the mean itself.)
#
# 4\. With $m = \mathbb E[x|y]$ the weights have the derivative $\nabla w_i = w_i\,(x_i - m) / s^2$. So the Jacobian of
# $m = \sum_i w_i x_i$ is $\sum_i w_i\, x_i (x_i - m)^\top / s^2 = \operatorname{Cov}[x|y] / s^2$. By Tweedie's formula
# $m = y + s^2 \nabla\log p_s$, so the Jacobian is also $I + s^2 \nabla^2 \log p_s$, and
# $\operatorname{Cov}[x|y] = s^2 I + s^4 \nabla^2 \log p_s$. So the Jacobian is symmetric, as is that of every field of gradients, and
# it has no negative [eigenvalue](mathematics.md#eigenvalues-trace-determinant), because a covariance has none.
#
# 5\. $x + \frac\tau\sigma\,\sigma\varepsilon = x + \tau\varepsilon$. The sampler is then a function of the first noise alone. So this
# noise is a code of the image, and one can walk between two images in it.
#
# 6\. Nearly the net's own input: $\varepsilon = (\tilde x - x) / \sigma$ differs from $\tilde x / \sigma$ by at most a tenth, as $x$ is at most 1. An
# error $\delta$ of $\hat\varepsilon$ becomes an error $\sigma\delta$ of $\hat x$, ten times as large.
#
# 7\. The folded cell has the loop. With few steps both samplers find the clouds, but not their weights.
#
# </details>

# %% tags=["hide-cell"]
# answer 4, on the 20 points
y, h, s = rng.standard_normal(2), 1e-5, 0.5
model = exact(few, 0.01, 10.0)
model.X = few
J = np.stack(
    [
        (model.denoise(y[None] + h * a, s) - model.denoise(y[None] - h * a, s))[0]
        for a in np.eye(2)
    ]
) / (2 * h)
w = np.exp(-((y - few) ** 2).sum(axis=1) / (2 * s**2))
covariance = np.cov(few.T, aweights=w, bias=True)
assert np.allclose(J, covariance / s**2, atol=1e-6) and (np.linalg.eigvalsh(J) >= 0).all()

# answer 3
made = best.sample(200, steps=2, rng=0)
assert len(np.unique(made.round(2), axis=0)) < 40


# answer 7
def without_noise(model, n, steps, rng):
    levels = np.geomspace(model.high, model.low, steps)
    y = model.high * rng.standard_normal((n, 2))
    for sigma, tau in zip(levels, [*levels[1:], 0.0], strict=True):
        guess = model.denoise(y, sigma)
        y = guess + tau / sigma * (y - guess)
    return y


for steps in (3, 5, 20, 100):
    heavy, near = judged(without_noise(best, 1000, steps, np.random.default_rng(0)))
    print(f"{steps:4} steps: {heavy:.0%} in the heavy clouds, {near:.0%} near a cloud")
    assert near > 0.95 and (steps > 5 or heavy < 0.75)

# %% [markdown]
# ## Further reading
#
# - [Ho et al. 2020](bibliography.md#ho-2020) and [Song and Ermon 2019](bibliography.md#song-2019): the same idea from two sides.
# - [Prince 2023](bibliography.md#prince-2023), chapter 18: diffusion models, step by step.
#
# ## What to read in the source next
#
# - `scratchae/models/diffusion.py`, whole: the net's input, the score, and the sampler.
# - `scratchae/presets/diffusion.py`: a dense net that makes digits.
# - `scratchae/runs/diffusion.py`: how the pictures of a run are made.
