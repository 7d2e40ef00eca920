"""The deep belief network as a model, and the up-down algorithm, against the sums over all states of 4-3-4 units."""

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from test_boltzmann import bits, joint, machine, states

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import DataError, OptionError, ShapeError

V, H = states(4), states(3)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def log_bits(logits, found):
    """log P(found) of independent bits: every row of logits with every row of found."""
    return (found[None] * logits[:, None] - np.log1p(np.exp(logits))[:, None]).sum(axis=2)


def dbn(seed=0, scale=1.0, **options):
    """A DBN of 4-3-4 units whose parameters are of the size of 1, in float64."""
    model = s.DBN((4, 3, 4), **{"top": "bernoulli"} | options).to(dtype=np.float64)
    model.parameters[...] = scale * np.random.default_rng(seed).standard_normal(len(model.parameters))
    return model


def untied(seed=0, **options):
    model = dbn().untie(**options)
    model.parameters[...] = np.random.default_rng(seed).standard_normal(len(model.parameters))
    return model


def tables(model):
    """log P(h), log P(v|h) (16, 8) and log Q(h|v) (16, 8), of all states, by sums."""
    prior = model.prior
    log_p_h = prior.log_likelihood(H, prior.log_partition_function())
    return log_p_h, log_bits(model.descend(0, H), V).T, log_bits(model.ascend(0, V), H)


def log_p(model):
    """log P(v) = log Σ_h P(v|h) P(h), of the 16 states."""
    log_p_h, log_p_v, _ = tables(model)
    return np.log(np.exp(log_p_v + log_p_h).sum(axis=1))


def bound(model):
    """E_Q[log P(h) + log P(v|h) - log Q(h|v)], of the 16 states."""
    log_p_h, log_p_v, log_q = tables(model)
    return (np.exp(log_q) * (log_p_v + log_p_h - log_q)).sum(axis=1)


@pytest.mark.parametrize("make", [dbn, untied])
def test_it_is_a_distribution_with_the_bound_below(make):
    model = make()
    assert np.exp(log_p(model)).sum() == pytest.approx(1, rel=1e-12)
    assert (bound(model) < log_p(model)).all()


@pytest.mark.parametrize("make", [dbn, untied])
def test_a_draw_of_the_bound_has_it_as_its_mean(make, device, to_device):
    model, n = make(), 20_000
    expected, log_Z = bound(model), model.prior.log_partition_function()
    draws = to_numpy(model.to(device).bound(to_device(np.repeat(V, n // 16, axis=0)), log_Z, 1)).reshape(16, -1)
    error = draws.std(axis=1) / draws.shape[1] ** 0.5
    assert (np.abs(draws.mean(axis=1) - expected) < 4.5 * error).all()


def test_the_bound_of_three_directed_layers():
    """4-3-2-3: against the sums over both layers between."""
    model = s.DBN((4, 3, 2, 3), top="gaussian").to(dtype=np.float64)
    model.parameters[...] = np.random.default_rng(1).standard_normal(len(model.parameters))
    log_Z, G = model.prior.log_partition_function(), states(2)
    log_q1, log_q2 = log_bits(model.ascend(0, V), H), log_bits(model.ascend(1, H), G)
    log_p1, log_p2 = log_bits(model.descend(0, H), V).T, log_bits(model.descend(1, G), H).T
    log_q = log_q1[:, :, None] + log_q2[None]
    inside = log_p1[:, :, None] + log_p2[None] + model.prior.log_likelihood(G, log_Z) - log_q
    expected = (np.exp(log_q) * inside).sum(axis=(1, 2))
    draws = model.bound(np.repeat(V, 2000, axis=0), log_Z, 0).reshape(16, -1)
    assert (np.abs(draws.mean(axis=1) - expected) < 4.5 * draws.std(axis=1) / 2000**0.5).all()


def test_the_bound_is_tight_where_the_second_rbm_is_the_first_upside_down():
    first = machine()
    model = dbn()
    below, top = (rbm.energy for rbm in model.rbms)
    below.W[...], below.a[...], below.b[...] = first.energy.W, first.energy.a, first.energy.b
    top.W[...], top.a[...], top.b[...] = first.energy.W.T, first.energy.b, first.energy.a
    expected = np.log(joint(first).sum(axis=1))
    assert_allclose(log_p(model), expected, rtol=1e-12)
    assert_allclose(bound(model), expected, rtol=1e-12)
    draws = model.bound(np.repeat(V, 5, axis=0), model.prior.log_partition_function(), 0).reshape(16, 5)
    assert_allclose(draws, np.repeat(expected[:, None], 5, axis=1), rtol=1e-10)  # without any spread

    # and a better second RBM raises the bound on the data, whatever it does to log P
    q = np.random.default_rng(5).dirichlet(np.full(16, 0.1))  # most of it on few v
    before = q @ bound(model)
    weights = q @ np.exp(tables(model)[2])  # how often each h is drawn from the data
    for _ in range(200):
        p = np.exp(tables(model)[0])
        top.forward(H)
        top.backward_parameters(weights - p)
        model.prior.parameters -= 0.1 * model.prior.gradient
    assert q @ bound(model) > before + 0.02
    assert q @ bound(model) < q @ log_p(model)


@pytest.mark.parametrize("make", [dbn, untied])
def test_samples_have_the_probabilities_of_the_model(make, device):
    model, n = make(scale=0.8) if make is dbn else make(), 20_000
    p = np.exp(log_p(model))
    drawn = to_numpy(model.to(device).sample(n, steps=60, rng=0))
    drawn = np.random.default_rng(1).random(drawn.shape) < drawn
    found = np.bincount((drawn @ [8, 4, 2, 1]).astype(int), minlength=16) / n
    assert (np.abs(found - p) < 4.5 * np.sqrt(p * (1 - p) / n)).all()


@pytest.mark.parametrize("top", ["bernoulli", "gaussian"])
def test_untied_it_is_the_same_model(top, device, to_device):
    model, x = s.DBN((6, 5, 4, 2), top=top, rng=0).to(device), to_device(bits(5, 6, dtype=np.float32))
    found = model.untie(k=3)
    assert found.k == 3 and found.sizes == model.sizes and found.top == top
    for what in ("encode", "reconstruct"):
        assert_array_equal(to_numpy(getattr(found, what)(x)), to_numpy(getattr(model, what)(x)))
    assert_array_equal(to_numpy(found.bound(x, 1.0, 2)), to_numpy(model.bound(x, 1.0, 2)))
    before = to_numpy(model.parameters).copy()
    found.parameters += 1
    assert_array_equal(to_numpy(model.parameters), before)


# What up-down descends


def mean_gradient(model, seeds=25, n=1600):
    """The mean gradient of steps on all 16 states, with its standard error, as tensors by name."""
    x, found = np.repeat(V, n // 16, axis=0), []
    for seed in range(seeds):
        model.training_step(x, np.random.default_rng(seed))
        found.append(model.gradient.copy())
    return np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / seeds**0.5


def part(model, vector, name):
    return vector[model.stretches()[name]]


def test_awake_the_weights_down_climb_the_bound():
    """On average their gradient is that of minus the bound, against differences of its sum over all states."""
    model = untied()
    mean, error = (part(model, vector, "down1") for vector in mean_gradient(model))
    numeric = reference.numerical_gradient(lambda: -float(bound(model).mean()), model.parameters)
    assert (np.abs(mean - part(model, numeric, "down1")) < 4.5 * error + 1e-8).all()


def test_awake_the_prior_climbs_the_bound_if_its_chain_is_long():
    model = untied(k=40)
    mean, error = (part(model, vector, "energy") for vector in mean_gradient(model))
    numeric = reference.numerical_gradient(lambda: -float(bound(model).mean()), model.parameters)
    assert (np.abs(mean - part(model, numeric, "energy")) < 4.5 * error + 1e-8).all()


def test_asleep_the_weights_up_learn_what_the_model_has_drawn():
    """On average: the gradient of E_P[-log Q(h|v)], v as probabilities, which is no slope of the bound."""
    model = untied(k=40)

    def surprise():
        p = np.exp(tables(model)[0])
        guess = model.ascend(0, sigmoid(model.descend(0, H)))
        return float(p @ (np.log1p(np.exp(guess)) - H * guess).sum(axis=1))

    mean, error = (part(model, vector, "up1") for vector in mean_gradient(model))
    numeric = reference.numerical_gradient(surprise, model.parameters)
    assert (np.abs(mean - part(model, numeric, "up1")) < 4.5 * error + 1e-8).all()
    of_the_bound = reference.numerical_gradient(lambda: -float(bound(model).mean()), model.parameters)
    assert (np.abs(mean - part(model, of_the_bound, "up1")) > 20 * error + 1e-3).any()


@pytest.mark.parametrize("options", [{}, {"k": 3}, {"top": "gaussian"}])
def test_its_gradient_at_the_states_that_were_drawn(options):
    model = s.UpDown((6, 5, 4, 3), rng=0, **options)
    report = s.check_gradients(model, bits(5, 6))
    assert report.passed and report.worst < 1e-7, str(report)

    class Stale(s.UpDown):
        def backward(self):
            super().backward()
            self.up2.dW *= 2

    wrong = s.check_gradients(Stale((6, 5, 4, 3), rng=0, **options), bits(5, 6))
    assert [check.name for check in wrong.checks if not check.passed] == ["up2.W"]


def test_up_down_makes_a_pretrained_network_better():
    """The exact mean log-likelihood of patterns, after training layer by layer and after up-down."""
    rng = np.random.default_rng(0)
    patterns = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]])[rng.integers(0, 3, 600)]
    x = np.where(rng.random((600, 4)) < 0.05, 1 - patterns, patterns).astype(np.float32)
    model = s.DBN((4, 3, 4), top="bernoulli", rng=0)
    s.pretrain(model, x, epochs=2, batch_size=20, progress=False)
    tuned = model.untie(k=5)
    s.fit(tuned, x, epochs=60, batch_size=20, optimizer=s.SGD(s.Cosine(0.1, 1800)), progress=False)
    counts = np.bincount((x @ [8, 4, 2, 1]).astype(int), minlength=16) / 600
    before, after = (counts @ log_p(m.to(dtype=np.float64)) for m in (model, tuned))
    assert after > before + 0.1


def test_fitted_saved_and_resumed_bit_for_bit(tmp_path):
    x = bits(40, 6, dtype=np.float32)

    def learn(epochs, **more):
        model = s.UpDown((6, 5, 4, 3), top="gaussian", k=2, rng=0)
        return model, s.fit(
            model, x, epochs=epochs, batch_size=15, optimizer=s.SGD(0.05, 0.5), progress=False, **more
        )

    straight, history = learn(4, validation=x[:10])
    learn(2, checkpoint=tmp_path / "c", validation=x[:10])
    resumed, again = learn(4, checkpoint=tmp_path / "c", resume=True, validation=x[:10])
    assert straight.parameters.tobytes() == resumed.parameters.tobytes() and history["sleep"] == again["sleep"]
    s.save(straight, tmp_path / "m")
    loaded = s.load(tmp_path / "m")
    assert repr(loaded) == repr(straight)
    assert loaded.bound(x, 1.0, 0).tobytes() == straight.bound(x, 1.0, 0).tobytes()


def test_without_a_generator_nothing_is_drawn():
    model, x = s.UpDown((4, 3, 2), rng=0), bits(5, 4, dtype=np.float32)
    assert model.training_step(x)["loss"] == model.training_step(x)["loss"] == model.objective(x)["loss"]


def test_mistakes():
    with pytest.raises(OptionError, match=r"UpDown\(sizes=\(4, 3\)\): expected a tuple of at least 3"):
        s.UpDown((4, 3))
    with pytest.raises(OptionError, match=r"UpDown\(sizes=\(4, 3\)\)"):
        s.DBN((4, 3)).untie()
    with pytest.raises(OptionError, match=r"UpDown\(k=0\)"):
        s.DBN((4, 3, 2)).untie(k=0)
    with pytest.raises(
        OptionError, match=r"i=1\): expected a whole number, at least 0 and at most 0: the directed layers"
    ):
        s.DBN((4, 3, 2)).ascend(1, bits(2, 4))
    with pytest.raises(OptionError, match=r"bound\(log_Z='big'\)"):
        s.DBN((4, 3, 2)).bound(bits(2, 4), "big")
    recipe = {"epochs": 1, "batch_size": 2, "optimizer": s.SGD(0.1), "progress": False}
    with pytest.raises(DataError, match=r"expected data in \[0, 1\]"):
        s.fit(s.UpDown((4, 3, 2)), 2 + bits(4, 4, dtype=np.float32), **recipe)
    with pytest.raises(ShapeError, match=r"\(N, 4\)"):
        s.fit(s.UpDown((4, 3, 2)), bits(4, 5, dtype=np.float32), **recipe)
