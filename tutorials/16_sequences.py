# %% [markdown]
# # 16 · Sequences: backpropagation through time
#
# *How can a net read an image row by row, and learn from a mistake that shows 28 steps after its cause?*
#
# **Time** 70 minutes to read (short path 50), 30 s to run on two cores.

# %% [markdown]
# ## The question
#
# Every net so far saw an example all at once. A sentence, a heartbeat or a melody comes step by step, and
# in no fixed length. A **[recurrent net](glossary.md#recurrent-net)** reads one step at a time, and keeps a
# *state*: what it remembers of the steps before.
#
# An image is a sequence too, of rows. In this chapter an autoencoder reads digits row by row, keeps a code,
# and writes the digits back row by row. It consists of matrix products and activations only. What is new is
# that the same weights are used at every step, so that their gradient is a sum over all steps.
#
# **The short path** takes 50 minutes: leave out *Clipping*, *The price of a cut*, *Several lengths*, and
# *The teacher, and what happens without*. Nothing later needs them except exercise 3, and they can be read
# by themselves.

# %%
import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.study.memory import products, through_time
from scratchae.tutorial import dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)

# %% [markdown]
# ## One step, and many
#
# At step $t$ the net is given $x_t$, of shape $(N, D)$, and the state $h_{t-1}$, of shape $(N, H)$. It
# makes the next state ([Elman 1990](bibliography.md#elman-1990)):
#
# $$
# a_t = x_t W + h_{t-1} U + b, \qquad h_t = \tanh(a_t), \qquad h_0 = 0,
# $$
#
# with $W$ $(D, H)$, $U$ $(H, H)$ and $b$ $(H,)$, *the same at every step*. So the net can read sequences of
# any length $T$. Its output at step $t$ is the state, $y_t = h_t$.

# %% tags=["hide-input"]
drawn, axes = figure(7, 2.4)
for t in range(1, 5):
    axes.text(
        2 * t, 1, f"$h_{t}$", bbox={"boxstyle": "circle", "fc": "#DDEEFF"}, ha="center"
    )
    axes.text(2 * t, -0.6, f"$x_{t}$", ha="center")
    axes.text(2 * t, 2.5, f"$y_{t}$", ha="center")
    arrow = {"arrowstyle": "->", "color": "black"}
    axes.annotate("", (2 * t, 0.62), (2 * t, -0.25), arrowprops=arrow)
    axes.annotate("", (2 * t, 2.35), (2 * t, 1.5), arrowprops=arrow)
    axes.annotate("", (2 * t - 0.35, 1.1), (2 * t - 1.65, 1.1), arrowprops=arrow)
    axes.text(2 * t - 1, 1.3, "$U$", ha="center")
    axes.text(2 * t + 0.12, 0.1, "$W$")
    back = {"arrowstyle": "->", "color": plots.RED, "linestyle": "--"}
    axes.annotate("", (2 * t - 1.65, 0.85), (2 * t - 0.35, 0.85), arrowprops=back)
axes.text(0.1, 1, "$0$", ha="center")
axes.set(xlim=(-0.2, 8.8), ylim=(-0.9, 2.9))
axes.axis("off")
show(
    drawn,
    "unrolled",
    "Four circles h1 to h4 in a row, each with an arrow from x below, to y above, and from the circle before it; dashed arrows go from each circle back to the one before.",
    "The net, unrolled in time. It is as deep as the sequence is long, and all arrows of a kind have the same weights. Dashed: the way back of the gradient, from right to left.",
)

# %%
N, T, D, H = 3, 5, 2, 4
layer = sae.RNN(D, H, rng=rng).to(dtype=np.float64)
W, U, b = layer.W, layer.U, layer.b
x = rng.standard_normal((N, T, D))

h = [np.zeros((N, H))]
for t in range(T):
    h.append(np.tanh(x[:, t] @ W + h[t] @ U + b))
states = np.stack(h[1:], axis=1)  # (N, T, H)
assert np.allclose(layer.forward(x), states, rtol=1e-12)
source(sae.RNN.forward)

# %% [markdown]
# The library computes $x_t W + b$ for all steps in one product, because that part does not depend on the
# state. Only $h_{t-1} U$ has to wait for the step before.
#
# ## Back through time
#
# The state $h_t$ is used twice: it is the layer's output at step $t$, and it goes into step $t + 1$,
# through $a_{t+1} = \dots + h_t U$. Let $dy_t$ be the gradient that comes in at the output of step $t$, and
# $dh_t = \partial L / \partial h_t$ the gradient of the state with both of its uses. Where a value is used
# twice, the gradients of its uses are added ([chapter 02](02_backpropagation.py)):
#
# $$
# dh_t = dy_t + da_{t+1} U^\top , \qquad da_t = dh_t \odot (1 - h_t^2), \qquad da_{T+1} = 0 .
# $$
#
# So $da_T$ is computed first, and each $da_t$ needs $da_{t+1}$. This is
# [backpropagation through time](glossary.md#backpropagation-through-time): the usual backward pass, through
# a net that is $T$ layers deep.
#
# The weights are used $T$ times. Imagine a copy $U_t$ of $U$ for each step. Each copy is the matrix of a
# dense layer, so its gradient is $\partial L/\partial U_t = h_{t-1}^\top da_t$. A change of $U$ changes all
# copies alike, so the gradient of $U$ is the sum of the gradients of its copies. The same holds for $W$ and
# $b$:
#
# $$
# dW = \sum_t x_t^\top da_t, \qquad dU = \sum_t h_{t-1}^\top da_t, \qquad db = \sum_t \sum_n da_{t,n},
# \qquad dx_t = da_t W^\top .
# $$

# %%
dy = rng.standard_normal((N, T, H))
da, dU_of_step = [None] * (T + 1) + [np.zeros((N, H))], {}
for t in range(T, 0, -1):
    dh = dy[:, t - 1] + da[t + 1] @ U.T  # out at step t, and on to step t + 1
    da[t] = dh * (1 - h[t] ** 2)
    dU_of_step[t] = h[t - 1].T @ da[t]
dx = np.stack([da[t] @ W.T for t in range(1, T + 1)], axis=1)
assert np.allclose(layer.backward(dy), dx, rtol=1e-10)
assert np.allclose(layer.dU, sum(dU_of_step.values()), rtol=1e-10)
source(sae.RNN.backward_parameters)

# %% [markdown]
# Is the gradient of a single copy a quantity that can be measured? Yes. Change one number of $U$ at step 3
# only, and measure by how much the loss $L = \sum dy \odot y$ changes:

# %%


def loss_with(step, change):
    state, total = np.zeros((N, H)), 0.0
    for t in range(1, T + 1):
        state = np.tanh(x[:, t - 1] @ W + state @ (U + change * (t == step)) + b)
        total += (dy[:, t - 1] * state).sum()
    return total


change = np.zeros((H, H))
change[1, 2] = 1e-6
measured = (loss_with(3, change) - loss_with(3, -change)) / 2e-6
print(f"copy 3, number [1, 2]: measured {measured:.8f}, h₂ᵀ da₃ {dU_of_step[3][1, 2]:.8f}")
assert np.isclose(measured, dU_of_step[3][1, 2], rtol=1e-6)
report = sae.check_gradients(layer, x)
print(report)
assert report.passed

# %% [markdown]
# **Break it.** Leave out the term that comes from the next step, so that $dh_t = dy_t$. The option
# `truncate=1` of the layer does this.
#
# *Predict (★, 1 minute):* which of the gradients $dx$, $dW$, $dU$ and $db$ are wrong then?

# %%
forgetful = sae.RNN(D, H, truncate=1, rng=0).to(dtype=np.float64)
report = sae.check_gradients(forgetful, x)
wrong = {check.name for check in report.checks if not check.passed}
print("wrong:", ", ".join(sorted(wrong)))
assert wrong == {"x", "W", "U", "b"}

# %% [markdown]
# All four are wrong, because each is computed from the $da_t$.
#
# ## A product of many factors
#
# Let the loss depend on the last state only, so that $dy_t = 0$ at all steps before. How large is the
# gradient of the state $k$ steps earlier? Take one example, whose $dh_t$ is a row. By the formulas of the
# last section $dh_{t-1} = da_t U^\top = \big(dh_t \odot (1 - h_t^2)\big) U^\top$. So each step multiplies
# the gradient by a matrix of the same form,
#
# $$
# dh_{t-1} = dh_t \, J_t, \qquad J_t = \operatorname{diag}(1 - h_t^2)\, U^\top,
# \qquad dh_{T-k} = dh_T \, J_T J_{T-1} \cdots J_{T-k+1} .
# $$
#
# Where the states are near 0, $1 - h^2$ is near 1, and the product is nearly the power $(U^\top)^k$. Let
# $U$ have the [eigenvalues](mathematics.md#eigenvalues-trace-determinant) $\lambda_i$, which are those of
# $U^\top$ too, and let $|\lambda_1|$ be the largest absolute value among them. The power multiplies an
# eigenvector by $\lambda_i^k$, and for large $k$ the largest factor outgrows all others. So
# $\|U^k\|^{1/k}$, which is the factor of one step on average, goes to $|\lambda_1|$ (Gelfand's formula). If
# $|\lambda_1| < 1$, the gradient **vanishes**. If $|\lambda_1| > 1$, it **explodes** ([Bengio et al.
# 1994](bibliography.md#bengio-1994); [Pascanu et al. 2013](bibliography.md#pascanu-2013)). Where the states
# are large, $1 - h^2$ is clearly below 1 and makes the gradient smaller at each step.
#
# *Predict (★, 1 minute):* let $|\lambda_1| = 1.2$, and let the inputs be drawn at random, so that the
# states are large. Does the gradient vanish or explode?

# %%
steps, radii = 60, (0.8, 1.0, 1.2)
base = rng.standard_normal((32, 32))
base /= np.abs(np.linalg.eigvals(base)).max()  # now the largest eigenvalue has size 1
measured = {}
for radius in radii:
    wide = sae.RNN(8, 32, rng=0).to(dtype=np.float64)
    wide.U[...] = radius * base
    for given, x_given in (
        ("x = 0", np.zeros((1, steps, 8))),
        ("x drawn", rng.standard_normal((20, steps, 8))),
    ):
        wide.forward(x_given)
        norms = products(wide)
        rate = (norms[-1] / norms[-31]) ** (1 / 30)
        measured[radius, given] = norms, rate
        print(f"|λ₁| = {radius}, {given}: a factor of {rate:.3f} for each step")
for radius in radii:
    assert abs(measured[radius, "x = 0"][1] - radius) < 0.02 * radius
    assert measured[radius, "x drawn"][1] < 0.9 * radius

# %% tags=["hide-input"]
drawn, panels = figure(8, 3.2, columns=2, sharey=True)
for axes, given in zip(panels, ("x = 0", "x drawn"), strict=True):
    for radius, colour in zip(radii, (plots.BLUE, plots.GREY, plots.RED), strict=True):
        axes.plot(measured[radius, given][0], color=colour, label=f"|λ₁| = {radius}")
        axes.plot(radius ** np.arange(steps), ":", color=colour)
    axes.set(title=given, xlabel="steps back", yscale="log", ylim=(1e-16, 1e7))
panels[0].set_ylabel("‖J J … J‖")
panels[0].legend()
show(
    drawn,
    "powers",
    "Two panels of three lines each on a logarithmic axis: on the left they run beside dotted lines that rise, stay or fall; on the right all three fall.",
    "The norm of the product of Jacobians. Dotted: |λ₁| to the power of the steps. On the right the states are large, and tanh' pulls every line down.",
)

# %% [markdown]
# On the left, where the states are 0, the eigenvalue predicts the factor of a step within 2 %. On the right
# the gradient vanishes even with $|\lambda_1| = 1.2$, because the inputs make the states so large that tanh
# is nearly flat there.
#
# ## Clipping
#
# Where a gradient explodes, the loss has a place that is steep like a cliff. Here is the smallest example.
# The state is one number, there is no input, and the bias $b$ is to be learned so that $h_T = \tfrac12$.
# Let $U = 2$. If $b$ is tiny, the first state is tiny too, and each step about doubles the state until it is
# so large that tanh bends. So the loss
# $L(b) = (h_T - \tfrac12)^2$ is flat except within a few millionths around $b = 0$, where it is very steep.
# A step of gradient descent from the steep place is so long that it ends on the flat part, where the
# gradient is nearly 0, and training stays there. The remedy is to keep the direction of
# the gradient $g$, and to let its *norm* be at most a limit $c$
# ([Pascanu et al. 2013](bibliography.md#pascanu-2013)):
#
# $$
# g \leftarrow g \cdot \min\Big(1, \frac{c}{\|g\|}\Big) .
# $$

# %%


class Cliff(sae.Model):
    part_names = ("net",)

    def __init__(self):
        self.net = sae.RNN(1, 1, last=True)
        self.net.W[...], self.net.U[...], self.net.b[...] = 0, 2, 4e-6
        self.gather()

    def objective(self, x, rng=None):
        self.r = self.net.forward(x) - 0.5
        return {"loss": (self.r**2).mean()}

    def backward(self):
        self.net.backward(2 * self.r / len(self.r))


ends = {}
nothing = np.zeros((1, 16, 1))
for name, limit in (("as it is", None), ("clipped", 1e-3)):
    model = Cliff().to(dtype=np.float64)
    optimizer = sae.SGD(1e-3, clip_norm=limit)
    losses, sizes = [], []
    for _ in range(60):
        losses.append(float(model.training_step(nothing)["loss"]))
        sizes.append(float(np.linalg.norm(model.gradient)))
        optimizer.update(model.parameters, model.gradient)
    ends[name] = losses[-1]
    print(
        f"{name}: first gradient {sizes[0]:.0f}, loss {losses[0]:.3f}, in the end {losses[-1]:.4f}"
    )
assert ends["clipped"] < 0.01 < 0.1 < ends["as it is"]

# %% [markdown]
# The option `clip_norm` of any optimizer does this. It is a remedy for gradients that explode, and not for
# gradients that vanish.
#
# ## Gates
#
# An RNN multiplies its state by $U$ and sends it through tanh at every step, so it is hard for it to keep a
# number unchanged. A **[gated recurrent unit](glossary.md#gated-recurrent-unit)**
# ([Cho et al. 2014](bibliography.md#cho-2014)) can leave the state as it is. It computes a proposal $n$ for
# the new state, and for each number of the state a gate $z$ in $(0, 1)$, which says which share of the old
# number stays. (In this section $z$ is a gate, and no code.) A second gate $r$ says how much of the old state
# counts for the proposal:
#
# $$
# \begin{aligned}
# r &= \sigma(x W_r + h_{-} U_r + b_r) & \text{what of the state counts for } n \\
# z &= \sigma(x W_z + h_{-} U_z + b_z) & \text{what of the state stays} \\
# n &= \tanh\big(x W_n + b_n + r \odot m\big), \quad m = h_{-} U_n + c & \text{what is new} \\
# h &= (1 - z) \odot n + z \odot h_{-}
# \end{aligned}
# $$
#
# with $h_{-} = h_{t-1}$, and with weights and biases of its own in each line; $c$ is a bias too. The backward
# pass takes these lines from the last to the first. From the last line,
#
# $$
# dn = dh \odot (1 - z), \qquad dz = dh \odot (h_{-} - n), \qquad \text{and } dh \odot z \text{ as a part of } dh_{-} .
# $$
#
# Then the gradient goes through tanh and σ with the derivatives of chapter 02. Let $a_r$, $a_z$ and $a_n$
# be what stands in the brackets of $\sigma$ and tanh:
#
# $$
# da_n = dn \odot (1 - n^2), \quad dm = da_n \odot r, \quad da_r = da_n \odot m \odot r (1 - r),
# \quad da_z = dz \odot z (1 - z) .
# $$
#
# The state of the step before, $h_{-}$, is used in four places, whose gradients are added:
#
# $$
# dh_{-} = dh \odot z + da_r U_r^\top + da_z U_z^\top + dm\, U_n^\top .
# $$
#
# The first term is the purpose of the gate: where $z$ is near 1, the gradient passes the step almost
# unchanged, without a product with a matrix and without the factor of tanh.

# %%
gated = sae.GRU(D, H, rng=rng).to(dtype=np.float64)
gated.b += rng.standard_normal(gated.b.shape)
report = sae.check_gradients(gated, x)
print(report)
assert report.passed
source(sae.GRU.backward_parameters)

# %% [markdown]
# **Does it help?** Give a net random numbers between −1 and 1, one at each step, and ask after the last
# step for the first number. A net that always answers 0 has a mean squared error of 1/3, because this is the
# [variance](mathematics.md#expectation-variance-covariance) of the numbers. Three nets are tried: an
# RNN, a GRU that begins with $b_z = 0$, and a GRU that begins with $b_z = 3$, so that its gates begin at
# $z \approx \sigma(3) = 0.95$.
#
# *Predict (★, 1 minute):* which of them learn to recall the first of ten numbers, and which the first of
# sixty?

# %%


class Recall(sae.Model):
    """Reads numbers x (N, T, 1), and must say the first."""

    part_names = ("net",)

    def __init__(self, layer, rng):
        self.net = sae.Sequential(layer, sae.Dense(layer.hidden, 1, rng=rng))
        self.gather()

    def objective(self, x, rng=None):
        loss, self.dprediction = sae.MSE()(self.net.forward(x, rng), x[:, 0])
        return {"loss": loss}

    def backward(self):
        self.net.backward_first(self.dprediction)


def recalled(layer, length, rng):
    """The model, trained, and its error in the last 50 steps of training."""
    model = Recall(layer, rng)
    optimizer, losses = sae.Adam(1e-2, clip_norm=1.0), []
    for _ in range(quick(400, 60)):
        x = rng.uniform(-1, 1, (64, length, 1)).astype(np.float32)
        losses.append(float(model.training_step(x)["loss"]))
        optimizer.update(model.parameters, model.gradient)
    return model, float(np.mean(losses[-50:]))


def rnn(rng):
    return sae.RNN(1, 16, last=True, rng=rng)


def gru(rng, stay=0.0, **options):
    layer = sae.GRU(1, 16, last=True, rng=rng, **options)
    layer.gate(layer.b)[1][...] = stay  # b_z
    return layer


layers = {"RNN": rnn, "GRU": gru, "GRU, b_z = 3": lambda rng: gru(rng, stay=3.0)}
errors, reach = {}, {}
for name, make in layers.items():
    for length in (10, 60):
        begin = np.random.default_rng(0)
        fresh = Recall(make(begin), begin)
        fresh.training_step(begin.uniform(-1, 1, (64, length, 1)).astype(np.float32))
        reach[name, length] = through_time(fresh.net.layers[0])
        begin = np.random.default_rng(0)
        _, errors[name, length] = recalled(make(begin), length, begin)
        print(f"{name}, first of {length}: error {errors[name, length]:.4f}")
assert quick(max(errors[name, 10] for name in layers) < 0.02, True)
assert quick(errors["GRU, b_z = 3", 60] < 0.03 < 0.3 < errors["RNN", 60], True)
assert quick(errors["GRU", 60] > 0.3, True)
assert reach["GRU", 60][0] < 1e-3 * min(reach["RNN", 60][0], reach["GRU, b_z = 3", 60][0])
begins = np.abs(np.linalg.eigvals(rnn(np.random.default_rng(0)).U)).max()
print(f"|λ₁| of the RNN, before training: {begins:.2f}")
assert 0.8 < begins < 1.2

# %% tags=["hide-input"]
drawn, axes = figure(6.4, 3)
for name, colour in zip(layers, (plots.RED, plots.GREY, plots.BLUE), strict=True):
    axes.plot(np.arange(1, 61), reach[name, 60], color=colour, label=name)
axes.set(xlabel="step of the sequence", ylabel="‖∂L/∂h‖", yscale="log")
axes.legend()
show(
    drawn,
    "reach",
    "Three lines over 60 steps on a logarithmic axis, from right to left: that of the GRU falls by five powers of ten, those of the RNN and of the GRU with b_z = 3 by about one.",
    "Before training. Read from right to left: how the gradient shrinks on its way from the last step to the first. The line that falls farthest is that of the GRU with b_z = 0.",
)

# %% [markdown]
# Over ten steps all three learn it. Over sixty only the GRU with $b_z = 3$ does. The picture shows why the
# other GRU does not: it begins with $b_z = 0$, so $z \approx \tfrac12$, and the term $dh \odot z$ loses
# half of the gradient at each step. Next to nothing is left of it after sixty steps.
#
# The gradient of the RNN does arrive, because its $U$ begins with $|\lambda_1|$ near 1. Still the RNN does
# not learn the task in 400 steps, so there must be another reason. To recall the number, the RNN needs a
# $U$ that keeps it through 60 products, while 59 other numbers come in through the same $W$ and disturb the
# state.
# The GRU can shut them out: where $z = 1$, $x$ does not enter the state at all.
#
# ## The price of a cut
#
# A stream of data does not end, so no backward pass can go through all of it. *Truncated* backpropagation
# cuts the stream into pieces. The backward pass ends at the beginning of each piece, as if the state there
# had been given from outside: `truncate=10` cuts after every tenth step. Then fewer states have to be kept,
# but the gradient is wrong, because it leaves out how the loss depends on what came before the cut. The next
# cell takes a GRU that has learned to recall the first of ten numbers. It computes the gradient of all
# weights without cuts and with cuts, and prints the cosine of the angle between the two. Then it trains
# another GRU with cuts from the beginning:

# %%
begin = np.random.default_rng(0)
learnt, error = recalled(gru(begin), 10, begin)
x_given = rng.uniform(-1, 1, (256, 10, 1)).astype(np.float32)
gradients = {}
for cut in (None, 5, 2):
    learnt.net.layers[0].truncate = cut
    learnt.training_step(x_given)
    gradients[cut] = learnt.gradient.copy()
for cut in (5, 2):
    cosine = gradients[cut] @ gradients[None]
    cosine /= np.linalg.norm(gradients[cut]) * np.linalg.norm(gradients[None])
    print(f"cut after every {cut}: cosine with the true gradient {cosine:.3f}")
begin = np.random.default_rng(0)
_, cut_error = recalled(gru(begin, truncate=5), 10, begin)
print(f"first of 10, trained with the cut: error {cut_error:.3f}, without: {error:.4f}")
assert quick(cut_error > 20 * error and error < 0.02, True)

# %% [markdown]
# With the cut, no gradient leads from the answer back to the step that is asked for. So training can only
# learn to read what the state happens to have kept of the first number. Where only short times matter, a
# cut costs little. Whether that is so in a given task can be tested only by training with a longer stretch.
#
# ## Several lengths
#
# A batch is one array, but sequences differ in length. So the short ones are filled up with a number that
# does not occur in the data, and every layer is told this number (`padding`): a step whose numbers are all
# equal to it counts as *no step*. There the state stays as it was, $h_t = h_{t-1}$. So the gradient of
# $h_t$ goes to $h_{t-1}$ unchanged, and such a step adds nothing to $dW$, $dU$ and $db$, nor to the loss:

# %%
lengths = (5, 2, 3)
alone = [rng.standard_normal((length, D)) for length in lengths]
together = sae.padded(alone, -1.0)  # (3, 5, D)
masked = sae.GRU(D, H, last=True, padding=-1.0, rng=0).to(dtype=np.float64)
plain = sae.GRU(D, H, last=True, rng=0).to(dtype=np.float64)
y, dy = masked.forward(together), rng.standard_normal((3, H))
masked.backward(dy)
dU = 0
for i, sequence in enumerate(alone):
    assert np.allclose(y[i], plain.forward(sequence[None])[0])
    plain.backward(dy[i : i + 1])
    dU = dU + plain.dU
print("largest deviation of dU:", np.abs(masked.dU - dU).max())
assert np.allclose(masked.dU, dU) and not np.allclose(plain.forward(together), y)
source(type(masked).skip, type(masked).arriving)

# %% [markdown]
# Without `padding` the filling is read like data, and the states differ, as the last assert says.
#
# ## An autoencoder that reads and writes
#
# The *encoder* reads the rows, and a Dense layer computes a code $z$ from its last state. The *decoder* is a
# second recurrent net. It is given $z$ at every step, and a `StepDense`, the same Dense layer at every step,
# turns each of its states into a row. The gradient of $z$ is a sum over the steps, as $z$ is used at each of
# them. The digits are made smaller here, 14 rows of 14 pixels, so that
# all trainings of this section take seconds.

# %%
data = dataset()


def rows_of(images):
    return (images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255).astype(np.float32)


train, test = (
    rows_of(data.train_images[: quick(3000, 500)]),
    rows_of(data.test_images[:1000]),
)
CODE, HIDDEN = 32, 64


def plain_model(kind, forced=False):
    rng = np.random.default_rng(0)
    given = CODE + 14 * forced
    return sae.SequenceAutoencoder(
        sae.Sequential(
            kind(14, HIDDEN, last=True, rng=rng), sae.Dense(HIDDEN, CODE, rng=rng)
        ),
        sae.Sequential(
            kind(given, HIDDEN, rng=rng), sae.StepDense(HIDDEN, 14, rng=rng), sae.Sigmoid()
        ),
        shape=(14, 14),
        loss=sae.MSE(),
        teacher_forcing=forced,
    )


def fitted(model):
    """The model, trained, and its squared error of each row of the test images, (14,)."""
    epochs, batch_size = quick(8, 1), 100
    schedule = sae.Cosine(3e-3, epochs * len(train) // batch_size)
    optimizer = sae.Adam(schedule, clip_norm=1.0)
    sae.fit(
        model,
        train,
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        progress=False,
    )
    return model, ((model.reconstruct(test) - test) ** 2).sum(axis=2).mean(axis=0)


by_row = {}
without, by_row["GRU"] = fitted(plain_model(sae.GRU))
_, by_row["RNN"] = fitted(plain_model(sae.RNN))
flat = sae.PCA(CODE).fit(train.reshape(len(train), -1))
pca = (
    (flat.reconstruct(test.reshape(len(test), -1)) - test.reshape(len(test), -1)) ** 2
).sum(axis=1)
print(f"squared error on test images: PCA-{CODE} {pca.mean():.2f}")
for name, each in by_row.items():
    print(f"  {name} {each.sum():.2f}")

assert quick(pca.mean() < min(each.sum() for each in by_row.values()), True)

# %% [markdown]
# PCA, which sees a whole image at once, has a much smaller error here. Both nets are 28 layers deep, 14 steps
# of reading and 14 of writing, and were trained for 240 steps only. What follows compares such nets with one
# another. With longer training they pass PCA, as on MNIST, with 28 rows of 28 pixels, a code of 32 numbers
# and ten epochs. There `scratchae train sequence --data mnist` ends with a squared error of 12.19 per test
# image (one seed), and PCA-32 has 13.19. The dense net `deep`, which sees whole images, has 8.74 with the
# same code and as many epochs. With gates, as `sequence-gru`, the net that reads row by row ends at 6.36 (one
# seed as well). So the kind of recurrent layer matters more here than whether a net reads images by rows.
#
# ## The teacher, and what happens without
#
# A decoder that is also given the row before has an easier task, because rows resemble their neighbours. In
# training the right row before is known, so the decoder is given the *right* one, whatever it has written
# itself. This is **[teacher forcing](glossary.md#teacher-forcing)**
# ([Williams and Zipser 1989](bibliography.md#williams-1989)). In use the right row is not known: the
# decoder runs *free*, and reads the row that it wrote itself. Such rows hold the decoder's own mistakes, and
# the decoder was never trained on rows with mistakes ([Bengio et al. 2015](bibliography.md#bengio-2015)).
#
# *Predict (★, 1 minute):* the same net is measured with the teacher and free. How much larger is its error
# when it runs free?

# %%
forced, by_row["forced, runs free"] = fitted(plain_model(sae.GRU, forced=True))
with_teacher = forced.decoder.forward(forced.decoder_input(forced.encode(test), test))
by_row["forced, with its teacher"] = ((with_teacher - test) ** 2).sum(axis=2).mean(axis=0)
for name, each in by_row.items():
    print(f"{name}: {each.sum():.2f}")
teacher, free = (
    by_row[f"forced, {how}"].sum() for how in ("with its teacher", "runs free")
)
assert quick(free > 1.1 * teacher, True)

# %% tags=["hide-input"]
drawn, axes = figure(6.4, 3.2)
looks = {
    "GRU": (plots.BLUE, "-"),
    "forced, runs free": (plots.RED, "-"),
    "forced, with its teacher": (plots.RED, "--"),
}
for name, (colour, line) in looks.items():
    axes.plot(np.arange(1, 15), by_row[name], line, color=colour, label=name)
axes.set(xlabel="row", ylabel="squared error")
axes.legend()
show(
    drawn,
    "teacher",
    "Three lines of the squared error over 14 rows: that of the forced net with its teacher is lowest; the same net without lies above it.",
    "Red: one net, whose decoder reads the right row before (dashed) or the row that it wrote itself (solid). The gap between them is what the teacher hides. Blue: a net whose decoder is given the code only.",
)

# %% [markdown]
# The training loss is measured with the teacher, the dashed line. In use the net has the error of the solid
# red line. So an error that was measured with the teacher is smaller than the error in use.
#
# ## Attention
#
# All that the encoder has read must fit into its last state, and the gradient has the longest way to the
# first row. **[Attention](glossary.md#attention)** ([Bahdanau et al. 2015](bibliography.md#bahdanau-2015);
# [Vaswani et al. 2017](bibliography.md#vaswani-2017)) avoids both, because it reads *all* states, each with
# a weight. A *query* $q$ says what is looked for. Every step $t$ has a *key* $k_t$, with which the query is
# compared, and a *value* $v_t$, which is read. With $w$ numbers in each query and key:
#
# $$
# k = xK, \quad v = xV, \qquad a = \frac{q\,k^\top}{\sqrt{w}}, \qquad p = \operatorname{softmax}(a), \qquad y = p\,v .
# $$
#
# For one example: $x$ $(T, D)$, $K$ $(D, w)$, $V$ $(D, E)$; with $M$ queries $q$ $(M, w)$, the scores $a$
# and the weights $p$ are $(M, T)$, each row of $p$ adds up to 1, and $y$ is $(M, E)$. Why the $\sqrt w$? A
# score is a sum of $w$ products. If the numbers in $q$ and $k$ are independent with mean 0 and variance 1,
# each product has variance 1, and their sum has variance $w$. So the sum divided by $\sqrt w$ has variance
# 1, whatever $w$ is.
#
# **Backward.** $y = pv$ and $a = qk^\top/\sqrt w$ are matrix products, as in chapter 02:
#
# $$
# dp = dy\,v^\top, \qquad dv = p^\top dy, \qquad dq = \frac{da\,k}{\sqrt w}, \qquad dk = \frac{da^\top q}{\sqrt w} .
# $$
#
# Between them is the [softmax](07_cross_entropy.py) of each row, $p_t = e^{a_t} / \sum_s e^{a_s}$. A larger
# $a_u$ makes $p_u$ larger, and it makes all others smaller through the sum. By how much? In
# $\log p_t = a_t - \log \sum_s e^{a_s}$ the derivative of the second logarithm by $a_u$ is
# $e^{a_u} / \sum_s e^{a_s} = p_u$, and a derivative of $p_t$ is $p_t$ times that of $\log p_t$. So
# $\partial p_t/\partial a_u = p_t\,([t = u] - p_u)$, where $[t = u]$ is 1 if $t = u$ and 0 otherwise, and
#
# $$
# da_u = \sum_t dp_t\, p_t\,([t = u] - p_u) = p_u \Big( dp_u - \sum_t dp_t\, p_t \Big) .
# $$
#
# In words: $dp_u$ says how the loss changes if step $u$ is read more. The score of step $u$ gets a gradient
# to the extent that $dp_u$ differs from the mean of all $dp_t$ with the weights $p$. If all $dp_t$ are
# equal, the scores get no gradient, because the weights always add up to 1.

# %%
reads = sae.Attention(2, D, 3, width=4, rng=rng).to(dtype=np.float64)
x = rng.standard_normal((N, T, D))
y = reads.forward(x)
for n in range(N):
    a = reads.Q @ (x[n] @ reads.K).T / np.sqrt(4)
    p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    assert np.allclose(y[n], p @ (x[n] @ reads.V))
report = sae.check_gradients(reads, x)
print(report)
assert report.passed
source(sae.Attention.forward, sae.Attention.backward_parameters)

# %% [markdown]
# Where do the queries come from? In a translation they are computed from the decoder's state, because what
# is needed next depends on what has been written. In an image, the fifth row is always the fifth row. So
# here the queries are learned: one for each row that is written, the same for all images.
#
# And what do the queries read? If the decoder read all states of the encoder, 14 vectors of 64 numbers,
# these would be the code, and the code would be larger than the image: row $t$ could be copied from step
# $t$. So the encoder ends with attention too: 8 queries read its states and make 8 vectors of 4 numbers.
# The code then has 32 numbers, as before. It is a memory of 8 vectors, each of which holds what its query
# has read.

# %%
begin = np.random.default_rng(0)
attentive = sae.SequenceAutoencoder(
    sae.Sequential(sae.GRU(14, HIDDEN, rng=begin), sae.Attention(8, HIDDEN, 4, rng=begin)),
    sae.Sequential(
        sae.Attention(14, 4, 32, rng=begin),
        sae.GRU(32, HIDDEN, rng=begin),
        sae.StepDense(HIDDEN, 14, rng=begin),
        sae.Sigmoid(),
    ),
    shape=(14, 14),
    loss=sae.MSE(),
)
attentive, by_row["attention"] = fitted(attentive)
print(
    f"code of {CODE} numbers: GRU {by_row['GRU'].sum():.2f}, attention {by_row['attention'].sum():.2f}"
)
print(f"parameters: {without.parameters.size:,} and {attentive.parameters.size:,}")
assert by_row["attention"].sum() < quick(1.5 * by_row["GRU"].sum(), np.inf)

# %% tags=["hide-input"]
attentive.reconstruct(test[:250])
made, read = attentive.encoder.layers[1].p, attentive.decoder.layers[0].p
maps = {
    ("row written", "vector of the code"): read.mean(axis=0),
    ("vector of the code", "row read"): made.mean(axis=0),
    ("row written", "row read"): (read @ made).mean(axis=0),
}
show(
    lambda path: plots.attention(maps, path),
    "attention",
    "Three maps of grey cells: which vectors of the code each written row reads, which states each vector was made of, and their product.",
    "Left: which vectors of the code each written row reads. Middle: which rows each vector was made of. Right: both together, which rows were read for which written row. A darker cell is a larger weight.",
)

# %% [markdown]
# A row of the right map says from which steps the content of a written row came. A state depends on all rows
# that were read until then, so a later state can hold earlier rows as well.
#
# Does this memory help? This run cannot decide it, because each of the errors that the cell above printed,
# that of the GRU and that of attention, is of one seed.
#
# ## Exercises
#
# 1. Backpropagation through time, for a layer with an initial state. After *Back through time*. ★★★★, 45
#    minutes.

# %%
exercise("16_bptt")

# %% [markdown]
# 2. The backward pass through one head of attention. After *Attention*. ★★★, 25 minutes.

# %%
exercise("16_attention")

# %% [markdown]
# 3. Clip the gradients of several weights by their norm. After *Clipping*. ★★, 10 minutes.

# %%
exercise("16_clip")

# %% [markdown]
# 4. **While reading.** A GRU has $z = 0.9$ at every step, for every number. If only the term $dh \odot z$
#    counts, which share of a gradient is left after 50 steps? What must $z$ be for half of it to be left?
#    After *Gates*. ★, 5 minutes.
# 5. **Derive.** $U$ is a rotation. What does the product of
#    [Jacobians](mathematics.md#gradient-jacobian-hessian) do to the length of a gradient near $h = 0$? And
#    farther away? After *A product of many factors*. ★★, 10 minutes.
# 6. **Derive.** All scores $a$ of a row of attention grow by 3. What changes in $p$ and in the loss? What
#    must $\sum_u da_u$ be, therefore? Show this from the formula for $da_u$ as well. After *Attention*. ★★,
#    10 minutes.
# 7. **Explore.** How small can $b_z$ be at the beginning for a GRU to learn to recall the first of sixty
#    numbers in 400 steps? Guess first: which $z$ leaves a hundredth of the gradient after sixty steps? Use
#    several seeds. After *Gates*. ★★★, 40 minutes.
#
# <details><summary>Answers</summary>
#
# 4\. $0.9^{50} = 0.005$. For a half, $z = 0.5^{1/50} = 0.986$.
#
# 5\. A rotation keeps every length, so near $h = 0$ the gradient neither vanishes nor explodes. Farther
# away the factor $1 - h^2$ is below 1 and makes it shorter.
#
# 6\. Nothing changes, because $e^3$ cancels in the softmax. So the loss does not change along the direction
# in which all scores grow alike, and $\sum_u da_u = 0$. By the formula
# $\sum_u p_u dp_u - \sum_u p_u \sum_t dp_t\, p_t = 0$, because $\sum_u p_u = 1$. This is a quick test of
# your answer to exercise 2.
#
# 7\. There is no one answer. $z^{60} = 0.01$ for $z = 0.926$, and $\sigma(2.53) = 0.926$.
#
# </details>

# %% tags=["hide-cell"]
turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
assert np.isclose(np.linalg.norm(np.linalg.matrix_power(turn, 50), 2), 1)
assert round(0.9**50, 3) == 0.005 and round(0.5 ** (1 / 50), 3) == 0.986
assert round(0.01 ** (1 / 60), 3) == 0.926 == round(1 / (1 + np.exp(-2.53)), 3)

# %% [markdown]
# ## Further reading
#
# - [Bengio et al. 1994](bibliography.md#bengio-1994): why long dependencies are hard.
#   [Cho et al. 2014](bibliography.md#cho-2014): the GRU.
# - [Zhang et al. 2023](bibliography.md#zhang-2023), chapters 9 to 11: recurrent nets and attention, with
#   code.
#
# ## What to read in the source next
#
# - `scratchae/layers/recurrent.py` and `stepping.py`: both layers, and what steps share.
# - `scratchae/layers/attention.py`, whole: 120 lines.
# - `scratchae/models/sequence.py`: how $z$ is given to each step, and free running.
# - `scratchae train sequence-attention --data mnist` does all of this on 28 rows of 28.
