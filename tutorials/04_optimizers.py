# %% [markdown]
# # 04 · From gradient descent to Adam
#
# *You know the slope. How far do you step, and why does nearly everyone let Adam decide?*
#
# **Time** 45 minutes to read, 25 s to run on two cores.

# %% [markdown]
# ## The question
#
# [Backpropagation](02_backpropagation.py) ends with a long vector $g$. For every [parameter](glossary.md#parameter) it says how
# fast the [loss](glossary.md#loss) grows when that parameter grows. So it says which way is down. It does not say how far
# to go, because the gradient is the slope at one place, and does not tell how far this slope goes on.
#
# The rule that turns $g$ into a step is the [optimizer](glossary.md#optimizer). This chapter builds the three that matter:
# gradient descent, momentum, and Adam. Each is built because the one before fails at something that you will measure.

# %%
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.errors import DivergenceError
from scratchae.presets.dense import deep
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)

# %% [markdown]
# All parameters together are one vector $\theta$, and their gradient is another, $g$, both of shape $(P,)$. In the library
# these are `model.parameters` and `model.gradient`, and an optimizer is a formula on them:
# `optimizer.update(parameters, gradient)` changes the parameters in place.
#
# ## A picture of it
#
# Take a long valley, $L(\theta) = \frac12 (\lambda_1 \theta_1^2 + \lambda_2 \theta_2^2)$ with the curvatures (the second
# derivatives) $\lambda = (1, 25)$. Its gradient is $g = (\lambda_1 \theta_1, \lambda_2 \theta_2)$. Here are four runs of
# twenty-five steps, all from the same place: two of gradient descent, and one each of momentum and Adam, which this chapter
# will build:

# %%
curvature = np.array([1.0, 25.0])


def descend(optimizer, steps, start=(-4.0, 1.0), curvature=curvature):
    """The places that an optimizer visits in the valley: (steps + 1, P)."""
    theta = np.array(start)
    visited = [theta.copy()]
    for _ in range(steps):
        optimizer.update(theta, curvature * theta)
        visited.append(theta.copy())
    return np.array(visited)


limit = 2 / curvature.max()
paths = {
    f"gradient descent, η = {0.25 * limit:.2f}": sae.SGD(0.25 * limit),
    f"gradient descent, η = {0.98 * limit:.3f}": sae.SGD(0.98 * limit),
    "momentum 0.7, η = 0.04": sae.SGD(0.04, momentum=0.7),
    "Adam, η = 0.5": sae.Adam(0.5),
}
drawn, grid = figure(7, 4.6, 2, 2, sharex=True, sharey=True)
across, along = np.meshgrid(np.linspace(-4.5, 1.5, 121), np.linspace(-1.7, 1.7, 81))
height = 0.5 * (curvature[0] * across**2 + curvature[1] * along**2)
for axes, (name, optimizer) in zip(grid.flat, paths.items(), strict=True):
    visited = descend(optimizer, 25)
    axes.contour(
        across,
        along,
        height,
        levels=[0.1, 0.5, 1.5, 4, 8, 14, 22],
        colors="#AAAAAA",
        linewidths=0.8,
    )
    axes.plot(*visited.T, "o-", color=plots.BLUE, markersize=3, linewidth=1)
    axes.plot(0, 0, "x", color="black", markersize=8)
    axes.set_title(name, fontsize=10)
    axes.grid(visible=False)
    loss = 0.5 * (curvature * visited[-1] ** 2).sum()
    axes.text(-4.3, -1.55, f"loss after 25 steps: {loss:.3f}", fontsize=9)
for axes in grid[-1]:
    axes.set_xlabel(r"$\theta_1$")
for axes in grid[:, 0]:
    axes.set_ylabel(r"$\theta_2$")
show(
    drawn,
    "valley",
    "Four paths in a long valley. Gradient descent with a small step reaches the floor at once and then creeps along it; "
    "with a large step it leaps from wall to wall; momentum and Adam curve along the valley to the minimum.",
    "A valley 25 times as steep across as along. The cross is the minimum. Look at the way that each path takes to the cross, "
    "and at how far it comes.",
)

# %% [markdown]
# ## Gradient descent, and how far it may step
#
# **Why against the gradient?** For a small step $\delta$, [Taylor's theorem](mathematics.md#taylors-theorem) to [first
# order](mathematics.md#first-order-change) says how much the loss changes, and the [inequality of Cauchy and
# Schwarz](mathematics.md#norms) says how much that can be at most:
#
# $$
# L(\theta + \delta) \approx L(\theta) + \underset{(1, P)}{g^\top}\, \underset{(P, 1)}{\delta},
# \qquad |g^\top \delta| \le \lVert g \rVert\, \lVert \delta \rVert \quad\text{(Cauchy–Schwarz)} .
# $$
#
# If $\delta$ points opposite to $g$, then $g^\top \delta = -\lVert g \rVert\, \lVert \delta \rVert$. So among all steps of
# one length, this one makes the loss fall most. With the [learning rate](glossary.md#learning-rate) $\eta$ this is [gradient
# descent](glossary.md#gradient-descent):
#
# $$
# \theta \leftarrow \theta - \eta\, g .
# $$
#
# **How far?** The second-order term of [the expansion](mathematics.md#taylors-theorem) tells. $H$ $(P, P)$, the
# [Hessian](mathematics.md#gradient-jacobian-hessian), holds the second derivatives of $L$. With $\delta = -\eta g$ the
# expansion is
#
# $$
# L(\theta - \eta g) \approx L(\theta) - \eta\, \lVert g \rVert^2 + \tfrac12 \eta^2\, g^\top H g .
# $$
#
# The first correction grows with $\eta$, the second with $\eta^2$. If $g^\top H g > 0$, that is if the loss bends upwards
# along $g$, they cancel at $\eta^* = 2 \lVert g \rVert^2 / g^\top H g$. Where the loss is quadratic, **a step beyond
# $\eta^*$ makes the loss larger**, although the step begins downhill. For any other loss this is only as exact as the
# second-order formula. If $g^\top H g \le 0$, there is no such limit.
#
# In the valley the formula is exact, and the two directions do not influence each other: $g_i = \lambda_i \theta_i$, so a
# step multiplies each $\theta_i$ by a number of its own. With $\theta_i^{(t)}$ for its value after $t$ steps,
#
# $$
# \theta_i \leftarrow (1 - \eta \lambda_i)\, \theta_i
# \qquad\Rightarrow\qquad \theta_i^{(t)} = (1 - \eta\lambda_i)^t\, \theta_i^{(0)} .
# $$
#
# - In this quadratic valley, gradient descent converges if and only if $|1 - \eta \lambda_i| < 1$ for all $i$, that is if
#   $0 < \eta < 2 / \lambda_{\max}$.
# - The direction with the largest $|1 - \eta\lambda_i|$ is the slowest. It is either the direction of $\lambda_{\min}$ or
#   that of $\lambda_{\max}$. The best $\eta$ makes both equal, $1 - \eta\lambda_{\min} = -(1 - \eta\lambda_{\max})$,
#   because any other $\eta$ makes one of them larger. That is $\eta = 2 / (\lambda_{\min} + \lambda_{\max})$, and then each
#   step multiplies the distance to the minimum by at most
#
# $$
# 1 - \eta\lambda_{\min} = \frac{\lambda_{\max} - \lambda_{\min}}{\lambda_{\max} + \lambda_{\min}}
# = \frac{\kappa - 1}{\kappa + 1}, \qquad \kappa = \frac{\lambda_{\max}}{\lambda_{\min}} .
# $$
#
# $\kappa$ is called the condition number. For $\kappa = 25$ the factor is 0.92; for $\kappa = 2500$ it is 0.9992.
#
# *Predict (★, 1 minute):* below are 200 steps with $\eta$ 2 % below the limit, and 200 with $\eta$ 2 % above it. How far
# from the minimum do the two end?

# %%
t = np.arange(26)[:, None]
visited = descend(sae.SGD(0.03), 25)
assert np.allclose(visited, (1 - 0.03 * curvature) ** t * visited[0])

for share in (0.98, 1.02):
    end = np.abs(descend(sae.SGD(share * limit), 200)[-1]).max()
    print(f"η = {share} · 2 / λmax: after 200 steps the parameters are at most {end:.1e}")
    assert (end < 0.1) == (share < 1)  # break it: 4 % apart, and one diverges

kappa = curvature.max() / curvature.min()
best = 2 / curvature.sum()
visited = np.abs(descend(sae.SGD(best), 200))
ratio = visited[-1] / visited[-2]
print(
    f"best η = {best:.4f}: each step leaves {ratio.max():.4f}; (κ − 1) / (κ + 1) = {(kappa - 1) / (kappa + 1):.4f}"
)
assert np.allclose(ratio, (kappa - 1) / (kappa + 1))

# %% [markdown]
# **On a real network.** Does the second-order formula say anything about an autoencoder, whose loss is not quadratic? Train
# a small one for an epoch, stop, and try steps of several lengths, in float64. $H$ is too large to write down, but
# $g^\top H g$ needs only the vector $H g$. $H$ is the Jacobian of the gradient, so $H v$ is how fast the gradient changes
# along $v$. A difference of two gradients measures this: $H v \approx \big(g(\theta + h v) - g(\theta - h v)\big) / 2h$.
#
# (The network has `ReLU` layers, $\max(0, a)$, whose weights start as `he` says: [chapter 05](05_going_deep.py) explains
# both.)
#
# *Predict (★, 1 minute):* what does the loss do at $\eta = 2\eta^*$, twice the limit?

# %%
data = dataset()
x, test = (
    pixels(images).reshape(-1, 784) for images in (data.train_images, data.test_images)
)
x, validation = x[:-1000], x[-1000:]  # learning rates are chosen by the validation images


def small_network():
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(
        sae.Dense(784, 32, init="he", rng=rng), sae.ReLU(), sae.Dense(32, 8, rng=rng)
    )
    decoder = sae.Sequential(
        sae.Dense(8, 32, init="he", rng=rng),
        sae.ReLU(),
        sae.Dense(32, 784, rng=rng),
        sae.Sigmoid(),
    )
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE())


model = small_network()
sae.fit(
    model,
    x[: quick(30_000, 15_000)],
    epochs=1,
    batch_size=128,
    optimizer=sae.SGD(0.01),
    progress=False,
)
model.to(dtype=np.float64)
few = x[:500].astype(np.float64)


def loss_and_gradient(theta):
    model.parameters[...] = theta
    return float(model.training_step(few)["loss"]), model.gradient.copy()


theta = model.parameters.copy()
loss, g = loss_and_gradient(theta)
h = 1e-6
Hg = (loss_and_gradient(theta + h * g)[1] - loss_and_gradient(theta - h * g)[1]) / (2 * h)
limit_here = 2 * (g @ g) / (g @ Hg)
print(
    f"P = {len(theta):,} parameters, loss {loss:.2f}, ‖g‖ = {np.linalg.norm(g):.1f}, η* = {limit_here:.4f}\n"
)
print("  η / η*     change of the loss:   first order   second order   measured")
for share in (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 4.0):
    eta = share * limit_here
    first, second = -eta * (g @ g), -eta * (g @ g) + 0.5 * eta**2 * (g @ Hg)
    measured = loss_and_gradient(theta - eta * g)[0] - loss
    print(f"{share:8.4f}{first:34.4f}{second:15.4f}{measured:11.4f}")
    if share <= 0.1:  # the curvature makes the prediction better
        assert abs(measured - second) < abs(measured - first)
    if share >= 2 or share == 0.5:
        assert (measured > 0) == (share > 1)
    if share <= 0.001:
        assert np.isclose(measured, first, rtol=0.01) and np.isclose(
            measured, second, rtol=1e-3
        )

# %% [markdown]
# For small steps both formulas agree with the measured change in many digits. So this is also a check of the whole gradient
# along one direction, as in [chapter 03](03_gradient_check.py#one-direction-instead-of-every-parameter). At $\eta^*$ the
# loss is about where it was before the step, and well beyond $\eta^*$ it is larger. Remember this $\eta^*$: in the
# experiment below, the best learning rate for a network of this kind is a little less than $\eta^*$, and a rate ten times
# as large ruins the network.
#
# ## A batch instead of all examples
#
# The loss is a mean over $N$ examples, so $g = \frac1N \sum_n g_n$, where $g_n$ is the gradient of the loss of example $n$.
# One step then costs a forward and a backward pass through all data. A random [batch](glossary.md#batch) of $B$ examples
# gives an estimate $g_B$ for a fraction of the work. How good is it?
#
# **Draws that are independent.** First let each example of the batch be any of the $N$ with equal odds, whatever the other
# examples of the batch are. Let $d = g_n - g$ be how far the gradient of a drawn example is from $g$. Its
# [expectation](mathematics.md#expectation-variance-covariance) is 0, because the $N$ differences add up to 0. Let $S$ be
# the expectation of its squared length,
#
# $$
# \mathbb E[d] = \frac1N \sum_n (g_n - g) = 0, \qquad S = \mathbb E \lVert d \rVert^2 = \frac1N \sum_n \lVert g_n - g \rVert^2 .
# $$
#
# The batch's gradient is a mean of $B$ such draws, so $g_B - g = \frac1B (d_1 + \dots + d_B)$. Its expectation is 0: on
# average $g_B$ is right. The square of the sum has $B$ squares and $B(B-1)$ products of two different draws, so
#
# $$
# \mathbb E \lVert g_B - g \rVert^2 = \frac1{B^2} \Big( \sum_b \mathbb E \lVert d_b \rVert^2 + \sum_{b \ne c} \mathbb E\bigl[d_b^\top d_c\bigr] \Big)
# = \frac1{B^2} (B\,S + 0) = \frac SB .
# $$
#
# The products have the expectation 0, because the draws are independent:
# $\mathbb E[d_b^\top d_c] = \mathbb E[d_b]^\top\, \mathbb E[d_c] = 0$.
#
# **Draws without repetition.** A batch holds no example twice, so two draws are not independent: they are one of the
# $N (N - 1)$ pairs of *different* examples, with equal odds. Now the products count. All $N$ differences add up to 0, so the
# square of their sum is 0:
#
# $$
# 0 = \Big\lVert \sum_n (g_n - g) \Big\rVert^2 = N S + \sum_{n \ne m} (g_n - g)^\top (g_m - g)
# \quad\Rightarrow\quad
# \mathbb E\bigl[d_b^\top d_c\bigr] = \frac{-N S}{N (N - 1)} = - \frac{S}{N - 1} .
# $$
#
# Put this into the line above:
#
# $$
# \mathbb E \lVert g_B - g \rVert^2 = \frac1{B^2} \Big( B\,S - B (B - 1)\, \frac{S}{N - 1} \Big)
# = \frac SB \cdot \frac{N - B}{N - 1} .
# $$
#
# The last factor is 0 for the whole data, $B = N$, as it should be, and nearly 1 for $B \ll N$. The noise in the gradient,
# the root of this, then falls with $1 / \sqrt B$: **four times the batch, half the noise**.

# %%
N = 128
model = small_network()
single = []
for n in range(N):
    model.training_step(x[n : n + 1])
    single.append(model.gradient.astype(np.float64))
single = np.array(single)  # (N, P), the gradient of each example
g = single.mean(axis=0)
spread = ((single - g) ** 2).sum(axis=1).mean()
model.training_step(x[:N])
# the library's mean over the batch is this mean
assert np.allclose(model.gradient, g, atol=1e-4 * np.abs(g).max())

print("batch    noise / ‖g‖, formula    measured over 400 batches")
for B in (1, 4, 16, 64, 128):
    formula = math.sqrt((N - B) / (N - 1) / B * spread) / np.linalg.norm(g)
    share = np.zeros((400, N))  # how much each example counts in each batch: 1 / B or 0
    for row in share:
        row[rng.choice(N, B, replace=False)] = 1 / B
    noise = math.sqrt((((share @ single) - g) ** 2).sum(axis=1).mean())
    measured = noise / np.linalg.norm(g)
    print(f"{B:5d} {formula:17.3f} {measured:20.3f}")
    assert np.isclose(measured, formula, rtol=0.15, atol=1e-6)

# %% [markdown]
# **Steps are not epochs.** An [epoch](glossary.md#epoch) is one pass over the data, which has $\lceil N / B \rceil$ steps.
# Some tutorials draw one batch in each turn of their loop and call 10,000 turns "10,000 epochs". These are 10,000 steps. On
# 60,000 examples these are far fewer epochs:

# %%
per_epoch = math.ceil(60_000 / 128)
print(
    f"60,000 examples in batches of 128: {per_epoch} steps in an epoch; 10,000 steps are {10_000 / per_epoch:.1f} epochs"
)
assert per_epoch == 469 and round(10_000 / per_epoch, 1) == 21.3

# %% [markdown]
# ## Momentum
#
# In the valley, gradient descent has a dilemma: $\eta$ must be small for the steep direction, and is then too small for the
# flat one. But across the valley successive gradients alternate in sign, and along it they agree. So add them up, and forget
# old ones slowly, with a factor $0 \le \mu < 1$ ([Polyak 1964](bibliography.md#polyak-1964)):
#
# $$
# v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta\, v, \qquad v, g, \theta \text{ of shape } (P,) .
# $$
#
# **Gradients that agree add up.** Unrolled, $v_t = \sum_{s \le t} \mu^{t - s} g_s$. If $g$ stays the same, $v$ becomes
# $g\,(1 + \mu + \mu^2 + \dots) = g / (1 - \mu)$. With $\mu = 0.9$ that is a step ten times as long, so compare
# $\eta = 0.01$ with momentum 0.9 to $\eta = 0.1$ without. (Some programs write $v \leftarrow \mu v + (1 - \mu) g$. Then $v$
# becomes $g$ itself, and the same $\eta$ means something else: exercise 3.)
#
# **Gradients that alternate cancel**, and we can compute how much is gained. In one direction, with curvature $\lambda$, the
# gradient is $\lambda\theta$, and a step is
#
# $$
# \begin{bmatrix} \theta \\ v \end{bmatrix} \leftarrow
# \underbrace{\begin{bmatrix} 1 - \eta\lambda & -\eta\mu \\ \lambda & \mu \end{bmatrix}}_{M\ (2, 2)}
# \begin{bmatrix} \theta \\ v \end{bmatrix} .
# $$
#
# Why do the [eigenvalues](mathematics.md#eigenvalues-trace-determinant) of $M$ say how fast this converges? After $t$ steps
# the pair $(\theta, v)$ is $M^t$ times the start. If the two eigenvalues differ, write the start as a sum of two
# eigenvectors. Each step multiplies each of them by its eigenvalue $r$, so after $t$ steps it is $r^t$ times as long. So
# the distance to the minimum falls, in the long run, like $|r|^t$ with the larger of the two $|r|$.
#
# The trace of $M$ is $s = 1 + \mu - \eta\lambda$, and its determinant is $(1 - \eta\lambda)\mu + \eta\mu\lambda = \mu$. The
# sum of the eigenvalues is the trace, and their product is the determinant, so they are the roots of $r^2 - s r + \mu = 0$:
#
# $$
# r = \tfrac12 \Big( s \pm \sqrt{s^2 - 4\mu} \Big) .
# $$
#
# If $s^2 < 4\mu$, the two are complex and conjugate. Then they have the same absolute value. Their product is $\mu$, so
# each has the absolute value $\sqrt\mu$: in the long run each step multiplies the distance by $\sqrt\mu$, *whatever the
# curvature*. The condition $(1 + \mu - \eta\lambda)^2 < 4\mu$ says that $1 + \mu - \eta\lambda$ lies between $-2\sqrt\mu$
# and $2\sqrt\mu$. Because $1 + \mu \pm 2\sqrt\mu = (1 \pm \sqrt\mu)^2$, this is the same as
#
# $$
# (1 - \sqrt\mu)^2 < \eta\lambda < (1 + \sqrt\mu)^2 .
# $$
#
# Choose $\eta$ and $\mu$ so that all curvatures fit into this window: $\eta\lambda_{\min} = (1 - \sqrt\mu)^2$ and
# $\eta\lambda_{\max} = (1 + \sqrt\mu)^2$. The root of the quotient of the two is
# $\sqrt\kappa = (1 + \sqrt\mu) / (1 - \sqrt\mu)$. Solve for $\sqrt\mu$:
#
# $$
# \sqrt\mu = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}
# $$
#
# This is the factor of gradient descent with $\sqrt\kappa$ in place of $\kappa$. For $\kappa = 2500$ a step multiplies the
# distance by 0.961 instead of 0.9992, so momentum needs fifty times fewer steps in the long run. (At the two ends of the
# window the two eigenvalues coincide, and the distance falls like $t\,\sqrt\mu^{\,t}$. The factor $t$ costs some more
# steps, but $\sqrt\mu^{\,t}$ falls faster than $t$ grows.) Momentum diverges too, if $\eta\lambda_{\max} > 2 (1 + \mu)$.
# Then $r^2 - sr + \mu$ is $1 + s + \mu = 2(1 + \mu) - \eta\lambda < 0$ at $r = -1$, so $-1$ lies between the two
# eigenvalues, and one of them is below $-1$.

# %%
for mu, eta_lambda in ((0.5, 0.3), (0.9, 1.0), (0.9, 3.7)):
    # with v measured in units of 1 / η
    matrix = np.array([[1 - eta_lambda, -mu], [eta_lambda, mu]])
    assert np.allclose(np.abs(np.linalg.eigvals(matrix)), math.sqrt(mu))
for eta_lambda, stable in ((3.79, True), (3.81, False)):  # 2 (1 + μ) = 3.8
    end = descend(
        sae.SGD(eta_lambda, momentum=0.9), 2000, start=(1.0,), curvature=np.array([1.0])
    )[-1]
    assert (abs(end[0]) < 1) == stable

print("condition     steps to 1e-6 of the distance")
print("number κ      gradient descent    momentum")
for kappa in (25, 400, 2500):
    ends = np.array([1.0, float(kappa)])
    plain_rate, root = (
        (kappa - 1) / (kappa + 1),
        (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1),
    )
    counts = []
    for optimizer, rate in (
        (sae.SGD(2 / ends.sum()), plain_rate),
        (sae.SGD((1 + root) ** 2 / kappa, momentum=root**2), root),
    ):
        visited = np.abs(descend(optimizer, int(20 / (1 - rate)), (1.0, 1.0), ends)).max(
            axis=1
        )
        counts.append(int(np.flatnonzero(visited > 1e-6)[-1]) + 1)
    print(f"{kappa:8,d} {counts[0]:15,d} {counts[1]:15,d}")
    assert np.isclose(counts[0], math.log(1e-6) / math.log(plain_rate), rtol=0.02)
    assert counts[1] < 2 * math.log(1e-6) / math.log(root)

# %% [markdown]
# The library has one formula for both; without momentum, `v` is `None`:

# %%
source(sae.SGD.formula)

# %% [markdown]
# ## Adam
#
# Momentum has one $\eta$ for all parameters. In a network, the biases, the first layer and the last layer have gradients of
# very different size, so each would need a rate of its own. And $\eta$ depends on how the loss is *scaled*: multiply the
# loss by 784, and gradient descent steps 784 times as far. Adam ([Kingma and Ba 2015](bibliography.md#kingma-2015)) divides
# each component of the gradient by its own typical size. All operations are element by element, all vectors $(P,)$,
# $t = 1, 2, \dots$:
#
# $$
# \begin{aligned}
# m &\leftarrow \beta_1 m + (1 - \beta_1)\, g && \text{a mean of the gradient} \\
# v &\leftarrow \beta_2 v + (1 - \beta_2)\, g^2 && \text{a mean of its square} \\
# \hat m &= m / (1 - \beta_1^t), \quad \hat v = v / (1 - \beta_2^t) && \text{the bias corrections} \\
# \theta &\leftarrow \theta - \eta\, \hat m / (\sqrt{\hat v} + \varepsilon)
# \end{aligned}
# $$
#
# The usual values are $\beta_1 = 0.9$, $\beta_2 = 0.999$ and $\varepsilon = 10^{-8}$. So $m$ is a mean over about the last
# $1 / (1 - \beta_1) = 10$ steps, and $v$ over about the last 1000.
#
# **Why the correction?** $m$ starts at 0 and is too small at first. (This error is the *bias* that is corrected. It has
# nothing to do with the bias $b$ of a layer.) Unrolled, $m_t = (1 - \beta_1) \sum_{s=1}^{t} \beta_1^{t-s} g_s$. If the
# expected gradient stays $\mathbb E[g]$ over these steps, the geometric sum gives
#
# $$
# \mathbb E[m_t] = (1 - \beta_1)\, \frac{1 - \beta_1^t}{1 - \beta_1}\, \mathbb E[g] = (1 - \beta_1^t)\, \mathbb E[g],
# $$
#
# so $\hat m$ has the right mean, and for the same reason $\hat v$ has. At the first step $\hat m = g$ and $\hat v = g^2$, so
# each parameter moves by $\eta\, g / |g| = \pm\eta$, whatever its gradient. Without the corrections the first step would be
# $\eta\, (1 - \beta_1) / \sqrt{1 - \beta_2} = 3.16\, \eta$, which is too large, just when least is known.
#
# **How large is a step?** $|\hat m| / \sqrt{\hat v}$ is about 1 if the gradients agree, and small if they are mostly noise.
# So $\eta$ is roughly *how far each parameter may move in a step*, in the parameter's own units. That is why one value,
# $10^{-3}$, is a usable first guess for so many networks, and why it makes no sense to use Adam's value for gradient
# descent.
#
# **The library's form.** The library puts both corrections into two numbers, so that each step reads and writes the vectors
# less often. With $c = \sqrt{1 - \beta_2^t}$, $\sqrt{\hat v} = \sqrt v / c$, and
#
# $$
# \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon}
# = \frac{\eta}{1 - \beta_1^t} \cdot \frac{m}{\sqrt v / c + \varepsilon}
# = \underbrace{\frac{\eta\, c}{1 - \beta_1^t}}_{\text{step}} \cdot \frac{m}{\sqrt v + \underbrace{\varepsilon c}_{\hat\varepsilon}} .
# $$

# %%
source(sae.Adam.coefficients, sae.optimizers.adam)


# %%
def textbook_adam(gradients, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, corrected=True):
    """Where Adam goes, from 0, given the gradients (T, P): the four lines above, as they stand."""
    theta, m, v = (np.zeros(gradients.shape[1]) for _ in range(3))
    visited = []
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t) if corrected else m
        v_hat = v / (1 - beta2**t) if corrected else v
        theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
        visited.append(theta)
    return np.array(visited)


sizes = 10.0 ** rng.uniform(-4, 3, 50)  # of very different size
gradients = rng.standard_normal((100, 50)) * sizes
theta, optimizer = np.zeros(50), sae.Adam(1e-3)
for g, expected in zip(gradients, textbook_adam(gradients), strict=True):
    optimizer.update(theta, g)
    assert np.allclose(theta, expected, rtol=1e-9, atol=1e-15)
print("100 steps of the library's Adam are the textbook's, to 9 digits")

first = textbook_adam(gradients[:1])[0]
assert np.allclose(np.abs(first), 1e-3, rtol=0.05)  # ±η, for gradients of any size
raw = textbook_adam(gradients[:1], corrected=False)[0]
print(
    f"first step, in units of η: {np.abs(first).mean() / 1e-3:.2f}; without the corrections {np.abs(raw).mean() / 1e-3:.2f}"
)
# break it: 3.16 times too far
assert np.isclose(np.abs(raw).max() / 1e-3, 0.1 / math.sqrt(0.001), rtol=0.01)

constant = np.full((30, 1), 0.7)
m = 0.0
for t, g in enumerate(constant[:, 0], start=1):
    m = 0.9 * m + 0.1 * g
    assert np.isclose(m, (1 - 0.9**t) * 0.7)  # E[m] = (1 − β₁ᵗ) E[g]

# %% [markdown]
# **The loss scale.** This library sums the squared error over the pixels. Many programs take the mean over them as well.
# The two gradients differ by a factor of 784, the number of pixels. Here the same network is trained both ways.
#
# *Predict (★, 1 minute):* the table has a line for each optimizer. Which of the three lines will show the same number
# twice?


# %%
class PerPixel(sae.MSE):
    """Squared error, averaged over the pixels too: 1 / 784 of this library's."""

    def __call__(self, prediction, target):
        value, gradient = super().__call__(prediction, target)
        return value / 784, gradient / 784


def after_an_epoch(optimizer, loss):
    """Squared error per test image, summed over pixels."""
    model = small_network()
    model.loss = loss
    sae.fit(
        model,
        x[: quick(30_000, 10_000)],
        epochs=1,
        batch_size=128,
        optimizer=optimizer,
        progress=False,
    )
    return float(((model.reconstruct(test) - test) ** 2).sum(axis=1).mean())


mean_image = float(((x.mean(axis=0) - test) ** 2).sum(axis=1).mean())
print(f"the mean image, for comparison: {mean_image:.2f}")
print("optimizer                loss: sum over pixels    mean over pixels")
scale = {}
for name, make in (
    ("gradient descent, 0.01", lambda: sae.SGD(0.01)),
    ("the same, 0.01 · 784", lambda: sae.SGD(7.84)),
    ("Adam, 0.001", lambda: sae.Adam(1e-3)),
):
    scale[name] = [
        math.nan
        if name.endswith("784") and loss is not PerPixel
        else after_an_epoch(make(), loss())
        for loss in (sae.MSE, PerPixel)
    ]
    print(f"{name:<24} {scale[name][0]:21.2f} {scale[name][1]:19.2f}".replace("nan", "  -"))
summed, averaged = scale["gradient descent, 0.01"]
# averaged, it is still at the start
assert mean_image < averaged and quick(summed < 0.9 * mean_image, True)
assert np.isclose(scale["the same, 0.01 · 784"][1], summed, rtol=0.02)
assert np.isclose(*scale["Adam, 0.001"], rtol=0.05)

# %% [markdown]
# With gradient descent, the rate that was right for the sum leaves the network almost where it started when the loss is a
# mean. Adam gives the same result for both.
#
# **Where Adam does notice the scale.** The scale cancels as long as $\varepsilon$ is small beside $\sqrt{\hat v}$. Make the
# loss smaller until the gradients are about $10^{-8}$, and the steps become shorter: for $g = \varepsilon$, by half. That
# happens with averaged losses, with tiny weights of a loss term, or in half precision, and it looks like a learning rate
# that is too small.

# %%
for size in (1.0, 1e-6, 1e-8, 1e-10):
    step = np.abs(textbook_adam(np.full((1, 1), size))).item() / 1e-3
    print(f"gradient {size:g}: first step {step:.4f} η")
    assert np.isclose(step, size / (size + 1e-8))

# %% [markdown]
# **Relatives.** These are the other names that you will meet, each with its difference from what you have derived:
#
# | name | the difference |
# | --- | --- |
# | Nesterov's momentum | $g$ is computed at $\theta - \eta\mu v$, where momentum alone would lead, and not at $\theta$ ([Sutskever et al. 2013](bibliography.md#sutskever-2013)) |
# | RMSprop | Adam without the mean of the gradient and without the corrections: $\theta \leftarrow \theta - \eta\, g / (\sqrt v + \varepsilon)$ |
# | weight decay | a term $\frac\lambda2 \lVert\theta\rVert^2$ in the loss, which adds $\lambda\theta$ to $g$: large weights cost something ($\lambda$ is a number that you choose here, not a curvature) |
# | AdamW | Adam with $\theta \leftarrow (1 - \eta\lambda)\,\theta$ before each step in place of that term, so that the decay does not pass through $m$ and $v$ ([Loshchilov and Hutter 2019](bibliography.md#loshchilov-2019)); the library's `weight_decay` |

# %% [markdown]
# ## The code
#
# All optimizers share this code. It *clips* the gradient if asked (shortens a gradient that is too long), decays the
# weights if asked, and then applies the formula. The formula is applied block by block, so that the vectors stay in the
# processor's cache.

# %%
source(sae.optimizers.Optimizer.update, sae.optimizers.Optimizer.apply, sae.Cosine)

# %% [markdown]
# ## Checking it
#
# An optimizer has no gradient of its own to check. Three things can be checked: that it is the formula (above, against the
# textbook's lines), that the loss falls where it must (in the valley), and that the gradient which it is given is right.

# %%
tiny = sae.Autoencoder(
    sae.Sequential(
        sae.Dense(6, 4, init="he", rng=rng), sae.ReLU(), sae.Dense(4, 2, rng=rng)
    ),
    sae.Sequential(sae.Dense(2, 6, rng=rng), sae.Sigmoid()),
    loss=sae.MSE(),
)
report = sae.check_gradients(tiny, rng.random((5, 6)))
print(report)
assert report.passed

# %% [markdown]
# ## An experiment: the learning rate is a power of ten
#
# We train the network of the preset `deep` (784-128-64-32 and back) for one epoch of 20,000 images, with each optimizer, at
# learning rates that are equally spaced *on a logarithmic scale*. $\eta$ multiplies, so its ratio matters: from 0.001 to
# 0.002 is as far as from 0.1 to 0.2. If you choose a rate by some images, you fit it to these images. So we choose it by
# the *validation* images, and the test images judge the choice once, at the end.
#
# *Predict (★, 2 minutes):* each curve has a minimum. Which of the three is lowest, and which lies farthest to the right?

# %%
train = x[: quick(20_000, 7_500)]
rates = 10.0 ** np.arange(-5, 0.5, quick(0.5, 1.0))
makers = {
    "gradient descent": sae.SGD,
    "momentum 0.9": lambda lr: sae.SGD(lr, momentum=0.9),
    "Adam": sae.Adam,
}


def trained(optimizer, data, epochs):
    """The network after training, or None if its loss went to infinity."""
    model = deep(np.random.default_rng(0))
    try:
        sae.fit(
            model, data, epochs=epochs, batch_size=128, optimizer=optimizer, progress=False
        )
    except DivergenceError:
        return None
    return model


def error_of(model, images):
    """Squared error per image, summed over pixels."""
    return math.inf if model is None else sae.evaluate(model, images)["loss"]


errors = {
    name: np.array(
        [error_of(trained(make(lr), train, 1), validation) for lr in rates.tolist()]
    )
    for name, make in makers.items()
}
print("η        " + "".join(f"{name:>18}" for name in errors))
for i, lr in enumerate(rates):
    print(f"{lr:<9.0e}" + "".join(f"{errors[name][i]:18.1f}" for name in errors))

drawn, axes = figure(6.4, 3.9)
for (name, values), colour, look in zip(
    errors.items(), (plots.RED, "black", plots.BLUE), ("s--", "^:", "o-"), strict=True
):
    axes.plot(rates, values, look, color=colour, label=name, markersize=5)
axes.axhline(mean_image, color=plots.GREY, linewidth=1)
axes.text(
    1.1e-5, mean_image * 0.93, "the mean image", va="top", fontsize=9, color=plots.GREY
)
axes.set(
    xscale="log",
    yscale="log",
    xlabel="learning rate η",
    ylabel="squared error per validation image, after an epoch",
)
axes.set_yticks([15, 20, 30, 50, 100, 200], ["15", "20", "30", "50", "100", "200"])
axes.minorticks_off()
axes.legend(fontsize=9)
show(
    drawn,
    "rates",
    "Validation error against learning rate, both logarithmic, for three optimizers. Each curve is a valley: slow on the left, "
    "unstable on the right. Adam's is the deepest and lies near 0.003, momentum's near 0.003, gradient descent's near 0.01.",
    "Each optimizer has its own range of useful learning rates, and each range is about a power of ten wide. Look at the lowest "
    "point of each curve.",
)
for name, values in errors.items():
    useful = rates[values < 1.5 * values.min()]
    print(
        f"{name:<17} best η = {rates[values.argmin()]:.0e}, error {values.min():5.1f}; "
        f"within 1.5 times that: {useful.min():.0e} to {useful.max():.0e}"
    )
    # a linear grid 0.1, 0.2, …, 1 would miss it
    assert useful.max() <= 32 * useful.min() and useful.max() < 0.1
ranking = (
    min(errors["Adam"]) < min(errors["momentum 0.9"]) < min(errors["gradient descent"])
)
assert quick(ranking, True)

# %% [markdown]
# Read the picture from the left. With a rate that is too small, little happens in one epoch. Then, for gradient descent and
# for momentum, the curve is flat near the error of the mean image, because the biases have learned and the weights have
# not. Then comes the minimum; that of gradient descent is at 0.01, a little below $\eta^*$, and the error rises soon after.
# Then the rate is too large: the error jumps, because ReLUs stay at 0 and sigmoids at 0 or 1 ([chapter
# 05](05_going_deep.py)), and it may never come down again. A search on a linear grid, 0.1, 0.2, …, 1, would have put all
# its points into this last range.
#
# **A rate that falls.** At a constant rate the parameters move to and fro around the minimum, by about the length of a
# step. So a large rate is best at first and a small one at the end. The library's `Cosine` falls along half a cosine,
# $\eta_t = \eta \cdot \frac12 \big(1 + \cos(\pi t / T)\big)$, over $T$ steps. A large rate at the very start has a price of
# its own: $v$ is a mean of few gradients then, and a long step can switch units off for good. So the rate may rise first,
# in a straight line, which is called a *warm-up*. A *schedule* says which rate each step has. Here are five of them for
# Adam:
#
# *Predict (★, 1 minute):* which helps more, the falling rate or the warm-up? Or do you need both?

# %%
epochs = quick(4, 2)
per_epoch = math.ceil(len(x) / 128)
steps = epochs * per_epoch
warmup = steps // 10
schedule = sae.Cosine(0.01, steps)
assert np.allclose(
    [schedule(t) for t in range(steps)],
    [0.01 * 0.5 * (1 + math.cos(math.pi * t / steps)) for t in range(steps)],
)


def learning_curve(lr):
    """The network after training with Adam, and the loss of every step."""
    model, optimizer, losses = deep(np.random.default_rng(0)), sae.Adam(lr), []
    for order in (
        np.random.default_rng(epoch).permutation(len(x)) for epoch in range(epochs)
    ):
        for first in range(0, len(x), 128):
            losses.append(float(model.training_step(x[order[first : first + 128]])["loss"]))
            optimizer.update(model.parameters, model.gradient)
    return model, np.array(losses)


schedules = {
    "0.003 throughout": 3e-3,
    "0.01 throughout": 0.01,
    "0.01 after a warm-up": lambda t: 0.01 * min(1.0, (t + 1) / warmup),
    "0.01, falling to 0": sae.Cosine(0.01, steps),
    "warm-up, then falling": sae.Cosine(0.01, steps, warmup=warmup),
}


def dead_units(model):
    """How many ReLU units give 0 for every validation image."""
    y, dead = validation, 0
    for layer in (*model.encoder.layers, *model.decoder.layers):
        y = layer.forward(y)
        if isinstance(layer, sae.ReLU):
            dead += int((y.max(axis=0) == 0).sum())
    return dead


runs = {name: learning_curve(lr) for name, lr in schedules.items()}
results = {name: error_of(model, validation) for name, (model, _) in runs.items()}
dead = {name: dead_units(model) for name, (model, _) in runs.items()}
print(f"after {epochs} epochs        squared error per validation image   dead units")
for name, error in results.items():
    print(f"{name:<22} {error:34.2f} {dead[name]:12d}")
chosen = min(results, key=results.get)
print(f"chosen: {chosen}; on the test images {error_of(runs[chosen][0], test):.2f}")
if data_name() == "strokes":
    assert quick(chosen == "warm-up, then falling", True)
    assert quick(results["0.01 after a warm-up"] < results["0.01, falling to 0"], True)
    assert quick(results["0.01, falling to 0"] > 0.8 * results["0.01 throughout"], True)
    for without, with_warmup in (
        ("0.01 throughout", "0.01 after a warm-up"),
        ("0.01, falling to 0", "warm-up, then falling"),
    ):
        assert quick(dead[without] > 1.3 * dead[with_warmup], True)

# %% tags=["hide-input"]
drawn, axes = figure(6.4, 3.9)
looks = (
    (plots.GREY, ":"),
    (plots.RED, "--"),
    (plots.ORANGE, "-."),
    ("black", "-"),
    (plots.BLUE, "-"),
)
for (name, (_, losses)), (colour, look) in zip(runs.items(), looks, strict=True):
    window = per_epoch // 10
    means = losses[: len(losses) // window * window].reshape(-1, window).mean(axis=1)
    place = (np.arange(len(means)) + 0.5) * window / per_epoch
    width = 2.2 if name == "warm-up, then falling" else 1.4
    axes.plot(place, means, look, color=colour, linewidth=width, label=name)
axes.set(yscale="log", xlabel="epoch", ylabel="squared error per training image")
axes.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
axes.minorticks_off()
axes.legend(fontsize=9)
show(
    drawn,
    "curves",
    "Five falling learning curves on a logarithmic scale. The two with a warm-up begin highest, are lowest after one epoch, and "
    "end lowest; the lowest of all is the one whose rate falls as well.",
    "Learning curves; each point is a mean over a tenth of an epoch. Look at the left end, where the two runs with a warm-up are the highest, "
    "and at the first epoch, after which they are the lowest.",
)

# %% [markdown]
# The warm-up helps more than the falling rate, and the table says why. Without a warm-up, the first long steps switch many
# more units off. A ReLU that gives 0 for every image has the slope 0 for every image, so its weights get no gradient and it
# stays off. A rate that falls later cannot undo this, and alone it is hardly better than the same rate throughout. After a
# warm-up a falling rate helps: both together come out best. This is one run of each, with one seed, so try others (exercise
# 10). The preset `science2006` uses both.
#
# ## What to change for MNIST
#
# `scratchae tutorial 4 --data mnist` runs this chapter on MNIST, in about 30 s. `scratchae train deep --data mnist` (10
# epochs) reached 8.6 per test image in one run, squared error summed over the pixels, with Adam at 0.001 throughout; other
# seeds gave 8.2 and 9.4 (`benchmarks/README.md`).
#
# ## Exercises
#
# ### From memory
#
# The questions give the formulas. Write the code from memory, and look at the chapter's code afterwards.
#
# 1. Momentum. After *Momentum*. ★, 5 minutes.

# %%
exercise("04_momentum")

# %% [markdown]
# 2. Adam. After *Adam*. ★, 10 minutes.

# %%
exercise("04_adam")

# %% [markdown]
# ### Derive and write
#
# 3. Momentum with a mean of the gradients in place of their sum, and the learning rate with which it takes the same path.
#    After *Momentum*. ★★, 15 minutes.

# %%
exercise("04_mean_momentum")

# %% [markdown]
# 4. Adam with weight decay of both kinds is exercise `20_weight_decay`, in [chapter 20](20_overfitting_and_choosing.py).
#    After *Relatives*. ★★, 20 minutes.
#
# On paper:
#
# 5. ★★ Rescale the parameters: $\theta = s\,\phi$, and do gradient descent on $\phi$. Which $\eta$ gives the same path in
#    $\theta$? After *Gradient descent*. 10 minutes.
# 6. ★ You double the batch size and keep the number of epochs. How many steps are left, and what happens to the noise of
#    each? After *A batch instead of all examples*. 3 minutes.
# 7. ★★★ A gradient component alternates, $+1, -1, +1, \dots$ What is the length of Adam's steps in the long run? Of
#    momentum's? After *Adam*. 20 minutes.
# 8. ★★ Halve the loss. What changes for Adam, if `weight_decay` is set, which is *decoupled* (it does not pass through $m$
#    and $v$)? And if decay were a term $\frac\lambda2 \lVert\theta\rVert^2$ of the loss, whose weight $\lambda$ stays as it
#    is? After *Relatives*. 10 minutes.
# 9. ★★★★ For $\eta\lambda$ above the window the eigenvalues of momentum are real. Show that both lie between $-1$ and 0 as
#    long as $\eta\lambda < 2(1 + \mu)$, so that momentum converges there. After *Momentum*. 25 minutes.
#
# ### Explore
#
# 10. ★ Run the five schedules with three other seeds. Which order of them is the same each time? 10 minutes.
# 11. ★★ Draw the picture of the valley for Adam with $\eta = 0.1$ and 2, and for momentum 0.99. What does the best of them
#     look like, and how far is it from the minimum after 200 steps? 15 minutes.
# 12. ★★★ Measure the noise of the gradient of `small_network` after 0, 1 and 5 epochs, beside $\lVert g \rVert$. From when
#     on is the noise of a batch of 128 larger than the gradient? What follows for the choice of $B$ and $\eta$ late in
#     training? 40 minutes.

# %% tags=["hide-cell"]
s, eta = 3.0, 0.02
phi, path = np.array([-4.0, 1.0]) / s, descend(sae.SGD(eta), 10)
for place in path:
    assert np.allclose(s * phi, place)
    phi -= eta / s**2 * s * (curvature * s * phi)  # ∂L/∂φ = s ∂L/∂θ
print("5. η / s²: the gradient grows by s, and the same step in θ is 1 / s of it in φ")

alternating = np.tile([[1.0], [-1.0]], (3000, 1))
visited = textbook_adam(alternating)[:, 0]
swing = np.abs(np.diff(visited)[-10:]).mean() / 1e-3
theta, optimizer, heavy = np.zeros(1), sae.SGD(1.0, momentum=0.9), []
for g in alternating[:200]:
    optimizer.update(theta, g)
    heavy.append(theta.item())
swing_heavy = np.abs(np.diff(heavy)[-10:]).mean()
print(
    f"7. Adam {swing:.4f} η = (1 − β₁) / (1 + β₁); momentum {swing_heavy:.4f} η = 1 / (1 + μ)"
)
assert np.isclose(swing, 0.1 / 1.9, rtol=0.01) and np.isclose(
    swing_heavy, 1 / 1.9, rtol=1e-3
)

for mu in (0.3, 0.9):
    for eta_lambda in np.linspace((1 + math.sqrt(mu)) ** 2, 2 * (1 + mu), 50)[1:-1]:
        matrix = np.array([[1 - eta_lambda, -mu], [eta_lambda, mu]])
        assert ((roots := np.linalg.eigvals(matrix)) < 0).all() and (roots > -1).all()
print("9. all eigenvalues on a grid of the interval lie between -1 and 0")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 5\. $\eta / s^2$. The derivative by $\phi$ is $s$ times that by $\theta$, and a step in $\phi$ is $1/s$ of the same step in
# $\theta$.
#
# 6\. Half as many, each with $1/\sqrt2$ of the noise. To get as far, each must go further, which is why people raise $\eta$
# with the batch size.
#
# 7\. Let $m$ be $+c$ after a positive gradient and $-c$ after a negative one. Then $c = -\beta_1 c + (1 - \beta_1)$, so
# $c = (1 - \beta_1)/(1 + \beta_1)$. And $\hat v = 1$, so Adam's steps are $c\,\eta = 0.053\,\eta$. For momentum
# $c = -\mu c + 1$, so its steps are $\eta/(1 + \mu)$.
#
# 8\. With decoupled decay nothing changes, because it does not pass through $m$ and $v$, and in these the factor ½ cancels.
# If the decay is a term of the loss and its $\lambda$ stays, then $g$ is half the gradient of the data plus all of
# $\lambda\theta$. Adam divides by the size of this sum, so only the shares count, and the share of the decay has become
# larger, up to twice as large.
#
# 9\. Above the window $s = 1 + \mu - \eta\lambda < -2\sqrt\mu$, so the sum of the real roots is negative, and their product
# $\mu$ is positive: both are negative. The parabola $r^2 - sr + \mu$ is $1 + s + \mu = 2(1 + \mu) - \eta\lambda > 0$ at
# $r = -1$, so $-1$ lies on the same side of both roots. It is not between them. It lies below both, because their product
# $\mu$ is less than 1, so one of them at least is above $-1$.
#
# </details>
#
# ## Further reading
#
# - [Kingma and Ba 2015](bibliography.md#kingma-2015): Adam. [Loshchilov and Hutter 2019](bibliography.md#loshchilov-2019):
#   decoupled weight decay; [2017](bibliography.md#loshchilov-2017): the cosine.
# - [Sutskever et al. 2013](bibliography.md#sutskever-2013): what momentum and initialisation do together.
# - [Goodfellow et al. 2016](bibliography.md#goodfellow-2016), chapter 8: optimization of deep models.
#
# ## What to read in the source next
#
# - `scratchae/optimizers/descent.py`: the three optimizers, in order of increasing complexity; beside it the schedules.
# - `scratchae/training/fit.py`: the loop around them, `one_epoch` first.
# - `scratchae/models/parameters.py`: how all parameters come to lie in one vector.
#
# Then [chapter 05](05_going_deep.py): an optimizer can only use the gradients that reach it.
