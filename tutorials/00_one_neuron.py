# %% [markdown]
# # 00 · One neuron by hand
#
# *How does a machine learn from one example? One neuron, one step, every number written out.*
#
# **Time** 30 minutes to read, 3 s to run on two cores.

# %% [markdown]
# ## The question
#
# A neuron is a small machine: two numbers go in, one comes out. The number that comes out depends on three numbers inside
# the neuron, which you may turn like knobs. Show the neuron an example, and compare its answer with the answer that you
# wanted. It is off by some amount.
#
# **Which way, and how far, should you turn each knob so that it is less wrong next time?**
#
# All of deep learning answers that question, for a million knobs at once, by the same chain rule that you will now use by
# hand. You need derivatives. From [the section on batches](00_one_neuron.py#many-examples-and-matrices) on you also need
# matrix products. Chapters 00 to 02 need nothing more. What later chapters assume stands [on a page of its
# own](mathematics.md).
#
# These are the numbers. The input is $x = (x_1, x_2)$. The knobs are two [weights](glossary.md#weight) $w_1, w_2$ and a
# [bias](glossary.md#bias) $b$. The target $t$ is the answer that you want.

# %%
import math

import numpy as np

import scratchae as sae
from scratchae import plots
from scratchae.tutorial import data_name, dataset, exercise, figure, quick, show, source

x1, x2 = 2.0, -1.0
w1, w2, b = 0.5, 1.5, 0.25
t = 1.0

# %% [markdown]
# ## Forward: from the input to the error
#
# The neuron multiplies each input by its weight, adds the bias, and calls the sum the
# [pre-activation](glossary.md#pre-activation) $a$:
#
# $$
# a = w_1 x_1 + w_2 x_2 + b
# $$
#
# The sum can be any number, but we want an answer between 0 for "no" and 1 for "yes". The [sigmoid](glossary.md#sigmoid)
# $\sigma$ bends the sum into this range, so you can read the output $y$ as "how sure are you?". The sigmoid is smooth, so
# it has a derivative everywhere:
#
# $$
# y = \sigma(a) = \frac{1}{1 + e^{-a}}
# $$
#
# Last comes a number that says how wrong the output is, the [loss](glossary.md#loss) $L$. Here it is the [squared
# error](glossary.md#squared-error):
#
# $$
# L = (y - t)^2
# $$
#
# The loss is 0 if the answer is right, and it grows as $y$ moves away from $t$ on either side. The square is a common
# choice, because it has a simple derivative, which becomes smaller as the answer becomes better. [Chapter
# 07](07_cross_entropy.py) asks whether another choice would be better. Computing these three lines, from left to right, is
# the [forward pass](glossary.md#forward-pass).


# %%
def sigmoid(a):
    return 1 / (1 + math.exp(-a))


a = w1 * x1 + w2 * x2 + b
y = sigmoid(a)
L = (y - t) ** 2

print(f"a = {w1}·{x1} + {w2}·({x2}) + {b} = {a:.4f}")
print(f"y = 1 / (1 + exp({-a:.4f})) = {y:.4f}")
print(f"L = ({y:.4f} - {t:.0f})² = {L:.4f}")

# %% [markdown]
# ## A picture of it
#
# Here are the same three lines as boxes. Numbers flow from left to right. The bias is drawn as the weight of an input that
# is always 1.


# %% tags=["hide-input"]
def draw_neuron(backward=None):
    """The neuron as boxes, with the values of the forward pass and, if given, of the backward pass."""
    drawn, axes = figure(7, 3.1)
    axes.set(xlim=(-0.8, 10.7), ylim=(-0.4, 4.4))
    axes.axis("off")
    box = {"boxstyle": "round,pad=0.5", "facecolor": "#F2F2F2", "edgecolor": plots.GREY}
    for place, text in ((3.9, "w₁x₁ + w₂x₂ + b"), (6.7, "σ(a)"), (9.2, "(y - t)²")):
        axes.text(place, 2, text, ha="center", va="center", bbox=box)
    colour = plots.BLUE if backward is None else plots.RED

    def number(name, value):
        return (
            f"{name} = {value:g}"
            if backward is None
            else f"d{name} = {backward['d' + name]:+.4f}"
        )

    # height, input, its value, knob, its value; and where the knob's number stands beside the arrow
    inputs = [
        (4, "x₁", x1, "w₁", w1, (1.65, 3.2, "left", "bottom")),
        (2, "x₂", x2, "w₂", w2, (1.45, 2.1, "center", "bottom")),
        (0, "", 1, "b", b, (1.65, 0.8, "left", "top")),
    ]
    arrow = {"arrowstyle": "->", "color": plots.GREY}
    if backward is not None:
        arrow = {"arrowstyle": "<-", "color": plots.RED, "linestyle": "--"}
    look = {"color": colour, "fontsize": 9}
    for i, (height, name, value, knob, weight, (left, low, ha, va)) in enumerate(inputs):
        circle = {
            "boxstyle": "circle,pad=0.35",
            "facecolor": "white",
            "edgecolor": plots.GREY,
        }
        axes.text(0, height, name or "1", ha="center", va="center", bbox=circle)
        axes.annotate("", (2.55, 2 + 0.4 * (1 - i)), (0.4, height), arrowprops=arrow)
        axes.text(left, low, number(knob, weight), ha=ha, va=va, **look)
        if name:
            text = number(name, value)
            axes.text(0, height - 0.75, text, ha="center", va="center", **look)
    for start, end, name, value in (
        (5.3, 6.1, "a", a),
        (7.3, 8.35, "y", y),
        (10.05, 10.6, "L", L),
    ):
        look = {"ha": "center", "fontsize": 9}
        middle = (start + end) / 2
        axes.annotate(
            "",
            (end, 2.1),
            (start, 2.1),
            arrowprops={"arrowstyle": "->", "color": plots.BLUE},
        )
        axes.text(
            middle, 2.45, f"{name} =\n{value:.4f}", color=plots.BLUE, va="bottom", **look
        )
        if backward is not None:
            arrow = {"arrowstyle": "->", "color": plots.RED, "linestyle": "--"}
            axes.annotate("", (start, 1.9), (end, 1.9), arrowprops=arrow)
            text = f"d{name} =\n{backward['d' + name]:+.4f}"
            axes.text(middle, 1.55, text, color=plots.RED, va="top", **look)
    return drawn


show(
    draw_neuron(),
    "forward",
    "Boxes from left to right: the inputs times their weights are summed to a = -0.25, the "
    "sigmoid gives y = 0.4378, and the loss is 0.3160.",
    "The forward pass. Follow the numbers from left to right: the inputs, multiplied by the "
    "knobs on the arrows, become a, then y, then one number, the loss L.",
)

# %% [markdown]
# The neuron says 0.44 where you wanted 1. Which knob do you turn?
#
# *Predict (★, 1 minute):* before you read on, decide for each of $w_1$, $w_2$ and $b$ whether it should become larger or
# smaller.
#
# ## Backward: from the error to the knobs
#
# Turn one knob by a tiny amount, and divide the change of the loss by the change of the knob: that is a derivative.
# $\partial L / \partial w_1$, the *partial derivative* of $L$ by $w_1$, says how fast the loss grows as $w_1$ grows while
# all other knobs are held still. If you know it, you know which way to turn the knob: *against* the derivative, down if it
# is positive and up if it is negative.
#
# The knob $w_1$ moves $a$, $a$ moves $y$, and $y$ moves $L$. The chain rule multiplies the three effects:
#
# $$
# \frac{\partial L}{\partial w_1}
# = \frac{\partial L}{\partial y} \cdot \frac{\partial y}{\partial a} \cdot \frac{\partial a}{\partial w_1}
# $$
#
# The first two factors are the same for $w_2$ and for $b$. So compute them once, beginning at the loss, and hand them to
# the left. This is all that [backpropagation](glossary.md#backpropagation) is: the chain rule, from right to left, where
# nothing is computed twice. We need short names for the derivatives of the loss: we write $dy$ for
# $\partial L / \partial y$, $da$ for $\partial L / \partial a$, and so on. (So $dy$ is one number here, and not the $dy$
# that stands under an integral.) The code has the same names.
#
# Before each derivative we repeat the forward line that it differentiates.
#
# **The loss.** $L = (y - t)^2$, so
#
# $$
# dy = \frac{\partial L}{\partial y} = 2\,(y - t)
# $$
#
# **The sigmoid.** $y = (1 + e^{-a})^{-1}$. Differentiate (the two minus signs cancel), then write the result with $y$
# itself:
#
# $$
# \frac{\partial y}{\partial a}
# = \frac{e^{-a}}{(1 + e^{-a})^2}
# = \frac{1}{1 + e^{-a}} \cdot \frac{e^{-a}}{1 + e^{-a}}
# = y\,(1 - y)
# \qquad\Rightarrow\qquad
# da = dy \cdot y\,(1 - y)
# $$
#
# The third equality holds because $1 - y = 1 - \frac{1}{1 + e^{-a}} = \frac{e^{-a}}{1 + e^{-a}}$.
#
# **The sum.** $a = w_1 x_1 + w_2 x_2 + b$. The derivative of $a$ by $w_1$ is what $w_1$ is multiplied by, which is $x_1$.
# The derivative by $b$ is 1, and the derivative by $x_1$ is $w_1$. By the chain rule each is multiplied by $da$:
#
# $$
# dw_1 = da \cdot x_1 \qquad dw_2 = da \cdot x_2 \qquad db = da \qquad dx_1 = da \cdot w_1 \qquad dx_2 = da \cdot w_2
# $$
#
# Nobody can turn the input, so why $dx$? Because $x$ may be the output of another neuron to the left, and then $dx$ is what
# that neuron needs: its own $dy$. In this way layers are stacked.

# %%
dy = 2 * (y - t)
da = dy * y * (1 - y)
dw1, dw2, db = da * x1, da * x2, da
dx1, dx2 = da * w1, da * w2

print(f"dy  = 2·({y:.4f} - {t:.0f})            = {dy:+.4f}")
print(f"da  = {dy:+.4f} · {y:.4f}·(1 - {y:.4f}) = {da:+.4f}")
print(f"dw₁ = da·x₁ = {da:+.4f} · ({x1:+g})     = {dw1:+.4f}")
print(f"dw₂ = da·x₂ = {da:+.4f} · ({x2:+g})     = {dw2:+.4f}")
print(f"db  = da                         = {db:+.4f}")
print(f"dx₁ = da·w₁ = {da:+.4f} · {w1:g}      = {dx1:+.4f}")
print(f"dx₂ = da·w₂ = {da:+.4f} · {w2:g}      = {dx2:+.4f}")

# %% tags=["hide-input"]
gradients = {"dL": 1.0, "dy": dy, "da": da}
gradients |= {"dw₁": dw1, "dw₂": dw2, "db": db, "dx₁": dx1, "dx₂": dx2}
show(
    draw_neuron(gradients),
    "backward",
    "The same boxes with dashed arrows from right to left: dL = 1, dy = -1.1244, da = -0.2767, "
    "and the derivatives of the knobs: dw1 = -0.5535, dw2 = +0.2767, db = -0.2767.",
    "The backward pass, dashed: from the loss back to every knob. Start at the right, with dL = 1, "
    "because the derivative of L by itself is 1, and follow the red numbers to the left.",
)

# %% [markdown]
# Read the signs. The output was too small, so $dy$ is negative: a larger $y$ would make the loss smaller. A larger $w_1$
# raises $a$, because $x_1 = 2$ is positive, so turn it up. A larger $w_2$ lowers $a$, because $x_2 = -1$ is negative, so
# turn it down. And $|dw_1|$ is twice $|dw_2|$, because $|x_1|$ is twice $|x_2|$: the same $da$ is multiplied by the input.

# %%
assert dw1 < 0 < dw2
assert abs(dw1) == 2 * abs(dw2)

# %% [markdown]
# ## Is it right? Measure it
#
# You can measure a derivative without any derivation. Turn one knob a little up, then a little down, leave all others alone,
# and divide the change of the loss by the change of the knob:
#
# $$
# \frac{\partial L}{\partial w_1} \approx \frac{L(w_1 + h) - L(w_1 - h)}{2h}
# $$
#
# These are [finite differences](glossary.md#finite-differences). They cost two forward passes for each knob, far too much
# for a million of them. But they use nothing of the derivation, so if both give the same numbers, a mistake in the
# derivation is very unlikely. [Chapter 03](03_gradient_check.py) is about how small $h$ should be, and about what this test
# cannot see.


# %%
def loss_of(x1, x2, w1, w2, b):
    return (sigmoid(w1 * x1 + w2 * x2 + b) - t) ** 2


values = {"x₁": x1, "x₂": x2, "w₁": w1, "w₂": w2, "b": b}
h = 1e-5
print("          by hand        measured       difference")
for i, name in enumerate(values):
    up, down = list(values.values()), list(values.values())
    up[i] += h
    down[i] -= h
    measured = (loss_of(*up) - loss_of(*down)) / (2 * h)
    derived = gradients["d" + name]
    print(f"∂L/∂{name:<3} {derived:+.9f}   {measured:+.9f}   {abs(derived - measured):.0e}")
    assert abs(derived - measured) < 1e-9

# %% [markdown]
# ## Update: turn the knobs
#
# Turn every knob against its derivative. How far? By the derivative times a number that you choose, the
# [learning rate](glossary.md#learning-rate) $\eta$:
#
# $$
# w_1 \leftarrow w_1 - \eta\, dw_1 \qquad w_2 \leftarrow w_2 - \eta\, dw_2 \qquad b \leftarrow b - \eta\, db
# $$
#
# This is one step of [gradient descent](glossary.md#gradient-descent). Here it is with $\eta = 1$.
#
# *Predict (★, 1 minute):* the loss is 0.316. Will it be a little smaller, half as large, or much smaller?

# %%
eta = 1.0
new_w1, new_w2, new_b = w1 - eta * dw1, w2 - eta * dw2, b - eta * db
new_L = loss_of(x1, x2, new_w1, new_w2, new_b)

print(f"w₁ = {w1:.4f} - {eta:g}·({dw1:+.4f}) = {new_w1:.4f}")
print(f"w₂ = {w2:.4f} - {eta:g}·({dw2:+.4f}) = {new_w2:.4f}")
print(f"b  = {b:.4f} - {eta:g}·({db:+.4f}) = {new_b:.4f}")
print(f"y  was {y:.4f}, is {sigmoid(new_w1 * x1 + new_w2 * x2 + new_b):.4f}")
print(f"L  was {L:.4f}, is {new_L:.4f}")
assert new_L < L / 5

# %% [markdown]
# After one step the loss is less than a fifth of what it was. The neuron has learned something, and nobody told it which
# knob mattered.
#
# How far can a step go? The derivatives describe the loss only close to the present knobs. The next picture shows the loss
# after steps of growing length, and beside it the loss that the derivatives promise. For small changes of the knobs the
# loss changes by about [the sum of each derivative times its change](mathematics.md#first-order-change). A step changes
# $w_1$ by $-\eta\,dw_1$, so the first term of the sum is $dw_1 \cdot (-\eta\,dw_1)$, and the other knobs have terms like
# it. The sum is
#
# $$
# -\eta\, dw_1^2 - \eta\, dw_2^2 - \eta\, db^2 = -\eta\, \|g\|^2,
# \qquad \|g\|^2 = dw_1^2 + dw_2^2 + db^2 .
# $$
#
# The *gradient* $g$ is the list of the three derivatives, and $\|g\|$ is its length. So the promise is a straight line,
# which falls by $\|g\|^2$ for each unit of $\eta$.

# %% tags=["hide-input"]
steps = np.linspace(0, 2, 101)
along = [loss_of(x1, x2, w1 - eta * dw1, w2 - eta * dw2, b - eta * db) for eta in steps]
squared_norm = dw1**2 + dw2**2 + db**2

drawn, axes = figure(6, 3.4)
axes.plot(steps, along, color=plots.BLUE, linewidth=2, label="the loss")
axes.plot(
    steps,
    L - squared_norm * steps,
    "--",
    color=plots.RED,
    label="what the derivatives promise",
)
axes.plot([1], [new_L], "o", color=plots.BLUE)
axes.annotate("the step above", (1, new_L), (1.03, new_L + 0.008), color=plots.BLUE)
axes.set(
    xlabel="learning rate η of one step",
    ylabel="loss L after it, squared error",
    ylim=(0, 0.34),
)
axes.legend()
show(
    drawn,
    "step",
    "The loss falls along a curve as the step grows; the straight line promised by the derivatives touches it at 0 and "
    "soon lies apart.",
    "The promise of the derivatives holds for a small step: the two lines touch at 0 and part.",
)

# %%
tiny = 1e-4
promised = squared_norm * tiny
found = L - loss_of(x1, x2, w1 - tiny * dw1, w2 - tiny * dw2, b - tiny * db)
print(f"η = {tiny:g}: promised {promised:.4e}, found {found:.4e}")
assert abs(found / promised - 1) < 1e-3

# %% [markdown]
# ## Many examples, and matrices
#
# So far there was one example. Learning needs many, and a computer handles them together: $N$ examples, a
# [batch](glossary.md#batch), are the rows of a matrix $x$. Then a whole batch goes through the neuron in one matrix
# product. Several neurons side by side, with the same inputs, are a *layer*. Give each neuron one column of weights in a
# matrix $W$, and the batch goes through the whole layer in one product too:
#
# $$
# \underset{(N, H)}{a} = \underset{(N, D)}{x}\;\underset{(D, H)}{W} + \underset{(H)}{b}
# $$
#
# with $D$ inputs and $H$ neurons; $b$ is added to every row. For our neuron $N = 1$, $D = 2$, $H = 1$. Always read the
# shapes below the letters: a product whose inner sizes do not match cannot be right.
#
# The loss of a batch is the mean over its examples. If an example has several outputs, their squared errors are summed first:
#
# $$
# L = \frac{1}{N} \sum_{n=1}^{N} \sum_{h=1}^{H} (y_{nh} - t_{nh})^2
# $$
#
# *Sum over the features* (here the outputs), *mean over the batch*: this convention holds in the whole book. The formulas
# of the backward pass stay the same, with matrices in place of numbers, and the mean brings a factor $1/N$ into $dy$:
#
# $$
# \underset{(N, H)}{dy} = \frac{2}{N} (y - t) \qquad
# \underset{(N, H)}{da} = dy \odot y \odot (1 - y)
# $$
#
# ($\odot$ multiplies element by element.) One thing is new. All examples now use the same weights. So turning one weight
# changes the loss of every example, and the derivative by this weight is a sum over the examples. Take two examples with
# two inputs each, and one neuron. For a single example the derivative was $dw_1 = da \cdot x_1$. Now there is one such term
# for each example:
#
# $$
# \begin{aligned}
# dw_1 &= x_{11}\, da_1 + x_{21}\, da_2 \\
# dw_2 &= x_{12}\, da_1 + x_{22}\, da_2
# \end{aligned}
# \qquad\text{which is}\qquad
# \begin{bmatrix} dw_1 \\ dw_2 \end{bmatrix} =
# \begin{bmatrix} x_{11} & x_{21} \\ x_{12} & x_{22} \end{bmatrix}
# \begin{bmatrix} da_1 \\ da_2 \end{bmatrix} = x^\top da .
# $$
#
# Here $x_{nd}$ is input $d$ of example $n$, so the first matrix of the product is $x$ with rows and columns exchanged,
# which is written $x^\top$. The bias is used by all examples as well, with the factor 1. So for any number of examples,
# inputs and neurons:
#
# $$
# \underset{(D, H)}{dW} = \underset{(D, N)}{x^\top}\,\underset{(N, H)}{da} \qquad
# \underset{(H)}{db} = \sum_n da_n \qquad
# \underset{(N, D)}{dx} = \underset{(N, H)}{da}\;\underset{(H, D)}{W^\top}
# $$
#
# [Chapter 02](02_backpropagation.py) derives these term by term.

# %%
x_two, da_two = np.array([[2.0, -1.0], [0.5, 3.0]]), np.array([[0.1], [-0.2]])
by_sum = [
    x_two[0, d] * da_two[0, 0] + x_two[1, d] * da_two[1, 0] for d in range(2)
]  # one term for each example
print(
    f"dw by the sums {np.round(by_sum, 6)}, by xᵀ da {(x_two.T @ da_two).ravel().round(6)}"
)
assert np.allclose(by_sum, (x_two.T @ da_two).ravel())

# %% [markdown]
# ## The library's code
#
# The library divides the neuron into two layers, `Dense` for the sum and `Sigmoid` for the bend, and a loss, `MSE` (mean
# squared error). Each has the formula and its derivative side by side. Below is the code of the two layers, taken from their
# files. Some words in it are no mathematics, and you may skip them in all chapters: `xp = array_module(x)` is NumPy, or its
# twin for a GPU ([chapter 13](13_cpu_gpu.py)); `out=` writes a result into an array that exists already, which saves memory;
# `rng` draws random numbers, which these layers do not need; `@one_kernel` lets a GPU, or some CPUs, compute the whole function
# in one go. `# …` stands for lines that were left out here: checks of what a function is given, and settings for other tools.
# Where the printed code calls a short function that holds a formula, as `Sigmoid` calls `sigmoid_backward`, that function is
# printed below it.

# %%
source(sae.Dense.forward, sae.Dense.backward, sae.Dense.backward_parameters)
source(sae.Sigmoid)

# %% [markdown]
# A few words in it belong to later chapters: `xp` is NumPy (or the same functions on a graphics card,
# [chapter 13](13_cpu_gpu.py)), and `out=` writes the result into an array that exists already.
#
# `dy` in a layer is always the gradient that comes in from the right, whatever lies there. What `backward` returns goes out
# to the left. So the layers do not need to know each other. `Sequential` runs layers one after the other. Here are the same
# numbers as by hand, and the same results:

# %%
neuron = sae.Sequential(sae.Dense(2, 1), sae.Sigmoid()).to(dtype=np.float64)
dense = neuron.layers[0]
dense.W[:] = [[w1], [w2]]  # (D, H) = (2, 1)
dense.b[:] = [b]

x = np.array([[x1, x2]])  # (N, D) = (1, 2)
target = np.array([[t]])  # (N, H) = (1, 1)
prediction = neuron.forward(x)
loss, dprediction = sae.MSE()(prediction, target)
dx = neuron.backward(dprediction)

print(f"loss {loss:.4f}")
print(f"dW   {dense.dW.ravel().round(4)}")
print(f"db   {dense.db.round(4)}")
print(f"dx   {dx.ravel().round(4)}")
assert np.allclose(
    [loss, *dense.dW.ravel(), *dense.db, *dx.ravel()], [L, dw1, dw2, db, dx1, dx2]
)

# %% [markdown]
# The library can measure derivatives as we did, one for every element of every array, and compare them with its own:

# %%
report = sae.check_gradients(neuron, np.random.default_rng(0).standard_normal((4, 2)))
print(report)
assert report.passed

# %% [markdown]
# ## An experiment: a neuron that tells 0 from 1
#
# Now with data: drawings of digits, 28 × 28 pixels. We take the zeros and the ones. The neuron has two inputs only, so we
# give it two numbers for each drawing: how much ink lies in the middle, and how much around it. A zero is hollow, and a one
# is not. Both numbers are measured in standard deviations from their mean, so that they have the same scale.

# %%
data = dataset()


def middle_and_around(images):
    """The mean ink, from 0 to 1, of the 10 × 8 pixels in the middle, and of the others: (N, 2)."""
    ink = images / 255
    middle = ink[:, 9:19, 10:18].sum(axis=(1, 2))
    return np.stack([middle / 80, (ink.sum(axis=(1, 2)) - middle) / (784 - 80)], axis=1)


images, labels = (
    data.train_images[data.train_labels < 2],
    data.train_labels[data.train_labels < 2],
)
test_images, test_labels = (
    data.test_images[data.test_labels < 2],
    data.test_labels[data.test_labels < 2],
)
measured = middle_and_around(images)
mean, deviation = measured.mean(axis=0), measured.std(axis=0)
x = (measured - mean) / deviation  # (N, 2)
target = labels[:, None].astype(float)  # (N, 1)
x_test = (middle_and_around(test_images) - mean) / deviation
print(f"{data_name()}: {len(x)} drawings to learn from, {len(x_test)} to be tested with")

# %% tags=["hide-input"]
rows = {"zeros": images[labels == 0][:8] / 255, "ones": images[labels == 1][:8] / 255}
show(
    lambda path: plots.image_rows(rows, path),
    "digits",
    "Eight drawings of the digit zero and eight of the digit one.",
)

# %% [markdown]
# Start with all knobs at 0, and repeat what we did by hand: forward, loss, backward, update.
#
# *Predict (★, 1 minute):* what does the neuron answer before the first step, and what is its loss then?

# %%
dense.W[:] = 0
dense.b[:] = 0
losses = []
for step in range(quick(400, 200)):
    prediction = neuron.forward(x)
    loss, dprediction = sae.MSE()(prediction, target)
    neuron.backward(dprediction)
    dense.W -= 2.0 * dense.dW
    dense.b -= 2.0 * dense.db
    losses.append(float(loss))
    if step in (0, 1, 10, 100):
        right = float(((prediction > 0.5) == (target > 0.5)).mean())
        print(f"step {step:>3}: loss {loss:.4f}, {right:.1%} right")

answers = neuron.forward(x_test) > 0.5
right = float((answers[:, 0] == (test_labels == 1)).mean())
weights = ", ".join(f"{weight:+.2f}" for weight in dense.W.ravel())
print(
    f"after {step + 1} steps: loss {losses[-1]:.4f}; {right:.1%} right on drawings that it has never seen"
)
print(f"W = ({weights}), b = {dense.b[0]:+.2f}")
assert losses[0] == 0.25  # it says 0.5 to everything, and is off by 0.5 each time
assert right > 0.95

# %% [markdown]
# Three numbers, found by a rule that knows nothing of digits, are right for more than 95 % of drawings that the neuron has
# never seen. You can read the weights: more ink in the middle makes the answer "one" more likely, and more ink around it
# makes it less likely.
#
# The neuron says 0.5 where the sum $w_1 x_1 + w_2 x_2 + b$ is 0, because $\sigma(0) = \frac12$. These points form a
# straight line. So a single neuron can only divide the plane into two halves.

# %%
assert dense.W[0, 0] > 0 > dense.W[1, 0]

# %% tags=["hide-input"]
drawn, axes = figure(6, 4.4)
for digit, colour, marker in ((0, plots.ORANGE, "o"), (1, plots.BLUE, "x")):
    some = x_test[test_labels == digit][:300]
    axes.scatter(
        *some.T,
        s=22,
        color=colour,
        marker=marker,
        linewidths=1,
        alpha=0.7,
        label=f"drawings of {digit}",
    )
low, high = x_test[:, 0].min(), x_test[:, 0].max()
border = [-(dense.W[0, 0] * place + dense.b[0]) / dense.W[1, 0] for place in (low, high)]
axes.plot([low, high], border, color="black", label="the neuron says 0.5")
axes.set(
    xlabel="x₁: ink in the middle, standard deviations",
    ylabel="x₂: ink around it, standard deviations",
)
axes.set_ylim(x_test[:, 1].min() - 0.2, x_test[:, 1].max() + 0.2)
axes.legend()
show(
    drawn,
    "border",
    "Drawings as points: ones lie at the lower right, zeros at the upper left, and a straight line parts them.",
    "Test drawings as points, and the line on which the trained neuron is undecided. Look at the "
    "few points that lie on the wrong side.",
)

# %% [markdown]
# **With MNIST.** `scratchae tutorial 0 --data mnist` does the same with handwritten digits, which it downloads once (11 MB).
# It takes a few seconds as well, and the neuron is right about as often.
#
# ## What comes next
#
# Somebody had to write the answers, the labels, below these drawings. What could a network, which is many neurons in
# several layers, learn without labels? Let the target be the input itself: the network must rebuild the drawing from a few
# numbers. Then it has to find those numbers on its own. That is an [autoencoder](glossary.md#autoencoder), and [chapter
# 01](01_autoencoder.py) trains one.
#
# ## Exercises
#
# ### Derive
#
# 1. Write the forward and backward pass of this neuron, with three inputs. After *Backward*. ★, 15 minutes. The grader says
#    what kind of mistake it sees.

# %%
exercise("00_neuron")

# %% [markdown]
# On paper:
#
# 2. ★ The target is $t = 0$ instead of 1. Which of the derivatives change their sign? Does $|dw_1|$ grow or shrink? After
#    *Backward*. 5 minutes.
# 3. ★ The input is $x = (0, -1)$. Which knob does not move, and why is that sensible? After *Backward*. 3 minutes.
# 4. ★★ The bias is $b = 10$ and the target $t = 0$: the neuron is as wrong as it can be. How large is $da$? What happens to
#    learning? After *Backward*. 5 minutes.
# 5. ★★ All weights start at 0 in the experiment, and it works. Now take a layer of two neurons, and a third neuron whose
#    inputs are the outputs of the two, with two equal weights. If the weights of the two start at 0, the two neurons stay
#    equal for ever. Why? After *An experiment*. 5 minutes.
# 6. ★★ For which $y$ between 0 and 1 is $|da|$ largest, if $t = 1$? After *Backward*. 10 minutes.
#
# ### Explore
#
# 7. ★ In the experiment, take the learning rate 0.1, 1, 10, 100 in place of 2. Which of them end near the loss that 2 ends
#    at, and which do not? 10 minutes.
# 8. ★★ Choose two other digits, and two other numbers to measure. For which pair of digits is the neuron worst? 20 minutes.


# %% tags=["hide-cell"]
def by_hand(x1, x2, w1, w2, b, t):
    y = sigmoid(w1 * x1 + w2 * x2 + b)
    da = 2 * (y - t) * y * (1 - y)
    return y, {"da": da, "dw₁": da * x1, "dw₂": da * x2, "db": da}


cases = {
    "as above": (x1, x2, w1, w2, b, 1.0),
    "2. t = 0": (x1, x2, w1, w2, b, 0.0),
    "3. x₁ = 0": (0.0, x2, w1, w2, b, 1.0),
    "4. b = 10, t = 0": (x1, x2, w1, w2, 10.0, 0.0),
}
for name, case in cases.items():
    output, gradient = by_hand(*case)
    print(
        f"{name:<17} y = {output:.4f}  "
        + "  ".join(f"{key} = {value:+.4f}" for key, value in gradient.items())
    )
outputs = np.linspace(0, 1, 3001)
steepest = outputs[np.abs(2 * (outputs - 1) * outputs * (1 - outputs)).argmax()]
print(f"6. |da| is largest at y = {steepest:.4f}")
assert by_hand(*cases["2. t = 0"])[1]["dw₁"] > 0 > dw1
assert abs(by_hand(*cases["2. t = 0"])[1]["dw₁"]) < abs(dw1)
assert by_hand(*cases["3. x₁ = 0"])[1]["dw₁"] == 0
assert abs(by_hand(*cases["4. b = 10, t = 0"])[1]["da"]) < 0.001
assert np.isclose(steepest, 1 / 3)

# %% [markdown]
# <details><summary>Answers</summary>
#
# 2\. All of them do, because $y - t$ is now positive. The derivatives shrink, because 0.44 is closer to 0 than to 1.
#
# 3\. $w_1$ does not move. It was multiplied by 0, so it had no part in the answer.
#
# 4\. $da$ is almost 0, although the answer is wrong. The sigmoid is flat there, so its slope $y(1 - y)$ is almost 0. The
# neuron hardly learns. [Chapter 07](07_cross_entropy.py) mends this with another loss.
#
# 5\. Both neurons compute the same output, so they get the same derivatives and take the same steps. Random starting
# weights make them different.
#
# 6\. $|da| = 2 (1 - y)^2 y$. Its derivative, $2 (1 - y)(1 - 3y)$, is 0 at $y = \frac13$. So the neuron learns fastest when
# it is wrong, but not too sure of it.
#
# </details>

# %% [markdown]
# ## Further reading
#
# - [Nielsen 2015](bibliography.md#nielsen-2015), chapter 1: neurons and gradient descent, at the same pace.
# - [Strang 2019](bibliography.md#strang-2019): the linear algebra, for this purpose.
#
# ## What to read in the source next
#
# - `scratchae/layers/dense.py` and `scratchae/layers/activations.py`: the two layers, whole.
# - `scratchae/losses.py`: `MSE`, value and gradient.
# - `scratchae/study/gradcheck.py`: how every derivative in the library is measured.
