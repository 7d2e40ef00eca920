"""Whether a slip changes a number at all: the right code and the wrong one side by side, on inputs of their own."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SIZES = ((3, 4, 5), (4, 2, 3), (3, 3, 3), (2, 5, 4))
SHAPES = (
    lambda d: (6, d),
    lambda d: (3, 6, d),
    lambda d: (3, 7, 6, d),
    lambda d: (3, d, 7, 6),
    lambda d: (2, d),
    lambda d: (d, 4),
)


def module(code: str) -> types.ModuleType:
    found = types.ModuleType("judged")
    exec(compile(code, "judged.py", "exec"), vars(found))
    return found


def differs(name: str, before: str, after: str) -> bool | None:
    """Whether the wrong code gives other numbers than the right one; None if it raises an error everywhere."""
    ran = False
    runs = {"layers": layer_runs, "losses": loss_runs, "optimizers": optimizer_runs}[name.partition("/")[0]]
    with np.errstate(all="ignore"):
        for run in runs():
            try:
                wanted = run(module(before))
            except Exception:
                continue
            if not all(np.isfinite(one).all() for one in wanted) or not wanted:
                continue
            try:
                found = run(module(after))
            except Exception:
                return None
            ran = True
            if len(found) != len(wanted) or any(not same(a, b) for a, b in zip(found, wanted, strict=True)):
                return True
    return False if ran else None


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-6)


def own(found: types.ModuleType) -> list[Any]:
    return [
        value
        for value in vars(found).values()
        if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == "judged"
    ]


def moved(thing: Any, rng: np.random.Generator) -> Any:
    """All arrays off their start, in place, in attributes, dicts, lists and objects there."""
    for value in (
        vars(thing).values()
        if hasattr(thing, "__dict__")
        else thing.values()
        if isinstance(thing, dict)
        else thing
        if isinstance(thing, list)
        else ()
    ):
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value += 0.3 * rng.standard_normal(value.shape).astype(value.dtype)
        elif not isinstance(value, types.ModuleType):
            moved(value, rng)
    return thing


def arrays_of(thing: Any) -> Iterator[np.ndarray]:
    """What an object holds, in the order of names."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, dict):
        for key in sorted(thing, key=str):
            yield from arrays_of(thing[key])
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from arrays_of(value)
    elif hasattr(thing, "__dict__") and not isinstance(thing, types.ModuleType | type) and not callable(thing):
        yield from arrays_of(vars(thing))


def layer_runs() -> Iterator[Callable]:
    for seed, sizes in enumerate(SIZES):
        for shape in SHAPES:
            for options in (False, True):
                yield lambda found, seed=seed, sizes=sizes, shape=shape, options=options: layer_run(
                    found, seed, sizes, shape, options
                )


def layer_run(
    found: types.ModuleType, seed: int, sizes: tuple[int, ...], shape: Callable, options: bool
) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    things = own(found)
    cls = next((t for t in reversed(things) if inspect.isclass(t)), None)
    x = rng.standard_normal(shape(sizes[0]))
    if cls is None:
        return function_run(things, x, rng)
    np.random.seed(seed)
    parameters = inspect.signature(cls).parameters.values()
    numbers = iter(sizes)
    given = [next(numbers) for p in parameters if p.default is p.empty]
    other = {int: lambda v: v + 1, float: lambda v: 0.37 if v != 1 else 1.7}
    words = {p.name: other[type(p.default)](p.default) for p in parameters if options and type(p.default) in other}
    thing = moved(cls(*given, **words), rng)
    if cls.__name__ == "Embedding":
        x = rng.integers(0, 4, (6, 2))
    if hasattr(thing, "gradient"):
        return [thing.gradient(x)]
    flags = inspect.signature(thing.forward).parameters
    kwargs = (
        {"train": seed % 2 == 0}
        if "train" in flags
        else {"training": seed % 2 == 0}
        if "training" in flags
        else {"rng": rng}
        if "rng" in flags
        else {}
    )
    y = thing.forward(x, **kwargs)
    y = thing.output if y is None else y
    dy = rng.standard_normal(y.shape)
    if hasattr(thing, "zero_grad"):
        thing.zero_grad()
    dx = (
        thing.backward(dy, 0.1)
        if "learning_rate" in inspect.signature(thing.backward).parameters
        else thing.backward(dy)
    )
    return [*arrays_of(dx), *arrays_of(vars(thing))]


def function_run(things: list[Any], x: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for thing in things:
        names = list(inspect.signature(thing).parameters)
        if "cache" in names:
            continue
        if names == ["x", "w", "b"]:
            out, cache = thing(x, rng.standard_normal((x[0].size, 4)), rng.standard_normal(4))
        elif "gamma" in names:
            out, cache = thing(x, rng.standard_normal(x.shape[1]), rng.standard_normal(x.shape[1]), {})
        elif thing.__name__ == "relu_forward":
            out, cache = thing(x)
        elif "derivative" in names:
            found.append(thing(x, derivative=True))
            continue
        else:
            found.append(thing(x))
            continue
        backward = next(t for t in things if t.__name__ == thing.__name__.replace("forward", "backward"))
        found += list(arrays_of(backward(rng.standard_normal(out.shape), cache)))
    return found


def loss_runs() -> Iterator[Callable]:
    for n in (6, 3, 1):
        for kind in ("numbers", "labels", "one-hot", "rows"):
            yield lambda found, n=n, kind=kind: loss_run(found, n, kind)


def loss_run(found: types.ModuleType, n: int, kind: str) -> list[np.ndarray]:
    """How far the gradient is from central differences of the value: 0 if the code is right."""
    rng = np.random.default_rng(n)
    x = rng.uniform(0.1, 0.9, (n, 3))
    t = {
        "numbers": rng.uniform(0.1, 0.9, (n, 3)),
        "labels": rng.integers(0, 3, n),
        "one-hot": np.eye(3)[rng.integers(0, 3, n)],
        "rows": rng.dirichlet(np.ones(3), n),
    }[kind]
    things = own(found)
    thing = next((c for c in things if inspect.isclass(c)), None)
    if thing is not None:
        thing = thing()
        value = next(getattr(thing, m) for m in ("forward", "loss", "__call__") if hasattr(thing, m))
        slope = thing.gradient if hasattr(thing, "gradient") else thing.backward
        needed = len([p for p in inspect.signature(slope).parameters.values() if p.default is p.empty])
        first = next(iter(inspect.signature(value).parameters))
        flip = first in ("y", "y_true")
        f = lambda a: value(*((t, a) if flip else (a, t)))  # noqa: E731
        f(x)  # forward keeps what backward needs
        g = slope(*(((t, x) if flip else (x, t)) if needed == 2 else ()))
        g = thing.dinputs if g is None else g
        reduce = (lambda v: np.mean(v)) if hasattr(thing, "dinputs") else np.sum
    else:
        value, slope = things[0], things[1] if len(things) > 1 else None
        names = list(inspect.signature(value).parameters)
        flip = names[0] == "y_true"
        if names[0] == "W":
            x, call = rng.standard_normal((3, 2)), lambda a: value(a)
        elif len([p for p in inspect.signature(value).parameters.values() if p.default is p.empty]) == 1:
            call = lambda a: value(a)  # noqa: E731
        else:
            call = lambda a: value(*((t, a) if flip else (a, t)))  # noqa: E731
        if slope is not None:
            f, g = call, slope(*((t, x) if flip else (x, t)))
        else:
            f, out = (lambda a: call(a)[0]), call(x)
            g = out[1]
            if len(out) == 3:  # both arguments have a gradient
                second = central(lambda a: value(x, a)[0], np.array(t, float), np.sum)
                return [g - central(f, x, np.sum), out[2] - second]
        reduce = np.sum
    return [g - central(f, x, reduce)]


def central(f: Callable, x: np.ndarray, reduce: Callable) -> np.ndarray:
    found = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        plus, minus = x.copy(), x.copy()
        plus[i] += 1e-5
        minus[i] -= 1e-5
        found[i] = (reduce(f(plus)) - reduce(f(minus))) / 2e-5
    return found


def optimizer_runs() -> Iterator[Callable]:
    for seed in range(3):
        for options in (False, True):
            yield lambda found, seed=seed, options=options: optimizer_run(found, seed, options)


def optimizer_run(found: types.ModuleType, seed: int, options: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    thing = own(found)[-1]
    p, paths = [rng.standard_normal((2, 3)), rng.standard_normal(2)], []
    if inspect.isclass(thing):
        parameters = inspect.signature(thing).parameters
        words = {
            name: 0.3
            for name, q in parameters.items()
            if options
            and isinstance(q.default, float)
            and "eps" not in name
            and "lr" not in name
            and "rate" not in name
        }
        if "params" in parameters:
            held = [types.SimpleNamespace(data=a, grad=None) for a in p]
            thing = thing(held, **words)
        else:
            thing = thing(**words)
    config = None
    for _ in range(4):
        g = [rng.standard_normal(a.shape) for a in p]
        if inspect.isfunction(thing):
            p[0], config = thing(p[0], g[0], config)
        elif hasattr(thing, "update_params"):
            if not paths:
                layer = types.SimpleNamespace(weights=p[0], biases=p[1])
            layer.dweights, layer.dbiases = g
            thing.pre_update_params()
            thing.update_params(layer)
            thing.post_update_params()
            p = [layer.weights, layer.biases]
        elif hasattr(thing, "params"):
            for one, gradient in zip(held, g, strict=True):
                one.grad = gradient
            thing.step()
            p = [one.data for one in held]
        else:
            method = thing.step if hasattr(thing, "step") else thing.update
            first = next(iter(inspect.signature(method).parameters))
            if first == "params" and hasattr(thing, "update"):
                d = {"W": p[0], "b": p[1]}
                method(d, {"W": g[0], "b": g[1]})
                p = list(d.values())
            elif first == "params":
                method(p, g)
            else:
                new = method(p[0], g[0])
                p[0] = p[0] if new is None else new
        paths += [np.array(a) for a in p]
    return paths
