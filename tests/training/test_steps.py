"""The steps of an epoch, eager and recorded."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import move, to_numpy
from scratchae.errors import DivergenceError
from scratchae.training import steps as module
from scratchae.training.steps import HostSteps, RecordedSteps, steps_for


def data(n=21, d=6):
    return np.random.default_rng(0).random((n, d))


def tiny(*noise):
    model = s.Autoencoder(s.Sequential(*noise, s.Dense(6, 3, rng=1), s.Sigmoid()), s.Dense(3, 6, rng=2), loss=s.MSE())
    return model.to(dtype=np.float64)


def prepared(device, model, x, batch_size=4, optimizer=None, **options):
    optimizer = optimizer or s.Adam(s.Cosine(0.05, 100), weight_decay=0.01)
    model.to(device)
    kind = HostSteps if device == "cpu" else RecordedSteps
    return kind(model, move(x, device), batch_size, optimizer, **options)


def epochs(steps, n=4, seed=0, first=0):
    rows = []
    for epoch in range(first, first + n):
        steps.begin(seed, epoch)
        for _ in range(steps.count):
            steps.step()
        rows.append(steps.metrics())
    return rows


def test_every_device_has_its_kind(device):
    model, x = tiny().to(device), move(data(), device)
    assert type(steps_for(model, x, 4, s.Adam())) is (HostSteps if device == "cpu" else RecordedSteps)


@pytest.mark.parametrize("n", [20, 21, 3, 4])  # with a shorter last batch, without, and with no other
def test_recorded_steps_do_what_eager_ones_do(stand_in, n):
    """The schedule, the shorter last batch, the means of an epoch: all as on the CPU."""
    x, results = data(n), {}
    for device in ("cpu", "gpu"):
        steps = prepared(device, tiny(), x)
        results[device] = epochs(steps), to_numpy(steps.model.parameters), steps.optimizer.t
    for host, device in zip(results["cpu"][0], results["gpu"][0], strict=True):
        assert host.keys() == device.keys()
        assert_allclose([*device.values()], [*host.values()], rtol=1e-12)
    assert_allclose(results["gpu"][1], results["cpu"][1], rtol=1e-10)
    assert results["cpu"][2] == results["gpu"][2] == 4 * -(-n // 4)


def test_recorded_and_eager_on_one_device_are_equal_bit_for_bit(device):
    if device == "cpu":
        pytest.skip("the CPU records nothing")
    found = []
    for options in ({}, {"recorded": lambda step: step}):
        steps = prepared(device, tiny(s.GaussianNoise(0.1), s.Dropout(0.3)), data(), **options)
        found.append((epochs(steps), to_numpy(steps.model.parameters).tobytes()))
    assert found[0] == found[1]


def test_an_epoch_comes_from_its_seed_alone(device):
    """So training can go on after any epoch, with steps that were made afresh."""
    straight, resumed = (prepared(device, tiny(s.GaussianNoise(0.1)), data()) for _ in range(2))
    rows = epochs(straight, 4)
    assert epochs(resumed, 2) == rows[:2]
    again = type(resumed)(resumed.model, resumed.data, 4, resumed.optimizer)
    assert epochs(again, 2, first=2) == rows[2:]
    assert_array_equal(to_numpy(again.model.parameters), to_numpy(straight.model.parameters))


def test_the_host_reads_only_now_and_then(stand_in, monkeypatch):
    monkeypatch.setattr(RecordedSteps, "PAUSE", np.inf)  # a busy machine may take longer than any other
    steps = prepared("gpu", tiny(), data())
    epochs(steps, 3)
    steps.begin(0, 3)
    before = stand_in.host_reads
    assert [steps.step() for _ in range(steps.count)] == [None] * steps.count
    assert stand_in.host_reads == before
    monkeypatch.setattr(RecordedSteps, "PAUSE", 0)
    steps.begin(0, 4)
    losses = [steps.step() for _ in range(steps.count)]
    assert losses[-1] == steps.metrics()["loss"]
    assert stand_in.host_reads > before


@pytest.mark.parametrize("pause", [0, 100])
def test_a_loss_that_is_no_number_is_noticed_at_the_next_reading(stand_in, monkeypatch, pause):
    monkeypatch.setattr(RecordedSteps, "PAUSE", pause)
    steps = prepared("gpu", tiny(), data() * 1e200, optimizer=s.SGD(0.1))
    place = "step 1 of 6" if pause == 0 else "step 6 of 6"
    with (
        np.errstate(all="ignore"),
        pytest.raises(DivergenceError, match=rf"mean loss became (inf|nan) in epoch 1, {place}: "),
    ):
        epochs(steps, 1)


def test_parameters_that_broke_with_the_last_update_are_noticed(device):
    steps = prepared(device, tiny(), data(4))
    steps.begin(0, 0)
    steps.step()
    steps.model.parameters[:1] = np.inf
    with pytest.raises(DivergenceError, match="the update after epoch 1, step 1 of 1"):
        steps.metrics()


def sequence(kind, teacher_forcing=False, padding=None):
    rng, given = np.random.default_rng(0), 2 * teacher_forcing
    encoder = s.Sequential(kind(2, 4, padding=padding, last=True, rng=rng), s.Dense(4, 2, rng=rng))
    decoder = s.Sequential(kind(2 + given, 4, rng=rng), s.StepDense(4, 2, rng=rng))
    options = {"teacher_forcing": teacher_forcing, "padding": padding}
    return s.SequenceAutoencoder(encoder, decoder, shape=(3, 2), loss=s.MSE(), **options)


MODELS = {
    "dense": lambda: tiny(),
    "noise": lambda: tiny(s.GaussianNoise(0.1, (0, 1)), s.Dropout(0.2), s.MaskingNoise(0.2), s.SaltAndPepper(0.2)),
    "sparse": lambda: s.Autoencoder(
        s.Sequential(s.Dense(6, 4), s.Sigmoid()), s.Dense(4, 6), loss=s.MSE(), penalty=s.SparseKL(0.1, 1)
    ),
    "k-sparse": lambda: s.Autoencoder(
        s.Sequential(s.Dense(6, 4), s.KSparse(2)), s.Dense(4, 6), loss=s.MSE(), tied=True
    ),
    "contractive": lambda: s.ContractiveAutoencoder(
        s.Sequential(s.Dense(6, 4), s.Sigmoid()), s.Dense(4, 6), loss=s.BCEWithLogits(), weight=0.1
    ),
    "masked": lambda: s.MaskedAutoencoder(
        s.Sequential(s.Dense(6, 4, rng=1), s.Tanh()), s.Dense(4, 6), loss=s.BCEWithLogits(), patch=2, rate=0.5
    ),
    "normalised": lambda: s.Autoencoder(
        s.Sequential(s.Dense(6, 4), s.BatchNorm(4), s.LeakyReLU()), s.Dense(4, 6), loss=s.MSE()
    ),
    "images": lambda: s.Autoencoder(
        s.Sequential(s.Reshape((2, 3, 1)), s.Conv2d(1, 4, 2, padding=1), s.Tanh(), s.MaxPool2d(2), s.UpSample2d(2)),
        s.Sequential(
            s.AvgPool2d(2), s.ConvTranspose2d(4, 1, 2, output_padding=0), s.Flatten(), s.Dense(6, 6), s.Sigmoid()
        ),
        loss=s.BCE(),
    ),
    "vae": lambda: s.VAE(
        s.Dense(6, 4), s.Dense(4, 2), s.Dense(4, 2, rng=1), s.Dense(2, 6), loss=s.BCEWithLogits(), binarise=True
    ),
    "iwae": lambda: s.IWAE(
        s.Dense(6, 4), s.Dense(4, 2), s.Dense(4, 2, rng=1), s.Dense(2, 6), loss=s.BCEWithLogits(), samples=3
    ),
    "cvae": lambda: s.CVAE(s.Dense(6, 4), s.Dense(4, 2), s.Dense(4, 2, rng=1), s.Dense(4, 4), loss=s.MSE(), labels=2),
    "diffusion": lambda: s.Diffusion(
        s.Sequential(s.Dense(10, 5, rng=1), s.Tanh(), s.Dense(5, 6)), loss=s.MSE(), levels=4
    ),
    "classifier": lambda: s.Classifier(s.Dense(4, 2), 2),
    "gan": lambda: s.GAN(s.Dense(2, 6, rng=0), s.Sequential(s.GaussianNoise(0.1), s.Dense(6, 1, rng=1))),
    "adversarial": lambda: s.AdversarialAutoencoder(
        s.Dense(4, 2, rng=0), s.Dense(2, 4, rng=1), s.Dense(4, 1, rng=2), loss=s.MSE(), prior="ring", labels=2
    ),
    "vqvae": lambda: s.VQVAE(
        s.Sequential(s.Dense(6, 4, rng=1), s.Reshape((2, 2))),
        s.Codebook(3, 2, dead=0.9),
        s.Sequential(s.Flatten(), s.Dense(4, 6)),
        loss=s.MSE(),
    ),
    "moving codebook": lambda: s.VQVAE(
        s.Dense(6, 2, rng=1), s.Codebook(3, 2, decay=0.9, dead=0.5), s.Dense(2, 6), loss=s.BCEWithLogits()
    ),
    "sequence": lambda: sequence(s.RNN),
    "sequence, forced and padded": lambda: sequence(s.GRU, teacher_forcing=True, padding=-1.0),
    "rbm": lambda: s.RBM(6, 4),
    "gaussian data": lambda: s.RBM(6, 4, visible_units="gaussian", k=2),
    "up-down": lambda: s.UpDown((6, 5, 4, 3), top="gaussian", k=2),
    "persistent": lambda: s.RBM(6, 4, persistent=True, k=2, chains=5, hidden_units="gaussian"),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_records(device, name, recwarn):
    """On the stand-in a step that cannot be recorded raises; on a GPU it would warn."""
    x = data(10).astype(np.float32)
    if name in ("cvae", "classifier", "adversarial"):
        x[:, 4:] = np.eye(2)[np.arange(10) % 2]
    if name == "gaussian data":
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    if name.startswith("sequence"):
        x = x.reshape(10, 3, 2)
        x[2, 1:] = -1
    history = s.fit(MODELS[name](), x, epochs=4, batch_size=4, optimizer=s.Adam(), device=device, progress=False)
    assert np.isfinite(history["loss"]).all() and not recwarn.list


def test_what_a_recording_holds_and_somebody_changes_is_recorded_anew(stand_in):
    """A replay does not read it again. The learning rate, which a schedule changes, lies on the device."""
    model = s.VAE(s.Dense(6, 4), s.Dense(4, 2), s.Dense(4, 2, rng=1), s.Dense(2, 6), loss=s.MSE())
    steps = prepared("gpu", model, data(20).astype("f"), optimizer=s.Adam(s.Cosine(0.05, 100), clip_norm=1.0))
    epochs(steps, 2)
    (run,) = steps.run.values()
    assert run.calls == 2 * steps.count
    for owner, name in [(model, "beta"), (steps.optimizer, "clip_norm"), (steps.optimizer, "beta1")]:
        setattr(owner, name, 0.5)
        epochs(steps, 2)
        (run,), before = steps.run.values(), run
        assert run is not before and run.calls == 2 * steps.count


class Counting(s.Layer):
    """Somebody's layer, whose noise fades from step to step, and which remembers how many examples it saw."""

    def __init__(self):
        self.steps = 0

    def forward(self, x, rng=None):
        self.steps, self.rows = self.steps + 1, len(x)
        return x * (1 + 1 / self.steps)

    def backward(self, dy):
        return dy * (1 + 1 / self.steps)


class Remembering(Counting):
    def forward(self, x, rng=None):
        self.rows = len(x)
        return x

    def backward(self, dy):
        return dy[: self.rows]


def test_a_step_that_is_never_like_the_last_is_not_recorded(stand_in):
    steps = prepared("gpu", tiny(Counting()), data())
    with pytest.raises(
        RuntimeError, match=r"each step changes model\.encoder\.layers\[0\]\.steps, which a replay would not"
    ):
        epochs(steps, 1)


def test_what_depends_on_the_number_of_rows_alone_is_recorded(stand_in):
    steps = prepared("gpu", tiny(Remembering()), data())
    epochs(steps, 4)
    for run in steps.run.values():
        assert run.calls > 2


def test_a_batch_is_taken_in_order(xp):
    x, order = xp.arange(10), xp.asarray(np.array([3, 1, 4, 9, 5]))
    position = xp.asarray(np.array(1))
    assert to_numpy(module.take_batch(x, order, position, 3, 2)).tolist() == [9, 5]
