# %% [markdown]
# # 03 · Checking a gradient, and breaking one
#
# *The loss falls. Does that mean that your gradient is right?*
#
# **Time** 35 minutes to read, 8 s to run on two cores.

# %% [markdown]
# ## The question
#
# You have derived a backward pass and written it down, as in [chapter 02](02_backpropagation.py). The program runs,
# no shape complains, and in training the loss falls. Is the gradient right?
#
# Before you answer, look at an experiment. Here are five autoencoders, alike but for one line of a backward pass. One
# of the five is right.

# %%
import textwrap

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.study import differences, gradcheck
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

rng = np.random.default_rng(0)


class FirstExampleOnly(sae.Dense):
    def backward_parameters(self, dy):
        super().backward_parameters(dy)
        self.db[:] = dy[0]  # wrong: the sum over the batch is missing


class AveragedTwice(sae.Dense):
    def backward_parameters(self, dy):
        super().backward_parameters(dy)
        self.dW /= len(dy)  # wrong: the loss has divided by N already


class SlopeIsTheOutput(sae.Sigmoid):
    def backward(self, dy):
        return dy * self.y  # wrong: the slope is y (1 - y)


class FlippedSign(sae.Dense):
    def backward(self, dy):
        return -super().backward(dy)  # wrong: the minus


def autoencoder(dense=sae.Dense, sigmoid=sae.Sigmoid):
    rng = np.random.default_rng(0)  # every variant starts from the same weights
    encoder = sae.Sequential(dense(784, 256, rng=rng), sigmoid())
    decoder = sae.Sequential(dense(256, 784, rng=rng), sigmoid())
    return sae.Autoencoder(encoder, decoder, loss=sae.MSE())


VARIANTS = {
    "right": {},
    "first example only": {"dense": FirstExampleOnly},
    "slope is the output": {"sigmoid": SlopeIsTheOutput},
    "averaged twice": {"dense": AveragedTwice},
    "flipped sign": {"dense": FlippedSign},
}
images = dataset().train_images[:6_000].reshape(-1, 784).astype(np.float32) / 255
recipe = {"epochs": quick(3, 1), "batch_size": 100, "progress": False}
losses = {}
for name, parts in VARIANTS.items():
    losses[name] = sae.fit(autoencoder(**parts), images, optimizer=sae.SGD(0.1), **recipe)[
        "loss"
    ]
    print(f"{name:<20} " + " ".join(f"{value:7.2f}" for value in losses[name]))

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.4)
looks = zip(
    ("o-", "s--", "^-.", "v:", "x-"),
    (plots.BLUE, plots.RED, plots.ORANGE, plots.GREY, "black"),
    strict=True,
)
for (name, values), (look, colour) in zip(losses.items(), looks, strict=True):
    axes.plot(range(1, len(values) + 1), values, look, color=colour, label=name)
axes.set(xlabel="epoch", ylabel="squared error per image", ylim=(0, None))
axes.xaxis.get_major_locator().set_params(integer=True)
axes.legend()
show(
    drawn,
    "wrong-but-learning",
    "Five falling curves. The one with the bias gradient of one example only lies on the "
    "right one; the one with the wrong slope close "
    "to it; the other two fall more slowly.",
    "The right gradient, and four wrong ones. All of them learn.",
)

# %% [markdown]
# All five losses fall. One of the wrong ones cannot be told from the right one, and that is the one whose bias
# listens to a single example in a hundred. A network has so many knobs that most of them can make up for a few that
# turn the wrong way. **A loss that falls proves nothing.**
#
# With Adam in place of gradient descent ([chapter 04](04_optimizers.py)) it gets worse. It divides by the size of
# the gradient, so that being 100 times too small does not show at all:

# %%
adam = {
    name: sae.fit(
        autoencoder(**VARIANTS[name]), images, optimizer=sae.Adam(0.003), **recipe
    )["loss"]
    for name in ("right", "averaged twice")
}
for name, values in adam.items():
    print(f"{name:<20} " + " ".join(f"{value:7.2f}" for value in values))

# %%
if data_name() == "strokes":
    assert abs(losses["first example only"][-1] / losses["right"][-1] - 1) < 0.03
    assert losses["slope is the output"][-1] < 1.3 * losses["right"][-1]
    untrained = float(autoencoder().objective(images[:1000])["loss"])
    assert all(values[-1] < 0.75 * untrained for values in losses.values())
    assert abs(adam["averaged twice"][-1] / adam["right"][-1] - 1) < 0.01

# %% [markdown]
# So a gradient must be checked by itself. The idea stood in [chapter 00](00_one_neuron.py): measure the derivative
# without deriving anything, and compare. This chapter is about doing that so well that a wrong gradient cannot
# pass.
#
# ## How far to turn the knob
#
# A derivative is a limit; a computer cannot take limits. It can take a small step $h$ and divide. There are two ways,
# called [finite differences](glossary.md#finite-differences). How wrong are they?
#
# Write the function at a distance $h$ as a [Taylor series](mathematics.md#taylors-theorem), that is, by its derivatives at $x$:
#
# $$
# \begin{aligned}
# f(x + h) &= f(x) + h f'(x) + \tfrac{h^2}{2} f''(x) + \tfrac{h^3}{6} f'''(x) + \dots \\
# f(x - h) &= f(x) - h f'(x) + \tfrac{h^2}{2} f''(x) - \tfrac{h^3}{6} f'''(x) + \dots
# \end{aligned}
# $$
#
# **One-sided.** Take $f(x)$ from the first line, and divide by $h$:
#
# $$
# \frac{f(x + h) - f(x)}{h} = f'(x) + \tfrac{h}{2} f''(x) + \dots
# $$
#
# The error is proportional to $h$.
#
# **Central.** Take the second line from the first. The terms with $f$ and $f''$ cancel, the others double:
#
# $$
# f(x + h) - f(x - h) = 2h f'(x) + \tfrac{h^3}{3} f'''(x) + \dots
# $$
#
# $$
# \frac{f(x + h) - f(x - h)}{2h} = f'(x) + \tfrac{h^2}{6} f'''(x) + \dots
# $$
#
# The error is proportional to $h^2$. For $h = 10^{-3}$ that is $\frac{h}{2} / \frac{h^2}{6} = 3000$ times better,
# for the same two evaluations. Try both on $f(x) = e^x$ at $x = 1$, where all derivatives are $e$:


# %%
def one_sided(f, x, h):
    return (f(x + h) - f(x)) / h


def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


e = np.exp(1.0)
print("h        one-sided: error, predicted    central: error, predicted")
for h in (1e-1, 1e-2, 1e-3):
    errors = [rule(np.exp, 1.0, h) - e for rule in (one_sided, central)]
    predicted = [h / 2 * e, h**2 / 6 * e]
    print(
        f"{h:<8g} {errors[0]:>16.2e}  {predicted[0]:>8.2e}  {errors[1]:>15.2e}  {predicted[1]:>8.2e}"
    )
    assert np.allclose(errors, predicted, rtol=0.05)

# %% [markdown]
# Why not take $h = 10^{-15}$ then? Because the computer rounds. Each value of $f$ is off by up to about
# $\varepsilon |f|$, where $\varepsilon$ is the precision of its numbers: $2 \cdot 10^{-16}$ in float64, which keeps
# about 16 digits of a number in 64 bits, and $10^{-7}$ in float32, about 7 digits in 32 bits, the format that
# networks are usually trained in. The two values are nearly equal, so that their difference is small, while its
# error is not. Divided by $2h$, that error is about $\varepsilon |f| / h$, and *grows* as $h$ shrinks. The two
# errors together:
#
# $$
# E(h) = \underbrace{\tfrac{h^2}{6} |f'''|}_{\text{too long a step}} + \underbrace{\tfrac{\varepsilon |f|}{h}}_{\text{rounding}}
# $$
#
# It is least where its derivative by $h$ is 0:
#
# $$
# \tfrac{h}{3} |f'''| - \tfrac{\varepsilon |f|}{h^2} = 0
# \quad\Longrightarrow\quad
# h^3 = \frac{3 \varepsilon |f|}{|f'''|}
# \quad\Longrightarrow\quad
# h = \sqrt[3]{3 \varepsilon\, |f| / |f'''|}
# $$
#
# Here $|f| = |f'''|$, and the best step is the cube root of $3\varepsilon$. In float64 that is about $10^{-5}$. In
# float32 it is about $10^{-2}$, and even the best step leaves an error far too large to find small mistakes.
# **Check gradients in float64**, whatever you train in.

# %%
steps = 10.0 ** np.arange(-13, 0.1, 0.25)
errors = {
    "one-sided, float64": [abs(one_sided(np.exp, 1.0, h) - e) / e for h in steps],
    "central, float64": [abs(central(np.exp, 1.0, h) - e) / e for h in steps],
    "central, float32": [
        abs(float(central(np.exp, np.float32(1), np.float32(h))) - e) / e for h in steps
    ],
}
for name, dtype in (("float64", np.float64), ("float32", np.float32)):
    best = float(steps[np.argmin(errors[f"central, {name}"])])
    epsilon = float(np.finfo(dtype).eps)
    predicted = (3 * epsilon) ** (1 / 3)
    typical = predicted**2 / 6 + epsilon / predicted
    print(
        f"{name}: ε = {epsilon:.1e}, best step predicted {predicted:.0e}, seen {best:.0e};"
    )
    print(f"         relative error at the best step about {typical:.0e}")
    assert 0.03 < best / predicted < 30

# %% tags=["hide-input"]
drawn, axes = figure(6, 3.8)
for (name, values), (look, colour) in zip(
    errors.items(), ((":", plots.ORANGE), ("-", plots.BLUE), ("--", plots.RED)), strict=True
):
    axes.plot(steps, np.maximum(values, 1e-17), look, color=colour, label=name)
h = np.geomspace(1e-13, 1, 100)
axes.plot(
    h,
    h**2 / 6 + np.finfo(float).eps / h,
    color=plots.GREY,
    linewidth=0.8,
    label="E(h) / |f|, float64",
)
axes.axvline(1e-5, color=plots.GREY, linestyle=(0, (1, 3)))
axes.annotate("1e-5", (1e-5, 3e-15), (4, 0), textcoords="offset points", color=plots.GREY)
axes.set(
    xscale="log",
    yscale="log",
    xlabel="step h",
    ylabel="relative error of the derivative",
    ylim=(1e-15, 20),
)
axes.legend(fontsize=8, loc="lower left")
show(
    drawn,
    "steps",
    "Three V-shaped curves of the error over the step. The central difference in float64 "
    "is lowest, near a step of 1e-5, at about "
    "1e-11; one-sided it reaches about 1e-8; in float32 not even 1e-5.",
    "Too long a step on the right, rounding on the left. The library uses central "
    "differences in float64 with h = 1e-5.",
)

# %%
assert differences.STEP == 1e-5
lowest = {name: min(values) for name, values in errors.items()}
assert lowest["central, float64"] < 1e-9 < lowest["central, float32"]
at_step = float(abs(central(np.exp, 1.0, 1e-5) - e) / e)
assert at_step < 1e-9

# %% [markdown]
# ## From a layer to one number
#
# A derivative belongs to a single number $L$. A layer puts out an array $y$. So make a number of it: multiply each
# output by a number of its own, drawn at random, and add up.
#
# $$
# L = \sum_{n, h} r_{nh}\, y_{nh}
# \qquad\Longrightarrow\qquad
# dy_{nh} = \frac{\partial L}{\partial y_{nh}} = r_{nh}
# $$
#
# So the array $r$ is what you hand to `backward`. Why at random? The obvious choice, $r = 1$ everywhere, hides
# mistakes. Look at a layer that subtracts from each row its mean. Its outputs add up to 0, always; with $r = 1$ the
# loss is 0 whatever happens, and its true derivative is 0. The backward pass below is empty, and with $r = 1$ it
# passes:
#
# $$
# y_{nd} = x_{nd} - \frac{1}{D} \sum_{k} x_{nk}
# $$


# %%
class Centre:
    """y = x - (mean of each row)."""

    def forward(self, x):
        return x - x.mean(axis=1, keepdims=True)

    def backward(self, dy):
        return np.zeros_like(dy)  # wrong


def largest_error(layer, x, r, h=1e-5):
    """The largest difference between what `backward` says of x, and central differences of Σ r·y."""
    layer.forward(x)
    derived, measured = layer.backward(r), np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        measured[index] = ((layer.forward(up) - layer.forward(down)) * r).sum() / (2 * h)
    return float(np.abs(derived - measured).max())


x = rng.standard_normal((4, 3))
r = rng.standard_normal((4, 3))
with_ones, with_random = (
    largest_error(Centre(), x, np.ones((4, 3))),
    largest_error(Centre(), x, r),
)
print(f"r = 1:      largest error {with_ones:.0e}, looks right")
print(f"r random:   largest error {with_random:.2f}, wrong")
assert with_ones < 1e-9 and with_random > 0.1

# %% [markdown]
# The right backward pass has the same form as the forward pass: $x_{nd}$ acts on its own $y_{nd}$ with slope 1, and
# on every $y_{nk}$ of its row with slope $-1/D$. By rule 2 of chapter 02,
# $dx_{nd} = dy_{nd} - \frac1D \sum_k dy_{nk}$.


# %%
class CentreRight(Centre):
    def backward(self, dy):
        return dy - dy.mean(axis=1, keepdims=True)


print(f"r random:   largest error {largest_error(CentreRight(), x, r):.0e}, right")
assert largest_error(CentreRight(), x, r) < 1e-9

# %% [markdown]
# ## How wrong is wrong?
#
# Is a difference of 0.001 much? That depends on the size of the gradient. Compare with the largest gradient $g$ in
# the array:
#
# $$
# \text{relative error} = \frac{\max |g_{\text{derived}} - g_{\text{measured}}|}{\max |g|}
# $$
#
# In float64 with central differences a right gradient has about $10^{-10}$, and a wrong one mostly more than
# $10^{-2}$. There is a wide gap between, and the library draws the line at $10^{-7}$. It checks the input and every
# parameter:

# %%
report = sae.check_gradients(sae.Dense(5, 3, rng=rng), rng.standard_normal((4, 5)))
print(report)
assert report.passed and report.worst < 1e-9
assert differences.TOLERANCE == 1e-7

# %% [markdown]
# By this formula alone, a number among much larger ones could be wrong by any factor. Here the second number of a gradient
# is $-3$ times what it should be, but the first is a hundred million times as large, so the relative error is far below the
# line. The library therefore moves small numbers once more, further, so that rounding counts for less:


# %%
class TinyOneIsWrong:
    """Wrong: y = x s, and the second number of dx is multiplied by -3."""

    def forward(self, x):
        self.s = np.array([1.0, 1e-8], x.dtype)
        return x * self.s

    def backward(self, dy):
        return dy * self.s * np.array([1.0, -3.0], dy.dtype)


by_formula = 4 * 1e-8  # four times the right number is missing
report = sae.check_gradients(TinyOneIsWrong(), rng.random((4, 2)))
print(f"by the formula about {by_formula:.0e}; the library finds {report.worst:.1f}")
assert by_formula < differences.TOLERANCE and not report.passed

# %% [markdown]
# This is the code that checks a layer. `compare` does the moving and dividing; you have seen what it does.

# %%
source(gradcheck.check_layer)

# %% [markdown]
# ## Breaking it
#
# Now the four mistakes from the beginning, and two more. The check does not only notice them. From the way in which
# the numbers are wrong it can tell what was done wrong. The two more: a product with $W$ in place of $W^\top$, in a
# layer with as many outputs as inputs, so that the shapes agree; and a squared error whose gradient lost its factor
# 2.


# %%
class NotTransposed(sae.Dense):
    def backward(self, dy):
        self.backward_parameters(dy)
        return dy @ self.W  # wrong: should be dy @ self.W.T


class LostFactor(sae.MSE):
    def __call__(self, prediction, target):
        value, dprediction = super().__call__(prediction, target)
        return value, dprediction / 2  # wrong: the 2 of the derivative


def lines(label, text):
    return textwrap.fill(
        text, 86, initial_indent=f"  {label:<11}", subsequent_indent=" " * 13
    )


def check(subject, *arrays):
    report = sae.check_gradients(subject, *arrays)
    wrong = ", ".join(f"∂L/∂{check.name}" for check in report.checks if not check.passed)
    print(f"{type(subject).__name__}: wrong in {wrong}")
    print(lines("diagnosis:", "; ".join(found.what for found in report.findings)))
    return report


x = rng.standard_normal((4, 3))
broken = {
    "batch_missing": check(FirstExampleOnly(3, 3, rng=rng), x),
    "averaged_twice": check(AveragedTwice(3, 3, rng=rng), x),
    "not_differentiated": check(SlopeIsTheOutput(), x),
    "sign": check(FlippedSign(3, 3, rng=rng), x),
    "parameter_turned": check(NotTransposed(3, 3, rng=rng), x),
    "factor": check(LostFactor(), rng.random((4, 3)), rng.random((4, 3))),
}
for kind, report in broken.items():
    assert not report.passed and report.worst > 1e-2
    assert [found.kind for found in report.findings] == [kind]

# %% [markdown]
# Each is caught, by a wide margin, and named. The whole report for the first has the evidence and what to look at:

# %%
first = broken["batch_missing"].findings[0]
print(lines("evidence:", first.evidence))
print(lines("look at:", first.look))
assert [check.name for check in broken["batch_missing"].checks if not check.passed] == ["b"]

# %% [markdown]
# Your own layers can be checked the same way, from the command line: `scratchae check my_layer.py`. Any class with
# `forward(x)` and `backward(dy)` will do.
#
# ## How to check so that mistakes show
#
# **With odd sizes, all different.** `NotTransposed` was found because the numbers were compared. With 5 inputs and
# 3 outputs it would not even have run:

# %%
layer = NotTransposed(5, 3, rng=rng)
layer.forward(rng.standard_normal((4, 5)))
try:
    layer.backward(rng.standard_normal((4, 3)))
    raise AssertionError("this should not have run")
except ValueError:
    print("dy (4, 3) times W (5, 3): the shapes do not match")

# %% [markdown]
# **At random numbers, never at zeros.** With $W = 0$ the product with $W$ is 0, transposed or not, and the mistake
# passes:

# %%
layer = NotTransposed(3, 3)
layer.W[:] = 0
report = sae.check_gradients(layer, x)
print(f"NotTransposed at W = 0: {'passed' if report.passed else 'failed'}")
assert report.passed

# %% [markdown]
# **With more than one example.** A batch of one has nothing to sum over. `FirstExampleOnly` is right there:

# %%
report = sae.check_gradients(FirstExampleOnly(3, 3, rng=rng), x[:1])
print(f"FirstExampleOnly with a batch of 1: {'passed' if report.passed else 'failed'}")
assert report.passed

# %% [markdown]
# **With the same noise each time.** A layer that draws random numbers, such as dropout, which sets half of its
# inputs to 0 and doubles the others, is another function at each call, and differences between two functions mean
# nothing. Draw from a generator that starts from the same seed each time. `check_gradients` does.

# %%
dropout = sae.Dropout(0.5)
ups = [dropout.forward(x + 1e-5, np.random.default_rng(seed)) for seed in (1, 2)]
down = dropout.forward(x - 1e-5, np.random.default_rng(1))
slopes = [float(np.abs((up - down) / 2e-5).max()) for up in ups]
print(
    f"largest slope with the same noise {slopes[0]:.1f}, with other noise {slopes[1]:,.0f}"
)
assert slopes[0] < 2.01 and slopes[1] > 1e3
assert sae.check_gradients(dropout, x).passed

# %% [markdown]
# The slope of dropout is 0 or 2: what is kept is doubled. The other number is nonsense.
#
# **Away from corners.** [ReLU](glossary.md#relu), $\max(0, a)$, has a corner at 0: slope 0 on the left, 1 on the
# right. At the corner a central difference gives ½, which neither side would call right. The library looks at both
# sides, and says so:

# %%
report = sae.check_gradients(sae.ReLU(), np.array([[0.0, 1.0, -2.0]]))
print(f"central difference at 0: {central(lambda a: max(a, 0.0), 0.0, 1e-5):.2f}")
print(report)
assert report.passed and report.checks[0].kinks == 1

# %% [markdown]
# ## What a check cannot see
#
# A gradient check compares `backward` with `forward`. If `forward` computes the wrong thing, and `backward` is its
# right derivative, all is well as far as the check can see. Here is a loss that forgot the mean over the batch, in
# the value *and* in the gradient:


# %%
def summed(prediction, target):
    """Wrong: squared error summed over the batch as well; the convention is the mean over it."""
    difference = prediction - target
    return (difference**2).sum(), 2 * difference


p, t = rng.random((4, 3)), rng.random((4, 3))
report = sae.check_gradients(summed, p, t)
by_hand = sum((p[n, d] - t[n, d]) ** 2 for n in range(4) for d in range(3)) / 4
print(f"gradient check: {'passed' if report.passed else 'failed'}")
print(f"value {summed(p, t)[0]:.4f}; by hand, from the definition, {by_hand:.4f}")
assert report.passed
assert np.isclose(sae.MSE()(p, t)[0], by_hand)
assert np.isclose(summed(p, t)[0], 4 * by_hand)

# %% [markdown]
# So test the forward pass as well: against numbers worked out by hand, against a slow version with loops, against
# what must hold (a loss is 0 if the prediction is right). Some mistakes of this kind stand in published models;
# chapters [11](11_variational.py) and [14](14_errors.py) show them. A check sees neither a wrong optimizer nor a
# wrong target, such as a denoising network that is asked to return its noisy input.
#
# ## Checking a whole model
#
# A model is checked like a layer, with its loss as the number. It costs two forward passes for each parameter, so
# take a small model with every kind of layer that the large one has. If the small one is right, so is the large
# one: the code is the same.

# %%
small = sae.Autoencoder(
    sae.Sequential(sae.Dense(7, 4, rng=rng), sae.Sigmoid()),
    sae.Sequential(sae.Dense(4, 7, rng=rng), sae.Sigmoid()),
    loss=sae.MSE(),
)
report = sae.check_gradients(small, rng.random((5, 7)))
print(report)
passes = 2 * small.parameter_count()
print(
    f"{passes} forward passes; for the autoencoder of chapter 01 it would be {2 * 402_448:,}"
)
assert report.passed

# %% [markdown]
# `scratchae check` does this for everything in the library, in a few seconds. Run it after you have changed a layer.
#
# ## What to change for MNIST
#
# Gradients do not care about the data. `scratchae tutorial 3 --data mnist` repeats the experiment at the beginning
# with handwritten digits, in the same time: the wrong gradients learn there too.
#
# ## Exercises
#
# **Find the bug.** Three layers that run, and are wrong in one place. Read the report, find the line, mend it.

# %%
exercise("03_bug_dense")
exercise("03_bug_tanh")
exercise("03_bug_softmax")
exercise("03_directional")
exercise("03_dropout")

# %% [markdown]
# **Think, then compute.**
#
# 1. The function is $f(x) = x^2$. How large is the error of the central difference, apart from rounding? And for
#    $f(x) = x^3$ at $x = 1$ with $h = 0.1$?
# 2. A colleague checks in float32 with $h = 10^{-8}$ and finds a relative error of 1. What is wrong?
# 3. Someone multiplies the gradient of every layer by 1.001. Does the check notice? Does the training?
# 4. Break `Centre` in a way that neither $r = 1$ nor random $r$ notices.
#
# Answers, computed:

# %%
square = central(lambda x: x**2, 1.0, 0.1) - 2
cube = central(lambda x: x**3, 1.0, 0.1) - 3
print(f"1. x²: {square:.0e}, rounding only, since f''' = 0; x³: {cube:.4f} = h²/6 · 6 = h²")
assert abs(square) < 1e-12 and np.isclose(cube, 0.01)

tiny = abs(float(central(np.exp, np.float32(1), np.float32(1e-8))) - e) / e
moved = np.float32(1) + np.float32(1e-8) != np.float32(1)
print(f"2. with h = 1e-8, 1 + h == 1 in float32: {not moved}; relative error {tiny:.0f}")
assert tiny == 1 and not moved


class Slightly(sae.Sigmoid):
    def backward(self, dy):
        return 1.001 * super().backward(dy)


report = sae.check_gradients(Slightly(), x)
print(
    f"3. {'passed' if report.passed else 'noticed'}, relative error {report.worst:.0e}; training hardly notices"
)
assert not report.passed and 5e-4 < report.worst < 2e-3

# %% [markdown]
# **Question 2.** The gradient may be perfectly right. Rounding swallows the step: in float32 such a step is
# below the precision: $x + h$ is $x$, and the difference 0. Use float64 and $10^{-5}$.
#
# **Question 4.** Change `forward` and `backward` alike: `x - 2 * mean` with its right derivative passes, and is not
# what was meant.
#
# ## Further reading
#
# - [Goodfellow et al. 2016](bibliography.md#goodfellow-2016), section 4.1: rounding, overflow and underflow.
# - [Griewank and Walther 2008](bibliography.md#griewank-2008), chapter 1: why finite differences are for checking only.
#
# ## What to read in the source next
#
# - `scratchae/study/gradcheck.py`: what is checked, and `differences.py` beside it: how, also at corners and near rounding.
# - `scratchae/study/diagnosis/`: how a mistake is told from the numbers.
# - `scratchae/study/catalogue.py`: every layer, loss and model that is checked.
