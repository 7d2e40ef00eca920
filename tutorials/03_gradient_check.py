# %% [markdown]
# # 03 · Checking a gradient, and breaking one
#
# *The loss falls. Does that mean that your gradient is right?*
#
# **Time** 35 minutes to read, 8 s to run on two cores.

# %% [markdown]
# ## The question
#
# You have derived a backward pass and written it down, as in [chapter 02](02_backpropagation.py). The program runs, the
# shapes match, and in training the loss falls. Is the gradient right?
#
# Before you answer, look at an experiment. Here are five autoencoders, alike but for one line of a backward pass, and
# trained with gradient descent (`sae.SGD`). One of the five is right. Each wrong layer is written as a *subclass*:
# `class FlippedSign(sae.Dense)` is a `Dense` in everything but the method that is written below it, and
# `super().backward(dy)` calls the method of `Dense` itself.
#
# *Predict (★, 2 minutes):* read the four wrong lines in the next cell. In which of the five runs will the loss fall?

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
    "The loss with the right gradient, and with four wrong ones. All five fall. Look for the "
    "wrong one that lies on the right one.",
)

# %% [markdown]
# All five losses fall. One of the four wrong runs cannot be told from the right run: the one whose biases learn from a
# single example in a hundred. A network has so many knobs that most of them can make up for a few that turn the wrong way.
# **A loss that falls proves nothing.**
#
# With Adam in place of gradient descent ([chapter 04](04_optimizers.py)) a loss proves even less. Adam divides each gradient
# by its own usual size, so a gradient that is 100 times too small does not show at all:

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
# A derivative is a limit, and a computer cannot take limits. It can take a small step $h$ and divide. There are two ways to
# do so, called [finite differences](glossary.md#finite-differences). How wrong are they?
#
# Take a function $f$ of one number $x$. Write its value at a distance $h$ from $x$ as a [Taylor
# series](mathematics.md#taylors-theorem), that is, with the derivatives of $f$ at $x$:
#
# $$
# \begin{aligned}
# f(x + h) &= f(x) + h f'(x) + \tfrac{h^2}{2} f''(x) + \tfrac{h^3}{6} f'''(x) + \dots \\
# f(x - h) &= f(x) - h f'(x) + \tfrac{h^2}{2} f''(x) - \tfrac{h^3}{6} f'''(x) + \dots
# \end{aligned}
# $$
#
# **One-sided.** Subtract $f(x)$ from the first line, and divide by $h$:
#
# $$
# \frac{f(x + h) - f(x)}{h} = f'(x) + \tfrac{h}{2} f''(x) + \dots
# $$
#
# For small $h$ the error is proportional to $h$.
#
# **Central.** Subtract the second line from the first. The terms with $f$ and $f''$ cancel, and the others double:
#
# $$
# f(x + h) - f(x - h) = 2h f'(x) + \tfrac{h^3}{3} f'''(x) + \dots
# $$
#
# $$
# \frac{f(x + h) - f(x - h)}{2h} = f'(x) + \tfrac{h^2}{6} f'''(x) + \dots
# $$
#
# For small $h$ the error is proportional to $h^2$. Both ways need two evaluations of $f$. Try both on $f(x) = e^x$ at
# $x = 1$, where all derivatives are $e$. For $h = 10^{-3}$ the central difference is then
# $\frac{h}{2} / \frac{h^2}{6} = \frac{3}{h} = 3000$ times better:


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
# Why not take $h = 10^{-15}$ then? Because the computer rounds. Each value of $f$ is off by up to about $\varepsilon |f|$,
# where $\varepsilon$ is the precision of the computer's numbers. The format float64 keeps about 16 digits of a number in 64
# bits, and its $\varepsilon$ is $2 \cdot 10^{-16}$. The format float32, in which networks are usually trained, keeps about
# 7 digits in 32 bits, and its $\varepsilon$ is $10^{-7}$. The two values of $f$ are nearly equal, so their difference is
# small, but its rounding error is as large as that of both values together, up to about $2 \varepsilon |f|$. Divided by
# $2h$, this error is about $\varepsilon |f| / h$, and *grows* as $h$ shrinks. The two errors together:
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
# Here $|f| = |f'''|$, so the best step is the cube root of $3\varepsilon$. In float64 that is about $10^{-5}$. In
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
    "On the right the step is too long, and on the left the rounding is too large. Look at the "
    "lowest point of each curve. The library uses central differences in float64 with h = 1e-5.",
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
# A derivative belongs to a single number $L$, but a layer puts out an array $y$. So turn $y$ into one number: draw a random
# array $r$ of the same shape, and let $L = \sum r y$.
#
# $$
# L = \sum_{n, h} r_{nh}\, y_{nh}
# \qquad\Longrightarrow\qquad
# dy_{nh} = \frac{\partial L}{\partial y_{nh}} = r_{nh}
# $$
#
# So the array $r$ is what you hand to `backward`. Why at random? The obvious choice, $r = 1$ everywhere, hides
# mistakes. Look at a layer that subtracts from each row its mean:
#
# $$
# y_{nd} = x_{nd} - \frac{1}{D} \sum_{k} x_{nk}
# $$
#
# The outputs of a row always add up to 0. So with $r = 1$ the loss is 0 for every input, and its true derivative is 0. The
# backward pass below returns nothing but zeros, which is wrong, and with $r = 1$ it passes:


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
# For the right backward pass, look for the paths, as in chapter 02. $x_{nd}$ acts on its own $y_{nd}$ with slope 1, and,
# because it is part of the mean, on every $y_{nk}$ of its row with slope $-1/D$. By rule 2,
# $dx_{nd} = dy_{nd} - \frac1D \sum_k dy_{nk}$. This formula has the same form as the forward pass.


# %%
class CentreRight(Centre):
    def backward(self, dy):
        return dy - dy.mean(axis=1, keepdims=True)


print(f"r random:   largest error {largest_error(CentreRight(), x, r):.0e}, right")
assert largest_error(CentreRight(), x, r) < 1e-9

# %% [markdown]
# ## How wrong is wrong?
#
# Is a difference of 0.001 much? That depends on the size of the gradient. So compare the difference with the largest number
# in the array of the gradient $g$:
#
# $$
# \text{relative error} = \frac{\max |g_{\text{derived}} - g_{\text{measured}}|}{\max |g|}
# $$
#
# In float64 with central differences, a right gradient has a relative error of about $10^{-10}$, and a wrong one mostly more
# than $10^{-2}$. There is a wide gap between the two, and the library draws the line at $10^{-7}$. It checks the input and
# every parameter:

# %%
report = sae.check_gradients(sae.Dense(5, 3, rng=rng), rng.standard_normal((4, 5)))
print(report)
assert report.passed and report.worst < 1e-9
assert differences.TOLERANCE == 1e-7

# %% [markdown]
# By this formula alone, a small number among much larger ones could be wrong by any factor. Below, the second number of a
# gradient is $-3$ times what it should be, but the first is a hundred million times as large, so the relative error is far
# below the line. The library therefore measures small numbers a second time, with a longer step, because the rounding error
# then counts for less:


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
# This is the code that checks a layer. Look for the random array `r`, and for `backward(r.copy())`. `compare` moves each
# number up and down and divides, as you have seen. The other lines take care of rounding, and of layers that do something
# unusual.

# %%
source(gradcheck.check_layer)

# %% [markdown]
# ## Breaking it
#
# Now the four mistakes from the beginning, and two more. The check also names the mistake, because each kind leaves its own
# pattern in the numbers. The first of the two others is a product with $W$ in place of $W^\top$. Its layer has as many
# outputs as inputs, so the shapes match all the same. The second is a squared error whose gradient lost its factor 2.
#
# *Predict (★★, 4 minutes):* which of the gradients $\partial L/\partial x$, $\partial L/\partial W$ and
# $\partial L/\partial b$ will be wrong in each of the five broken layers?


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
# Each mistake is caught, by a wide margin, and named. The whole report also holds the evidence, and says where to look. For
# the first mistake:

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
# **With sizes that all differ.** With 3 inputs and 3 outputs, `NotTransposed` was found only because the numbers were
# compared. With 5 inputs and 3 outputs it would not even have run:

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
# **With more than one example.** In a batch of one there is nothing to sum over, so `FirstExampleOnly` is right there:

# %%
report = sae.check_gradients(FirstExampleOnly(3, 3, rng=rng), x[:1])
print(f"FirstExampleOnly with a batch of 1: {'passed' if report.passed else 'failed'}")
assert report.passed

# %% [markdown]
# **With the same noise each time.** Some layers draw random numbers. The best known is *dropout*
# ([Srivastava et al. 2014](bibliography.md#srivastava-2014)). In training it sets each number of its input to 0 with
# probability $p$, and divides the others by $1 - p$:
#
# $$
# y = x \odot m, \qquad m_{nd} = \begin{cases} 0 & \text{with probability } p \\ 1 / (1 - p) & \text{otherwise} \end{cases}
# $$
#
# Once the mask $m$ is drawn, this is a product with given numbers. So $x_{nd}$ acts on $y_{nd}$ only, with slope $m_{nd}$:
#
# $$
# dx = dy \odot m
# $$
#
# The mask must be that of the forward pass, so the layer keeps it. Why are the numbers that are kept divided by $1 - p$?
# Because then the [expectation](mathematics.md#expectation-variance-covariance) of $y$ is $x$,
#
# $$
# \mathbb E[m_{nd}] = p \cdot 0 + (1 - p) \cdot \frac{1}{1 - p} = 1,
# \qquad \mathbb E[y_{nd}] = x_{nd}\, \mathbb E[m_{nd}] = x_{nd} .
# $$
#
# So the next layer gets, on average, what it gets when the trained network is used, with nothing dropped. In the library:

# %%
source(sae.Dropout.draw, sae.Dropout.forward, sae.Dropout.backward)
ones, drawing = np.ones(100_000), np.random.default_rng(0)
for p in (0.2, 0.5):
    y = sae.Dropout(p).forward(ones, drawing)
    print(f"p = {p}: {(y == 0).mean():.3f} are dropped, the mean of y is {y.mean():.3f}")
    assert abs((y == 0).mean() - p) < 0.01 and abs(y.mean() - 1) < 0.02

# %% [markdown]
# With another mask the layer is another function. So if the two losses of a central difference are computed with different
# masks, the difference says nothing about a derivative. Draw the noise from a generator that starts from the same seed each
# time, as `check_gradients` does.

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
# The slope of dropout with $p = \frac12$ is 0 or 2, because what is kept is doubled. The number that came from other noise
# is nonsense.
#
# **Away from corners.** [ReLU](glossary.md#relu), $\max(0, a)$, has a corner at 0: its slope is 0 on the left and 1 on the
# right. At the corner a central difference gives ½, which is the slope of neither side. The library looks at the slopes on
# both sides. Where they differ, it compares nothing, and reports how many such corners (*kinks*) it met:

# %%
report = sae.check_gradients(sae.ReLU(), np.array([[0.0, 1.0, -2.0]]))
print(f"central difference at 0: {central(lambda a: max(a, 0.0), 0.0, 1e-5):.2f}")
print(report)
assert report.passed and report.checks[0].kinks == 1

# %% [markdown]
# ## What a check cannot see
#
# A gradient check compares `backward` with `forward`. If `forward` computes the wrong thing, and `backward` is the right
# derivative of that wrong thing, the check passes. Here is a loss that forgot the mean over the batch, in the value *and* in
# the gradient:


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
# So test the forward pass as well: against numbers worked out by hand, against a slow version with loops, and against what
# must hold (a loss is 0 if the prediction is right). Some mistakes of this kind stand in published models, which chapters
# [11](11_variational.py) and [14](14_errors.py) show. Nor does a check see a wrong optimizer, or a wrong target, such as
# that of a network that should remove noise from its input, but is asked to return the noisy input.
#
# ## Checking a whole model
#
# A model is checked like a layer, with its loss as the number $L$. The check costs two forward passes for each parameter,
# so take a small model that has every kind of layer that the large one has. If the small one is right, so is the large one,
# because both run the same code.

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
# ## One direction instead of every parameter
#
# The large model itself can be checked too, with *two* losses. Let $\theta$ be the vector of all $P$ parameters, and $g$
# the gradient. Choose a direction $v$ of length 1 in the space of the parameters. Along $v$ the loss is a function of one
# number, $f(h) = L(\theta + h v)$. For a small $h$ the loss changes by [the sum of each derivative times its
# change](mathematics.md#first-order-change), which is $\sum_i g_i\, h v_i$. Divide by $h$, and let $h$ go to 0:
#
# $$
# f'(0) = \sum_{i=1}^{P} g_i v_i = g \cdot v \approx \frac{L(\theta + h v) - L(\theta - h v)}{2h} .
# $$
#
# **What does it see?** Let the derived gradient be $g + e$, with an error $e$. Then the two sides differ by $e \cdot v$.
# Draw the direction at random, with all directions equally likely. Then $\mathbb E[v_i v_j] = 0$ for $i \ne j$, because $v$
# and the same direction with $-v_i$ in place of $v_i$ are equally likely, and their products $v_i v_j$ cancel. And
# $\mathbb E[v_i^2] = 1/P$, because the $P$ squares have the same expectation and add up to 1. So
#
# $$
# \mathbb E\bigl[(e \cdot v)^2\bigr] = \sum_{i, j} e_i e_j\, \mathbb E[v_i v_j] = \frac{1}{P} \sum_i e_i^2 = \frac{\lVert e \rVert^2}{P},
# \qquad
# \mathbb E\bigl[(g \cdot v)^2\bigr] = \frac{\lVert g \rVert^2}{P} .
# $$
#
# So the typical difference, divided by the typical slope, is $\lVert e \rVert / \lVert g \rVert$, however many parameters
# there are. An error in a whole array is seen at once. An error in a single small number of 400,000 is not seen, and one
# direction does not say *where* an error is. Use one direction to find out that something is wrong, and the slow check of a
# small model to find out what.
#
# Here are the five autoencoders of the beginning at full size, 402,448 parameters, in three random directions each. What is
# printed is the difference divided by the typical slope. (The function is folded, because exercise 4 asks you to write it.)


# %% tags=["hide-cell"]
def along_one_direction(model, x, rng, h=1e-5):
    """The slope along a random direction, derived less measured, divided by the typical slope."""
    model.to(dtype=np.float64)
    model.training_step(x)
    theta, g = model.parameters.copy(), model.gradient.copy()
    v = rng.standard_normal(len(theta))
    v /= np.linalg.norm(v)
    ends = []
    for move in (h, -h):
        model.parameters[...] = theta + move * v
        ends.append(float(model.objective(x)["loss"]))
    model.parameters[...] = theta
    typical = np.linalg.norm(g) / len(theta) ** 0.5
    return abs(g @ v - (ends[0] - ends[1]) / (2 * h)) / typical


# %%
few = images[:100].astype(np.float64)
directions = {
    name: [along_one_direction(autoencoder(**parts), few, rng) for _ in range(3)]
    for name, parts in VARIANTS.items()
}
for name, found in directions.items():
    print(f"{name:<20} " + "  ".join(f"{difference:.0e}" for difference in found))
    assert max(found) < 1e-4 if name == "right" else max(found) > 1e-2

# %% [markdown]
# All four mistakes are seen, also the one that no loss curve showed.
#
# `scratchae check` checks everything in the library, in a few seconds. Run it after you have changed a layer.
#
# ## What to change for MNIST
#
# A gradient is right or wrong for any data. `scratchae tutorial 3 --data mnist` repeats the experiment at the beginning
# with handwritten digits, in the same time. There too the loss falls with each of the wrong gradients.
#
# ## Exercises
#
# ### Find the bug
#
# Three layers that run, and are wrong in one place. Read the report, find the line, mend it.
#
# 1. A dense layer, whose first backward pass gives the right gradient, and whose second does not. After *Breaking it*. ★, 5
#    minutes.

# %%
exercise("03_bug_dense")

# %% [markdown]
# 2. A tanh layer. After *Breaking it*. ★★, 10 minutes.

# %%
exercise("03_bug_tanh")

# %% [markdown]
# 3. A softmax layer, in which every input acts on every output of its example. After *From a layer to one number*;
#    `CentreRight` has the same kind of paths. You derive $\partial y_j / \partial x_i$ with the quotient rule. ★★★, 30
#    minutes.

# %%
exercise("03_bug_softmax")

# %% [markdown]
# ### Derive and write
#
# 4. The check along one direction, for any loss. After *One direction instead of every parameter*. ★★★, 25 minutes.

# %%
exercise("03_directional")

# %% [markdown]
# 5. Dropout, with the expectation and the variance of what it puts out. After *With the same noise each time*. ★★, 25 minutes.

# %%
exercise("03_dropout")

# %% [markdown]
# On paper:
#
# 6. ★ The function is $f(x) = x^2$. How large is the error of the central difference, apart from rounding? And for
#    $f(x) = x^3$ at $x = 1$ with $h = 0.1$? After *How far to turn the knob*. 5 minutes.
# 7. ★★ A colleague checks in float32 with $h = 10^{-8}$ and finds a relative error of 1. What is wrong? After *How far to
#    turn the knob*. 5 minutes.
# 8. ★ Someone multiplies the gradient of every layer by 1.001. Does the check notice? Does the training? After *How wrong is
#    wrong?* 3 minutes.
# 9. ★★ Break `CentreRight` in a way that neither $r = 1$ nor random $r$ notices. After *What a check cannot see*. 5
#    minutes.
# 10. ★★★ $f(x + h) - 8 f(x + \frac h2) + 8 f(x - \frac h2) - f(x - h)$, divided by $-6h$, is close to $f'(x)$ too. To which
#     power of $h$ is its error proportional? After *How far to turn the knob*. 20 minutes.
#
# ### Explore
#
# 11. ★★ With which learning rate does `averaged twice` learn as fast as the right one with 0.1? Try it, and say why it is
#     not quite the same curve (which of the gradients was divided?). 15 minutes.
# 12. ★★★ Plant a mistake in one number of `dW` in a copy of `Dense`, in a net of 784-256-784. Does one direction find it? Do
#     a thousand? How does the answer depend on the size of that number? 30 minutes.

# %% tags=["hide-cell"]
square = central(lambda x: x**2, 1.0, 0.1) - 2
cube = central(lambda x: x**3, 1.0, 0.1) - 3
print(f"6. x²: {square:.0e}, rounding only, since f''' = 0; x³: {cube:.4f} = h²/6 · 6 = h²")
assert abs(square) < 1e-12 and np.isclose(cube, 0.01)

tiny = abs(float(central(np.exp, np.float32(1), np.float32(1e-8))) - e) / e
moved = np.float32(1) + np.float32(1e-8) != np.float32(1)
print(f"7. with h = 1e-8, 1 + h == 1 in float32: {not moved}; relative error {tiny:.0f}")
assert tiny == 1 and not moved


class Slightly(sae.Sigmoid):
    def backward(self, dy):
        return 1.001 * super().backward(dy)


report = sae.check_gradients(Slightly(), x)
print(
    f"8. {'passed' if report.passed else 'noticed'}, relative error {report.worst:.0e}; training hardly notices"
)
assert not report.passed and 5e-4 < report.worst < 2e-3


def wide(f, x, h):
    return -(f(x + h) - 8 * f(x + h / 2) + 8 * f(x - h / 2) - f(x - h)) / (6 * h)


errors = [abs(wide(np.exp, 1.0, h) - e) for h in (0.2, 0.1)]
print(f"10. half the step, 1/{errors[0] / errors[1]:.1f} of the error")
assert np.isclose(errors[0] / errors[1], 16, rtol=0.02)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 6\. None for $x^2$, because $f''' = 0$ and all later derivatives are 0. For $x^3$, $f''' = 6$, so the error is
# $\frac{h^2}{6} \cdot 6 = h^2 = 0.01$, exactly.
#
# 7\. The gradient may be perfectly right. In float32 such a step is below the precision, so $x + h$ is $x$, the difference
# is 0, and the relative error is 1. Use float64 and $10^{-5}$.
#
# 8\. The check does, because 0.001 is far above $10^{-7}$. Training hardly does: a gradient that has passed $k$ layers is
# $1.001^k$ times as long, as if its learning rate were that much larger.
#
# 9\. Change `forward` and `backward` alike: `x - 2 * mean` with its right derivative passes, and is not what was meant.
#
# 10\. To $h^4$. Let $c(h)$ be the central difference, $c(h) = f' + \frac{h^2}{6} f''' + \frac{h^4}{120} f^{(5)} + \dots$ The
# formula is $\frac43 c(\frac h2) - \frac13 c(h)$. In it the terms with $h^2$ cancel, because
# $\frac43 \cdot \frac14 = \frac13$.
#
# 11\. About 10, because $dW$ is 100 times too small. It is not the same curve, because $db$ was right, and with a rate of 10
# its steps are 100 times as long as in the right run.
#
# 12\. The difference is about $|e| / \sqrt P$, and the typical slope $\lVert g \rVert / \sqrt P$. So the mistake is found
# if $|e| / \lVert g \rVert$ is well above the rounding error, which was about $10^{-8}$ in the chapter. More directions
# help little, because each of them sees the same typical size.
#
# </details>
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
