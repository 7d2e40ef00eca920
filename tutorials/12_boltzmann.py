# %% [markdown]
# # 12 · Boltzmann machines
#
# *How do you teach a machine which images are probable, when nobody can add up all images?*
#
# **Time** 90 minutes to read (short path 55), 45 s to run on two cores.

# %% [markdown]
# ## The question
#
# An autoencoder gives back an image. It does not say how *probable* an image is. A model that does say it can tell a digit
# from noise, complete half an image, and make new ones. So give every possible image $v$ of 0s and 1s a number
# $F(v)$, low for what you want to see, and let
#
# $$
# P(v) = \frac{e^{-F(v)}}{Z}, \qquad Z = \sum_{v} e^{-F(v)} .
# $$
#
# $Z$, the **[partition function](glossary.md#partition-function)**, makes the probabilities add up to 1. There lies
# the trouble: an image of 784 pixels has $2^{784}$ competitors, and nobody can add them up. How do you raise the
# probability of the data without knowing $Z$?
#
# This chapter answers it with a model small enough that we *can* add everything up, so that every shortcut is
# measured against the truth: Gibbs sampling, contrastive divergence (and why it is the gradient of nothing),
# pseudo-likelihood, annealed importance sampling. Then come real images, several such models
# on top of each other as one (the deep belief network), and the experiment of 2006 that made deep autoencoders work.
#
# **A short path** of 55 minutes leaves out the sections that are marked *beyond the short path*: nothing in the others needs them.
#
# | part | sections | minutes |
# | --- | --- | ---: |
# | the model | from here to *Gibbs sampling* | 20 |
# | its gradient, exact and by contrastive divergence | *Backward* to *Four ways to train* | 25 |
# | judging a model | *Judging without Z*, up to pseudo-likelihood; *An experiment: images* | 5 |
# | 2006 | *2006: layer by layer, then all at once*, *The step, tensor by tensor* | 5 |
# | beyond the short path | *The partition function by steps*, *Overfitting, seen without Z*, *Real-valued hidden units*, *Real-valued data*, *The deep belief network* | 35 |
#
# If you read all of it, take two sittings: the first ends with *Four ways to train*.

# %%
import itertools

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.data import pixels
from scratchae.models.energy import FreeEnergy
from scratchae.presets.dense import stack
from scratchae.tutorial import (
    data_name,
    dataset,
    exercise,
    figure,
    quick,
    show,
    source,
    study_page,
)

rng = np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def all_states(n):
    """Every vector of n zeros and ones, (2ⁿ, n)."""
    return (np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1).astype(float)


# %% [markdown]
# ## A picture of it
#
# A **[restricted Boltzmann machine](glossary.md#restricted-boltzmann-machine)** (RBM) has two groups of units, each 0
# or 1. The *visible* units $v$ are the pixels. The *hidden* units $h$ are not observed; each comes to stand for pixels that
# occur together. A weight $W_{ij}$ joins visible unit $i$ to hidden unit $j$. *Restricted* means: no
# visible unit is joined to a visible one, and no hidden to a hidden one.
#
# Ours has 4 visible and 3 hidden units, so the whole machine has $2^4 \cdot 2^3 = 128$ states. Its weights are drawn at random.

# %%
D, H = 4, 3
rbm = sae.RBM(D, H).to(dtype=np.float64)
SIZE = D * H + D + H
theta = 1.5 * rng.standard_normal(SIZE)  # W, then a, then b


def load(theta):
    """Put W, a and b into the machine."""
    rbm.energy.W[...] = theta[: D * H].reshape(D, H)
    rbm.energy.a[...], rbm.energy.b[...] = theta[D * H : -H], theta[-H:]


load(theta)
W, a, b = rbm.energy.W, rbm.energy.a, rbm.energy.b
V, hidden = all_states(D), all_states(H)  # (16, 4), (8, 3)

# %% tags=["hide-input"]
drawn, (left, right) = figure(7, 3.2, columns=2, width_ratios=(1, 1.4))
largest = np.abs(W).max()
for i in range(D):
    for j in range(H):
        left.plot(
            (i, j + 0.5),
            (0, 1),
            "-" if W[i, j] > 0 else "--",
            color=plots.BLUE if W[i, j] > 0 else plots.RED,
            linewidth=0.3 + 3 * abs(W[i, j]) / largest,
            zorder=1,
        )
for count, height, shift, name in ((D, 0, 0, "v"), (H, 1, 0.5, "h")):
    for i in range(count):
        left.plot(i + shift, height, "o", markersize=22, color="white", mec=plots.GREY)
        left.text(i + shift, height, f"{name}{'₁₂₃₄'[i]}", ha="center", va="center")
left.set(xlim=(-0.5, 3.5), ylim=(-0.3, 1.3))
left.axis("off")
shares = np.exp(-rbm.free_energy(V) - rbm.log_partition_function())
right.bar(range(16), shares, color=plots.BLUE)
right.set_xticks(
    range(16), ["".join(str(int(bit)) for bit in v) for v in V], rotation=90, fontsize=9
)
right.set(xlabel="visible units v", ylabel="probability P(v)")
right.grid(visible=False, axis="x")
show(
    drawn,
    "machine",
    "Left: four visible units below, three hidden units above, each visible one joined to each hidden one by lines of "
    "different width. Right: bars of the probabilities of the 16 visible states, some large, most small.",
    "Left, the machine: solid lines are positive weights, dashed ones negative, thick ones large. Right, what it believes: a few of the 16 visible states have most of the probability.",
)

# %% [markdown]
# ## Forward: from energy to probability
#
# The **[energy](glossary.md#energy)** of a state of all units is
#
# $$
# E(v, h) = - \underset{(1, D)}{v}\,\underset{(D, 1)}{a} - \underset{(1, H)}{h}\,\underset{(H, 1)}{b}
# - \underset{(1, D)}{v}\,\underset{(D, H)}{W}\,\underset{(H, 1)}{h^\top},
# \qquad P(v, h) = \frac{e^{-E(v, h)}}{Z} .
# $$
#
# Here $v$ and $h$ are rows, as everywhere in this book; the biases stand as columns in $E$, and as rows where they are added, as in $vW + b$. Two letters are local to this chapter: $a$ is the bias of the visible units, and no
# pre-activation; the pre-activation of the hidden units is $c$. A positive $W_{ij}$ makes it cheap for $v_i$ and $h_j$ to be
# 1 together. The name comes from physics, where a state of energy $E$ has a probability proportional to $e^{-E}$:
# Boltzmann's distribution.
#
# **The hidden units are independent, given the visible ones.** Write $c = vW + b$, of shape $(1, H)$. Then
# $-E = v \cdot a + \sum_j h_j c_j$, and each $h_j$ stands in a term of its own. So the sum over all $h'$ of a product
# over $j$ is a product of sums, each of two terms, 1 and $e^{c_j}$:
#
# $$
# \begin{aligned}
# P(h \mid v) &= \frac{e^{-E(v, h)}}{\sum_{h'} e^{-E(v, h')}} && \text{by definition; } Z \text{ cancels} \\
# &= \frac{e^{v \cdot a} \prod_j e^{h_j c_j}}{e^{v \cdot a} \sum_{h'} \prod_j e^{h'_j c_j}} && \text{the exponential of a sum} \\
# &= \prod_j \frac{e^{h_j c_j}}{1 + e^{c_j}} && \text{sum of products = product of sums} \\
# \Rightarrow\ P(h_j = 1 \mid v) &= \frac{e^{c_j}}{1 + e^{c_j}} = \sigma(c_j), \qquad \sigma(x) = \frac{1}{1 + e^{-x}} .
# \end{aligned}
# $$
#
# So a [sigmoid](glossary.md#sigmoid) follows from nothing but probabilities. By the same steps, with the roles exchanged,
# $P(v_i = 1 \mid h) = \sigma\big((h W^\top + a)_i\big)$.
#
# **The [free energy](glossary.md#free-energy)** sums the hidden units out, $e^{-F(v)} = \sum_h e^{-E(v, h)}$. It is
# the denominator above:
#
# $$
# \underset{(N)}{F(v)} = -\,v\,a - \sum_{j=1}^{H} \log\big(1 + e^{c_j}\big), \qquad \underset{(N, H)}{c} = \underset{(N, D)}{v}\,\underset{(D, H)}{W} + b .
# $$
#
# So a sum of $2^H$ terms has become one of $H$ terms. The sum over $v$ in $Z$ is left, and it is no product of short sums, because
# each $\log(1 + e^{c_j})$ holds all pixels. The next cell compares these formulas with sums over all 128 states:

# %%


def joint(theta):
    """P(v, h) for each of the 16 × 8 states, by adding all of them up; and Z."""
    W, a, b = theta[: D * H].reshape(D, H), theta[D * H : -H], theta[-H:]
    energy = -(V @ a)[:, None] - (hidden @ b)[None, :] - V @ W @ hidden.T
    weights = np.exp(-energy)
    return weights / weights.sum(), weights.sum()


P, Z = joint(theta)  # (16, 8)
P_v, P_h = P.sum(axis=1), P.sum(axis=0)
given_v = (P / P_v[:, None]) @ hidden  # E[h | v] by enumeration, (16, 3)
given_h = (P / P_h).T @ V  # E[v | h], (8, 4)
print(
    f"log Z by 128 states: {np.log(Z):.9f}; by the library: "
    f"{rbm.log_partition_function():.9f}"
)
print(f"P(h = 1 | v): {np.abs(given_v - sigmoid(V @ W + b)).max():.0e} from σ(vW + b)")
print(
    f"P(v = 1 | h): {np.abs(given_h - sigmoid(hidden @ W.T + a)).max():.0e} from σ(hWᵀ + a)"
)
F = -V @ a - np.log1p(np.exp(V @ W + b)).sum(axis=1)
assert np.allclose(np.exp(-F) / Z, P_v) and np.allclose(rbm.free_energy(V), F)
assert np.isclose(rbm.log_partition_function(), np.log(Z))
assert np.allclose(given_v, rbm.propup(V)) and np.allclose(given_h, rbm.propdown(hidden))

# %% [markdown]
# ## Gibbs sampling
#
# How do you draw $v$ from $P(v)$ without $Z$? The two [conditional distributions](mathematics.md#conditional-probability-and-bayes-rule) are easy: each unit tosses a coin of
# its own. So draw $h$ given $v$, then a new $v'$ given $h$, then $h'$ given $v'$, and so on:
# **[Gibbs sampling](glossary.md#gibbs-sampling)** ([Geman and Geman 1984](bibliography.md#geman-1984)). Once $v$ is distributed by $P$, it stays so:
#
# $$
# \sum_v P(v) \underbrace{\sum_h P(h \mid v)\, P(v' \mid h)}_{T_{vv'}} = \sum_h P(v' \mid h) \sum_v P(v, h) = \sum_h P(v' \mid h)\, P(h) = P(v') .
# $$
#
# Such a sequence of states, in which each is drawn given the one before it and nothing else, is a **[Markov
# chain](mathematics.md#markov-chains)**. $T$ is its matrix, here of $16 \times 16$ numbers: the probability to go from $v$ to $v'$ in one step.
# Every entry of $T$ is positive, so any starting distribution $q$ comes closer and closer to $P$: $q\,T^k \to P$.
#
# How fast? Write the difference $q - P$ as a sum of (left) [eigenvectors](mathematics.md#eigenvalues-trace-determinant) of $T$. A step
# multiplies each of them by its eigenvalue. $P$ itself has the eigenvalue 1, but it has no share in $q - P$, because the entries of $q - P$ add up to 0 and
# so do those of every other eigenvector. All other eigenvalues are smaller in size. So after many steps the
# largest of these, the **second eigenvalue** of $T$, decides: each step multiplies the distance by the size of this eigenvalue. As distance we take the **total variation**
# $\frac12 \sum_v |q_v - P_v|$, the largest difference in probability that the two distributions give to any event. The next cell computes this
# distance after $k$ steps from $v = 0000$, for our weights and for multiples of them. Predict: do larger weights make the chain faster or slower?

# %%


def transition(theta):
    """T[v, v']: the probability to go from v to v' in one step of Gibbs sampling, v to h to v'."""
    P, _ = joint(theta)
    h_given_v, v_given_h = P / P.sum(axis=1, keepdims=True), (P / P.sum(axis=0)).T
    return h_given_v @ v_given_h


T = transition(theta)
assert np.allclose(P_v @ T, P_v) and np.allclose(T.sum(axis=1), 1) and (T > 0).all()

v = np.zeros((20_000, D))  # 20,000 chains, by the library
for _ in range(8):
    _, v = rbm.gibbs_vhv(v, rng)
seen = np.bincount((v @ 2 ** np.arange(D)[::-1]).astype(int), minlength=16) / len(v)
expected = np.linalg.matrix_power(T, 8)[0]
print(f"after 8 steps: largest |share seen - Tᵏ| = {np.abs(seen - expected).max():.4f}")
assert np.abs(seen - expected).max() < 5 * 0.5 / np.sqrt(len(v))

steps = np.arange(21)
distance = {}
for scale in (0.5, 1, 2, 4):
    P_scaled = joint(scale * theta)[0].sum(axis=1)
    powers = [np.linalg.matrix_power(transition(scale * theta), k)[0] for k in steps]
    distance[scale] = [0.5 * np.abs(q - P_scaled).sum() for q in powers]
    second = np.sort(np.abs(np.linalg.eigvals(transition(scale * theta))))[-2]
    print(
        f"weights × {scale:<3}: {distance[scale][8]:.0e} away after 8 steps; "
        f"second eigenvalue {second:.3f}"
    )
    if scale >= 2:
        assert np.isclose(distance[scale][20] / distance[scale][19], second, rtol=0.02)
assert distance[0.5][8] < distance[1][8] < distance[2][8] < distance[4][8]

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.3)
looks = zip(
    distance.items(),
    ("o-", "s--", "^-.", "v:"),
    (plots.BLUE, plots.ORANGE, plots.RED, plots.GREY),
    strict=True,
)
for (scale, values), line, colour in looks:
    axes.semilogy(
        steps,
        np.maximum(values, 1e-9),
        line,
        color=colour,
        label=f"weights × {scale}",
        markersize=4,
    )
axes.set(xlabel="steps of Gibbs sampling", ylabel="total variation to P")
axes.set(ylim=(1e-6, 10), xticks=range(0, 21, 5))
axes.legend(ncols=4, loc="upper center", fontsize=9, columnspacing=1)
show(
    drawn,
    "mixing",
    "Four falling lines on a logarithmic axis, straight after the first steps: the larger the weights, the flatter the line.",
    "In the long run each step multiplies the distance by T's second eigenvalue, so the lines become straight. The larger the weights, the longer a chain remembers its start.",
)

# %% [markdown]
# Keep this picture in mind. Training makes the weights grow. So the longer a machine has been trained, the more steps its chains need, and the
# less exact is everything that draws from them.
#
# ## Backward: the gradient that you would want
#
# The loss is the mean negative [log-likelihood](mathematics.md#likelihood-and-logarithms) of $N$ examples $x$, in [nats](glossary.md#nat) per example:
#
# $$
# L = -\frac1N \sum_{n=1}^N \log P(x_n) = \frac1N \sum_n F(x_n) + \log Z .
# $$
#
# Its derivative by any parameter $\theta$ needs that of $\log Z$ first. With $\mathbb E$ for the [expectation](mathematics.md#expectation-variance-covariance),
#
# $$
# \begin{aligned}
# \frac{\partial \log Z}{\partial\theta} &= \frac1Z \sum_v \frac{\partial}{\partial\theta} e^{-F(v)}
# = -\sum_v \frac{e^{-F(v)}}{Z} \frac{\partial F(v)}{\partial\theta} = -\,\mathbb E_{v \sim P}\!\left[\frac{\partial F(v)}{\partial\theta}\right] \\
# \frac{\partial L}{\partial\theta} &= \underbrace{\frac1N \sum_n \frac{\partial F(x_n)}{\partial\theta}}_{\text{positive phase: the data}}
# - \underbrace{\mathbb E_{v \sim P}\!\left[\frac{\partial F(v)}{\partial\theta}\right]}_{\text{negative phase: what the model dreams}} .
# \end{aligned}
# $$
#
# A descent step lowers $F$ at the data and raises it at the states that the model finds probable. Where the two
# averages agree, the gradient is zero. The free energy is an ordinary layer, so it has a backward pass. With $p = \sigma(c)$, since $\frac{d}{dc}\log(1 + e^c) = \sigma(c)$,
# and with a weight $w_n$ for each row in place of an upstream gradient (row $n$ of $w \odot p$ is $w_n p_n$):
#
# $$
# \begin{aligned}
# F_n &= -v_n a - \textstyle\sum_j \log(1 + e^{c_{nj}}), \qquad c = vW + b \\
# dW &= -\underset{(D, N)}{v^\top}\, \underset{(N, H)}{(w \odot p)}, \qquad
# da = -\underset{(1, N)}{w}\,\underset{(N, D)}{v}, \qquad
# db = -\underset{(1, N)}{w}\,\underset{(N, H)}{p} .
# \end{aligned}
# $$
#
# So the whole gradient is *one* backward pass through $F$, with the data and the model's states stacked on top of each
# other: a row of the data has the weight $+\frac1N$, and each of the 16 states has the weight $-P(v)$.
#
# ## The code
#
# `up` computes $c$, `down` computes $hW^\top + a$.

# %%
source(FreeEnergy.forward, FreeEnergy.backward, FreeEnergy.backward_parameters)

# %% [markdown]
# ## Checking it
#
# First we check the layer. Then we check the gradient of the log-likelihood itself, by finite differences of
# $\frac1N\sum F + \log Z$, where $Z$ is the sum over all states.

# %%
x = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 1, 0]], float)

report = sae.check_gradients(FreeEnergy(5, 3, rng=rng), rng.random((4, 5)))
print(report)
assert report.passed


def direction(v, weights):
    """Σₙ weightsₙ ∂F(vₙ)/∂θ, by the library: W, a and b in one vector."""
    energy = rbm.energy
    energy.forward(v)
    energy.backward_parameters(weights)
    return np.concatenate([energy.dW.ravel(), energy.da, energy.db])


def exact_gradient(theta):
    load(theta)
    P_v = joint(theta)[0].sum(axis=1)
    return direction(
        np.concatenate([x, V]), np.concatenate([np.full(len(x), 1 / len(x)), -P_v])
    )


def loss(theta):
    load(theta)
    return -rbm.log_likelihood(x, rbm.log_partition_function()).mean()


def numerical_jacobian(function, theta, h=1e-5):
    """∂functionᵢ/∂θⱼ by central differences."""
    columns = [
        (function(theta + h * e) - function(theta - h * e)) / (2 * h) for e in np.eye(SIZE)
    ]
    return np.stack(columns, axis=-1)


gap = np.abs(numerical_jacobian(loss, theta) - exact_gradient(theta)).max()
print(f"∂L/∂θ of {SIZE} parameters: largest difference to finite differences {gap:.0e}")
assert gap < 1e-8

# %% [markdown]
# ## Contrastive divergence
#
# Beyond a few dozen units the negative phase cannot be added up. Because it is an expectation, one could draw states from $P$ and take
# the mean over them. But a fresh chain needs many steps to forget where it began, and every update would need such a chain.
#
# **[Contrastive divergence](glossary.md#contrastive-divergence)**, CD-$k$
# ([Hinton 2002](bibliography.md#hinton-2002)), begins the chain *at the data* and stops after $k$ steps, often after
# one. With $p_0 = \sigma(x W + b)$, $h_0$ drawn from $p_0$, the machine's *reply* $v_1 = \sigma(h_0 W^\top + a)$, and $p_1 = \sigma(v_1 W + b)$, CD-1
# descends along
#
# $$
# \underset{(D, H)}{dW} = -\frac1N \big(\underset{(D, N)}{x^\top}\,\underset{(N, H)}{p_0} - v_1^\top p_1\big), \qquad
# \underset{(D)}{da} = -\frac1N \sum_n (x_n - v_{1n}), \qquad
# \underset{(H)}{db} = -\frac1N \sum_n (p_{0n} - p_{1n}) .
# $$
#
# In words: lower the free energy of the data, and raise that of the model's reply. The backward pass is the same as
# before, with $v_1$ in place of the model's own states:

# %%
source(sae.RBM.training_step, sae.RBM.follow, FreeEnergy.backward_contrast)

# %% [markdown]
# Look at what is drawn and what is not. The hidden units that make a reply are drawn, 0 or 1, because probabilities
# would tell the visible units more than $H$ bits. The reply $v_1$ and the last hidden units are left as
# probabilities, which is less noisy. For the last hidden units this changes nothing on average, because the direction is linear in them. But with a
# reply $v_1$ of probabilities the chain is not quite one of Gibbs sampling any more.
#
# **While you read** (★, 3 minutes): when is $da$ zero? What does this say about the images that a machine dreams of after long training?
# (Exercise 6.)
#
# ### Beside the exact gradient
#
# With 8 hidden states even the *expected* direction of CD can be added up. So no noise is in the comparison, only the systematic error
# of CD. Where the replies, too, are drawn, as Gibbs sampling does it, the negative phase of CD-$k$ is an expectation under $q\,T^k$, where $q$ is the
# distribution of the data. Guess by how many percent CD-1 differs from the gradient, and CD-5.

# %%
# how often each of the 16 states is in x
q = (x[:, None] == V[None]).all(axis=2).mean(axis=0)


def expected_cd(theta, k):
    """The mean of CD-k over all its draws, by enumeration; reconstructions drawn."""
    load(theta)
    return direction(V, q - q @ np.linalg.matrix_power(transition(theta), k))


def expected_cd1(theta):
    """The mean of the library's CD-1: reconstructions as probabilities."""
    P, _ = joint(theta)
    # how probable each hidden state is, from the data
    drawn = q @ (P / P.sum(axis=1, keepdims=True))
    load(theta)
    replies = rbm.propdown(hidden)
    return direction(np.concatenate([V, replies]), np.concatenate([q, -drawn]))


many = np.repeat(x, quick(40_000, 10_000), axis=0)
load(theta)
rbm.training_step(many, rng)
one_step = np.concatenate([rbm.energy.dW.ravel(), rbm.energy.da, rbm.energy.db])
print(
    f"training_step on {len(many):,} rows: "
    f"{np.abs(one_step - expected_cd1(theta)).max():.4f} "
    "from the enumerated mean"
)
assert np.abs(one_step - expected_cd1(theta)).max() < 0.01

g = exact_gradient(theta)
print("\ndirection              |direction - g| / |g|    cosine with g")
compared = {"CD-1 of the library": expected_cd1(theta)}
compared |= {f"CD-{k}, all units drawn": expected_cd(theta, k) for k in (1, 2, 5, 20)}
off = {}
for name, d in compared.items():
    off[name] = np.linalg.norm(d - g) / np.linalg.norm(g)
    cosine = d @ g / np.linalg.norm(d) / np.linalg.norm(g)
    print(f"{name:<22} {off[name]:21.5f} {cosine:16.5f}")
    assert cosine > 0.9
assert (
    off["CD-1, all units drawn"]
    > off["CD-5, all units drawn"]
    > off["CD-20, all units drawn"]
)
assert all(
    0.04 < off[name] < 0.25 for name in ("CD-1 of the library", "CD-1, all units drawn")
)
assert off["CD-20, all units drawn"] < 1e-3

# %% [markdown]
# The direction of CD-1 differs from the gradient by about a tenth of its length, and points nearly the same way. With more steps the
# difference goes to 0, because $q\,T^k$ goes to $P$.
#
# ### It is the gradient of nothing
#
# Perhaps CD-1 is the exact gradient of some *other* loss? No. If a direction $G(\theta)$ is the gradient of a
# function $f$, then its [Jacobian](mathematics.md#gradient-jacobian-hessian) is a matrix of second derivatives, and those do not depend
# on the order in which one differentiates:
#
# $$
# G_i = \frac{\partial f}{\partial\theta_i} \quad\Rightarrow\quad
# \frac{\partial G_i}{\partial\theta_j} = \frac{\partial^2 f}{\partial\theta_j\,\partial\theta_i} = \frac{\partial^2 f}{\partial\theta_i\,\partial\theta_j} = \frac{\partial G_j}{\partial\theta_i} .
# $$
#
# So if CD-1 is the gradient of something, its Jacobian $J$ is symmetric. Before you run the cell: for which of the three directions below do you expect
# a symmetric $J$?

# %%
jacobians = {
    "exact gradient": numerical_jacobian(exact_gradient, theta),
    "CD-1 of the library": numerical_jacobian(expected_cd1, theta),
    "CD-1, all units drawn": numerical_jacobian(lambda t: expected_cd(t, 1), theta),
}
asymmetry = {}
for name, J in jacobians.items():
    asymmetry[name] = np.linalg.norm(J - J.T) / np.linalg.norm(J)
    print(f"{name:<22} |J - Jᵀ| / |J| = {asymmetry[name]:.1e}")
assert asymmetry["exact gradient"] < 1e-8
assert asymmetry["CD-1 of the library"] > 0.05 and asymmetry["CD-1, all units drawn"] > 0.05

# %% [markdown]
# The Jacobian of CD-1 is not symmetric, so there is no loss whose gradient is CD-1
# ([Sutskever and Tieleman 2010](bibliography.md#sutskever-2010) prove it, and construct a penalty on the weights with
# which CD goes in circles for ever). There is a second way to see it. Walk once around a circle in the space of
# parameters and add up $G \cdot d\theta$, which is how far you climb. If $G$ is a gradient, then you are back at the height at
# which you began, because the height depends on the place alone. We take the circle
# in the plane of two directions $e_1$ and $e_2$ (rows of length 1) for which $e_1 (J - J^\top)\, e_2^\top$ is largest in size.

# %%
J = jacobians["CD-1 of the library"]
left_vectors, _, right_vectors = np.linalg.svd(J - J.T)
e1, e2 = left_vectors[:, 0], right_vectors[0]  # orthogonal, since J - Jᵀ is antisymmetric
assert abs(e1 @ e2) < 1e-9


def climb(direction, radius, n=400):
    """∫ G · dθ along a circle around theta, from angle 0 up to each of n angles."""
    angles = 2 * np.pi * (np.arange(n) + 0.5) / n
    radial = np.cos(angles)[:, None] * e1 + np.sin(angles)[:, None] * e2
    tangent = -np.sin(angles)[:, None] * e1 + np.cos(angles)[:, None] * e2
    G = np.stack([direction(theta + radius * r) for r in radial])
    return angles, np.cumsum((G * tangent).sum(axis=1)) * radius * 2 * np.pi / n


radius = 1.0
climbed = {
    name: climb(f, radius)
    for name, f in (("exact gradient", exact_gradient), ("CD-1", expected_cd1))
}
for name, (_, height) in climbed.items():
    print(f"{name:<15} after one lap: {height[-1]:+.1e}")
assert abs(climbed["exact gradient"][1][-1]) < 1e-9
assert abs(climbed["CD-1"][1][-1]) > 0.02

small = climb(expected_cd1, 0.05)[1][-1]
by_stokes = np.pi * 0.05**2 * (e2 @ J @ e1 - e1 @ J @ e2)
print(f"a lap of radius 0.05: {small:.3e}; area times rotation: {by_stokes:.3e}")
assert np.isclose(small, by_stokes, rtol=0.02)

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.3)
for (name, (angles, height)), line, colour in zip(
    climbed.items(), ("-", "--"), (plots.BLUE, plots.RED), strict=True
):
    axes.plot(np.degrees(angles), height, line, color=colour, linewidth=2, label=name)
    axes.plot(360, height[-1], "o", color=colour)
axes.axhline(0, color=plots.GREY, linewidth=0.8)
axes.set(
    xlabel="angle along the circle, degrees",
    ylabel="height climbed, nats",
    xticks=range(0, 361, 60),
)
axes.legend()
show(
    drawn,
    "lap",
    "Two curves along a circle, from 0 to 360 degrees. The exact gradient rises and falls and ends at 0 where it began; "
    "CD-1 ends clearly away from 0.",
    "Once around in parameter space. The exact gradient comes back to its height; CD-1 does not, so it belongs to no landscape.",
)

# %% [markdown]
# The last line printed is [Stokes' theorem](mathematics.md#work-along-a-closed-path) for a small circle. It says that what a lap around a small circle
# gains is the circle's area times the rotation of the field in its plane, $e_2 J e_1^\top - e_1 J e_2^\top$. This rotation is 0 for all pairs of directions only
# where $J$ is symmetric. So both ways of seeing that CD-1 is no gradient are the same.
#
# Why is CD no gradient? The reply $v_1$ depends on $\theta$ too, and CD leaves this dependence out. For the same reason CD is not the
# gradient of the reconstruction error either, though this is often said. At these random weights the two directions are similar,
# so the error falls while CD trains. But they are not the same:

# %%


def reconstruction_cost(theta):
    """Cross-entropy of x and its reconstruction by probabilities, nats per example."""
    load(theta)
    return float(rbm.objective(x)["loss"])


r = numerical_jacobian(reconstruction_cost, theta)
d = expected_cd1(theta)
print(
    f"reconstruction error's gradient r: |r| = {np.linalg.norm(r):.3f}; CD-1: |d| = "
    f"{np.linalg.norm(d):.3f}"
)
print(
    f"|d - r| / |r| = {np.linalg.norm(d - r) / np.linalg.norm(r):.3f}, "
    f"cosine {d @ r / np.linalg.norm(d) / np.linalg.norm(r):.3f}"
)
assert np.linalg.norm(d - r) > 0.05 * np.linalg.norm(r)

# %% [markdown]
# ### Chains that go on: PCD
#
# **Persistent** contrastive divergence, PCD ([Tieleman 2008](bibliography.md#tieleman-2008)), keeps a hundred Gibbs
# chains from one update to the next instead of beginning at the data each time. If the weights change slowly, the
# chains stay near $P$, although each update moves them by one step only.

# %%
source(sae.RBM.continue_chains)

# %% [markdown]
# ### Four ways to train, judged by the truth
#
# The data are *bars and stripes*: of the 512 images of 3 × 3 pixels, those 14 in which every row is of one colour, or every column.
# The best that any model can do is to give each of them $\frac{1}{14}$, which is a log-likelihood of $-\log 14$. The machine has eight
# hidden units, so that $Z$ can be added up. The four ways (the exact gradient, CD-1, CD-10 and PCD-1) have the same start and the same learning rate. The library draws $W$ with a standard
# deviation of 0.01, which suits hundreds of pixels. With nine pixels every $c_j$ would then be near 0 and every hidden unit near ½, whatever the
# image is, and the first hundreds of updates would change little. So we begin with ten times that.
#
# Predict, for CD-1 and the exact gradient: which of the two ends with the smaller cost of its reconstructions, and which with the larger likelihood?

# %%
lines = all_states(3)
bars = np.concatenate([np.repeat(lines, 3, axis=1), np.tile(lines, (1, 3))])
bars = np.unique(bars, axis=0)  # all white and all black came twice
best = -np.log(len(bars))
every_image = all_states(9)
assert bars.shape == (14, 9)


def train(updates, *, k=1, persistent=False, exact=False, kind=sae.RBM):
    """The log-likelihood and the reconstruction's cost, (update, both), and the machine."""
    machine = kind(9, 8, k=k, persistent=persistent, rng=0).to(dtype=np.float64)
    assert np.abs(machine.propup(bars) - 0.5).max() < 0.05  # nearly the same for all images
    machine.energy.W *= 10  # a standard deviation of 0.1
    draw, batch, found = np.random.default_rng(1), np.repeat(bars, 10, axis=0), []
    for t in range(updates + 1):
        if t % (updates // 50) == 0:
            height = machine.log_likelihood(bars, machine.log_partition_function()).mean()
            found.append((t, height, float(machine.objective(bars)["loss"])))
        if exact:
            energy = machine.energy
            P_v = np.exp(-energy.forward(every_image) - machine.log_partition_function())
            energy.forward(np.concatenate([bars, every_image]))
            energy.backward_parameters(np.concatenate([np.full(14, 1 / 14), -P_v]))
        else:
            machine.training_step(batch, draw)
        machine.parameters -= 0.1 * machine.gradient
    return np.array(found), machine


updates = quick(5000, 2500)
ways = {
    "exact gradient": train(updates, exact=True),
    "CD-1": train(updates),
    "CD-10": train(updates, k=10),
    "PCD-1": train(updates, persistent=True),
}
print("                log-likelihood   reconstruction's cost, nats per image")
for name, (found, _) in ways.items():
    print(f"{name:<15} {found[-1, 1]:14.2f} {found[-1, 2]:23.3f}")
print(f"{'best possible':<15} {best:14.2f}")
final = {name: found[-1] for name, (found, _) in ways.items()}
assert final["CD-10"][1] > final["CD-1"][1] + quick(0.2, 0.1)
assert quick(final["exact gradient"][1] > final["CD-1"][1] + 0.2, True)
assert final["CD-1"][2] < final["exact gradient"][2]
assert final["PCD-1"][1] > final["CD-1"][1]
assert all(way[1] < best for way in final.values())
for _, machine in ways.values():  # the weights have grown: chains forget more slowly
    assert machine.energy.W.std() > 10 * 0.1

# %% tags=["hide-input"]
drawn, (left, right) = figure(7, 3.3, columns=2)
for (name, (found, _)), line, colour in zip(
    ways.items(),
    ("-", "--", "-.", ":"),
    ("black", plots.RED, plots.BLUE, plots.ORANGE),
    strict=True,
):
    left.plot(found[:, 0], found[:, 1], line, color=colour, label=name)
    right.semilogy(found[:, 0], found[:, 2], line, color=colour, label=name)
left.axhline(best, color=plots.GREY, linewidth=0.8)
left.text(updates, best + 0.05, "best possible", ha="right", color=plots.GREY, fontsize=9)
left.set(xlabel="updates", ylabel="log-likelihood, nats per image", ylim=(-6.5, -2.3))
right.set(xlabel="updates", ylabel="reconstruction's cost, nats per image")
left.legend(loc="lower right")
show(
    drawn,
    "bars",
    "Left: log-likelihood by updates. CD-1 rises first, then flattens below the others; CD-10 and the exact gradient end near "
    "the best possible. Right: the reconstruction's cost falls for all, and for CD-1 lower than for the exact gradient.",
    "Compare CD-1 with the exact gradient at the right end of both panels: CD-1 has the better reconstruction and the worse model. Judge an RBM by its likelihood.",
)

# %% [markdown]
# CD-1 ends with a *better* reconstruction than the exact gradient and a clearly *worse* probability of the data. The reason: CD-1
# raises the free energy only of what lies one step from the data. States that are probable and lie farther away are never visited, so their
# probability is never lowered. PCD ends with a larger likelihood than CD-1, and its curve is restless, because its chains follow a model that moves. (The experiment with
# images below lets the learning rate fall for this reason.)
#
# **Break it.** A mistake that is often made: the last hidden units are taken from the data instead of from the reply,
# $p_0$ in place of $p_1$. **Wrong:** $dW = -\frac1N (x^\top p_0 - v_1^\top p_0)$, $db = -\frac1N \sum (p_0 - p_0)$.
# **Right:** $p_1 = \sigma(v_1 W + b)$. With the mistake the hidden biases never move at all, because their two phases are equal, and the
# likelihood is lower:

# %%


class StaleHidden(sae.RBM):
    def training_step(self, x, rng=None):
        self.data = x
        return super().training_step(x, rng)

    def follow(self, v, rng):
        return v, self.propup(self.data)  # WRONG: P(h | v₀), not P(h | v₁)


stale, machine = train(updates, kind=StaleHidden)
print(
    f"largest hidden bias {np.abs(machine.energy.b).max():.0e}; "
    f"log-likelihood {stale[-1, 1]:.2f}, right {final['CD-1'][1]:.2f}"
)
assert np.abs(machine.energy.b).max() < 1e-12
assert stale[-1, 1] < final["CD-1"][1] - 0.3

# %% [markdown]
# ## Judging without Z
#
# For real images $Z$ cannot be added up, and so the likelihood is not known. There are substitutes.
#
# **[Pseudo-likelihood](glossary.md#pseudo-likelihood)** ([Besag 1975](bibliography.md#besag-1975)) asks how probable each pixel $v_i$ is, given *all others*, $v_{-i}$. Then only two
# images are possible, $v$ and $v^{(i)}$ with pixel $i$ flipped, so $Z$ cancels:
#
# $$
# P(v_i \mid v_{-i}) = \frac{e^{-F(v)} / Z}{e^{-F(v)} / Z + e^{-F(v^{(i)})} / Z} = \sigma\big(F(v^{(i)}) - F(v)\big), \qquad
# \mathrm{PL}(v) = \sum_{i=1}^D \log P(v_i \mid v_{-i}) .
# $$
#
# The pseudo-likelihood is no bound on $\log P(v)$, and nothing says that it rises when the likelihood does. In practice the two mostly rise together early
# in training, and it can be computed.

# %%
load(theta)
P_v = joint(theta)[0].sum(axis=1)
flipped = [
    np.argmax((np.abs(V - unit)[:, None] == V).all(axis=2), axis=1) for unit in np.eye(D)
]
pseudo = sum(np.log(P_v / (P_v + P_v[others])) for others in flipped)
print(
    "PL of 16 states, enumerated against the library's: "
    f"{np.abs(pseudo - rbm.pseudo_log_likelihood(V)).max():.0e}"
)
assert np.allclose(pseudo, rbm.pseudo_log_likelihood(V))
print(f"v = 0000: PL {pseudo[0]:.2f}, log P {np.log(P_v[0]):.2f} nats")
print(f"mean over the data: PL {q @ pseudo:.2f}, log P {q @ np.log(P_v):.2f} nats")

# %% [markdown]
# ### The partition function by steps
#
# *Beyond the short path.* **Annealed importance sampling**, AIS ([Neal 2001](bibliography.md#neal-2001); for RBMs
# [Salakhutdinov and Murray 2008](bibliography.md#salakhutdinov-2008)), estimates $Z$ itself. Take $K + 1$ distributions of images $p_k = p^*_k / Z_k$ ($p_0$ and $p_1$ are no hidden units here), from one that is easy ($p_0$: independent
# pixels, whose $Z_0$ is known) to the model's own ($p_K$), each a little different from the last. Draw $v_0$ from
# $p_0$; at step $k$ note the ratio $p^*_{k}(v_{k-1}) / p^*_{k-1}(v_{k-1})$, then take a Gibbs step of $p_k$ to $v_k$.
# The product of the ratios is a weight $w$ whose mean is the quotient that we want:
#
# $$
# \mathbb E[w] = \mathbb E\left[\prod_{k=1}^{K} \frac{p^*_k(v_{k-1})}{p^*_{k-1}(v_{k-1})}\right] = \frac{Z_K}{Z_0} .
# $$
#
# Why is this its mean? Take one step, and all chains that end at the same $v'$. The probabilities of these chains, each times its weight, add up to
# $\sum_v \frac{p^*_0(v)}{Z_0} \frac{p^*_1(v)}{p^*_0(v)} T_1(v \to v') = \frac{1}{Z_0} \sum_v p^*_1(v)\, T_1(v \to v') = \frac{p_1^*(v')}{Z_0}$,
# because a Gibbs step $T_1$ of $p_1$ does not change this distribution. So $p^*_1 / Z_0$ has taken the place of $p^*_0 / Z_0$, and
# the argument repeats for the next step. After the last one it is $p^*_K(v') / Z_0$, and its sum over $v'$ is $Z_K / Z_0$. The distributions here, with the biases $a_0$ of the
# independent pixels, are
# $p^*_\beta(v) = e^{(1 - \beta)\, a_0 \cdot v + \beta\, a \cdot v} \prod_j (1 + e^{\beta c_j})$, with $\beta$ from 0 (independent pixels)
# to 1 (the model).
#
# On a machine with 784 pixels and 12 hidden units $Z$ can still be added up, over the $2^{12}$ *hidden* states. So here the estimate of AIS
# can be compared with the truth. The chains begin at independent pixels, either with the frequencies that
# the pixels have in the data, or with $a_0 = a$: predict which of the two needs fewer steps.

# %%
data = dataset()  # strokes, or what --data names
train_images = pixels(data.train_images)[: quick(10_000, 3000)]
test = pixels(data.test_images)[:1000]

twelve = sae.RBM(784, 12, persistent=True, rng=0)
recipe = {
    "epochs": quick(6, 3),
    "batch_size": 50,
    "optimizer": sae.SGD(0.05),
    "progress": False,
}
sae.fit(twelve, train_images[:5000], **recipe)
log_Z = twelve.log_partition_function()
print(
    f"log Z, exactly: {log_Z:.3f}; log P of test images "
    f"{twelve.log_likelihood(test, log_Z).mean():.1f} nats"
)
estimates = {}
for begin, frequencies in (("pixels' frequencies", train_images), ("the biases a", None)):
    for count in quick((10, 30, 100, 300, 1000), (10, 100, 300)):
        estimates[begin, count] = twelve.ais(
            100, count, np.random.default_rng(1), x=frequencies
        )
        value, error = estimates[begin, count]
        print(f"AIS from {begin:<19} {count:>4} steps: {value:8.3f} ± {error:.3f}")
value, error = estimates["pixels' frequencies", quick(1000, 300)]
assert abs(value - log_Z) < max(5 * error, 0.1)
poor, poor_error = estimates["the biases a", 10]
assert abs(poor - log_Z) > max(5 * poor_error, abs(value - log_Z))

tiny_log_Z, tiny_error = rbm.ais(2000, 50, np.random.default_rng(2))
print(
    f"the machine of 4 and 3 units: {tiny_log_Z:.4f} ± {tiny_error:.4f}, exactly "
    f"{np.log(Z):.4f}"
)
assert abs(tiny_log_Z - np.log(Z)) < 5 * tiny_error

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.3)
axes.axhline(log_Z, color="black", linewidth=1, label="exact")
for begin, line, colour in (
    ("pixels' frequencies", "o-", plots.BLUE),
    ("the biases a", "s--", plots.RED),
):
    points = [
        (count, *found) for (name, count), found in estimates.items() if name == begin
    ]
    counts, values, spreads = np.array(points).T
    axes.errorbar(
        counts,
        values,
        2 * spreads,
        fmt=line,
        color=colour,
        capsize=3,
        label=f"from {begin}",
    )
axes.set(
    xscale="log",
    xlabel="steps from the easy distribution to the model",
    ylabel="estimate of log Z, nats",
)
axes.legend(loc="lower right")
show(
    drawn,
    "ais",
    "Estimates of log Z against the number of steps. From the pixels' frequencies they lie on the exact line from few steps on; from "
    "the biases they begin far too low and reach the line only with many steps.",
    "AIS with 100 chains; bars are two standard errors, as AIS itself estimates them. Look at the squares on the left: their bars do not reach the exact value.",
)

# %% [markdown]
# From a bad beginning AIS needs many steps. And with few steps the error that AIS reports is too small, because chains that
# never reached the probable states cannot tell how much weight they missed.
#
# ### Overfitting, seen without Z
#
# *Beyond the short path.* One quantity needs no $Z$ at all. Is the model better on its training images than on new ones? The difference of the two
# log-likelihoods is
#
# $$
# \begin{aligned}
# & \mathbb E_{\text{training}}[\log P(x)] - \mathbb E_{\text{validation}}[\log P(x)] \\
# &\quad = \mathbb E_{\text{validation}}[F(x)] - \mathbb E_{\text{training}}[F(x)],
# \end{aligned}
# $$
#
# because both hold the same $-\log Z$, which cancels. [Hinton 2010](bibliography.md#hinton-2010) recommends this **free-energy gap** as a monitor, in nats per image: it
# is near 0 as long as the machine learns what all such images have in common, and grows when it learns its training images by heart. Two machines
# with 128 hidden units are trained by equally many updates, one on 200 images and one on 3,000. Predict the two curves.

# %%
held_out = pixels(data.train_images)[20_000:21_000]
gaps = {}
for count in (200, 3000):
    machine, given = sae.RBM(784, 128, rng=0), train_images[:count]
    gaps[count] = [0.0]  # before training F is nearly the same for all images
    for _ in range(5):
        sae.fit(
            machine,
            given,
            epochs=3000 // count,
            batch_size=50,
            optimizer=sae.SGD(0.05),
            progress=False,
        )
        gap = machine.free_energy(held_out).mean() - machine.free_energy(given).mean()
        gaps[count].append(float(gap))
    told = ", ".join(f"{gap:.1f}" for gap in gaps[count][1:])
    print(f"{count:>5} images: free-energy gap after each 60 updates {told} nats")
assert gaps[200][-1] > 3 * abs(gaps[3000][-1]) and gaps[200][-1] > gaps[200][1] + 1

# %% tags=["hide-input"]
drawn, axes = figure(6, 3)
for (count, values), line, colour in zip(
    gaps.items(), ("o-", "s--"), (plots.RED, plots.BLUE), strict=True
):
    axes.plot(60 * np.arange(6), values, line, color=colour, label=f"{count:,} images")
axes.axhline(0, color=plots.GREY, linewidth=0.8)
axes.set(xlabel="updates", ylabel="free-energy gap, nats per image")
axes.legend()
show(
    drawn,
    "gap",
    "The free-energy gap against updates: for 200 images the line rises steeply, for 3,000 images it stays close to 0.",
    "The upper line is a model that learns 200 images by heart: the line's height is by how many nats these images have a larger log P than new ones.",
)

# %% [markdown]
# ## An experiment: images
#
# Now a machine with 256 hidden units learns the images, by PCD with a learning rate that falls. A grey pixel of the
# data is taken as the probability that this pixel is on.

# %%
epochs = quick(10, 3)
updates_in_all = epochs * len(train_images) // 50
images_rbm = sae.RBM(784, 256, persistent=True, rng=0)
before = float(images_rbm.pseudo_log_likelihood(test).mean())
sae.fit(
    images_rbm,
    train_images,
    epochs=epochs,
    batch_size=50,
    optimizer=sae.SGD(sae.Cosine(0.1, updates_in_all)),
    progress=False,
)
after = float(images_rbm.pseudo_log_likelihood(test).mean())
log_Z, error = images_rbm.ais(
    100, quick(1000, 200), np.random.default_rng(3), x=train_images
)
likelihood = float(images_rbm.log_likelihood(test, log_Z).mean())
shuffled = test[:, rng.permutation(784)]
print(
    f"pseudo-log-likelihood of test images: {before:.1f} before, {after:.1f} nats after "
    "training"
)
print(
    f"log P, Z by AIS: test images {likelihood:.1f}, the same with pixels shuffled "
    f"{images_rbm.log_likelihood(shuffled, log_Z).mean():.0f} nats per image"
)
assert after > before / 2 and before < -500
assert likelihood > images_rbm.log_likelihood(shuffled, log_Z).mean() + 100

# %% [markdown]
# Before training every pixel is nearly a fair coin, and 784 fair coins have a pseudo-log-likelihood of $-784 \log 2 = -543$ nats. What do the hidden units look for, and what
# does the machine dream? Each of the chains below begins at a test image and goes on for many steps. Predict what is left of the image after 1, 10 and 100
# steps.

# %% tags=["hide-input"]
show(
    lambda path: plots.filters(
        images_rbm.energy.W, train_images.std(axis=0), path, count=32
    ),
    "filters",
    "The weights of 32 hidden units as images: strokes and pieces of strokes, positive beside negative.",
    "What 32 of the hidden units look for: pieces of strokes.",
)
picked = [int(np.flatnonzero(data.test_labels[:1000] == digit)[0]) for digit in range(8)]
state, rows = test[picked], {"start": test[picked].reshape(-1, 28, 28)}
for stage in quick((1, 10, 100, 1000), (1, 10, 100)):
    state = test[picked]
    draw = np.random.default_rng(4)
    for _ in range(stage):
        mean, state = images_rbm.gibbs_vhv(state, draw)
    rows[f"{stage} step{'s' * (stage > 1)}"] = mean.reshape(-1, 28, 28)
show(
    lambda path: plots.image_rows(rows, path),
    "dreams",
    "Rows of eight images: test images, and Gibbs chains from them after 1 step and more. After one step they resemble their start, "
    "after many they have become other digits.",
    "Gibbs chains that begin at test images, as probabilities. Read a column downwards: after one step, which is all that CD-1 ever sees, the image is still close to its start.",
)

# %% [markdown]
# ## Real-valued hidden units
#
# *Beyond the short path.* A hidden unit that is 0 or 1 can tell at most one bit about the image. So the last layer of the network of 2006 (a later section), which makes
# the code of the autoencoder, has hidden units that are real numbers, with the energy $E(v, h) = -v\,a + \frac12 |h - b|^2 - v W h^\top$. Complete the square, with $c = vW + b$ as before:
#
# $$
# -\tfrac12 (h_j - b_j)^2 + (vW)_j h_j = -\tfrac12 (h_j - c_j)^2 + \tfrac12 \big(c_j^2 - b_j^2\big) .
# $$
#
# So $P(h_j \mid v) = \mathcal N(c_j, 1)$, a [normal distribution](mathematics.md#density-and-the-normal-distribution) around $c_j$. And because
# $\int e^{-\frac12 (h - c)^2} dh = \sqrt{2\pi}$,
#
# $$
# F(v) = -v\,a - \tfrac12 \sum_j \big(c_j^2 - b_j^2 + \log 2\pi\big) .
# $$
#
# In this $F$ the bias stands twice: within $c_j = (vW)_j + b_j$, and as $b_j^2$. So there are two paths to it, whose derivatives add up:
# $\partial F / \partial b_j = -c_j + b_j$. With a weight $w_n$ for each row, as above,
#
# $$
# \begin{aligned}
# F_n &= -v_n a - \tfrac12 \textstyle\sum_j (c_{nj}^2 - b_j^2 + \log 2\pi), \qquad c = vW + b \\
# dW &= -v^\top (w \odot c), \qquad da = -\underset{(1, N)}{w}\,\underset{(N, D)}{v}, \qquad
# db = -\underset{(1, N)}{w}\,\underset{(N, H)}{c} + b \textstyle\sum_n w_n .
# \end{aligned}
# $$
#
# This is what `backward_parameters` does: `self.h` is $c$ here, and its last line adds $b \sum_n w_n$. In contrastive divergence the weights of the
# data and of the reply add up to 0, so there this last term vanishes.

# %%
real = sae.RBM(3, 1, hidden_units="gaussian", rng=3).to(dtype=np.float64)
real.energy.W[...], real.energy.b[...] = rng.standard_normal((3, 1)), 0.7
grid = np.linspace(-12, 12, 40_001)  # the integral over h, as a sum
for v in all_states(3)[[1, 6]]:
    energy = -v @ real.energy.a + 0.5 * (grid - 0.7) ** 2 - (v @ real.energy.W)[0] * grid
    weight = np.exp(-energy)
    by_sum = -np.log(weight.sum() * (grid[1] - grid[0]))
    print(
        f"v = {v.astype(int)}: F {real.free_energy(v[None])[0]:.6f}, by the integral "
        f"{by_sum:.6f}; "
        f"mean of h {weight @ grid / weight.sum():.4f} = c {real.propup(v[None])[0, 0]:.4f}"
    )
    assert np.isclose(real.free_energy(v[None])[0], by_sum)
    assert np.isclose(weight @ grid / weight.sum(), real.propup(v[None])[0, 0])
layer = FreeEnergy(4, 3, hidden_units="gaussian", rng=rng).to(dtype=np.float64)
layer.b[...] = (0.5, -1, 2)
report = sae.check_gradients(layer, rng.random((3, 4)))
print(report)
assert report.passed
c, w = layer.up(rng.random((3, 4))), np.array([0.5, 0.5, -1])
assert np.allclose(-w @ c + layer.b * w.sum(), -w @ c)  # the weights add up to 0

# %% [markdown]
# ## Real-valued data
#
# *Beyond the short path.* The same square can stand on the visible side, for data that are real numbers:
#
# $$
# \begin{aligned}
# & E(v, h) = \tfrac12 |v - a|^2 - h\,b - v W h^\top \quad\Rightarrow \\
# & P(v \mid h) = \mathcal N(a + h W^\top,\, I), \qquad
# F(v) = \tfrac12 |v - a|^2 - \sum_j \log\big(1 + e^{c_j}\big) .
# \end{aligned}
# $$
#
# Each hidden unit that is on shifts the mean of $v$ by its column of $W$. So $P(v)$ is a mixture of $2^H$ normal
# distributions, each of variance 1, which is why the columns of the data should first be standardised to mean 0 and
# variance 1. $Z$ is a sum over $h$ again, because the integral over $v$ is known:
# $Z = (2\pi)^{D/2} \sum_h e^{h \cdot b + \frac12 |a + h W^\top|^2 - \frac12 |a|^2}$.
#
# One thing changes in contrastive divergence: the reply $v_1$ has to be *drawn*. The data have a variance of 1 around
# what the hidden units say. If the reply is only the mean $a + h_0 W^\top$, that variance is missing from it, so the two
# phases do not agree even where the model is right, and $W$ grows until it makes up for the noise. Take data
# without any structure, $\mathcal N(0, I)$. The right $W$ is 0. Predict what becomes of it under each of the two replies:

# %%


class MeanReply(sae.RBM):
    def reply(self, mean, rng):
        return mean  # WRONG for Gaussian visible units: v₁ has to be drawn


noise = np.random.default_rng(5).standard_normal((2000, 4))
noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
truth = -0.5 * (noise**2).sum(axis=1).mean() - 2 * np.log(2 * np.pi)
heights_of, columns_of = {}, {}
for name, kind in (("drawn", sae.RBM), ("its mean", MeanReply)):
    machine = kind(4, 3, visible_units="gaussian", rng=0).to(dtype=np.float64)
    optimizer = sae.SGD(sae.Cosine(0.1, 60 * 20))
    sae.fit(machine, noise, epochs=60, batch_size=100, optimizer=optimizer, progress=False)
    log_p = machine.log_likelihood(noise, machine.log_partition_function()).mean()
    heights_of[name] = log_p
    size = np.linalg.norm(machine.energy.W, axis=0).max()
    print(
        f"v₁ {name:<9} longest column of W {size:.2f}; log-likelihood {log_p:.3f} nats, "
        f"of N(0, I) {truth:.3f}"
    )
    columns_of[name] = size
assert (
    heights_of["drawn"] > truth - 0.1 and columns_of["its mean"] > 3 * columns_of["drawn"]
)
assert heights_of["its mean"] < heights_of["drawn"] - 0.1
report = sae.check_gradients(
    FreeEnergy(4, 3, visible_units="gaussian", rng=rng), rng.standard_normal((3, 4))
)
assert report.passed

# %% [markdown]
# ## The deep belief network
#
# *Beyond the short path, up to the section on 2006.* An RBM can be read as a story with two acts: draw $h$ from $P(h)$, then $v$ from
# $P(v \mid h)$. In an RBM the same weights decide both. A **[deep belief network](glossary.md#deep-belief-network)** (DBN,
# [Hinton et al. 2006](bibliography.md#hinton-2006a)) keeps $P(v \mid h)$ and puts another RBM in the place of $P(h)$, which may fit better:
#
# $$
# \begin{aligned}
# & P(v, h^1, h^2) = P(v \mid h^1)\; P(h^1, h^2), \\
# & P(v_i = 1 \mid h^1) = \sigma\big((h^1 W_1^\top + a_1)_i\big), \qquad
# P(h^1, h^2) = \frac{e^{-E_2(h^1, h^2)}}{Z_2} .
# \end{aligned}
# $$
#
# Here $h^1$ and $h^2$ are two layers of hidden units, and only the pair of them is an RBM. To sample, run Gibbs steps in this top RBM, then draw $v$ given $h^1$
# once. What becomes hard is the way up. In an RBM the units of $h$ are independent given $v$; here $P(h^1 \mid v)$ is
# proportional to $P(v \mid h^1)\, P(h^1)$, and the units of $h^1$ are not independent under $P(h^1)$. So $P(v) = \sum_{h^1} P(v \mid h^1) P(h^1)$
# has no short form either.
#
# Articles say other things of the DBN. "All layers share their weights": no, each RBM has its own; what is used twice is $W_1$, upwards as $W_1$ and downwards as
# $W_1^\top$. "Its loss is $-\log p_{\text{data}}(x) + \dots + \mathrm{KL}(\text{prior} \,\|\, \text{posterior})$": the first term holds no parameter, so its gradient is 0, and the
# KL stands the wrong way round, as the bound will show.
#
# ### The bound
#
# Take *any* distribution $Q(h \mid v)$, and write $h$ for $h^1$. The logarithm of a mean is at least the mean of the
# logarithm ([Jensen's inequality](mathematics.md#jensens-inequality)), so
#
# $$
# \begin{aligned}
# \log P(v) &= \log \sum_h Q(h \mid v)\, \frac{P(v \mid h)\, P(h)}{Q(h \mid v)}
# \;\ge\; \sum_h Q(h \mid v) \log \frac{P(v \mid h)\, P(h)}{Q(h \mid v)} \\
# &= \underbrace{\mathbb E_Q[\log P(h)]}_{\text{the top RBM}} + \mathbb E_Q[\log P(v \mid h)] + \underbrace{\mathbb E_Q[-\log Q(h \mid v)]}_{\text{entropy of } Q} \\
# &= \log P(v) - \mathrm{KL}\big(Q(h \mid v) \,\|\, P(h \mid v)\big) .
# \end{aligned}
# $$
#
# The last step puts $P(v \mid h) P(h) = P(h \mid v) P(v)$ into the fraction. The bound is the ELBO of
# [chapter 11](11_variational.py), with a sum in place of the integral.
#
# ### Why one layer after the other may be right
#
# 1. *Start.* Train the first RBM. Let $Q(h \mid v)$ be the $P(h \mid v)$ of this RBM, and let the second RBM begin as the first
#    one upside down: $W_2 = W_1^\top$, $a_2 = b_1$, $b_2 = a_1$. The energy is the same function with the roles
#    exchanged, so $P(h^1)$ is the first RBM's, and so is $P(v, h^1)$. $Q$ is the true posterior, the KL is 0, and
#    **the bound is tight**: it is $\log P(v)$ of the first RBM.
# 2. *Freeze* $W_1$. Then $Q$ and $P(v \mid h)$ stand still, and of the bound, averaged over the data, only
#    $\mathbb E_{v \sim \text{data}}\, \mathbb E_Q[\log P(h)]$ can change. That is the log-likelihood of the second RBM on
#    "data" $h$ that were drawn from $Q(h \mid v)$.
# 3. *So* every step that makes the second RBM better on these $h$ raises the bound. $\log P(v)$ lies above the bound,
#    and the bound lies above its start, the first RBM's $\log P(v)$: the DBN is a better model of the data than the RBM was.
#
# The next cell does all of it in numbers, with 4-3-4 units and the data $x$ of above. The first RBM is stopped early, so that something is left
# for the second one to learn.

# %%


def log_bits(logits, bits):
    """log P(bits) of independent bits: each row of logits (A, n) with each of bits (B, n), (A, B)."""
    return logits @ bits.T - np.log1p(np.exp(logits)).sum(axis=1, keepdims=True)


def heights(net):
    """The mean over the data of log P(v), and of the bound, in nats: by the sum over all h."""
    log_q = log_bits(net.ascend(0, V), hidden)  # log Q(h|v), (16, 8)
    log_v = log_bits(net.descend(0, hidden), V).T  # log P(v|h), (16, 8)
    log_h = net.prior.log_likelihood(hidden, net.prior.log_partition_function())
    log_p = np.log(np.exp(log_v + log_h).sum(axis=1))
    assert np.isclose(np.exp(log_p).sum(), 1)
    bound = (np.exp(log_q) * (log_h + log_v - log_q)).sum(axis=1)
    return q @ log_p, q @ bound


first, alone = theta.copy(), []
for _ in range(100):
    alone.append(-loss(first))
    first -= 0.2 * exact_gradient(first)
load(first)

net = sae.DBN((D, H, D), top="bernoulli", rng=0).to(dtype=np.float64)
below, top = net.rbms[0].energy, net.prior.energy
below.W[...], below.a[...], below.b[...] = W, a, b
top.W[...], top.a[...], top.b[...] = W.T, b, a  # upside down
start = heights(net)
print(f"the first RBM {-loss(first):.6f}, log P(v) {start[0]:.6f}, bound {start[1]:.6f}")
assert np.allclose(start, -loss(first))
log_q = log_bits(net.ascend(0, V), hidden)
log_v = log_bits(net.descend(0, hidden), V).T
log_h = net.prior.log_likelihood(hidden, net.prior.log_partition_function())
rebuilt = (np.exp(log_q) * log_v).sum(axis=1)  # E_Q[log P(v|h)]
right_way = rebuilt - (np.exp(log_q) * (log_q - log_h)).sum(axis=1)  # - KL(Q ‖ P(h))
other_way = rebuilt - (np.exp(log_h) * (log_h - log_q)).sum(axis=1)  # - KL(P(h) ‖ Q)
print(f"with KL(Q ‖ P(h)) {q @ right_way:.4f}, with KL(P(h) ‖ Q) {q @ other_way:.4f}")
assert np.allclose(right_way, np.log(joint(first)[0].sum(axis=1)))
assert not np.allclose(other_way, right_way, atol=0.01)
assert not np.shares_memory(top.W, below.W)

drawn_h = q @ np.exp(log_bits(net.ascend(0, V), hidden))  # how often Q draws each h
greedy = []
for _ in range(quick(300, 200)):
    greedy.append(heights(net))
    P_h = np.exp(net.prior.log_likelihood(hidden, net.prior.log_partition_function()))
    top.forward(hidden)
    top.backward_parameters(drawn_h - P_h)  # the exact gradient of the second RBM
    for name in "Wab":
        getattr(top, name)[...] -= 0.2 * getattr(top, "d" + name)
log_P, bound = np.array(greedy).T
print(f"with a second RBM: log P(v) {log_P[-1]:.4f}, bound {bound[-1]:.4f}")
assert (np.diff(bound) > 0).all() and (bound <= log_P + 1e-12).all()
assert log_P[-1] > bound[-1] > start[0] + 0.02

# %% [markdown]
# Three warnings. The second step has to raise the *likelihood* of the second RBM, and contrastive divergence does not promise this. A second
# RBM of another size cannot begin upside down; then the bound still holds, but it is not tight at the beginning. And once the bound is no longer tight,
# $\log P(v)$ itself may fall, as long as it stays above the bound.
#
# With hundreds of units the bound is estimated by draws: $h \sim Q$, then
# $\log P(h) + \log P(v \mid h) - \log Q(h \mid v)$, whose mean is the bound.

# %%
source(sae.DBN.bound, sae.DBN.sample)
log_Z2 = net.prior.log_partition_function()
draws = net.bound(np.repeat(x, 4000, axis=0), log_Z2, rng)
error = draws.std() / np.sqrt(len(draws))
print(
    f"the bound by {len(draws):,} draws {draws.mean():.3f} ± {error:.3f}, by the sum "
    f"{heights(net)[1]:.3f}"
)
assert abs(draws.mean() - heights(net)[1]) < 5 * error

pictures = net.sample(20_000, steps=50, rng=rng)
pictures = rng.random(pictures.shape) < pictures
seen = np.bincount((pictures @ 2 ** np.arange(D)[::-1]).astype(int), minlength=16) / 20_000
log_v = log_bits(net.descend(0, hidden), V).T
exact = np.exp(log_v + net.prior.log_likelihood(hidden, log_Z2)).sum(axis=1)
print(
    "20,000 samples: largest |share seen - P(v)| over the 16 states "
    f"{np.abs(seen - exact).max():.4f}"
)
assert np.abs(seen - exact).max() < 5 * 0.5 / np.sqrt(20_000)

# %% [markdown]
# ### Up and down: all layers together
#
# The weights of the first RBM were frozen before there was anything above them. The **[up-down
# algorithm](glossary.md#up-down-algorithm)** of the paper that introduced the DBN, with the idea of
# [Hinton et al. 1995](bibliography.md#hinton-1995), trains all of them further. It unties the two uses of $W_1$: weights $R$ guess on the way up, $Q(h \mid v) = \sigma(vR + r)$,
# and weights $G$ make the image on the way down, $P(v \mid h) = \sigma(hG + g)$. Each step has three parts:
#
# 1. **Awake**: draw $h \sim Q(h \mid v)$ from the data. The only term of the bound with $G$ in it is
#    $\mathbb E_Q[\log P(v \mid h)]$; its negative is a cross-entropy with $h$ as the input and $v$ as the target. With the logits
#    $l = hG + g$ ([chapter 07](07_cross_entropy.py)):
#    $\;\underset{(N, D)}{dl} = \frac1N (\sigma(l) - v)$, $\;\underset{(H, D)}{dG} = h^\top dl$, $\;dg = \sum_n dl_n$.
# 2. **The top** learns these $h$ as its data, by CD-$k$: the term $\mathbb E_Q[\log P(h)]$.
# 3. **Asleep**: from where the top RBM's chain has ended, draw down to a dream $v$. For a dream it is known which $h$ has
#    made it. So teach $R$ to guess it, a cross-entropy the other way round:
#    $\;\underset{(N, H)}{dl} = \frac1N (\sigma(l) - h)$ with $l = vR + r$, $\;\underset{(D, H)}{dR} = v^\top dl$.
#
# The third part is not the slope of the bound. The bound depends on $R$ through *which* $h$ are drawn, and a bit that
# is drawn has no derivative. Asleep, one descends $\mathrm{KL}(P(h \mid v) \| Q(h \mid v))$ for dreams in place of
# $\mathrm{KL}(Q(h \mid v) \| P(h \mid v))$ for the data. So the step as a whole is, again, the gradient of no single loss. Given the
# states that were drawn, each of its three parts is the gradient of a loss of its own.

# %%
source(
    sae.UpDown.objective,
    sae.UpDown.recognise,
    sae.UpDown.dream,
    sae.UpDown.costs,
    sae.UpDown.backward,
)
both = net.untie(k=5)
assert np.allclose(heights(both), heights(net))
report = sae.check_gradients(both, x)
print(report)
assert report.passed

many = np.repeat(x, 40, axis=0)
together, optimizer = [], sae.SGD(sae.Cosine(0.1, quick(400, 200)))
for _ in range(quick(400, 200)):
    together.append(heights(both))
    both.training_step(many, rng)
    optimizer.update(both.parameters, both.gradient)
print(f"after up-down: log P(v) {together[-1][0]:.3f}, bound {together[-1][1]:.3f}")
print(f"the best that any model can do: {q[q > 0] @ np.log(q[q > 0]):.3f}")
assert together[-1][0] > log_P[-1] + 0.1 and all(low <= high for high, low in together)

# %% tags=["hide-input"]
drawn, axes = figure(6.5, 3.4)
ends = np.cumsum([0, len(alone), len(greedy), len(together)])
upper = [*alone, *(pair[0] for pair in greedy), *(pair[0] for pair in together)]
lower = [*alone, *(pair[1] for pair in greedy), *(pair[1] for pair in together)]
axes.plot(upper, color="black", label="log P(v)")
axes.plot(lower, "--", color=plots.BLUE, label="the bound")
axes.axhline(q[q > 0] @ np.log(q[q > 0]), color=plots.GREY, linewidth=0.8)
axes.text(ends[-1], -1.36, "best possible", ha="right", va="top", color=plots.GREY)
for begin, end, name in zip(
    ends, ends[1:], ("first\nRBM", "second RBM", "up-down"), strict=False
):
    axes.axvline(end, color=plots.GREY, linewidth=0.6, linestyle=":")
    axes.text((begin + end) / 2, -2.97, name, ha="center", va="bottom", color=plots.GREY)
axes.set(xlabel="updates", ylabel="nats per example", ylim=(-3, -1.25), xlim=(0, ends[-1]))
axes.legend(loc="center right")
show(
    drawn,
    "dbn_bound",
    "Log P of the data and the bound against updates, in three stretches. In the first they are one line, which rises. In the second "
    "the bound leaves log P and both rise a little, the bound below. In the third both rise much further.",
    "Three trainings one after the other. The bound is tight until the second RBM begins to learn, and lies below log P(v) from then on.",
)

# %% [markdown]
# ## 2006: layer by layer, then all at once
#
# [Chapter 05](05_going_deep.py#2006) left a deep network of sigmoids that learned nothing but the mean image, because its
# gradients vanish on their way to the first layers. [Hinton and Salakhutdinov 2006](bibliography.md#hinton-2006b) found a way around this.
#
# 1. **Pretrain.** Train an RBM on the images. Take its hidden probabilities as the data of a second RBM, and so on,
#    as for a deep belief network. No gradient passes through more than one layer here, so none vanishes. (The gradients of step 3 do pass
#    through all layers, but by then the weights are no longer small.) The last RBM, whose hidden units become the code, has real-valued ones.
# 2. **Unroll.** Lay the layers out as an encoder, $W_1, W_2, \dots$, and once more, transposed and in reverse, as a
#    decoder. From here on the network is no model of probabilities any more; the RBMs were a place to start from.
# 3. **Fine-tune** the whole network by backpropagation, on the cross-entropy of the images. From now on the two copies of a matrix are
#    trained separately.

# %% tags=["hide-input"]
drawn, (stacked, unrolled_axes, tuned) = figure(
    7, 4.2, columns=3, width_ratios=(1.25, 1, 1)
)
layers = [(784, 1.0), (200, 0.72), (100, 0.5), (50, 0.36), (10, 0.2)]


def box(axes, x0, y0, label, width, colour):
    axes.barh(y0, width, left=x0 - width / 2, height=0.42, color=colour, edgecolor="black")
    axes.text(x0, y0, label, ha="center", va="center", fontsize=9)


def between(axes, x0, y0, y1, label, style):
    arrow = {"arrowstyle": style, "color": "black", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x0, y1 - 0.22), (x0, y0 + 0.22), arrowprops=arrow)
    axes.text(x0 + 0.04, (y0 + y1) / 2, label, va="center", fontsize=9)


pale, bright = "#d7e6f2", "#f6dfc2"
y0 = 0.0
for i, ((n, width), (m, narrow)) in enumerate(itertools.pairwise(layers)):
    box(stacked, 0, y0, n, width, pale)
    box(stacked, 0, y0 + 1, m, narrow, bright)
    between(stacked, 0, y0, y0 + 1, f"$W_{i + 1}$", "<->")
    if i < 3:  # what one RBM has learned are the data of the next
        stacked.annotate(
            "",
            (0.5, y0 + 1.75),
            (0.5, y0 + 1.0),
            arrowprops={
                "arrowstyle": "->",
                "color": plots.GREY,
                "connectionstyle": "arc3,rad=0.6",
            },
        )
    y0 += 1.75
stacked.text(0.72, 1.37, "data of\nthe next", color=plots.GREY, fontsize=8, va="center")
for axes, change in ((unrolled_axes, ""), (tuned, "+ε")):
    tower = [*layers, *layers[-2::-1]]
    for i, (n, width) in enumerate(tower):
        box(axes, 0, 0.84 * i, n, width, bright if n == 10 else pale)
    for i in range(8):
        number, turned = (i + 1, "") if i < 4 else (8 - i, r"^\top")
        text = (
            f"$W_{number}{turned}$"
            if not change
            else f"$W_{number}{turned}{{+}}\\varepsilon_{i + 1}$"
        )
        between(axes, 0, 0.84 * i, 0.84 * (i + 1), text, "->")
for axes, title in (
    (stacked, "1. pretrain: a stack of RBMs"),
    (unrolled_axes, "2. unroll"),
    (tuned, "3. fine-tune"),
):
    axes.set(xlim=(-0.55, 1.0 if axes is stacked else 0.62), ylim=(-0.4, 7.1))
    axes.set_title(title, fontsize=10)
    axes.axis("off")
show(
    drawn,
    "unrolling",
    "Left: four RBMs, one above the other, 784-200, 200-100, 100-50 and 50-10; what one has learned is the data of the next. "
    "Middle: the four weights as an encoder from 784 to 10, and their transposes as a decoder back to 784. Right: the same tower, "
    "each weight with a change of its own.",
    "Follow one matrix: an RBM learns W₁ on the left, the middle uses it twice, and on the right its two copies go apart. The sizes are those used below (after figure 1 of the paper).",
)

# %%
source(sae.pretrain, sae.DBN.upward, sae.DBN.unroll)

# %% [markdown]
# Here is the experiment in small, 784-200-100-50-10 and back; the paper has 784-1000-500-250-30. Three
# contestants, pretrained sigmoids, sigmoids from random weights and softplus from random weights, have the same sizes, the same batches, and Adam with the
# same rate; the pretrained one has had its epochs of pretraining before. Predict who is still at the mean image after two epochs, and who is best at the end.

# %%
sizes = [784, 200, 100, 50, 10]
some = train_images[: quick(5000, 3000)]
network = sae.DBN(sizes, rng=0)
sae.pretrain(network, some, epochs=quick(8, 5), progress=False)
unrolled = network.unroll()
assert np.allclose(unrolled.reconstruct(test), network.reconstruct(test), atol=1e-5)
print(f"{unrolled.parameter_count():,} parameters; `unroll` computes what the DBN does")


def error_of(model):
    """Squared error per test image, summed over its pixels."""
    return float(((model.reconstruct(test) - test) ** 2).sum(axis=1).mean())


def from_scratch(activation):
    draw = np.random.default_rng(0)
    parts = (stack(chain, activation, draw, last=None) for chain in (sizes, sizes[::-1]))
    return sae.Autoencoder(*parts, loss=sae.BCEWithLogits())


contestants = {
    "sigmoid, pretrained": unrolled,
    "sigmoid, random": from_scratch(sae.Sigmoid),
    "softplus, random (He)": from_scratch(sae.Softplus),
}


def one_epoch(model, x, optimizer, rng, batch_size=100):
    """What `fit` does in an epoch: the same optimizer remembers its moments from one to the next."""
    order = rng.permutation(len(x))
    for start in range(0, len(x), batch_size):
        model.training_step(x[order[start : start + batch_size]])
        optimizer.update(model.parameters, model.gradient)


rounds = quick(12, 6)
by_epoch = {}
for name, model in contestants.items():
    optimizer, by_epoch[name] = sae.Adam(3e-3), [error_of(model)]
    order = np.random.default_rng(0)
    for _ in range(rounds):
        one_epoch(model, some, optimizer, order)
        by_epoch[name].append(error_of(model))
pca = error_of(sae.PCA(10).fit(some))
mean_image = float(((some.mean(axis=0) - test) ** 2).sum(axis=1).mean())
print("squared error per test image, by epochs of fine-tuning")
for name, errors in by_epoch.items():
    print(
        f"{name:<22} 0: {errors[0]:6.1f}   1: {errors[1]:5.1f}   {rounds}: "
        f"{errors[-1]:5.1f}"
    )
print(f"{'PCA, 10 numbers':<22} {pca:37.1f}\n{'the mean image':<22} {mean_image:37.1f}")
assert by_epoch["sigmoid, random"][2] > 0.9 * mean_image  # it has learned the mean
assert by_epoch["sigmoid, pretrained"][quick(2, -1)] < 0.8 * mean_image
assert by_epoch["sigmoid, pretrained"][-1] < 0.8 * by_epoch["sigmoid, random"][-1]
if data_name() == "strokes":
    assert quick(by_epoch["sigmoid, pretrained"][-1] < 0.7 * pca, True)

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
for (name, errors), line, colour in zip(
    by_epoch.items(),
    ("o-", "s--", "^-."),
    (plots.BLUE, plots.RED, plots.ORANGE),
    strict=True,
):
    axes.plot(range(1, rounds + 1), errors[1:], line, color=colour, label=name)
axes.axhline(mean_image, color=plots.GREY, linestyle=":", label="the mean image")
axes.axhline(pca, color="black", linewidth=0.8, label="PCA, 10 numbers")
axes.set(
    xlabel="epochs of backpropagation",
    ylabel="squared error per test image",
    ylim=(0, 68),
)
axes.legend(fontsize=9, ncols=2, loc="upper center")
show(
    drawn,
    "experiment_2006",
    "Error by epoch. From random weights the sigmoid network stays on the line of the mean image for several epochs; pretrained, it falls "
    "from the first epoch on, below PCA. The softplus network falls from random weights as well.",
    "The experiment of 2006, in small. From random weights the sigmoids stay at the mean image; pretrained they learn. A softplus with He's initialisation, which was found later, learns from random weights too.",
)

# %% [markdown]
# The random sigmoid network stays at the mean image, as the paper reports too. Pretrained, the same network
# learns at once. (All three have the same epochs of backpropagation. The time of the pretraining comes on top.) And the third line shows what has changed
# since 2006: with an activation and an initialisation that keep the size of signals ([chapter 05](05_going_deep.py)) a network of these sizes learns from
# random weights too.
#
# Is pretraining then of no use? On MNIST, with the sizes of the paper, the pretrained network is still the better one:
# `scratchae train dbn --data mnist` ends at a squared error of **2.63** per test image,
# `scratchae train science2006 --data mnist`, without pretraining, at **2.87**; the paper has 3.00 (summed
# over 784 pixels; one run each, `benchmarks/README.md`). The two differ in the activation as well, so the comparison is between
# recipes. In classification `python benchmarks/dbn_classifier.py` compares like with like, in one run each: the same network errs on
# 1.33 % of the test images pretrained, on 1.70 % from random weights.
#
# ## The step, tensor by tensor
#
# One step of CD-1 of a small machine, with the positive phase, the negative phase, and the difference:

# %%
study_page(
    sae.trace(
        sae.RBM(6, 4, rng=1),
        rng.random((3, 6)).astype(np.float32),
        rng=np.random.default_rng(0),
    ),
    "cd1",
    "One step of contrastive divergence, every tensor of it.",
)

# %% [markdown]
# ## What to change for MNIST
#
# `scratchae tutorial 12 --data mnist` runs this chapter on MNIST, in about the same time. The full trainings, one run and one
# core each: `scratchae train rbm --data mnist` takes 15 epochs and 67 s, and ends at a pseudo-log-likelihood of −58.6 nats per test
# image; `scratchae train dbn --data mnist` takes 10 epochs for each layer and 80 of fine-tuning, 10 min 48 s.
#
# ## Exercises
#
# 1. ★, 10 minutes. The free energy. After *Forward: from energy to probability*.

# %%
exercise("12_free_energy")

# %% [markdown]
# 2. ★★★, 30 minutes. One step of a chain, and the matrix that says where a chain goes; the check compares 20,000 chains with $T^3$. After
#    *Gibbs sampling*.

# %%
exercise("12_gibbs")

# %% [markdown]
# 3. ★★★, 30 minutes. The exact gradient of a machine with 4 and 3 units. After *Backward: the gradient that you would want*.

# %%
exercise("12_enumerate")

# %% [markdown]
# 4. ★★, 20 minutes. A step of contrastive divergence. After *Contrastive divergence*.

# %%
exercise("12_cd1")

# %% [markdown]
# 5. ★★★★, 40 minutes. The bound of a deep belief network, by the sum over all hidden states. After *The bound*.

# %%
exercise("12_bound")

# %% [markdown]
# Without code:
#
# 6. ★, 3 minutes. The question in *Contrastive divergence*: when is $da$ zero, and what does this say?
# 7. ★★, 10 minutes. In an RBM with all weights 0, what is $P(v)$? What is its pseudo-log-likelihood of any $v$, and its
#    log-likelihood? After *Judging without Z*.
# 8. ★★, 10 minutes. Where the data come from the model itself, $q = P$, what is the expected direction of CD-$k$ with all units
#    drawn? And the library's, with reconstructions as probabilities? After *Beside the exact gradient*.
#
# Derive:
#
# 9. ★, 5 minutes. Add a constant to all $E(v, h)$. What changes in $P$, in $Z$, in the gradient? After *Backward: the gradient that you would want*.
# 10. ★★, 15 minutes. Training data are inverted, $v \to 1 - v$. Which $W$, $a$ and $b$ give the inverted images the probabilities that
#     the images had before? After *Forward: from energy to probability*.
# 11. ★★★, 20 minutes. In $T$ the sum runs over $h$ between $v$ and $v'$. Show that $P(v)\, T_{vv'} = P(v')\, T_{v'v}$, so that a film of a long chain looks
#     the same when it runs backwards. After *Gibbs sampling*.
#
# Explore:
#
# 12. ★★, 20 minutes. Let the learning rate of `train` fall to 0, as in *An experiment: images*, for all four ways. Does PCD become calm, and where
#     does CD-1 end? After *Four ways to train, judged by the truth*.
# 13. ★★, 20 minutes. How does the free-energy gap change with the number of hidden units? Try 16 and 512. After *Overfitting, seen without Z*.

# %% tags=["hide-cell"]
# Answers, in numbers
nothing = sae.RBM(4, 3).to(dtype=np.float64)
nothing.energy.W[...], nothing.energy.a[...] = 0, [-1, 0, 1, 2]
log_p = nothing.log_likelihood(V, nothing.log_partition_function())
print(f"7. |PL - log P| = {np.abs(nothing.pseudo_log_likelihood(V) - log_p).max():.0e}")
assert np.allclose(nothing.pseudo_log_likelihood(V), log_p)
on = sigmoid(nothing.energy.a)
assert np.allclose(np.exp(log_p), np.prod(np.where(V == 1, on, 1 - on), axis=1))

load(theta)
q = joint(theta)[0].sum(axis=1)
at_truth = np.linalg.norm(expected_cd(theta, 1)), np.linalg.norm(expected_cd1(theta))
print(
    f"8. |CD-1| at q = P: all units drawn {at_truth[0]:.0e}, the library's "
    f"{at_truth[1]:.3f}"
)
assert at_truth[0] < 1e-12 < 1e-3 < at_truth[1]

load(theta)
inverse = sae.RBM(D, H).to(dtype=np.float64)
inverse.energy.W[...], inverse.energy.a[...] = -W, -a
inverse.energy.b[...] = b + W.sum(axis=0)
of_inverse = inverse.log_likelihood(1 - V, inverse.log_partition_function())
print(
    "10. log P(1 - v) of the inverted machine: "
    f"{np.abs(of_inverse - np.log(P_v)).max():.0e} off"
)
assert np.allclose(of_inverse, np.log(P_v))

flow = q[:, None] * transition(theta)
print(f"11. |P(v) T(v, v') - P(v') T(v', v)| = {np.abs(flow - flow.T).max():.0e}")
assert np.allclose(flow, flow.T)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 6\. Where the mean of the replies is the mean of the data, pixel by pixel. So after long training the machine's reconstructions have, on average,
# the mean image of the data. About dreams far away from the data this says nothing.
#
# 7\. Independent pixels with $P(v_i = 1) = \sigma(a_i)$. Then other pixels tell nothing about pixel $i$, so
# pseudo-likelihood and likelihood are the same.
#
# 8\. It is zero: $P\,T^k = P$, so both phases agree, and the right model is a place where CD-$k$ stands still. The
# library's is not zero there, because a probability is no draw from $P$. This bias is the price for less noise.
#
# 9\. $Z$ is multiplied by $e^{-\text{constant}}$; $P$ and the gradient stay as they are.
#
# 10\. $W \to -W$, $a \to -a$, $b \to b + \sum_i W_i$: put $v = 1 - v'$ into $E$ and collect. A constant is left, and
# question 9 says that it changes nothing.
#
# 11\. $P(v)\, T_{vv'} = \sum_h P(v) P(h \mid v) P(v' \mid h) = \sum_h P(v, h) P(v', h) / P(h)$, which does not change when $v$ and $v'$ change places.
#
# </details>
#
# ## Further reading
#
# - [Smolensky 1986](bibliography.md#smolensky-1986): where the RBM comes from, under another name.
# - [Hinton 2010](bibliography.md#hinton-2010): how to train one, from experience.
# - [MacKay 2003](bibliography.md#mackay-2003), chapters 29 to 31 and 43: sampling, Ising models and Boltzmann machines.
#
# ## What to read in the source next
#
# - `scratchae/models/energy.py`: the free energy, the partition function, AIS.
# - `scratchae/models/rbm.py`, `scratchae/models/dbn.py`: contrastive divergence, persistent chains, the stack.
# - `scratchae/models/belief.py`, `scratchae/models/updown.py`: the bound, sampling, up-down.
# - `tests/models/test_boltzmann.py`: the exact gradients by enumeration, and the statistics of the samplers.
# - [Chapter 14](14_errors.py) lists what is often said wrongly about all of this.
