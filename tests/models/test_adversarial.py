"""Two players: GAN and adversarial autoencoder, by definition, by enumeration, and against each other's gradients."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import DataError, OptionError, ShapeError
from scratchae.presets import PRESETS
from scratchae.study import CATALOGUE


def gan(d=5, code=3, *, noise=()):
    rng = np.random.default_rng(d)
    generator = s.Sequential(s.Dense(code, 4, rng=rng), s.Tanh(), s.Dense(4, d, rng=rng), s.Sigmoid())
    return s.GAN(generator, s.Sequential(*noise, s.Dense(d, 4, rng=rng), s.LeakyReLU(), s.Dense(4, 1, rng=rng)))


def aae(d=5, code=2, **options):
    rng = np.random.default_rng(d)
    encoder = s.Sequential(s.Dense(d, 4, rng=rng), s.Tanh(), s.Dense(4, code, rng=rng))
    decoder = s.Sequential(s.Dense(code, 4, rng=rng), s.Tanh(), s.Dense(4, d, rng=rng))
    discriminator = s.Sequential(
        s.Dense(code + options.get("labels", 0), 4, rng=rng), s.LeakyReLU(), s.Dense(4, 1, rng=rng)
    )
    return s.AdversarialAutoencoder(encoder, decoder, discriminator, loss=s.BCEWithLogits(), **options)


def coder():
    """An encoder of 5 numbers to 3, and a decoder."""
    return s.Dense(5, 3, rng=0), s.Dense(3, 5, rng=1)


def data(n=6, d=5, labels=0):
    x = np.random.default_rng(0).random((n, d))
    return np.concatenate([x, np.eye(labels)[np.arange(n) % labels]], axis=1) if labels else x


KINDS = {
    "gan": (gan, {}),
    "gan, instance noise": (lambda: gan(noise=[s.GaussianNoise(0.3)]), {}),
    "aae": (lambda: aae(weight=0.7), {}),
    "aae, ring": (lambda: aae(prior="ring", labels=3), {"labels": 3}),
}
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
@pytest.mark.parametrize("noise", [True, False])
def test_each_player_s_gradient_is_that_of_what_it_descends(kind, noise):
    make, options = KINDS[kind]
    report = s.check_gradients(make(), data(**options), noise=noise)
    assert report.passed and any("discriminator" in check.name for check in report.checks)


def test_a_player_that_descends_the_other_s_loss_is_found_out():
    class Wrong(s.GAN):
        def backward(self):
            self.backward_discriminator()
            self.generator.backward_first(self.backward_made())

    model = gan()
    report = s.check_gradients(Wrong(model.generator, model.discriminator), data())
    wrong = [check.name for check in report.checks if not check.passed]
    assert wrong and all(name.startswith("discriminator") for name in wrong)


def test_the_losses_are_those_of_the_article():
    model, x = gan().to(dtype=np.float64), data()
    metrics = model.objective(x, np.random.default_rng(1))
    z = np.random.default_rng(1).standard_normal((6, 3))
    D = lambda x: 1 / (1 + np.exp(-model.discriminator.forward(x)))  # noqa: E731
    made = model.generator.forward(z)
    assert_allclose(metrics["discriminator_loss"], -np.log(D(x)).mean() - np.log(1 - D(made)).mean(), rtol=1e-12)
    assert_allclose(metrics["loss"], -np.log(D(made)).mean(), rtol=1e-12)
    assert_allclose(metrics["real_taken_for_real"], D(x).mean(), rtol=1e-12)
    assert_allclose(model.probability_real(x), D(x)[:, 0], rtol=1e-12)


def test_the_best_discriminator_is_p_over_p_plus_q():
    """On four points, by enumeration: what a discriminator with a logit for each comes to, and what its loss is then."""
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.1, 0.3, 0.5])
    points = np.eye(4)

    class Enumerated(s.Model):
        part_names = ("discriminator",)

        def __init__(self):
            self.discriminator = s.Dense(4, 1, rng=0)
            self.gather()

        def objective(self, x, rng=None):
            self.a = self.discriminator.forward(x)[:, 0]
            return {"loss": (p * np.logaddexp(0, -self.a) + q * np.logaddexp(0, self.a)).sum()}

        def backward(self):
            sigma = 1 / (1 + np.exp(-self.a))
            self.discriminator.backward_first((p * (sigma - 1) + q * sigma)[:, None])

    model = Enumerated().to(dtype=np.float64)
    optimizer = s.SGD(1.0)
    for _ in range(5000):
        loss = model.training_step(points)["loss"]
        optimizer.update(model.parameters, model.gradient)
    found = 1 / (1 + np.exp(-model.discriminator.forward(points)[:, 0]))
    assert_allclose(found, p / (p + q), rtol=1e-6)
    m = (p + q) / 2
    js = (p * np.log(p / m)).sum() / 2 + (q * np.log(q / m)).sum() / 2
    assert_allclose(-loss, 2 * js - np.log(4), rtol=1e-8)


def test_the_joint_field_is_no_gradient():
    """A gradient's Jacobian is symmetric. That of both players together is not."""
    model, x = gan(d=2, code=1).to(dtype=np.float64), data(d=2)
    θ = model.parameters
    n = θ.size

    def field():
        model.training_step(x, np.random.default_rng(0))
        return model.gradient.copy()

    J = np.empty((n, n))
    for i in range(n):
        θ[i] += 1e-6
        plus = field()
        θ[i] -= 2e-6
        J[:, i] = (plus - field()) / 2e-6
        θ[i] += 1e-6
    split = model.stretches()["discriminator"].start
    for block in (J[:split, :split], J[split:, split:]):  # of one player alone it is
        assert_allclose(block, block.T, atol=1e-6)
    across, back = J[:split, split:], J[split:, :split].T
    assert np.abs(across - back).max() > 0.01
    assert (across * back).sum() < 0  # what the one gains, the other loses


@kinds
def test_training_saving_and_sampling(kind, tmp_path, device):
    make, options = KINDS[kind]
    model, x = make(), data(20, **options).astype(np.float32)
    history = s.fit(
        model, x, epochs=4, batch_size=8, optimizer=s.Adam(1e-3), validation=x[:4], device=device, progress=False
    )
    assert all(np.isfinite(history[name]).all() for name in ("loss", "discriminator_loss", "validation_loss"))
    s.save(model, tmp_path / "model.safetensors")
    loaded = s.load(tmp_path / "model.safetensors")
    assert_array_equal(loaded.sample(5, 0), loaded.sample(5, 0))
    assert loaded.sample(5, 0).shape == (5, 5)


def test_the_ring_has_a_cloud_for_each_class():
    model = aae(prior="ring", labels=4)
    y = np.eye(4, dtype=np.float32)
    assert_allclose(model.centres(y), [[4, 0], [0, 4], [-4, 0], [0, -4]], atol=1e-6)
    z = model.draw_prior(np.repeat(y, 500, axis=0), np.zeros((2000, 2), np.float32), np.random.default_rng(0))
    for i, cloud in enumerate(np.split(z, 4)):
        assert_allclose(cloud.mean(axis=0), model.centres(y)[i], atol=0.1)
        assert_allclose(cloud.std(axis=0), 0.5, atol=0.05)


def test_codes_come_to_be_distributed_like_the_prior():
    """Codes of all x together, with a weight on it that leaves nothing else to do."""
    rng = np.random.default_rng(0)
    x = (3 + 2 * rng.standard_normal((2000, 1))).astype("f")
    nets = (s.Dense(1, 1, rng=rng), s.Dense(1, 1, rng=rng))
    judge = s.Sequential(s.GaussianNoise(0.3), s.Dense(1, 16, rng=rng), s.LeakyReLU(), s.Dense(16, 1, rng=rng))
    model = s.AdversarialAutoencoder(*nets, judge, loss=s.MSE(), weight=5.0)
    s.fit(model, x, epochs=60, batch_size=100, optimizer=s.Adam(5e-3, beta1=0.5), progress=False)
    z = model.encode(x)
    assert abs(z.mean()) < 0.4 and 0.6 < z.std() < 1.5


def two_rates(**options):
    return s.Parts(generator=s.Adam(1e-3, beta1=0.5, **options), discriminator=s.SGD(0.1, momentum=0.9))


def test_each_part_has_its_own_optimizer(device):
    model, x = gan(), data(8).astype(np.float32)
    alone = copy.deepcopy(model)
    s.fit(model, x, epochs=2, batch_size=8, optimizer=two_rates(), device="cpu", progress=False)
    first, second = s.Adam(1e-3, beta1=0.5), s.SGD(0.1, momentum=0.9)
    stretches = alone.stretches()
    for epoch in range(2):
        order = np.random.default_rng([0, epoch, 0]).permutation(8)
        alone.training_step(x[order], np.random.default_rng(np.random.SeedSequence([0, epoch, 1])))
        for optimizer, part in ((first, "generator"), (second, "discriminator")):
            θ = alone.parameters[stretches[part]]
            optimizer.bound = None
            optimizer.update(θ, alone.gradient[stretches[part]])
    assert_allclose(model.parameters, alone.parameters, rtol=1e-6)


def test_parts_are_resumed_bit_for_bit(tmp_path, device):
    x, found = data(20).astype(np.float32), []
    for epochs in ((4,), (2, 4)):
        model = gan()
        for until in epochs:
            options = {"checkpoint": tmp_path / f"{len(epochs)}", "resume": until == 4 and len(epochs) == 2}
            s.fit(
                model, x, epochs=until, batch_size=8, optimizer=two_rates(), device=device, progress=False, **options
            )
        found.append(to_numpy(model.parameters).tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: s.Parts(), OptionError, "an optimizer for each part"),
        (lambda: s.Parts(generator="adam"), OptionError, "an optimizer for each part"),
        (lambda: s.GAN(s.ReLU(), s.Dense(5, 1)), OptionError, r"give the number, code="),
        (lambda: s.GAN(s.Dense(3, 5), s.Dense(5, 1), code=0), OptionError, "code"),
        (lambda: aae(prior="ring"), OptionError, "labels=0"),
        (lambda: aae(prior="circle"), OptionError, "'normal'"),
        (lambda: aae(weight=-1), OptionError, "weight"),
    ],
)
def test_impossible_arguments(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("model", "x", "error", "words"),
    [
        (lambda: s.GAN(s.Dense(3, 4, rng=0), s.Dense(5, 1, rng=1)), data(), ShapeError, r"generator makes .*\(4,\)"),
        (
            lambda: s.GAN(s.Dense(3, 5, rng=0), s.Dense(5, 2, rng=1)),
            data(),
            ShapeError,
            r"discriminator makes \(2,\)",
        ),
        (lambda: aae(code=3, prior="ring", labels=2), data(labels=2), ShapeError, "two numbers"),
        (
            lambda: aae(labels=2),
            data(labels=2)[:, :-2],
            DataError,
            "last 2 columns of x must hold a single 1 among zeros",
        ),
        (
            lambda: aae(labels=2),
            data(labels=2)[:, :2],
            ShapeError,
            r"pixels and, at their end, 2 labels, got \(\d+, 2\)",
        ),
        (
            lambda: s.AdversarialAutoencoder(*coder(), s.Dense(3, 1, rng=2), loss=s.MSE(), labels=2),
            data(labels=2),
            ShapeError,
            r"compares codes of 3 numbers with 2 labels behind them, of shape \(5,\): discriminator Dense\(3, 1\)",
        ),
        (
            lambda: s.AdversarialAutoencoder(*coder(), s.Dense(3, 2, rng=2), loss=s.MSE()),
            data(),
            ShapeError,
            r"discriminator makes \(2,\) of an example: expected one number",
        ),
        (
            lambda: s.GAN(s.Dense(3, 5, rng=0), s.Dense(4, 1, rng=1)),
            data(),
            ShapeError,
            r"compares examples, of shape \(5,\)",
        ),
        (
            lambda: s.GAN(s.Dense(3, 5, rng=0), s.Sequential(s.Dense(5, 1, rng=1), s.Sigmoid())),
            data(),
            OptionError,
            "ends with Sigmoid: leave it out",
        ),
    ],
)
def test_players_that_do_not_fit(model, x, error, words):
    with pytest.raises(error, match=words):
        s.fit(model(), x.astype("f"), epochs=1, batch_size=2, optimizer=s.Adam(), progress=False)


def test_parts_need_the_model_s_parts():
    x = data().astype("f")
    with pytest.raises(OptionError, match="the parts of GAN are generator, discriminator"):
        s.fit(gan(), x, epochs=1, batch_size=2, optimizer=s.Parts(generator=s.Adam()), progress=False)
    model = gan()
    with pytest.raises(OptionError, match="belong_to"):
        two_rates().update(model.parameters, model.gradient)


def test_both_are_in_the_catalogue():
    assert {"GAN", "AdversarialAutoencoder"} <= set(CATALOGUE)


def test_more_samples_than_fit_into_memory_are_refused():
    with pytest.raises(OptionError, match="choose smaller sizes"):
        PRESETS["aae"].build(np.random.default_rng(0)).sample(2**63)
