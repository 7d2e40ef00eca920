# %% [markdown]
# # 04 · From gradient descent to Adam
#
# *You know the slope. How far do you step, and why does nearly everyone let Adam decide?*
#
# **Time** 45 minutes to read, 20 s to run on two cores.

# %% [markdown]
# ## The question
#
# [Backpropagation](02_backpropagation.py) ends with a long vector $g$: for every [parameter](glossary.md#parameter), how
# much the [loss](glossary.md#loss) grows when that parameter grows. It says which way is down. It says nothing about how far
# to go, and "as far as it is downhill" is not something that you can see from where you stand.
#
# The rule that turns $g$ into a step is the [optimizer](glossary.md#optimizer). This chapter builds the three that matter, each
# because the one before fails at something that you will measure: gradient descent, momentum, Adam.

# %%
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.errors import DivergenceError
from scratchae.presets.dense import deep
from scratchae.tutorial import dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)

# %% [markdown]
# All parameters together are one vector $\theta$, and their gradient is another, $g$, both of shape $(P,)$. In the library these
# are `model.parameters` and `model.gradient`, and an optimizer is a formula on them:
# `optimizer.update(parameters, gradient)` changes the first in place.
#
# ## A picture of it
#
# A long valley: $L(\theta) = \frac12 (\lambda_1 \theta_1^2 + \lambda_2 \theta_2^2)$ with curvatures $\lambda = (1, 25)$. Its gradient is
# $g = (\lambda_1 \theta_1, \lambda_2 \theta_2)$. Twenty-five steps of four optimizers, all from the same place:

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
    "A valley 25 times as steep across as along. The cross is the minimum.",
)

# %% [markdown]
# ## Gradient descent, and how far it may step
#
# **Why against the gradient?** For a small step $\delta$, by [Taylor's theorem](mathematics.md#taylors-theorem) to [first order](mathematics.md#first-order-change)
# and the [inequality of Cauchy and Schwarz](mathematics.md#norms),
#
# $$
# L(\theta + \delta) \approx L(\theta) + \underset{(1, P)}{g^\top}\, \underset{(P, 1)}{\delta},
# \qquad |g^\top \delta| \le \lVert g \rVert\, \lVert \delta \rVert \quad\text{(Cauchy–Schwarz)} .
# $$
#
# Among all steps of one length, $g^\top\delta$ is most negative for $\delta$ opposite to $g$. So
# [gradient descent](glossary.md#gradient-descent) is, with the [learning rate](glossary.md#learning-rate) $\eta$,
#
# $$
# \theta \leftarrow \theta - \eta\, g .
# $$
#
# **How far?** The second-order term of [the expansion](mathematics.md#taylors-theorem) tells. $H$ $(P, P)$, the
# [Hessian](mathematics.md#gradient-jacobian-hessian), holds the second derivatives of $L$:
#
# $$
# L(\theta - \eta g) \approx L(\theta) - \eta\, \lVert g \rVert^2 + \tfrac12 \eta^2\, g^\top H g .
# $$
#
# The first correction grows with $\eta$, the second with $\eta^2$. If $g^\top H g > 0$, that is if the loss bends upwards along
# $g$, they cancel at $\eta^* = 2 \lVert g \rVert^2 / g^\top H g$. Where the loss is quadratic, **a step beyond $\eta^*$ makes it
# larger**, although the step goes downhill. Any other loss need only do so as far as the second-order formula describes it. If
# $g^\top H g \le 0$ there is no such limit.
#
# In the valley this is exact, and each direction is on its own. $g_i = \lambda_i \theta_i$, so a step multiplies:
#
# $$
# \theta_i \leftarrow (1 - \eta \lambda_i)\, \theta_i
# \qquad\Rightarrow\qquad \theta_i^{(t)} = (1 - \eta\lambda_i)^t\, \theta_i^{(0)} .
# $$
#
# - In this quadratic valley it converges if and only if $|1 - \eta \lambda_i| < 1$ for all $i$, that is $0 < \eta < 2 / \lambda_{\max}$.
# - The slowest direction decides. The best $\eta$ makes the two extremes equal, $1 - \eta\lambda_{\min} = -(1 - \eta\lambda_{\max})$,
#   so $\eta = 2 / (\lambda_{\min} + \lambda_{\max})$, and each step then leaves
#
# $$
# \frac{\kappa - 1}{\kappa + 1}, \qquad \kappa = \frac{\lambda_{\max}}{\lambda_{\min}}
# $$
#
# of the distance. $\kappa$ is the condition number. For $\kappa = 25$ this is 0.92; for $\kappa = 2500$ it is 0.9992.

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
# **On a real network.** Does the second-order formula say anything about an autoencoder, whose loss is no valley? Train a
# small one for an epoch, stop, and look around, in float64. $H$ is too large to write down, but $g^\top H g$ needs only $H g$, and that is a
# difference of two gradients: $H v \approx \big(g(\theta + h v) - g(\theta - h v)\big) / 2h$.

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
# For small steps both formulas hold, to many digits: that is also a check of the whole gradient, at full size, with one
# number. At $\eta^*$ the gain is about used up, and beyond it the loss goes up. Remember this $\eta^*$: in the experiment below,
# the best learning rate for a network of this kind is a little less, and ten times as much ruins it.
#
# ## A batch instead of all examples
#
# The loss is a mean over $N$ examples, so $g = \frac1N \sum_n g_n$: one forward and backward pass through all data for one
# step. A random [batch](glossary.md#batch) of $B$ examples gives an estimate $g_B$ for a fraction of the work. How good is it?
#
# Let $I_n$ be 1 if example $n$ is in the batch, else 0 ($\mathbb E$ is the [expectation](mathematics.md#expectation-variance-covariance)), and let $d_n = g_n - g$, so that $\sum_n d_n = 0$. Drawing without
# replacement, $\mathbb E[I_n] = B / N$, so $\mathbb E[g_B] = \frac1B \sum_n \frac BN g_n = g$: on average it is right. And
#
# $$
# \begin{aligned}
# \operatorname{Var}[I_n] &= \frac BN\Big(1 - \frac BN\Big) = \frac{B (N - B)}{N^2}, \\
# \operatorname{Cov}[I_n, I_m] &= \frac{B (B - 1)}{N (N - 1)} - \frac{B^2}{N^2} = - \frac{B (N - B)}{N^2 (N - 1)} .
# \end{aligned}
# $$
#
# From $\sum_n d_n = 0$ follows $\sum_{n \ne m} d_n^\top d_m = - \sum_n \lVert d_n \rVert^2$. So
#
# $$
# \begin{aligned}
# \mathbb E \lVert g_B - g \rVert^2
# &= \frac1{B^2} \Big( \sum_n \operatorname{Var}[I_n]\, \lVert d_n \rVert^2
#    + \sum_{n \ne m} \operatorname{Cov}[I_n, I_m]\, d_n^\top d_m \Big) \\
# &= \frac1{B^2} \cdot \frac{B (N - B)}{N^2} \Big( 1 + \frac1{N - 1} \Big) \sum_n \lVert d_n \rVert^2
# = \frac{N - B}{N - 1} \cdot \frac1B \cdot \frac1N \sum_n \lVert d_n \rVert^2 .
# \end{aligned}
# $$
#
# For $B \ll N$ the noise in the gradient, the root of this, falls with $1 / \sqrt B$: **four times the batch, half the noise**.

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
# **Steps are not epochs.** An [epoch](glossary.md#epoch) is one pass over the data: $\lceil N / B \rceil$ steps. "10,000 epochs" in a
# tutorial that draws one batch per turn of the loop are 10,000 steps, which on 60,000 examples is something else:

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
# flat one. But across the valley successive gradients alternate in sign, along it they agree. So add them up, and forget
# slowly, with a factor $0 \le \mu < 1$ ([Polyak 1964](bibliography.md#polyak-1964)):
#
# $$
# v \leftarrow \mu v + g, \qquad \theta \leftarrow \theta - \eta\, v, \qquad v, g, \theta \text{ of shape } (P,) .
# $$
#
# **What agrees grows.** Unrolled, $v_t = \sum_{s \le t} \mu^{t - s} g_s$. If $g$ stays the same, $v$ becomes
# $g\,(1 + \mu + \mu^2 + \dots) = g / (1 - \mu)$: with $\mu = 0.9$ a step ten times as long. So compare $\eta = 0.01$ with momentum 0.9 to
# $\eta = 0.1$ without. (Some write $v \leftarrow \mu v + (1 - \mu) g$. Then the factor is 1, and the same $\eta$ means something else.)
#
# **What alternates cancels**, and how much is gained can be computed. In one direction, with curvature $\lambda$, a step is
#
# $$
# \begin{bmatrix} \theta \\ v \end{bmatrix} \leftarrow
# \underbrace{\begin{bmatrix} 1 - \eta\lambda & -\eta\mu \\ \lambda & \mu \end{bmatrix}}_{(2, 2)}
# \begin{bmatrix} \theta \\ v \end{bmatrix} .
# $$
#
# The matrix has the trace $1 + \mu - \eta\lambda$ and the [determinant](mathematics.md#eigenvalues-trace-determinant) $(1 - \eta\lambda)\mu + \eta\mu\lambda = \mu$. So its two eigenvalues have the product $\mu$. If they are complex, they are conjugates, and both have absolute value $\sqrt\mu$:
# each step leaves $\sqrt\mu$ of the distance, *whatever the curvature*. They are complex when
# $(1 + \mu - \eta\lambda)^2 < 4\mu$, that is
#
# $$
# (1 - \sqrt\mu)^2 < \eta\lambda < (1 + \sqrt\mu)^2 .
# $$
#
# Fit all curvatures into this window: $\eta\lambda_{\min} = (1 - \sqrt\mu)^2$ and $\eta\lambda_{\max} = (1 + \sqrt\mu)^2$. The quotient of the two is
# $\sqrt\kappa = (1 + \sqrt\mu) / (1 - \sqrt\mu)$, so
#
# $$
# \sqrt\mu = \frac{\sqrt\kappa - 1}{\sqrt\kappa + 1} :
# $$
#
# what gradient descent does with $\kappa$, momentum does with $\sqrt\kappa$. For $\kappa = 2500$ a step leaves 0.961 instead of 0.9992,
# fifty times fewer steps in the long run. (At the two ends of the window the two eigenvalues coincide, and the distance
# falls like $t\,\sqrt\mu^{\,t}$: the factor $t$ is there always, but $\sqrt\mu^{\,t}$ falls faster than it grows.) It still diverges, beyond $\eta\lambda_{\max} = 2 (1 + \mu)$, where the trace reaches $-(1 + \mu)$ and an
# eigenvalue $-1$.

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

# %%
source(sae.SGD.formula)

# %% [markdown]
# ## Adam
#
# Momentum has one $\eta$ for all parameters. In a network the biases, the first layer and the last have gradients of very
# different size, and so would want different rates. Worse, $\eta$ depends on how the loss is *scaled*: multiply the loss by
# 784, and gradient descent steps 784 times as far. Adam ([Kingma and Ba 2015](bibliography.md#kingma-2015)) divides each
# component by its own typical size. All operations are element by element, all vectors $(P,)$, $t = 1, 2, \dots$:
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
# The usual values are $\beta_1 = 0.9$, $\beta_2 = 0.999$ and $\varepsilon = 10^{-8}$: $m$ looks back over about
# $1 / (1 - \beta_1) = 10$ steps, $v$ over about 1000.
#
# **Why the correction.** $m$ starts at 0 and is too small at first. Unrolled, $m_t = (1 - \beta_1) \sum_{s=1}^{t} \beta_1^{t-s} g_s$. If the
# expected gradient stays $\mathbb E[g]$ over these steps, the geometric sum gives
#
# $$
# \mathbb E[m_t] = (1 - \beta_1)\, \frac{1 - \beta_1^t}{1 - \beta_1}\, \mathbb E[g] = (1 - \beta_1^t)\, \mathbb E[g],
# $$
#
# so that $\hat m$ has the right mean; the same for $\hat v$. At the first step $\hat m = g$ and $\hat v = g^2$, and each parameter moves
# by $\eta\, g / |g| = \pm\eta$, whatever its gradient. Without the corrections the first step would be
# $\eta\, (1 - \beta_1) / \sqrt{1 - \beta_2} = 3.16\, \eta$: too large, just when least is known.
#
# **How large is a step?** $|\hat m| / \sqrt{\hat v}$ is about 1 when the gradients agree, and small when they are mostly noise. So $\eta$ is
# roughly *how far each parameter may move in a step*, in the parameter's own units. That is why one value, $10^{-3}$, is a
# usable first guess for so many networks, and why it makes no sense to copy it to gradient descent.
#
# **The library's form.** It takes both corrections into two numbers, so that each step touches the vectors less often. With
# $c = \sqrt{1 - \beta_2^t}$, $\sqrt{\hat v} = \sqrt v / c$, and
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
# **The loss scale.** This library sums the squared error over the pixels; many programs take the mean over them as well.
# The gradients differ by the number of pixels, 784. Here the same network is trained both ways. For gradient descent the
# same $\eta$ is then a different algorithm; copied from one convention to the other it does not learn. Adam does not notice.


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
# **Break Adam's indifference.** It holds as long as $\varepsilon$ is small beside $\sqrt{\hat v}$. Scale the loss down until the gradients are
# about $10^{-8}$, and the steps shrink: for $g = \varepsilon$, by half. That happens with averaged losses, tiny weights of a loss term, or
# half precision, and it looks like a learning rate that is too small.

# %%
for size in (1.0, 1e-6, 1e-8, 1e-10):
    step = np.abs(textbook_adam(np.full((1, 1), size))).item() / 1e-3
    print(f"gradient {size:g}: first step {step:.4f} η")
    assert np.isclose(step, size / (size + 1e-8))

# %% [markdown]
# ## The code
#
# What all optimizers share: clip the gradient if asked, decay the weights if asked, then the formula, block by block so that
# the vectors stay in the processor's cache.

# %%
source(sae.optimizers.Optimizer.update, sae.optimizers.Optimizer.apply, sae.Cosine)

# %% [markdown]
# ## Checking it
#
# There is no gradient to check in an optimizer. What can be checked: that it is the formula (above, against the textbook's
# lines), that it goes down where it must, and that the gradient which it is given is right.

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
# One epoch of 20,000 images for the network of the preset `deep` (784-128-64-32 and back) with each optimizer, at learning rates that are equally spaced *on a
# logarithmic scale*. $\eta$ multiplies, so what matters is its ratio: from 0.001 to 0.002 is as far as from 0.1 to 0.2. To choose a
# rate is to fit a number to the images that it is chosen by, so it is chosen by *validation* images; the test images judge what
# was chosen, once, at the end.

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
    "Each optimizer has its own range of useful learning rates, and each is about a power of ten wide.",
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
# Read the picture from the left. Too small a rate: in one epoch nothing much happens. Then, for gradient descent and for
# momentum, a shelf near the error of the mean image: the biases have learned, the weights have not. Then the valley; that of
# gradient descent has its floor at 0.01, a little below $\eta^*$, and ends soon after. Then too large: the error jumps, since ReLUs die and
# sigmoids saturate ([chapter 05](05_going_deep.py)), and may never come back. A search on a linear grid would have put all its
# points there.
#
# **A rate that falls.** At a constant rate the parameters jitter around the minimum, by about the length of a step. So you want a
# large rate first and a small one last. The library's `Cosine` falls along half a cosine,
# $\eta_t = \eta \cdot \frac12 \big(1 + \cos(\pi t / T)\big)$, over $T$ steps. A large rate at the very start has a price of its own:
# $v$ has seen a few gradients only, the network has not found its scale, and a long step can switch units off for good. So the
# rate may rise first, in a straight line: the *warm-up*.

# %%
epochs = quick(4, 2)
steps = epochs * math.ceil(len(x) / 128)
schedule = sae.Cosine(0.01, steps)
assert np.allclose(
    [schedule(t) for t in range(steps)],
    [0.01 * 0.5 * (1 + math.cos(math.pi * t / steps)) for t in range(steps)],
)
models = {
    "Adam, 0.003, the best above": trained(sae.Adam(3e-3), x, epochs),
    "Adam, 0.01": trained(sae.Adam(0.01), x, epochs),
    "0.01, falling to 0": trained(sae.Adam(sae.Cosine(0.01, steps)), x, epochs),
    "the same, with a warm-up": trained(
        sae.Adam(sae.Cosine(0.01, steps, warmup=steps // 10)), x, epochs
    ),
}
results = {name: error_of(model, validation) for name, model in models.items()}
for name, error in results.items():
    print(
        f"{name:<28} squared error {error:6.2f} per validation image after {epochs} epochs"
    )
chosen = min(results, key=results.get)
print(f"chosen: {chosen}; on the test images {error_of(models[chosen], test):.2f}")
assert quick(chosen == "the same, with a warm-up", True)

# %% [markdown]
# Of these four the falling rate with a warm-up comes out best. It is one run of each, with one seed, which proves little: try
# others, in `trained`. (A warm-up to a constant rate was not tried.) The preset `science2006` uses both.
#
# ## What to change for MNIST
#
# `scratchae tutorial 4 --data mnist` runs this chapter on MNIST, in about 30 s. `scratchae train deep --data mnist`
# (10 epochs) reached 8.6 per test image in one run, squared error summed over the pixels, with Adam at 0.001 throughout; other seeds
# gave 8.2 and 9.4 (`benchmarks/README.md`).
#
# ## Exercises

# %%
exercise("04_momentum")

# %%
exercise("04_adam")

# %% [markdown]
# **Think, then compute.**
#
# 1. Rescale the parameters: $\theta = s\,\phi$, and do gradient descent on $\phi$. Which $\eta$ gives the same path in $\theta$?
# 2. You double the batch size and keep the number of epochs. How many steps are left, and what happens to the noise of each?
# 3. A gradient component alternates, $+1, -1, +1, \dots$ What is the length of Adam's steps in the long run? Of momentum's?
# 4. Halve the loss. What changes for Adam, if `weight_decay` is set? (The decay is decoupled:
#    $\theta \leftarrow (1 - \eta\lambda)\,\theta$ before each step.) And if decay were a term $\frac\lambda2 \lVert\theta\rVert^2$ of the loss?
#
# Answers:

# %%
s, eta = 3.0, 0.02
phi, path = np.array([-4.0, 1.0]) / s, descend(sae.SGD(eta), 10)
for place in path:
    assert np.allclose(s * phi, place)
    phi -= eta / s**2 * s * (curvature * s * phi)  # ∂L/∂φ = s ∂L/∂θ
print("1. η / s²: the gradient grows by s, and the same step in θ is 1 / s of it in φ")

alternating = np.tile([[1.0], [-1.0]], (3000, 1))
visited = textbook_adam(alternating)[:, 0]
swing = np.abs(np.diff(visited)[-10:]).mean() / 1e-3
theta, optimizer, heavy = np.zeros(1), sae.SGD(1.0, momentum=0.9), []
for g in alternating[:200]:
    optimizer.update(theta, g)
    heavy.append(theta.item())
swing_heavy = np.abs(np.diff(heavy)[-10:]).mean()
print(
    f"3. Adam {swing:.4f} η = (1 − β₁) / (1 + β₁); momentum {swing_heavy:.4f} η = 1 / (1 + μ)"
)
assert np.isclose(swing, 0.1 / 1.9, rtol=0.01) and np.isclose(
    swing_heavy, 1 / 1.9, rtol=1e-3
)

# %% [markdown]
# 2\. Half as many, each with $1/\sqrt2$ of the noise. To get as far, each must go further: that is why people raise $\eta$ with the
# batch size.
#
# 4\. Nothing changes: decoupled decay does not pass through $m$ and $v$. As a term of the loss it would be half as much beside
# what it was, but Adam divides by the size of the gradient, so what counts is its share of the sum: with the data's part
# halved and the term kept, the term weighs twice as much.
#
# ## Further reading
#
# - [Kingma and Ba 2015](bibliography.md#kingma-2015): Adam. [Loshchilov and Hutter 2019](bibliography.md#loshchilov-2019): decoupled weight decay;
#   [2017](bibliography.md#loshchilov-2017): the cosine.
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
