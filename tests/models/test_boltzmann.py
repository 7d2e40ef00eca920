"""RBM and DBN: what a gradient check cannot see, by enumeration of small machines and by statistics."""

import copy
import itertools
import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import DataError, DivergenceError, OptionError, ShapeError
from scratchae.training.pretraining import momentum_sgd


def machine(visible=4, hidden=3, *, seed=0, scale=1.0, **options):
    """A small RBM whose parameters are of the size of 1, in float64."""
    rng = np.random.default_rng(seed)
    model = s.RBM(visible, hidden, **options).to(dtype=np.float64)
    for parameter in (model.energy.W, model.energy.a, model.energy.b):
        parameter[...] = scale * rng.standard_normal(parameter.shape)
    return model


def states(n):
    """All 2ⁿ rows of zeros and ones."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


def bits(n, d, seed=0, dtype=np.float64):
    return (np.random.default_rng(seed).random((n, d)) < 0.5).astype(dtype)


def energies(model):
    """E(v, h) of all states, by its formula: (2^visible, 2^hidden)."""
    W, a, b = (to_numpy(getattr(model.energy, name)) for name in "Wab")
    V, H = states(model.visible), states(model.hidden)
    return np.array([[-(v @ a) - h @ b - v @ W @ h for h in H] for v in V])


def joint(model):
    """P(v, h) of all states."""
    p = np.exp(-energies(model))
    return p / p.sum()


both = pytest.mark.parametrize("hidden_units", ["bernoulli", "gaussian"])


# The distribution


def test_free_energy_is_the_sum_over_hidden_states(device, to_device):
    model = machine()
    expected = -np.log(np.exp(-energies(model)).sum(axis=1))
    found = model.to(device).free_energy(to_device(states(4)))
    assert_allclose(to_numpy(found), expected, rtol=1e-12)


def test_free_energy_of_gaussian_units_is_the_integral_over_them():
    model = machine(3, 1, hidden_units="gaussian")
    W, a, b = model.energy.W, model.energy.a, model.energy.b
    h = np.linspace(-30, 30, 100_001)
    V = states(3)
    E = -(V @ a)[:, None] + 0.5 * (h - b) ** 2 - (V @ W) * h
    assert_allclose(model.free_energy(V), -np.log(np.exp(-E).sum(axis=1) * (h[1] - h[0])), rtol=1e-9)


@both
def test_free_energy_stays_finite(hidden_units):
    """Without a warning, with inputs of ±1e4."""
    model = machine(hidden_units=hidden_units).to(dtype=np.float32)
    model.energy.W[...] = np.float32(1e4) * np.sign(model.energy.W)
    x = states(4).astype(np.float32)
    assert np.isfinite(model.free_energy(x)).all()
    if hidden_units == "bernoulli":
        assert np.isfinite(model.pseudo_log_likelihood(x)).all()
        assert np.isfinite(float(model.training_step(x, np.random.default_rng(0))["loss"]))
        assert np.isfinite(model.gradient).all()


def test_conditionals_are_those_of_the_joint_distribution(device, to_device):
    model = machine()
    P = joint(model)
    h_given_v = (P @ states(3)) / P.sum(axis=1, keepdims=True)
    v_given_h = (P.T @ states(4)) / P.T.sum(axis=1, keepdims=True)
    model.to(device)
    assert_allclose(to_numpy(model.propup(to_device(states(4)))), h_given_v, rtol=1e-10)
    assert_allclose(to_numpy(model.propdown(to_device(states(3)))), v_given_h, rtol=1e-10)


def test_samples_have_the_frequencies_of_their_probabilities(device, to_device, xp):
    """40,000 draws: within 4.5 standard errors."""
    model = machine().to(device)
    n, rng = 40_000, xp.random.default_rng(0)
    for layer, sample in ((states(4)[[6]], model.sample_h_given_v), (states(3)[[5]], model.sample_v_given_h)):
        mean, drawn = map(to_numpy, sample(to_device(np.repeat(layer, n, axis=0)), rng))
        assert set(np.unique(drawn)) == {0.0, 1.0} and drawn.dtype == mean.dtype == np.float64
        p = mean[0]
        assert (np.abs(drawn.mean(axis=0) - p) < 4.5 * np.sqrt(p * (1 - p) / n)).all()
        correlations = np.corrcoef(drawn.T)[np.triu_indices(len(p), 1)]
        assert (np.abs(correlations) < 4.5 / n**0.5).all()  # given the other layer, units are independent


def test_gaussian_hidden_units_have_unit_variance():
    model = machine(hidden_units="gaussian")
    v = np.repeat(states(4)[[6]], 40_000, axis=0)
    mean, drawn = model.sample_h_given_v(v, np.random.default_rng(0))
    assert_allclose(mean[0], v[0] @ model.energy.W + model.energy.b)
    assert_allclose(drawn.mean(axis=0), mean[0], atol=0.025)
    assert_allclose(drawn.std(axis=0), 1, atol=0.02)


def test_gibbs_sampling_reaches_the_distribution_of_the_model():
    """20,000 chains from all zeros, 60 steps: the frequency of each v is its probability."""
    model = machine(scale=0.7)
    rng, v = np.random.default_rng(0), np.zeros((20_000, 4))
    for _ in range(60):
        mean, v = model.gibbs_vhv(v, rng)
    assert ((mean > 0) & (mean < 1)).all()
    found = np.bincount((v @ [8, 4, 2, 1]).astype(int), minlength=16) / len(v)
    p = joint(model).sum(axis=1)
    assert (np.abs(found - p) < 4.5 * np.sqrt(p * (1 - p) / len(v))).all()
    assert_allclose(model.sample(20_000, steps=60, rng=0).mean(axis=0), p @ states(4), atol=0.02)


# Log Z, likelihood, pseudo-likelihood


@pytest.mark.parametrize("sizes", [(4, 3), (3, 5), (1, 1), (14, 2)])
def test_log_partition_function_by_enumeration(sizes, device):
    model = machine(*sizes)
    expected = math.log(np.exp(-energies(model)).sum()) if sum(sizes) < 10 else None
    if expected is None:
        expected = math.log(np.exp(-model.free_energy(states(14))).sum())  # more states than go into one block
    assert model.to(device).log_partition_function() == pytest.approx(expected, rel=1e-10)


def test_log_partition_function_of_gaussian_units_and_in_float32():
    model = machine(6, 2, hidden_units="gaussian")
    expected = math.log(np.exp(-model.free_energy(states(6))).sum())
    assert model.log_partition_function() == pytest.approx(expected, rel=1e-10)
    assert model.to(dtype=np.float32).log_partition_function() == pytest.approx(expected, rel=1e-5)


def test_log_partition_function_of_a_large_machine_is_refused():
    with pytest.raises(OptionError, match=r"would have to sum 2\^21 states.*estimate it with ais"):
        s.RBM(30, 21).log_partition_function()
    with pytest.raises(OptionError, match=r"2\^30 states"):
        s.RBM(30, 3, hidden_units="gaussian").log_partition_function()


def test_log_likelihood_adds_up_to_one(device, to_device):
    model = machine().to(device)
    found = model.log_likelihood(to_device(states(4)), model.log_partition_function())
    assert_allclose(np.exp(to_numpy(found)), joint(machine()).sum(axis=1), rtol=1e-10)


def test_pseudo_log_likelihood_by_its_definition(device, to_device):
    """log P(vᵢ | the others) = log P(v) - log(P(v) + P(v with i flipped)), over all i."""
    model = machine()
    V, P = states(4), joint(model).sum(axis=1)
    place = lambda v: int(v @ [8, 4, 2, 1])  # noqa: E731
    expected = [
        sum(math.log(P[place(v)] / (P[place(v)] + P[place(np.abs(v - flip))])) for flip in np.eye(4)) for v in V
    ]
    found = to_numpy(model.to(device).pseudo_log_likelihood(to_device(V)))
    assert_allclose(found, expected, rtol=1e-10)


def test_likelihoods_round_grey_data():
    model, grey = machine(), np.array([[0.1, 0.5, 0.49, 1.0]])
    rounded = np.array([[0.0, 1, 0, 1]])
    assert_array_equal(model.pseudo_log_likelihood(grey), model.pseudo_log_likelihood(rounded))
    assert_array_equal(model.log_likelihood(grey, 1.0), model.log_likelihood(rounded, 1.0))
    assert (model.free_energy(grey) != model.free_energy(rounded)).all()


@pytest.mark.parametrize("base", [None, "data"])
def test_ais_agrees_with_enumeration_within_its_error(base, device, to_device):
    """Ten estimates: the mean within 4 standard errors, and each error of the size of the estimates' spread."""
    model = machine(8, 5, scale=1.2).to(device)
    x = None if base is None else to_device(bits(30, 8))
    exact = model.log_partition_function()
    found = np.array([model.ais(chains=60, temperatures=60, rng=seed, x=x) for seed in range(10)])
    assert abs(found[:, 0].mean() - exact) < 4 * found[:, 1].mean() / 10**0.5
    assert 0.4 < found[:, 0].std() / found[:, 1].mean() < 2.5
    assert 1e-4 < found[:, 1].mean() < 0.3


def test_ais_of_independent_units_is_exact():
    """With W = 0 and data whose frequencies are σ(a), nothing is gained or lost on the way."""
    model = machine(scale=0.5)
    model.energy.W[...] = 0
    model.energy.b[...] = 0
    log_Z, error = model.ais(chains=5, temperatures=3)
    assert log_Z == pytest.approx(model.log_partition_function(), rel=1e-12) and error < 1e-12


def test_ais_refuses_what_it_cannot_do():
    with pytest.raises(OptionError, match="binary units only"):
        s.RBM(4, 3, hidden_units="gaussian").ais()
    with pytest.raises(OptionError, match=r"ais\(chains=1\): expected a whole number, at least 2"):
        s.RBM(4, 3).ais(chains=1, temperatures=9)


# Learning


@both
def test_the_gradient_of_the_log_likelihood_is_data_minus_model(hidden_units):
    """∂/∂θ mean log P(v) = -E_data ∂F/∂θ + E_model ∂F/∂θ, against differences of the exact log-likelihood."""
    model, x = machine(hidden_units=hidden_units, scale=0.8), bits(6, 4)

    def log_likelihood():
        return float(model.log_likelihood(x, model.log_partition_function()).mean())

    numeric = reference.numerical_gradient(log_likelihood, model.parameters)
    V = states(4)
    p = np.exp(model.log_likelihood(V, model.log_partition_function()))
    energy = model.energy
    energy.forward(np.concatenate([x, V]))
    energy.backward(np.concatenate([np.full(6, -1 / 6), p]))
    assert reference.relative_error(model.gradient, numeric) < 1e-7


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"k": 3}, {"persistent": True, "chains": 7}),
        *({"hidden_units": "gaussian"}, {"visible_units": "gaussian", "k": 2}),
    ],
)
@given(n=st.integers(1, 4), seed=st.integers(0, 999))
def test_the_direction_is_the_difference_of_free_energies_at_the_fixed_chain(options, n, seed):
    model, x = machine(seed=seed, **options), np.random.default_rng(seed).random((n, 4))
    model.training_step(x, np.random.default_rng(seed))
    gradient = model.gradient.copy()
    v = model.energy.v[n:].copy()
    assert len(v) == options.get("chains", n)

    def difference():
        return float(model.free_energy(x).mean() - model.free_energy(v).mean())

    numeric = reference.numerical_gradient(difference, model.parameters)
    assert reference.relative_error(gradient, numeric) < 1e-7


def test_a_step_of_contrastive_divergence_by_hand(device, to_device):
    """Sampled hidden units drive the reconstruction; it and the last hidden units are probabilities."""
    model, x = machine().to(device), to_device(bits(5, 4))
    metrics = model.training_step(x, np.random.default_rng(3))
    u = np.random.default_rng(3).random((5, 3))
    W, a, b = (to_numpy(getattr(model.energy, name)) for name in "Wab")
    sigmoid = lambda c: 1 / (1 + np.exp(-c))  # noqa: E731
    v0 = to_numpy(x)
    h0 = sigmoid(v0 @ W + b)
    v1 = sigmoid((u < h0) @ W.T + a)
    h1 = sigmoid(v1 @ W + b)
    assert_allclose(to_numpy(model.energy.dW), (v1.T @ h1 - v0.T @ h0) / 5, rtol=1e-10)
    assert_allclose(to_numpy(model.energy.da), (v1 - v0).mean(axis=0), rtol=1e-10)
    assert_allclose(to_numpy(model.energy.db), (h1 - h0).mean(axis=0), rtol=1e-10)
    assert_allclose(float(metrics["loss"]), reference.bce(v1, v0), rtol=1e-10)


def test_persistent_chains_go_on_from_where_they_were(device, to_device, xp):
    """All of their units are binary; what they are does not depend on the data."""
    model = machine(persistent=True, chains=6, k=2).to(device)
    assert [name for name, _, _ in model.named_buffers()] == ["energy.chain"]
    first, second = copy.deepcopy(model), copy.deepcopy(model)
    first.training_step(to_device(bits(5, 4)), xp.random.default_rng(1))
    second.training_step(to_device(bits(5, 4, seed=9)), xp.random.default_rng(1))
    chain = to_numpy(first.energy.chain)
    assert_array_equal(chain, to_numpy(second.energy.chain))
    assert chain.shape == (6, 3) and set(np.unique(chain)) == {0.0, 1.0}
    assert set(np.unique(to_numpy(first.energy.v[5:]))) == {0.0, 1.0}
    assert not to_numpy(model.energy.chain).any()
    before = chain.copy()
    first.training_step(to_device(bits(5, 4)), xp.random.default_rng(2))
    assert (to_numpy(first.energy.chain) != before).any()
    assert array_module(first.energy.chain) is xp


def test_a_plain_rbm_remembers_nothing():
    assert list(s.RBM(4, 3).named_buffers()) == []


@pytest.mark.parametrize("options", [{}, {"persistent": True, "chains": 8, "k": 2}])
def test_training_resumes_bit_for_bit(tmp_path, options):
    x = bits(40, 6, dtype=np.float32)
    recipe = {"batch_size": 15, "progress": False}

    def learn(epochs, **more):
        model = s.RBM(6, 5, **options, rng=0)
        history = s.fit(model, x, epochs=epochs, optimizer=s.SGD(0.1, 0.5), **recipe, **more)
        return model, history

    straight, losses = learn(6)
    learn(3, checkpoint=tmp_path / "c")
    resumed, again = learn(6, checkpoint=tmp_path / "c", resume=True)
    for name, tensor in straight.tensors().items():
        assert tensor.tobytes() == resumed.tensors()[name].tobytes(), name
    assert losses["loss"] == again["loss"]


def test_saved_and_loaded(tmp_path):
    for model in (machine(persistent=True, k=2, chains=4), machine(hidden_units="gaussian"), s.DBN((5, 4, 3), rng=1)):
        s.save(model, tmp_path / "m")
        loaded = s.load(tmp_path / "m")
        assert repr(loaded) == repr(model)
        assert loaded.parameters.tobytes() == model.parameters.tobytes()


@pytest.mark.parametrize("options", [{"k": 5}, {"persistent": True, "chains": 40}])
def test_learning_raises_the_exact_likelihood(options):
    """Data of two patterns with some noise, which 6 pixels of independent frequencies cannot explain."""
    rng = np.random.default_rng(0)
    patterns = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])[rng.integers(0, 2, 300)]
    x = np.where(rng.random((300, 6)) < 0.05, 1 - patterns, patterns).astype(np.float32)
    model = s.RBM(6, 4, **options)

    def exact():
        return float(model.log_likelihood(x, model.log_partition_function()).mean())

    before = exact()
    s.fit(model, x, epochs=150, batch_size=30, optimizer=s.SGD(s.Cosine(0.2, 1500)), progress=False)
    independent = -6 * math.log(2)
    best = -math.log(2) - 6 * (-0.05 * math.log(0.05) - 0.95 * math.log(0.95))  # of the process that made the data
    assert before == pytest.approx(independent, abs=0.05)
    assert best - 0.4 < exact()


@pytest.mark.parametrize(
    "make",
    [lambda: s.RBM(6, 5, persistent=True, chains=4, rng=0), lambda: s.UpDown((6, 5, 4, 3), k=2, rng=0)],
    ids=["RBM", "UpDown"],
)
def test_training_is_the_same_on_every_device(make, device, to_device):
    """With the same noise: a GPU would draw other numbers."""
    x, models = bits(20, 6, dtype=np.float32), [make() for _ in range(2)]
    for model, data in zip(models, (x, to_device(x)), strict=True):
        model.to("cpu" if data is x else device)
        rng, optimizer = np.random.default_rng(0), s.SGD(0.1)
        for _ in range(5):
            model.training_step(data, rng)
            optimizer.update(model.parameters, model.gradient)
    assert_allclose(to_numpy(models[1].parameters), models[0].parameters, atol=1e-6)


def test_a_step_leaves_data_and_parameters(device, to_device, xp):
    model, x = s.RBM(4, 3).to(device), bits(5, 4, dtype=np.float32)
    there, before = to_device(x.copy()), to_numpy(model.parameters).copy()
    metrics = model.training_step(there, xp.random.default_rng(0))
    assert metrics["loss"].dtype == np.float32 and metrics["loss"].shape == ()
    assert_array_equal(to_numpy(there), x)
    assert_array_equal(to_numpy(model.parameters), before)


def test_the_loss_is_the_cross_entropy_of_the_reconstruction(device, to_device):
    model, x = machine().to(device), to_device(np.random.default_rng(0).random((5, 4)))
    assert_allclose(float(model.objective(x)["loss"]), reference.bce(to_numpy(model.reconstruct(x)), to_numpy(x)))
    assert_allclose(to_numpy(model.decode(model.encode(x))), to_numpy(model.reconstruct(x)))


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (
            (4, 3),
            {"k": 0},
            r"RBM\(k=0\): expected a whole number, at least 1: contrastive divergence needs at least one step",
        ),
        ((4, 0), {}, r"RBM\(hidden=0\)"),
        ((4, 3), {"chains": 1.5}, r"RBM\(chains=1\.5\)"),
        ((4, 3), {"hidden_units": "relu"}, "expected 'bernoulli' or 'gaussian'"),
        ((4, 3), {"visible_units": "real"}, "expected 'bernoulli' or 'gaussian'"),
        (
            (4, 3),
            {"hidden_units": "gaussian", "visible_units": "gaussian"},
            r"both real.*no Z where a singular value of W reaches 1.*PCA",
        ),
    ],
)
def test_arguments_without_sense(arguments, options, text):
    with pytest.raises(OptionError, match=text):
        s.RBM(*arguments, **options)


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [
        (
            np.full((3, 4), 255.0),
            DataError,
            r"binary: expected data in \[0, 1\], got min 255, max 255: divide by 255",
        ),
        (np.full((3, 4), -0.5), DataError, r"min -0\.5.*scale the data"),
        (np.ones((3, 5)), ShapeError, r"expects v?x? ?.*\(N, 4\), got \(1, 5\)"),
        (np.ones((3, 2, 2)), ShapeError, r"flatten images with x\.reshape"),
    ],
)
def test_data_that_do_not_fit(x, error, text):
    with pytest.raises(error, match=text):
        s.fit(s.RBM(4, 3), x.astype(np.float32), epochs=1, batch_size=2, optimizer=s.SGD(0.1), progress=False)


def test_divergence_is_named():
    """Gaussian hidden units have no bound."""
    model = s.RBM(4, 3, hidden_units="gaussian")
    with pytest.raises(DivergenceError, match=r"the loss became .*Lower the learning rate \(now 1000\)"):
        s.fit(model, bits(8, 4, dtype=np.float32), epochs=60, batch_size=2, optimizer=s.SGD(1e3), progress=False)


def test_a_step_needs_a_generator():
    with pytest.raises(OptionError, match="give it a generator"):
        s.RBM(4, 3).training_step(bits(2, 4, dtype=np.float32))


# DBN


def network(top="gaussian", **options):
    """A small DBN with parameters of the size of 1."""
    model = s.DBN((6, 5, 4, 2), top=top, **options)
    model.parameters[...] = 0.7 * np.random.default_rng(0).standard_normal(len(model.parameters))
    return model


both_tops = pytest.mark.parametrize("top", ["gaussian", "bernoulli"])


@both_tops
def test_unroll_computes_what_the_layers_do(top, device, to_device):
    model, x = network(top).to(device), to_device(bits(5, 6, dtype=np.float32))
    unrolled = model.unroll()
    assert isinstance(unrolled, s.Autoencoder) and isinstance(unrolled.loss, s.BCEWithLogits)
    z = x
    for rbm in model.rbms:
        z = rbm.propup(z)
    assert_allclose(to_numpy(unrolled.encode(x)), to_numpy(z), rtol=1e-6)
    assert_allclose(to_numpy(model.encode(x)), to_numpy(z), rtol=1e-6)
    for rbm in reversed(model.rbms):
        z = rbm.propdown(z)
    assert_allclose(to_numpy(unrolled.reconstruct(x)), to_numpy(z), rtol=1e-5)
    assert_allclose(to_numpy(model.reconstruct(x)), to_numpy(z), rtol=1e-5)
    assert isinstance(unrolled.encoder.layers[-1], s.Dense) == (top == "gaussian")  # a linear code


def test_what_was_unrolled_has_weights_of_its_own():
    model = network()
    before = model.parameters.copy()
    unrolled = model.unroll()
    unrolled.parameters += 1
    assert_array_equal(model.parameters, before)
    s.fit(unrolled, bits(20, 6, dtype=np.float32), epochs=1, batch_size=5, optimizer=s.Adam(), progress=False)
    assert_array_equal(model.parameters, before)
    assert s.check_gradients(model.unroll(), bits(3, 6)).passed


def test_pretraining_fits_layer_by_layer():
    """As fitting each by hand to what the one below says, and each begins to explain its data."""
    x = bits(60, 2, dtype=np.float32)[:, [0, 0, 0, 1, 1, 1]]  # three pixels alike, and the other three
    model = s.DBN((6, 5, 3), rng=3)
    histories = s.pretrain(model, x, epochs=30, batch_size=10, seed=4, progress=False)
    assert [len(history) for history in histories] == [30, 30]
    assert histories[0]["loss"][-1] < 0.5 * histories[0]["loss"][0]

    by_hand, data = s.DBN((6, 5, 3), rng=3), x
    for i, rbm in enumerate(by_hand.rbms):
        recipe = {"epochs": 30, "batch_size": 10, "seed": 4 + i, "progress": False}
        s.fit(rbm, data, optimizer=momentum_sgd(rbm), **recipe)
        data = rbm.propup(data)
    by_hand.gather()
    assert_array_equal(model.parameters, by_hand.parameters)
    assert model.rbms[0].energy.W.base is not None and np.shares_memory(model.rbms[1].energy.W, model.parameters)
    assert_array_equal(model.encode(x), data)


def test_pretraining_takes_another_optimizer_and_device(device):
    asked = []

    def optimizer(rbm):
        asked.append(rbm.hidden_units)
        return s.Adam(0.01)

    model = s.DBN((6, 4, 3))
    s.pretrain(model, bits(20, 6, dtype=np.float32), epochs=1, optimizer=optimizer, device=device, progress=False)
    assert asked == ["bernoulli", "gaussian"]
    assert isinstance(model.parameters, np.ndarray)


def test_samples_of_a_dbn(device, to_device):
    """With a top RBM that is always on and off at 4 units, the data are what the layer below makes of them."""
    model = s.DBN((3, 4, 2), top="bernoulli")
    bottom, top = (rbm.energy for rbm in model.rbms)
    top.a[...] = [50, -50, 50, -50]
    bottom.W[...] = 10 * np.random.default_rng(0).standard_normal((3, 4))
    expected = model.rbms[0].propdown(np.array([[1, 0, 1, 0]], np.float32))
    drawn = model.to(device).sample(7, steps=3, rng=1)
    assert_allclose(to_numpy(drawn), np.repeat(expected, 7, axis=0), rtol=1e-4)
    assert drawn.shape == (7, 3)


def test_a_dbn_is_not_fitted_as_a_whole():
    with pytest.raises(OptionError, match="trained layer by layer: pretrain"):
        s.fit(network(), bits(4, 6, dtype=np.float32), epochs=1, batch_size=2, optimizer=s.SGD(0.1), progress=False)


def test_layers_that_do_not_fit():
    with pytest.raises(OptionError, match=r"DBN\(sizes=\(784,\)\): expected a tuple of at least 2 whole numbers"):
        s.DBN((784,))
    with pytest.raises(OptionError, match=r"DBN\(sizes=\(784, 0, 10\)\)"):
        s.DBN((784, 0, 10))
    with pytest.raises(OptionError, match="expected 'bernoulli' or 'gaussian'"):
        s.DBN((784, 10), top="linear")
    with pytest.raises(ShapeError, match=r"expects x of shape \(N, 6\)"):
        s.pretrain(network(), bits(4, 7, dtype=np.float32), epochs=1, progress=False)


# Classifier


def labelled(n=200, seed=0):
    """Points of three classes in the plane, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    centres = np.array([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]])
    x = np.clip(centres[labels] + 0.07 * rng.standard_normal((n, 2)), 0, 1)
    return x.astype(np.float32), labels


def test_a_classifier_learns_classes(device):
    x, labels = labelled()
    test, answers = labelled(100, seed=1)
    model = s.DBN((2, 16, 16), top="bernoulli").classifier(3)
    data, held_out = s.with_labels(x, labels, 3), s.with_labels(test, answers, 3)
    history = s.fit(
        model,
        data,
        epochs=20,
        batch_size=20,
        optimizer=s.Adam(0.02),
        validation=held_out,
        device=device,
        progress=False,
    )
    assert history["validation_error"][-1] < 0.05
    model.to("cpu")
    assert (model.predict(test) != answers).mean() == pytest.approx(history["validation_error"][-1])
    assert_allclose(model.probabilities(test).sum(axis=1), 1, rtol=1e-5)
    assert_array_equal(model.probabilities(test).argmax(axis=1), model.predict(test))


@both_tops
def test_the_classifier_begins_with_the_layers_of_the_dbn(top, device, to_device):
    model, x = network(top).to(device), to_device(bits(5, 6, dtype=np.float32))
    classifier = model.classifier(4, rng=1)
    features = model.encode(x)
    head = classifier.net.layers[-1]
    expected = to_numpy(features) @ to_numpy(head.W)
    assert_allclose(to_numpy(classifier.net.forward(x)), expected, rtol=1e-5, atol=1e-6)


def test_with_labels(device, to_device):
    x, labels = to_device(np.ones((3, 2), np.float32)), to_device(np.array([1, 0, 2], np.uint8))
    rows = to_numpy(s.with_labels(x, labels, 3))
    assert_array_equal(rows, [[1, 1, 0, 1, 0], [1, 1, 1, 0, 0], [1, 1, 0, 0, 1]])
    assert rows.dtype == np.float32


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        ([0, 1, 1], DataError, "class 2 has no examples: number the classes from 0 without gaps"),
        ([0, 1, 3], DataError, "from 0 to 3: expected whole numbers from 0 to 2"),
        ([-1, 1, 2], DataError, "from -1 to 2"),
        ([0.0, 1.0, 2.0], DataError, "labels are float64"),
        ([0, 1], ShapeError, r"x has shape \(3, 2\), labels \(2,\)"),
    ],
)
def test_labels_that_do_not_fit(labels, error, text):
    with pytest.raises(error, match=text):
        s.with_labels(np.ones((3, 2), np.float32), np.array(labels), 3)


def test_an_empty_class_can_be_permitted():
    rows = s.with_labels(np.ones((2, 2), np.float32), np.array([0, 0]), 3, every_class=False)
    assert_array_equal(rows[:, 2:], [[1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (np.ones((3, 3)), ShapeError, "features and 3 columns for the label"),
        (np.ones((3, 5)), DataError, "rows add up to 1"),
        (np.eye(6)[3:], ShapeError, r"expects x of shape \(N, 2\)"),
    ],
)
def test_a_classifier_refuses_rows_without_labels(data, error, text):
    with pytest.raises(error, match=text):
        s.Classifier(s.Dense(2, 3), 3).check_data(data.astype(np.float32))
    with pytest.raises(OptionError, match=r"classes=1"):
        s.Classifier(s.Dense(2, 1), 1)
    with pytest.raises(ShapeError, match=r"examples of shape \(2,\): expected \(3,\)"):
        s.Classifier(s.Dense(2, 2), 3).check_data(np.eye(5, dtype=np.float32)[2:])


# The state of the art of 2010


def test_features_of_an_rbm_on_scikit_learns_digits():
    """Its example plot_rbm_logistic_classification: 8×8 digits, moved by a pixel in four directions; logistic regression on
    100 features of an RBM against raw pixels: 0.94 against 0.78 in its documentation, of another split and a solver that
    stopped early.
    """
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    images, y = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.float32)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    moves = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    x = np.concatenate([padded[:, i : i + 8, j : j + 8] for i, j in moves]).reshape(-1, 64) / 16
    y = np.tile(y, 5)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = np.split(order, [int(0.8 * len(x))])
    rbm = s.RBM(64, 100)
    s.fit(rbm, x[train], epochs=20, batch_size=10, optimizer=s.SGD(s.Cosine(0.2, 20 * 719)), progress=False)

    def accuracy(features, C):
        model = LogisticRegression(C=C, solver="newton-cg", tol=3e-4)
        return model.fit(features[train], y[train]).score(features[test], y[test])

    learnt, raw = accuracy(rbm.propup(x), 300), accuracy(x, 100)
    assert learnt >= 0.94 and learnt > raw + 0.1


def test_an_rbm_is_judged_by_the_monitor_of_its_training(device, to_device, xp):
    model, x = machine().to(device), to_device(bits(7, 4))
    trained = model.training_step(x, xp.random.default_rng(0))
    assert float(model.judge(x, xp.random.default_rng(0))["loss"]) == pytest.approx(float(trained["loss"]))
