# %% [markdown]
# # 10 · Sparse and contractive codes
#
# *What can keep a large code from copying, when the input is left whole?*
#
# **Time** 65 minutes to read (short path 55), 30 s to run on two cores.
#
# **Short path**, 55 minutes: leave out the two sections that are marked so.

# %% [markdown]
# ## The question
#
# A few dozen numbers can describe the image of a digit. A code of 256 numbers has room for much more, and so for copying. [Chapter
# 09](09_denoising.py) made copying useless by damaging the input. This chapter leaves the input
# whole and asks something of the **code** itself. Two demands are classic:
#
# - The code is mostly 0, that is **[sparse](glossary.md#sparse-code)**. Each image is then described
#   by the few units that fit it, as a sentence uses few words of the dictionary.
# - The code hardly moves when the image does, that is, it is
#   **[contractive](glossary.md#contractive-autoencoder)**. Then only images that differ much have codes that
#   differ much.
#
# (Do not confuse sparse *codes* with sparse *connections*. Where connections are sparse, most entries of $W$
# are 0, the same ones for every image; a convolution is an example. Where a code is sparse, $W$ may
# be full, and most numbers of $z$ are 0, different ones for each image.)
#
# The usual way to demand something is a **[penalty](glossary.md#penalty)**: a term that depends on
# the code and is added to the [loss](glossary.md#loss). We shall meet two penalties and one rule
# that make codes sparse, and a third penalty that makes them insensitive to small changes of the
# image. We derive the gradient of each, and see three popular ways to get one of them wrong.

# %%
import numpy as np

import scratchae as sae
from scratchae import errors
from scratchae.data import pixels
from scratchae.models import ContractiveAutoencoder
from scratchae.presets import PRESETS
from scratchae.presets.dense import ROWS
from scratchae.presets.preset import warm_cosine
from scratchae.presets.regularised import (
    contractive,
    k_sparse,
    one_layer,
    sparse,
    sparse_kl,
)
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

data = dataset()  # strokes, or what --data names
rng = np.random.default_rng(0)
train = pixels(data.train_images)  # (N, 784), in [0, 1]
test = pixels(data.test_images)[:1000]
small = rng.uniform(0.05, 0.95, (5, 4))  # a batch for gradient checks

# %% [markdown]
# ## A picture of it
#
# Why should a penalty on the *size* of a number make it exactly 0? Take one number $z$ of a code.
# Let the reconstruction be best at $z = a$ (here $a$ is a given number, and no pre-activation), and let the penalty have the
# weight $\lambda$:
#
# $$
# f(z) = \tfrac12 (z - a)^2 + \lambda\, |z| .
# $$
#
# For $z > 0$ the slope is $z - a + \lambda$, which is 0 at $z = a - \lambda$, if that is
# positive. For $z < 0$ the slope is $z - a - \lambda$, which is 0 at $z = a + \lambda$, if that is
# negative. If neither holds, $|a| \le \lambda$. Then the slope is positive everywhere to the right of
# 0 and negative everywhere to the left, so that $f$ is least *at* 0. In one formula,
#
# $$
# z^* = \operatorname{sign}(a)\, \max(|a| - \lambda, 0),
# \qquad\text{while}\qquad
# \tfrac12 (z - a)^2 + \lambda z^2 \;\text{ is least at }\; z^* = \frac{a}{1 + 2\lambda} .
# $$
#
# The absolute value pulls $z$ towards 0 with the same force $\lambda$ at any distance. So it wins
# against any pull of the reconstruction that is weaker than $\lambda$. The square pulls with the
# force $2\lambda z$, which vanishes on the way to 0, so $z$ never arrives.
#
# **While reading** (★, 2 minutes). Let $\lambda = \frac12$. What is $z^*$ for $a = 1.3$, and for
# $a = -0.4$, with each of the two penalties?
#
# <details><summary>Answer</summary>
#
# With $\lambda |z|$: 0.8 and 0. With $\lambda z^2$: 0.65 and −0.2.
#
# </details>

# %%
weight = 0.5
a = np.linspace(-2, 2, 81)
soft, shrunk = np.sign(a) * np.maximum(np.abs(a) - weight, 0), a / (1 + 2 * weight)
z = np.linspace(-2.5, 2.5, 5001)  # the least of f, by trying all z
found = z[(0.5 * (z - a[:, None]) ** 2 + weight * np.abs(z)).argmin(axis=1)]
assert np.allclose(found, soft, atol=1e-3)
assert np.allclose(
    z[(0.5 * (z - a[:, None]) ** 2 + weight * z**2).argmin(axis=1)], shrunk, atol=1e-3
)
print(
    f"of {len(a)} values of a, made exactly 0: by |z| {np.sum(soft == 0)}, by z² {np.sum(shrunk == 0)}"
)

drawn, ax = figure(5.5, 3.3)
ax.plot(a, a, ":", color="black", linewidth=0.8, label="no penalty")
ax.plot(a, soft, "-", color="#0072B2", linewidth=2.5, label="λ |z|")
ax.plot(a, shrunk, "--", color="#D55E00", label="λ z²")
ax.set(xlabel="a, what the reconstruction asks for", ylabel="z*, what it gets")
ax.legend()
show(
    drawn,
    "soft_threshold",
    "The best z against a. With the absolute value as penalty it is zero for all a "
    "between minus a half and a half, and shifted "
    "outside. With the square it is a straight line through zero with half the slope.",
    "λ = ½. Look between a = −½ and ½: the absolute value makes z* exactly 0 there, and the "
    "square makes it 0 at a = 0 only.",
)

# %% [markdown]
# ## Forward and backward: any penalty on a code
#
# With a code $z$ of shape $(N, K)$ and a penalty $\Omega$,
#
# $$
# L = \mathrm{loss}(\hat x, x) + \Omega(z) .
# $$
#
# $z$ is used twice, by the decoder and by the penalty. A small change of $z$ changes $L$ through
# both uses, and the two changes add up; so the two gradients **add**:
#
# $$
# \underset{(N, K)}{dz} = \underset{\text{from } \mathrm{decoder.backward}}{dz_{\mathrm{rec}}} + \frac{\partial \Omega}{\partial z} .
# $$
#
# From there, the encoder's backward pass is the usual one. The decoder's gradients do not change at
# all, because the penalty does not depend on what the decoder does.

# %%
source(sae.Autoencoder.objective, sae.Autoencoder.backward)


# %% [markdown]
# **Break it.** Leave the penalty out of `backward`, though it is in the loss.
#
# **Predict.** Which gradients will be wrong?


# %%
def tiny(kind=sae.Autoencoder, last=sae.Sigmoid, **options):
    draw = np.random.default_rng(1)
    encoder = sae.Sequential(sae.Dense(4, 6, rng=draw), last())
    return kind(
        encoder, sae.Sequential(sae.Dense(6, 4, rng=draw)), loss=sae.MSE(), **options
    )


class Forgetful(sae.Autoencoder):
    def backward(self):  # WRONG: dz + self.dpenalty is right
        self.encoder.backward_parameters(self.decoder.backward(self.dprediction))


for kind in (sae.Autoencoder, Forgetful):
    report = sae.check_gradients(tiny(kind, penalty=sae.SparseKL(0.1, 0.5)), small)
    wrong = [check.name for check in report.checks if not check.passed]
    print(f"{kind.__name__:<12} wrong: {', '.join(wrong) or 'nothing'}")
    assert wrong == ([] if kind is sae.Autoencoder else ["encoder.0.W", "encoder.0.b"])

# %% [markdown]
# ## Sparse by L1
#
# The L1 penalty is $\lambda$ times the sum of the absolute values of a code, averaged over the batch, as every loss here is:
#
# $$
# \Omega(z) = \frac{\lambda}{N} \sum_{n=1}^{N} \sum_{j=1}^{K} |z_{nj}|,
# \qquad
# \underset{(N, K)}{\frac{\partial \Omega}{\partial z}} = \frac{\lambda}{N} \operatorname{sign}(z) .
# $$
#
# At $z = 0$ the absolute value has a corner, and any slope between $-\lambda/N$ and $\lambda/N$
# would do; `sign` gives 0. Behind a [ReLU](glossary.md#relu) the choice does not matter, because a
# unit with $z = 0$ passes no gradient on to its pre-activation $a$.

# %%
source(sae.L1.__call__)
z = rng.standard_normal((5, 3))
value, dz = sae.L1(0.3)(z)
assert np.isclose(value, 0.3 / 5 * np.abs(z).sum()) and np.allclose(
    dz, 0.3 / 5 * np.sign(z)
)
report = sae.check_gradients(sae.L1(0.3), z)
print(report)
assert report.passed

# %% [markdown]
# ### A penalty that costs nothing
#
# The net can escape this penalty. Divide the encoder's $W$ and $b$ by 10, and multiply the
# decoder's $W$ by 10. Since $\mathrm{ReLU}(a / 10) = \mathrm{ReLU}(a) / 10$, all reconstructions
# stay the same, and the penalty is a tenth of what it was. So a small penalty need not mean a sparse
# code. The preset `sparse` therefore **[ties](glossary.md#tied-weights)** the decoder's
# matrix to the encoder's, $W_{\mathrm{dec}} = W_{\mathrm{enc}}^\top$. A smaller $W$ then makes
# both the code and what the code adds to the reconstruction smaller, and the second costs squared error.

# %%
free = tiny(last=sae.ReLU, penalty=sae.L1(0.3)).to(dtype=np.float64)
before = free.objective(small), free.reconstruct(small)
free.encoder.layers[0].W /= 10
free.encoder.layers[0].b /= 10
free.decoder.layers[0].W *= 10
after = free.objective(small), free.reconstruct(small)
assert np.allclose(before[1], after[1])
for name, (parts, _) in {"before": before, "after": after}.items():
    print(
        f"{name:<7} reconstruction {parts['reconstruction']:.6f}   penalty {parts['penalty']:.6f}"
    )
assert np.isclose(after[0]["penalty"], before[0]["penalty"] / 10)

# %% [markdown]
# With tied weights the matrix is used twice, and its gradient is the sum of what both uses give. The
# encoder's line is $a = xW + b$, and its gradient by $W$ is $x^\top da$. The decoder's line is
# $\hat a = z W^\top + c$, with its own bias $c$. Its gradient by $W^\top$, the matrix that $z$ is multiplied by, is
# $z^\top d\hat a$; so its gradient by $W$ is the transpose, $d\hat a^\top z$:
#
# $$
# \underset{(D, K)}{dW} = \underset{(D, N)}{x^\top}\, \underset{(N, K)}{da} + \underset{(D, N)}{d\hat a^\top}\, \underset{(N, K)}{z} .
# $$
#
# The last line of `Autoencoder.backward` above adds the second summand to the first.

# %%
report = sae.check_gradients(tiny(last=sae.ReLU, penalty=sae.L1(0.3), tied=True), small)
print(report)
assert report.passed

# %% [markdown]
# ## Sparse by a target: KL divergence of the mean activation
#
# There is another way to say "sparse". Let each unit be a number between 0 (off) and 1 (on), and
# demand that it is on in a share $\rho$ of the examples, such as 5 %. The share in which it is on is measured by its mean over
# the batch,
#
# $$
# \underset{(K)}{\hat\rho_j} = \frac1N \sum_{n=1}^N z_{nj} .
# $$
#
# Think of two coins, one that shows heads with probability $\rho$, the other with probability
# $\hat\rho_j$. Their [KL divergence](glossary.md#kl-divergence) measures how far they differ, and the penalty adds it up over the units:
#
# $$
# \Omega(z) = \lambda \sum_{j=1}^K \mathrm{KL}(\rho \,\|\, \hat\rho_j), \qquad
# \mathrm{KL}(\rho \,\|\, \hat\rho) = \rho \log\frac{\rho}{\hat\rho} + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho} .
# $$
#
# KL is 0 at $\hat\rho = \rho$, and grows without bound as $\hat\rho$ goes to 0 or to 1. The chain rule through
# $\hat\rho_j$ gives the gradient:
#
# $$
# \begin{aligned}
# \frac{\partial\, \mathrm{KL}}{\partial \hat\rho} &= -\frac{\rho}{\hat\rho} + \frac{1 - \rho}{1 - \hat\rho} = \frac{\hat\rho - \rho}{\hat\rho\,(1 - \hat\rho)}, \\
# \frac{\partial \hat\rho_j}{\partial z_{nj}} &= \frac1N, \\
# \underset{(N, K)}{\frac{\partial \Omega}{\partial z_{nj}}} &= \frac{\lambda}{N} \left( -\frac{\rho}{\hat\rho_j} + \frac{1 - \rho}{1 - \hat\rho_j} \right)
# \qquad \text{the same for all examples } n .
# \end{aligned}
# $$
#
# The gradient is the same for every example, because only the mean over the examples enters the penalty.
# The reconstruction term decides which of the examples keep the unit on.

# %%
source(sae.SparseKL.__call__)
rho, mean = 0.05, rng.uniform(0.02, 0.9, 100)
slope = -rho / mean + (1 - rho) / (1 - mean)
assert np.allclose(slope, (mean - rho) / (mean * (1 - mean)))
value, dz = sae.SparseKL(rho, 2.0)(small)
assert (dz == dz[0]).all()  # each row is the same
for penalty in (sae.SparseKL(rho, 2.0), sae.SparseKL(0.3, 1.0)):
    report = sae.check_gradients(penalty, small)
    print(f"{penalty!r:<22} largest relative error {report.worst:.1e}")
    assert report.passed


def bernoulli_kl(rho, mean):
    return rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))


at = np.linspace(0.002, 0.9, 400)
drawn, ax = figure(5.5, 3.0)
for target, line in ((0.05, "-"), (0.2, "--")):
    ax.plot(at, bernoulli_kl(target, at), line, color="#0072B2", label=f"ρ = {target}")
ax.set(xlabel="mean activation over the batch, ρ̂", ylabel="KL(ρ ‖ ρ̂), nats", ylim=(0, 1.5))
ax.legend()
show(
    drawn,
    "bernoulli_kl",
    "The penalty of one unit against its mean activation, for targets of 0.05 and 0.2:"
    " zero at the target, rising to both sides.",
    "What one unit pays for its mean activation: nothing at its target ρ, and more the "
    "farther it is from ρ.",
)

# %% [markdown]
# ### Three ways to get it wrong
#
# **1. A code that is not between 0 and 1.** $\hat\rho_j$ has to be a probability. With ReLU or no
# activation the mean may exceed 1, and then $1 - \hat\rho_j$ is negative and has no logarithm.
# **Wrong:** sparse KL on a ReLU code. **Right:** sparse KL on a sigmoid's output; for ReLU take L1.
# The library refuses to train the wrong one.

# %%
relu_mean = np.maximum(rng.standard_normal((50, 3)) + 2, 0).mean(axis=0)
with np.errstate(invalid="ignore"):
    print("KL of mean activations", relu_mean.round(2), "is", bernoulli_kl(0.05, relu_mean))
    assert np.isnan(bernoulli_kl(0.05, relu_mean)).all()
try:
    loud = tiny(last=sae.ReLU, penalty=sae.SparseKL(0.05, 1.0))
    loud.encoder.layers[0].b[...] = 2  # some activations above 1
    sae.fit(loud, small, epochs=1, batch_size=5, optimizer=sae.Adam(), progress=False)
    raise AssertionError("it should have been refused")
except errors.DataError as error:
    print("DataError:", error)

# %% [markdown]
# **2. A sigmoid inside the penalty only.** **Wrong:**
# $\hat\rho_j = \frac1N \sum_n \sigma(z_{nj})$, while the decoder gets $z$ itself. Then a code of
# large negative numbers counts as "off", though the decoder gets large numbers. The counter-example
# is a code in which every number is −3: none is 0, and yet the penalty is nearly 0.

# %%
loud = np.full((20, 4), -3.0)
inside_only = bernoulli_kl(0.05, (1 / (1 + np.exp(-loud))).mean(axis=0)).sum()
print(f"all numbers of the code are -3, none is 0; penalty {inside_only:.5f} nats")
assert inside_only < 0.001

# %% [markdown]
# **3. The mean over the wrong axis.** **Wrong:** $\hat\rho$ for each example by itself,
# $\sum_n \sum_j \mathrm{KL}(\rho \,\|\, z_{nj}) / N$. **Right:** one $\hat\rho_j$ for each unit,
# over the batch. Two codes show the difference. In the first each unit is on (0.99) in 1 of 20
# examples and off (0.0005) in the others, which is what we want. In the second every number is 0.05
# for every image, so that the code says nothing about the image.
#
# **Predict.** Which of the two codes does each of the two penalties prefer?

# %%
wanted = np.where(np.eye(20) == 1, 0.99, 0.0005)  # 20 examples, 20 units, each on once
useless = np.full((20, 20), 0.05)
for name, code in (("on in 1 of 20", wanted), ("always 0.05", useless)):
    right = sae.SparseKL(0.05, 1.0)(code)[0]
    wrong = bernoulli_kl(0.05, code).sum(axis=1).mean()
    print(f"{name:<14} right: {right:7.4f} nats    wrong: {wrong:7.4f} nats")
    assert right < 0.001
    assert (wrong > 1) if code is wanted else np.isclose(wrong, 0)

# %% [markdown]
# The wrong penalty punishes the sparse code and rewards the useless one. It is never less than the
# right one, by [Jensen's inequality](mathematics.md#jensens-inequality), because KL bends upwards as a function of
# $\hat\rho$. For the same reason a *small batch* pays more than a large one, on average, with the same
# units. All other losses of this chapter are means over examples, so their [expectation](mathematics.md#expectation-variance-covariance) is the same for
# batches of any size. That of the sparse KL is not.

# %%
codes = rng.uniform(0, 1, (400, 10)) ** 8
whole = bernoulli_kl(0.05, codes.mean(axis=0)).sum()
in_batches = [
    bernoulli_kl(0.05, codes[i : i + 20].mean(axis=0)).sum() for i in range(0, 400, 20)
]
print(
    f"one batch of 400: {whole:.3f} nats; mean over 20 batches of 20: {np.mean(in_batches):.3f} nats"
)
assert np.mean(in_batches) > whole

# %% [markdown]
# ## Sparse by rule: k-sparse
#
# The most direct way to a sparse code is to keep the $k$ largest numbers of each code, and to set all
# others to 0 ([Makhzani and Frey 2014](bibliography.md#makhzani-2014)). Then there is no penalty, and
# no weight $\lambda$ to choose. The rule is a layer; $x$ is its input, the output of the activation, and $y$ is the code:
#
# $$
# y = x \odot \mathrm{mask}, \qquad \mathrm{mask}_{nj} = [\,x_{nj} \text{ is among the } k \text{ largest of row } n\,],
# \qquad \underset{(N, K)}{dx} = dy \odot \mathrm{mask} .
# $$
#
# The mask depends on $x$ too, but it stays the same when $x$ changes a little. So its derivative is 0,
# except where two numbers are equal and change places; there the mask has no derivative. The same argument gives the
# derivatives of ReLU and of max-pooling.

# %%
source(sae.KSparse.forward, sae.KSparse.backward)
x = rng.standard_normal((4, 6))
y = sae.KSparse(2).forward(x)
print(y.round(2))
assert ((y != 0).sum(axis=1) == 2).all() and np.allclose(y.max(axis=1), x.max(axis=1))
assert sae.check_gradients(sae.KSparse(2), x).passed

# %% [markdown]
# ## Contractive: a code that hardly moves
#
# How much does a code move when its image does? The answer is the
# **[Jacobian](mathematics.md#gradient-jacobian-hessian)** $J$, the matrix of all derivatives
# $\partial z_j / \partial x_i$. For one example, with $z = \sigma(a)$, $a = xW + b$, the chain
# rule has two factors, the sigmoid's slope $z_j (1 - z_j)$ and
# $\partial a_j / \partial x_i = W_{ij}$:
#
# $$
# \underset{(D, K)}{J_{ij}} = \frac{\partial z_j}{\partial x_i} = \underbrace{z_j\,(1 - z_j)}_{s_j}\; W_{ij} .
# $$
#
# The penalty is the sum of the squares of all its entries, $\|J\|^2$. Written out, this sum needs $s$ and $W$
# alone, and no matrix for each example:
#
# $$
# \|J\|^2 = \sum_{i=1}^D \sum_{j=1}^K s_j^2\, W_{ij}^2 = \sum_{j=1}^K s_j^2\; \underbrace{\sum_{i=1}^D W_{ij}^2}_{g_j},
# \qquad
# \Omega = \frac{\lambda}{N} \sum_{n=1}^N \sum_{j=1}^K \underset{(N, K)}{s_{nj}^2}\; \underset{(K)}{g_j} .
# $$
#
# ([Rifai et al. 2011](bibliography.md#rifai-2011).) First, is it true? Here the Jacobian is
# computed by finite differences and compared with the formula:

# %%
dense, sigmoid = sae.Dense(4, 6, rng=rng).to(dtype=np.float64), sae.Sigmoid()
x = small[:1]


def code(x):
    return sigmoid.forward(dense.forward(x))


h = 1e-5
# (D, K)
J = np.concatenate([(code(x + h * e) - code(x - h * e)) / (2 * h) for e in np.eye(4)])
z = code(x)
s, g = z * (1 - z), (dense.W**2).sum(axis=0)
print(
    f"sum of squares of the Jacobian: differences {np.sum(J**2):.9f}, formula {np.sum(s**2 * g):.9f}"
)
assert np.allclose(J, s * dense.W, atol=1e-9) and np.isclose(np.sum(J**2), np.sum(s**2 * g))

# %% [markdown]
# ### What it means: noise on the input
#
# Move $x$ by a little [normal](mathematics.md#density-and-the-normal-distribution) noise, $\sigma\varepsilon$ with
# $\varepsilon \sim \mathcal N(0, I)$. The [expectation](mathematics.md#expectation-variance-covariance) is over the noise. To
# [first order](mathematics.md#first-order-change) $z$ moves by $\sigma\, \varepsilon J$, and as
# $\mathbb E\, \varepsilon_i \varepsilon_k$ is 1 for $i = k$ and 0 else,
#
# $$
# \mathbb E\, \|z(x + \sigma\varepsilon) - z(x)\|^2
# \approx \sigma^2\, \mathbb E \sum_j \Big( \sum_i \varepsilon_i J_{ij} \Big)^2
# = \sigma^2 \sum_j \sum_{i,k} \mathbb E[\varepsilon_i \varepsilon_k]\, J_{ij} J_{kj}
# = \sigma^2\, \|J\|^2 .
# $$
#
# (That noise on the input acts like a penalty on slopes: [Bishop 1995](bibliography.md#bishop-1995).)
# So the penalty asks that small noise hardly move the code, in all directions alike, because
# $\|J\|^2$ counts all directions alike. The reconstruction asks that the code move where images
# differ. Both together contract the directions in which the data do not vary: if the code moved along them, the
# penalty would be larger, and the reconstruction would gain nothing.

# %%
std = 0.01
epsilon = rng.standard_normal((200_000, 4))
moved = ((code(x + std * epsilon) - z) ** 2).sum(axis=1)
print(f"drawn {moved.mean() / std**2:.5f} σ², formula {np.sum(J**2):.5f} σ²")
assert abs(moved.mean() / std**2 - np.sum(J**2)) < 5 * moved.std() / np.sqrt(
    len(moved)
) / std**2 + 1e-3 * np.sum(J**2)

# %% [markdown]
# ### Denoising with little noise is contractive
#
# *Can be left out; 5 minutes.*
#
# The denoising autoencoder of [chapter 09](09_denoising.py) has noise on the input too, and compares
# what it rebuilds with the clean $x$. Is it contractive? Write $r(x)$ for the whole map from $x$ to
# $\hat x$, and $J_{id} = \partial r_d / \partial x_i$ for the Jacobian of $r$, now $(D, D)$. By
# [Taylor's theorem](mathematics.md#taylors-theorem) to second order,
#
# $$
# r_d(x + \sigma\varepsilon) - x_d = \underbrace{r_d(x) - x_d}_{e_d}
# + \sigma \sum_i \varepsilon_i J_{id}
# + \frac{\sigma^2}{2} \sum_{i,k} \varepsilon_i \varepsilon_k \frac{\partial^2 r_d}{\partial x_i \partial x_k} + \dots
# $$
#
# Square this, add over $d$, and take the expectation. Terms with an odd number of $\varepsilon$ vanish,
# because $-\varepsilon$ is as likely as $\varepsilon$; and again $\mathbb E\,\varepsilon_i\varepsilon_k$
# is 1 for $i = k$ and 0 else. To order $\sigma^2$ three terms are left: the first squared, the second
# squared, and twice the first times the third:
#
# $$
# \mathbb E\, \|r(x + \sigma\varepsilon) - x\|^2
# \approx \underbrace{\|r(x) - x\|^2}_{\text{plain}}
# + \underbrace{\sigma^2\, \|J\|^2}_{\text{contractive}}
# + \sigma^2 \sum_d e_d \sum_i \frac{\partial^2 r_d}{\partial x_i^2} .
# $$
#
# The last term is small where images are rebuilt well, because then each $e_d$ is small; for a linear
# net it is 0, because then the second derivatives are. So a denoising autoencoder with little noise
# is, up to this term, a contractive one with $\lambda = \sigma^2$ ([Alain and Bengio
# 2014](bibliography.md#alain-2014)). But what it contracts is the *reconstruction*, the
# encoder and the decoder together, whereas the contractive penalty contracts the code; and denoising
# needs draws, whereas the contractive penalty is exact.

# %%
V = rng.standard_normal((6, 4))  # any decoder: r(x) = code(x) V


def rebuilt(x):
    return code(x) @ V


h, std = 1e-3, 0.02
ahead, behind = (
    np.concatenate([rebuilt(x + s * h * e) for e in np.eye(4)]) for s in (1, -1)
)
e, J_r = rebuilt(x) - x, (ahead - behind) / (2 * h)
curvature = (ahead - 2 * rebuilt(x) + behind).sum(axis=0) / h**2  # Σᵢ ∂²r_d/∂xᵢ²
contractive_term, last_term = np.sum(J_r**2), np.sum(e * curvature)
pairs = [rebuilt(x + s * std * epsilon[:50_000]) - x for s in (1, -1)]  # ε and -ε
excess = np.mean([(pair**2).sum(axis=1) for pair in pairs], axis=0) - np.sum(e**2)
drawn_excess = excess.mean() / std**2
print(
    f"what noise adds to the squared error, in σ²: drawn {drawn_excess:.3f}, "
    f"formula {contractive_term:.3f} + {last_term:.3f} = {contractive_term + last_term:.3f}"
)
assert abs(drawn_excess - contractive_term - last_term) < 0.05 * contractive_term

# %% [markdown]
# ### Backward, with shapes
#
# $W$ acts on $\Omega$ in **two ways**: through $z$, on which $s$ depends, and directly, in $g$. Each
# way takes three lines, and ends with what it adds to a gradient:
#
# $$
# \begin{aligned}
# \frac{\partial \Omega}{\partial s_{nj}} &= \frac{2\lambda}{N}\, s_{nj}\, g_j && (N, K) \\
# s = z - z^2 \;\Rightarrow\; \frac{\partial s}{\partial z} &= 1 - 2z && (N, K) \\
# dz \mathrel{+}= \frac{\partial \Omega}{\partial z_{nj}} &= \frac{2\lambda}{N}\, s_{nj}\, g_j\, (1 - 2 z_{nj}) && (N, K) \text{, then on through sigmoid and dense layer} \\
# \frac{\partial \Omega}{\partial g_j} &= \frac{\lambda}{N} \sum_n s_{nj}^2 && (K) \\
# g_j = \sum_i W_{ij}^2 \;\Rightarrow\; \frac{\partial g_j}{\partial W_{ij}} &= 2 W_{ij} && (D, K) \\
# dW \mathrel{+}= \frac{\partial \Omega}{\partial g_j} \frac{\partial g_j}{\partial W_{ij}} &= \frac{2\lambda}{N} \Big(\sum_n s_{nj}^2\Big)\, W_{ij} && (D, K)
# \end{aligned}
# $$
#
# A penalty on the code is given $z$ alone, and could not compute the last line, which needs $W$. That
# is why the contractive autoencoder is a model of its own in the library.

# %%
source(sae.ContractiveAutoencoder.objective, sae.ContractiveAutoencoder.backward)


# %% [markdown]
# **Break it.** Forget the direct way, the last line of the derivation.
#
# **Predict.** Which of the four gradients will be wrong: $W$ and $b$ of the encoder, $W$ and $b$ of
# the decoder?


# %%
class OneWay(ContractiveAutoencoder):
    def backward(self):
        super().backward()
        scale = 2 * self.weight / len(self.z)
        self.dense.dW -= (
            scale * (self.slope**2).sum(axis=0) * self.dense.W
        )  # WRONG: taken away again


for kind in (ContractiveAutoencoder, OneWay):
    report = sae.check_gradients(tiny(kind, weight=0.7), small)
    wrong = [check.name for check in report.checks if not check.passed]
    print(f"{kind.__name__:<23} wrong: {', '.join(wrong) or 'nothing'}")
    assert wrong == ([] if kind is ContractiveAutoencoder else ["encoder.0.W"])

# %% [markdown]
# Only $W$ of the encoder is wrong. Its $b$ acts on the penalty in one way, through $z$, and the
# decoder does not act on it at all.
#
# ## An experiment
#
# We train six autoencoders 784-256-784 for the same number of steps: two without a penalty, of which
# one has a ReLU code and one a sigmoid code, and the four presets of this chapter. All have [tied
# weights](glossary.md#tied-weights), the same learning rate and the same start, so that they differ
# in the penalty, or the rule, and the activation alone. (The preset `sparse-kl` is not tied; here it is.)

# %%
source(one_layer, sparse, sparse_kl, k_sparse, contractive)

# %% [markdown]
# **Predict.** Which of the six will have the smallest $\|J\|^2$? And will `k-sparse`, with 25 numbers
# that are not 0, be better or worse than PCA with 25 directions?

# %%
images, epochs = quick(8000, 1500), quick(12, 3)
builders = {
    "ReLU": lambda draw: one_layer(draw, ROWS, sae.ReLU(), tied=True),
    "sparse": PRESETS["sparse"].build,
    "k-sparse": PRESETS["k-sparse"].build,
    "sigmoid": lambda draw: one_layer(draw, ROWS, sae.Sigmoid(), tied=True),
    "sparse-kl": lambda draw: one_layer(
        draw, ROWS, sae.Sigmoid(), penalty=sae.SparseKL(0.05, 3.0), tied=True
    ),
    "contractive": PRESETS["contractive"].build,
}


def trained(name):
    model = builders[name](np.random.default_rng(0))
    optimizer = warm_cosine()(2e-3, epochs * -(-images // 100))
    sae.fit(
        model,
        train[:images],
        epochs=epochs,
        batch_size=100,
        optimizer=optimizer,
        progress=False,
    )
    return model


def jacobian_norm(model, x):
    """‖∂z/∂x‖², averaged over examples: the slope of the activation, squared, times Σᵢ Wᵢⱼ²."""
    z, dense = model.encode(x), model.encoder.layers[0]
    slope = z * (1 - z) if isinstance(model.encoder.layers[1], sae.Sigmoid) else (z > 0)
    return float((slope**2 * (dense.W**2).sum(axis=0)).sum(axis=1).mean())


models = {name: trained(name) for name in builders}
figures = {}
print(f"{images:,} training images, {epochs} epochs; 1,000 test images:")
print(
    f"{'':<12} {'squared error':>13} {'code: zeros':>12} {'mean':>7} {'above ½':>8} {'‖J‖²':>7}"
)
for name, model in models.items():
    z = model.encode(test)
    error = float(((model.reconstruct(test) - test) ** 2).sum(axis=1).mean())
    figures[name] = {
        "error": error,
        "zeros": float((z == 0).mean()),
        "mean": float(z.mean()),
    }
    figures[name] |= {
        "above": float((z > 0.5).mean()),
        "jacobian": jacobian_norm(model, test),
    }
    f = figures[name]
    print(
        f"{name:<12} {error:>13.1f} {f['zeros']:>12.1%} {f['mean']:>7.3f} {f['above']:>8.1%} {f['jacobian']:>7.1f}"
    )
pca = sae.PCA(25).fit(train[:images])
pca_error = float(((pca.reconstruct(test) - test) ** 2).sum(axis=1).mean())
print(f"{'PCA-25':<12} {pca_error:>13.1f}")

assert figures["ReLU"]["zeros"] < 0.7
assert figures["sparse"]["zeros"] > quick(0.8, figures["ReLU"]["zeros"])
assert abs(figures["k-sparse"]["zeros"] - (1 - 25 / 256)) < 0.01
assert (
    figures["sigmoid"]["zeros"] == 0
    and figures["sparse-kl"]["mean"] < 0.3 * figures["sigmoid"]["mean"]
)
assert figures["contractive"]["jacobian"] < quick(0.8, 1.0) * figures["sigmoid"]["jacobian"]
assert min(figures, key=lambda name: figures[name]["jacobian"]) == "sparse-kl"
if data_name() == "strokes":
    assert quick(
        figures["k-sparse"]["error"] < 14 and figures["sparse"]["error"] < 18, True
    )

# %% [markdown]
# Read the table by its columns. *Zeros*: a part of a plain ReLU code is 0 already; with L1 it is the
# larger part, and the squared error is larger too; `k-sparse` keeps 25 of 256, by rule. A
# sigmoid is never 0, so for a sigmoid code look at the *mean*, and at the share of its numbers that are *above ½*: the mean of
# `sparse-kl` is pulled towards 0.05, and its squared error is larger than that of the plain sigmoid net. $\|J\|^2$ is smallest for
# `sparse-kl`, because the slope $z(1 - z)$ is small where $z$ is near 0; that of `contractive` is
# clearly below that of the plain sigmoid net.
#
# PCA-25 describes each image by 25 numbers along the same 25 directions. `k-sparse` has as
# many numbers that are not 0, but *chooses* which of its 256 they are, image by image, and its error is
# smaller. (Which ones were chosen is information too, so PCA's code is the shorter one.)

# %%
one = test[int(np.flatnonzero(data.test_labels[:1000] == 8)[0])][None]
drawn, ax = figure(6, 3.3)
for name, line in (("ReLU", ":"), ("sparse", "-"), ("k-sparse", "--")):
    z = np.sort(models[name].encode(one)[0])[::-1]
    ax.plot(np.arange(1, 257), z, line, label=f"{name}: {np.sum(z > 0)} of 256 not 0")
ax.set(xlabel="units, the strongest first", ylabel="activation", xlim=(0, 160))
ax.legend()
show(
    drawn,
    "activations",
    "The code of one image, sorted: without a penalty more than a hundred units are active, with L1 "
    "and k-sparse about twenty.",
    "One image's code, unit by unit, the strongest first. Look where each line reaches 0.",
)

# %% [markdown]
# What does a unit stand for? Unit $j$ adds $z_j$ times row $j$ of the
# decoder's $W$ to the picture, before the sigmoid that ends the decoder. If a code is a sentence, these rows are the words of the dictionary.
# Here is one digit, and the eight strongest words that the `sparse` net uses for it.

# %%
model = models["sparse"]
z = model.encode(one)[0]
words = np.argsort(-z)[:8]
drawn, grid = figure(7, 2.6, rows=2, columns=5)
pictures = [
    (one[0], "image"),
    *((model.decoder.layers[0].W[j], f"z = {z[j]:.1f}") for j in words),
]
pictures.append((model.reconstruct(one)[0], "rebuilt"))
for ax, (picture, name) in zip(grid.flat, pictures, strict=True):
    ink = name in ("image", "rebuilt")
    limit = float(np.abs(picture).max())
    look = (
        {"cmap": "gray_r", "vmin": 0, "vmax": 1}
        if ink
        else {"cmap": "gray", "vmin": -limit, "vmax": limit}
    )
    ax.imshow(picture.reshape(28, 28), **look)
    ax.set(xticks=[], yticks=[], xlabel=name)
    ax.grid(visible=False)
show(
    drawn,
    "words",
    "A digit eight, the eight units that are most active for it drawn as the pattern that each "
    "adds to the picture, and the reconstruction. The patterns look like digits or large parts of "
    "digits, smeared.",
    "An image, its eight strongest words (white adds ink, black removes it, grey is "
    "0), and the reconstruction from the whole code.",
)

# %% [markdown]
# And here are the words of the first 64 units of four nets. All four nets began with
# the same random numbers.


# %%
def dead(model, x):
    """Which units are off for every image."""
    return (model.encode(x) != 0).sum(axis=0) == 0


def smoothness(rows):
    """The mean correlation of a pixel with its right neighbour: of grain it is 0."""
    images = rows.reshape(-1, 28, 28)
    pairs = zip(images[:, :, :-1], images[:, :, 1:], strict=True)
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))


named = {
    "plain (ReLU)": "ReLU",
    "sparse: L1": "sparse",
    "k-sparse": "k-sparse",
    "contractive": "contractive",
}
x, smooth, off = train[:images], {}, {}
print("64 of 256 rows   smoothness   units that are off for every training image")
drawn, grid = figure(7, 7.4, rows=2, columns=2)
for ax, (title, name) in zip(grid.flat, named.items(), strict=True):
    rows = models[name].decoder.layers[0].W[:64]
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)
    sheet = np.pad(
        rows.reshape(8, 8, 28, 28), ((0, 0), (0, 0), (0, 2), (0, 2)), constant_values=1
    )
    ax.imshow(sheet.transpose(0, 2, 1, 3).reshape(240, 240), cmap="gray", vmin=-1, vmax=1)
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(visible=False)
    smooth[name], off[name] = smoothness(rows), float(dead(models[name], x).mean())
    print(f"{title:<16} {smooth[name]:10.2f} {off[name]:12.1%}")
show(
    drawn,
    "dictionaries",
    "Four sheets of 64 small grey pictures: the rows of the decoders of a plain, a sparse, "
    "a k-sparse and a "
    "contractive autoencoder. The first is grainy, the second has a few digits among "
    "grain, the third is full of digits and "
    "strokes, the last of soft light and dark spots.",
    "64 rows of four decoders (white adds ink, black removes it, grey is 0; each row is "
    "scaled by itself). Compare the grain.",
)

# how smooth are the rows of the units that are on most often, and least often?
rate = (models["sparse"].encode(x) > 0).mean(axis=0)
order, rows = np.argsort(-rate), models["sparse"].decoder.layers[0].W
busy, idle = smoothness(rows[order[:64]]), smoothness(rows[order[-64:]])
print(
    f"sparse: the 64 units that are on most often, in {rate[order[:64]].mean():.1%} of the "
    f"images, have rows of smoothness {busy:.2f}"
)
print(f"        the 64 least, in {rate[order[-64:]].mean():.1%}: {idle:.2f}")
assert quick(busy > idle + 0.1, True)
assert quick(min(smooth["k-sparse"], smooth["contractive"]) > smooth["ReLU"], True)

# %% [markdown]
# The words of `k-sparse` look like digits and strokes, and those of `contractive` like soft spots. In both,
# neighbouring pixels are more alike (*smoothness* in the table) than in the plain net. In the plain net many units are on at a time, so one row can
# take away what another adds too much, and no single row has to look like anything. Among the words of `sparse` many look like
# grain. They are still near the random numbers of the start, because their units are seldom on, and a unit that is off
# gets no gradient. That leads to a question:
#
# ### Units that are never chosen
#
# *Can be left out; 5 minutes.*
#
# Today sparse autoencoders are used to read large language models. The examples are then the
# activations of one layer, a few thousand numbers each; the code has many times as many units; and people
# look at the texts that turn a unit on ([Bricken et al. 2023](bibliography.md#bricken-2023) with an L1 penalty,
# [Gao et al. 2024](bibliography.md#gao-2024) with the $k$ largest, which they call TopK). The
# trouble with such codes can be seen here. Let unit $j$ be among the $k$ largest for no example. Then
# $z_{nj} = 0$ for all $n$, and the mask lets no gradient through, $da_{nj} = 0$. So both its
# gradients are 0, in an encoder and a decoder that are not tied:
#
# $$
# dW^{\mathrm{enc}}_{ij} = \sum_n x_{ni}\, da_{nj} = 0, \qquad dW^{\mathrm{dec}}_{jd} = \sum_n z_{nj}\, d\hat x_{nd} = 0 .
# $$
#
# So nothing pulls its weights towards images that would choose it, and it usually stays unchosen: it is a [dead
# unit](glossary.md#dead-unit). One cure is to *tie* the weights, as the preset does. Another is to *revive* dead units
# from time to time: look for the images that are rebuilt worst, and give each dead unit, as its weights, what is missing in the
# reconstruction of one of them (Bricken et al. give it the example itself). Gao et al. add a
# term to the loss in which dead units alone rebuild what is missing in the reconstruction.
#
# **Predict.** How many of 256 units with $k = 25$ will be dead if the weights are not tied?


# %%
def revive(model, x):
    """Give each dead unit what is missing in one of the images that are rebuilt worst."""
    unused, missing = dead(model, x), x - model.reconstruct(x)
    worst = np.argsort(-(missing**2).sum(axis=1))[: unused.sum()]
    pattern = missing[worst] / np.linalg.norm(missing[worst], axis=1, keepdims=True)
    inner, outer = model.encoder.layers[0], model.decoder.layers[0]
    inner.W[:, unused] = pattern.T * np.linalg.norm(inner.W[:, ~unused], axis=0).mean()
    inner.b[unused] = 0
    outer.W[unused] = pattern * np.linalg.norm(outer.W[~unused], axis=1).mean()


def not_tied(parts):
    """A k-sparse autoencoder, trained in parts; dead units are revived between them."""
    model = one_layer(np.random.default_rng(0), ROWS, sae.ReLU(), sae.KSparse(25))
    for part in range(parts):
        if part:
            revive(model, x)
        optimizer = warm_cosine()(2e-3, epochs // parts * -(-images // 100))
        options = {"epochs": epochs // parts, "batch_size": 100, "progress": False}
        sae.fit(model, x, optimizer=optimizer, **options)
    return model


nets = {
    "not tied": not_tied(1),
    "not tied, revived": not_tied(3),
    "tied": models["k-sparse"],
}
share, of_test = {}, {}
print("k = 25              dead units   squared error on test images")
for name, model in nets.items():
    share[name] = float(dead(model, x).mean())
    of_test[name] = float(((model.reconstruct(test) - test) ** 2).sum(axis=1).mean())
    print(f"{name:<18} {share[name]:11.1%} {of_test[name]:15.1f}")
assert share["not tied"] > quick(0.4, 0.2) and share["tied"] < quick(0.05, 0.4)
assert share["not tied, revived"] < share["not tied"] / 2
assert quick(of_test["not tied, revived"] < of_test["not tied"], True)

model = nets["not tied"]
model.objective(x)
model.backward()
unused = dead(model, x)
assert (model.encoder.layers[0].dW[:, unused] == 0).all()
assert (model.decoder.layers[0].dW[unused] == 0).all()

# %% [markdown]
# More than half of the units are dead if nothing is done, and the gradients of their weights are 0 to
# the last bit. A code of 256 was paid for and less than half of it is used; with the units
# revived, the same net rebuilds better.
#
# ## What to change for MNIST
#
# `scratchae tutorial 10 --data mnist` runs this chapter on MNIST, in the same time. The full
# presets, each `scratchae train NAME --data mnist` (59,000 images, 20 epochs, one core of an AMD
# EPYC; each figure that of one run, others in `benchmarks/README.md`): `sparse` 31 s, squared error 8.57 per image with 8.6 % of the code
# active; `k-sparse` 37 s, 6.45 with 9.8 %; PCA-25 beside them 15.88; `contractive` 19 s, 7.43;
# `sparse-kl` 37 s, 4.32 with a mean activation of 0.054 where 0.05 is asked for.

# %% [markdown]
# ## Exercises
#
# 1. ★, 5 minutes. After *Sparse by L1*. Write the L1 penalty and its gradient.

# %%
exercise("10_l1")

# %% [markdown]
# 2. ★★, 15 minutes. After *A penalty that costs nothing*. Write a whole autoencoder with tied weights: the
#    loss, and the gradient of the one matrix that is used twice.

# %%
exercise("10_tied")

# %% [markdown]
# 3. ★★, 15 minutes. After *Sparse by a target: KL divergence of the mean activation*. Write the sparse KL
#    penalty and its gradient.

# %%
exercise("10_sparse_kl")

# %% [markdown]
# 4. ★★★★, 40 minutes. After *Contractive: a code that hardly moves*. Write the contractive penalty, with its
#    gradients by $W$ and $b$. Derive them before you read *Backward, with shapes*.

# %%
exercise("10_contractive")

# %% [markdown]
# Derive, on paper:
#
# 5. ★, 5 minutes. After *Contractive: a code that hardly moves*. What is the contractive penalty of a
#    *linear* encoder $z = xW$, in terms of $W$? Does it depend on $x$?
# 6. ★★, 10 minutes. After *A penalty that costs nothing*. A contractive autoencoder that is not tied can
#    escape its penalty much as the L1 net could. How?
# 7. ★★, 10 minutes. After *Contractive: a code that hardly moves*. What is $\|J\|^2$ for a ReLU code, and
#    how does sparsity make it smaller?
# 8. ★★★, 20 minutes. After *Denoising with little noise is contractive*. Let $r(x) = xA$ be linear. Compute
#    $\mathbb E\,\|r(x + \sigma\varepsilon) - x\|^2$ without any approximation, and compare it with the formula of that section.
#
# Explore, with the code of this chapter:
#
# 9. ★★, 15 minutes. After *An experiment*. Add nets with an L1 penalty of weight 0.05, 0.2 and 0.8 to `builders`, and train them. Draw
#    squared error against the share of zeros. Where does `k-sparse` lie?
# 10. ★★★, 25 minutes. After *Units that are never chosen*. Take $k = 5$ in place of 25. How many units are
#     dead with tied weights, and how many without? Does one revival suffice?
#
# <details><summary>Answers</summary>
#
# 5\. $\lambda \sum_{ij} W_{ij}^2$ for every $x$, because $J_{ij} = W_{ij}$. This is the penalty that is
# called weight decay.
#
# 6\. By a small encoder $W$ and a large decoder $W$. All codes are then near ½ and hardly move, so the
# penalty is small; and the decoder magnifies their small differences.
#
# 7\. The slope of ReLU is 1 where a unit is on and 0 where it is off. So $\|J\|^2$ is the sum of
# $g_j = \sum_i W_{ij}^2$ over the units that are on (`jacobian_norm` above computes it). The fewer units are on, the
# fewer terms it has.
#
# 8\. $r(x + \sigma\varepsilon) - x = (xA - x) + \sigma\varepsilon A$, and the two parts have no
# correlation, as $\mathbb E\,\varepsilon = 0$. So the expectation is
# $\|xA - x\|^2 + \sigma^2 \|A\|^2$, exactly: $J = A$, and the third term is 0. This is the objective of *ridge
# regression* from $x$ to itself.
#
# The next cell checks 5 and 6.
#
# </details>

# %% tags=["hide-cell"]
W = rng.standard_normal((4, 3))
J = (
    np.stack([(small[0] + 1e-4 * e) @ W - (small[0] - 1e-4 * e) @ W for e in np.eye(4)])
    / 2e-4
)
assert np.isclose((J**2).sum(), (W**2).sum())
escape = tiny(ContractiveAutoencoder, weight=0.7).to(dtype=np.float64)
before = escape.objective(small), escape.reconstruct(small)
inner, outer = escape.encoder.layers[0], escape.decoder.layers[0]
inner.W /= 1000  # z is now ½ + a / 4000 or so: linear in a
z = escape.encode(small)
outer.b[...] = before[1].mean(axis=0) - z.mean(axis=0) @ (outer.W * 1000)
outer.W *= 1000
after = escape.objective(small), escape.reconstruct(small)
change = np.abs(after[1] - before[1]).max()
print(
    f"penalty {before[0]['penalty']:.2e} -> {after[0]['penalty']:.2e}, reconstructions change by at most {change:.3f}"
)
assert after[0]["penalty"] < 1e-5 * before[0]["penalty"] and change < 0.1

# %% [markdown]
# ## Further reading
#
# - [Olshausen and Field 1996](bibliography.md#olshausen-1996): a sparse code for natural images.
# - [Ng 2011](bibliography.md#ng-2011) and [Lee et al. 2008](bibliography.md#lee-2008): the penalty on the mean activation.
# - [Rifai et al. 2011](bibliography.md#rifai-2011): contractive autoencoders.
# - [Bricken et al. 2023](bibliography.md#bricken-2023): what the units of a sparse autoencoder find in a language model.
#
# ## What to read in the source next
#
# - `scratchae/penalties.py`, whole: two penalties and what they refuse.
# - `scratchae/models/contractive.py` and `scratchae/layers/sparsity.py`.
# - `Autoencoder.named_parameters` and `gather` in `scratchae/models/autoencoder.py`: how a tied
#   $W$ is one parameter, seen twice.
#
# In [chapter 11](11_variational.py) the code itself is drawn at random, and the penalty on it is
# counted in [nats](glossary.md#nat).
