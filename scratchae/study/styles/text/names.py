"""The names that people give to values, to their derivatives and to what belongs to them."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

FORWARD = (
    "forward", "forward_pass", "fprop", "forward_propagation", "forward_prop", "feedforward", "feed_forward", "propagate", "feedForward", "feed", "fwd", "__call__",
)  # fmt: skip
BACKWARD = (
    "backward", "backward_pass", "bprop", "backprop", "backward_propagation", "backward_prop", "back_prop", "backpropagate",
    "backpropagation", "back_propagate", "backPropagate", "back", "bwd", "vjp", "pullback",
)  # fmt: skip
OF_METHODS = (  # the names of a value and of its derivative in one class
    ("__call__", "forward", "f", "fn", "function", "loss", "value", "activation", "activate", "func", "compute", "evaluate", "cost", "calculate", "apply", "call", "output"),
    ("gradient", "grad", "derivative", "prime", "deriv", "df", "backward", "d", "delta", "gradients", "f_prime", "fprime", "diff", "dloss", "loss_prime", "derivate", "backprop", "differentiate"),
)  # fmt: skip
VALUES = (*FORWARD, *OF_METHODS[0], "objective", "energy", "log_likelihood", "predict", "cost_function", "nll")
SLOPES = (*BACKWARD, *OF_METHODS[1], "grads", "pullback", "compute_gradients", "get_gradients", "gradient_step")
COSTS = ("objective", "loss", "cost", "compute_loss", "compute_cost", "cost_function", "loss_fn", "error", "energy", "nll", "mse", "total_loss", "J")  # fmt: skip
IS_COST = re.compile(r"cost|loss|error|objective|energy|mse|entropy", re.I)
# what follows the d of words that are no derivative, such as decode, decay, dot and dist
OF_WORDS = "ata|ec|elay|emean|emo$|enorm|ense|epth|esc|etach|ft$|ct$|ice|ict|igit|ilat|im$|ims|imens|isp|ist|ivi|o$|one$|ot$|oubl|own|raw|rop|ump"
IS_SLOPE = re.compile(
    rf"grad|deriv|prime|back|retro|rueckw|bptt|adjoint|vjp|delta|jac|(?:^|_)d(?:_|(?!{OF_WORDS}))[a-zA-Z]{{1,6}}$|updates?$",
    re.I,
)
DERIVATIVES = (
    "{}_prime", "{}_derivative", "{}_deriv", "{}_grad", "{}_gradient", "{}_backward", "{}_backwards", "{}_bwd", "{}_back", "d_{}", "d{}",
    "grad_{}", "gradient_{}", "{}_d", "{}_der", "{}_dx", "{}_diff", "{}_prime_", "deriv_{}", "derivative_{}", "backward_{}", "{}Prime",
    "{}Derivative", "{}Gradient", "{}Grad", "{}Backward", "prime_{}", "{}_grads", "{}_gradients", "{}_vjp", "{}_delta", "{}_backprop", "delta_{}", "{}p", "der_{}", "{}1",
)  # fmt: skip
UPSTREAM = (
    "dy", "dout", "da", "dz", "grad", "gradoutput", "outputgradient", "upstream", "dvalues", "delta", "g", "dl", "dh", "gradient",
    "outputgrad", "dvalue", "error", "dloss", "dlda",
)  # fmt: skip
UPDATE = ("update", "step", "update_params", "update_parameters", "apply_gradients", "update_weights", "optimize", "apply", "apply_grads", "get_update", "__call__")  # fmt: skip
COUNTERS = ("t", "iteration", "epoch", "i", "n", "k", "iter", "step", "timestep", "it")
RATES = {"lr", "learningrate", "learnrate", "eta", "rate", "alpha", "stepsize", "step", "lrate"}
PARAMETERS = {
    "params", "parameters", "param", "weights", "theta", "variables", "learnable", "trainable", "values", "p",
}  # fmt: skip
GRADIENTS = {"grads", "gradients", "grad", "gradient", "dparams", "derivatives", "deltas", "paramgrads", "gradparams", "dtheta", "dweights", "g", "d"}  # fmt: skip
# what makes a step
STEP = re.compile(
    r"(?:sgd|gd|train|training|fit|update|gradient|learning|optimi[sz]er?|descent|take|backprop)?_?(?:step|batch|one|example|sample|minibatch|mini_batch)|"
    r"train_on_\w+|partial_fit|(?:sgd_)?update(?:_\w+)?|learn(?:_\w+)?|optimi[sz]e|apply_\w+"
)
# methods that set gradients to zero
ZEROING = (
    "zero_grad", "zero_grads", "zero_gradients", "reset_gradients", "clear_gradients", "zero_gradient", "zero", "reset_grads",
    "clear_grads",
)  # fmt: skip
BEFORE = re.compile(
    r"^(?:d(?:l|j|c|e|loss|cost)?_?d_?|grads?_|gradients?_|grad|delta_?|nabla_?|d_|d|g_|g)(?:of_|wrt_)?(?=.)", re.I
)
AFTER = re.compile(r"_?(?:grads?|gradients?|delta|deriv|derivatives?|_d)$", re.I)
SYNONYMS = {"weights": "w", "weight": "w", "kernel": "w", "kernels": "w", "filters": "w", "biases": "b", "bias": "b"}


def plain(name: Any) -> str:
    return str(name).strip("_").lower().replace("_", "")


@functools.lru_cache(10_000)
def stem(name: Any) -> str:
    """A name without its accidents: weights_1, W1 and kernel1 are all w1."""
    text = plain(name)
    digits = re.search(r"\d*$", text).group()
    text = text.removesuffix(digits)
    return SYNONYMS.get(text, text) + digits


@functools.lru_cache(10_000)
def stems_of_gradient(name: Any) -> frozenset[str]:
    """What a name may be the gradient of: dW, grad_W, W_grad and dL_dW are all that of w."""
    text = str(name).strip("_")
    before = BEFORE.match(text)
    found = {stem(text[before.end() :])} if before else set()
    if before and (shorter := re.match(r"^d_?(?=.)", text, re.I)):
        found.add(stem(text[shorter.end() :]))
    if AFTER.search(text):
        found.add(stem(AFTER.sub("", text)))
    return frozenset(found - {""})


def partner(name: str, names: Mapping[str, Any]) -> str | None:
    """The name of the derivative of a function, among these names."""
    stems = {name.removesuffix(end) for end in ("", "_forward", "_fwd", "Forward", "_loss")}
    stems.add(name.removeprefix("forward_"))
    for there, back in (("forward", "backward"), ("fwd", "bwd"), ("fprop", "bprop")):
        if there in name and (twin := name.replace(there, back)) in names:  # conv_forward_naive
            return twin
    return next(
        (found for form in DERIVATIVES for stem in stems if (found := form.format(stem)) in names and found != name),
        None,
    )


def is_upstream(name: str) -> bool:
    name = plain(name)
    return (
        name in (*UPSTREAM, "err")
        or name.startswith(("d", "gout", "gy", "ybar", "upstream"))
        or name.endswith(("grad", "gradient", "bar"))
    )
