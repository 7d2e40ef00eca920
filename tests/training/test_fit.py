"""The training loop: what it computes, what it refuses, how it stops and how it goes on."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import (
    BCE,
    MSE,
    SGD,
    Adam,
    Autoencoder,
    BCEWithLogits,
    Cosine,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    MaskingNoise,
    ReLU,
    SaltAndPepper,
    ScratchaeError,
    Sequential,
    Sigmoid,
    SparseKL,
    Tanh,
    evaluate,
    fit,
    load,
)
from scratchae.backend import array_module, device_module, to_numpy
from scratchae.errors import ArrayTypeError, CheckpointError, DataError, DivergenceError, OptionError, ShapeError
from scratchae.training import restore

FEATURES = 6


def examples(n=50, seed=0):
    """n rows of numbers in [0, 1), the first of which tells the rows apart."""
    x = np.random.default_rng(seed).random((n, FEATURES), dtype=np.float32)
    x[:, 0] = np.arange(n) / n
    return x


def tiny(*before, kind=Autoencoder, seed=0, **options):
    """6-4-6, with the layers `before` in front."""
    rng = np.random.default_rng(seed)
    encoder = Sequential(*before, Dense(FEATURES, 4, rng=rng), Sigmoid())
    return kind(encoder, Sequential(Dense(4, FEATURES, rng=rng)), **{"loss": MSE()} | options)


def noisy():
    return tiny(GaussianNoise(0.1), Dropout(0.2))


def train(model, x=None, **options):
    """fit with defaults for all that a test does not care about."""
    defaults = {"epochs": 3, "batch_size": 8, "optimizer": Adam(0.01), "progress": False}
    return fit(model, examples() if x is None else x, **defaults | options)


def bits(model):
    return to_numpy(model.parameters).tobytes()


class Spy(Autoencoder):
    """Keeps the batches that it was trained on; `on_step`, if set, is called with the number of the step."""

    on_step = None

    def training_step(self, x, rng=None):
        self.batches = [*getattr(self, "batches", []), to_numpy(x).copy()]
        metrics = super().training_step(x, rng)
        if self.on_step is not None:
            self.on_step(len(self.batches))
        return metrics


# What it computes


def test_the_loss_falls(device):
    history = train(tiny(), epochs=10, device=device)
    assert len(history) == 10
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert history["epoch"] == list(range(1, 11))


def test_the_seed_decides_order_and_noise(device):
    runs = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        model = noisy()
        runs[name] = train(model, seed=seed, device=device)["loss"], bits(model)
    assert runs["one"] == runs["again"]
    assert runs["one"] != runs["other"]


def test_every_seed_and_epoch_has_its_own_noise(eager_device):
    """Of one example there is only one order, so that what differs is the noise."""

    def noise(seed):
        layer = GaussianNoise(0.1)
        drawn = []
        model = tiny(layer, kind=Spy)
        model.on_step = lambda _: drawn.append(to_numpy(layer.noise).tobytes())
        train(model, examples(1), epochs=3, seed=seed, device=eager_device)
        return drawn

    assert noise(1) == noise(1)
    assert len({*noise(1), *noise(2)}) == 6


@pytest.mark.parametrize("batch_size", [8, 50, 1000, 1])
def test_every_example_is_seen_once_an_epoch(eager_device, batch_size):
    x, model = examples(50), tiny(kind=Spy)
    train(model, x, epochs=3, batch_size=batch_size, device=eager_device)
    steps = math.ceil(50 / batch_size)
    assert len(model.batches) == 3 * steps
    orders = []
    for epoch in range(3):
        batches = model.batches[epoch * steps : (epoch + 1) * steps]
        assert [len(batch) for batch in batches[:-1]] == [batch_size] * (steps - 1)  # only the last one is shorter
        seen = np.concatenate(batches)
        orders.append(seen[:, 0].tolist())
        assert_array_equal(seen[np.argsort(seen[:, 0])], x)
    assert orders[0] != orders[1] != orders[2]


def test_the_training_loss_is_the_mean_over_examples(device):
    """Not over batches: the last of them is shorter. At a learning rate of 0 it can be computed at once."""
    x, model = examples(50), tiny()
    x[:5] *= 10  # so that it matters
    history = train(model, x, epochs=1, batch_size=48, optimizer=SGD(0.0), device=device)
    expected = ((model.to("cpu").reconstruct(x) - x) ** 2).sum(axis=1).mean()
    assert_allclose(history["loss"][0], expected, rtol=1e-5)


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2001])  # around the size in which evaluate works through them
def test_the_validation_loss_is_the_mean_over_examples(device, n):
    validation, model = examples(n, seed=1), tiny()
    validation[-1] *= 100  # alone in its batch for n = 1001
    history = train(model, epochs=1, validation=validation, device=device)
    expected = ((model.to("cpu").reconstruct(validation) - validation) ** 2).sum(axis=1).mean()
    assert_allclose(history["validation_loss"][0], expected, rtol=1e-5)


def test_evaluate_drops_nothing_out_and_changes_nothing():
    model, plain, x = tiny(Dropout(0.2)), tiny(), examples()
    before = bits(model)
    assert evaluate(model, x) == evaluate(plain, x)
    assert bits(model) == before


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), MaskingNoise(0.5), SaltAndPepper(0.25)], ids=repr)
def test_a_denoiser_is_judged_by_noisy_inputs_and_clean_targets(device, to_device, xp, noise):
    """The same noise each time, of another draw in each batch; dropout behind it is off."""
    model, x = tiny(noise, Dropout(0.2)).to(device), examples()
    found = evaluate(model, to_device(x), batch_size=20)
    assert found == evaluate(model, to_device(x), batch_size=20)
    rng, total = xp.random.default_rng(0), 0.0
    for start in range(0, len(x), 20):
        batch = to_device(x[start : start + 20])
        made = model.reconstruct(noise.forward(batch, rng))
        total += float(((made - batch) ** 2).sum())
    assert found == {"loss": pytest.approx(total / len(x), rel=1e-5)}


def test_patience_and_history_go_by_what_evaluate_finds(device):
    model, x = tiny(GaussianNoise(0.5)), examples()
    history = train(model, epochs=2, validation=x, device=device)
    assert history["validation_loss"][-1] == evaluate(model, x)["loss"]


def test_evaluate_needs_examples():
    with pytest.raises(DataError, match="at least one"):
        evaluate(tiny(), examples(0))


def test_history_columns():
    schedule = Cosine(0.1, steps=21)
    history = train(tiny(penalty=SparseKL(0.1, 0.5)), validation=examples(9), optimizer=SGD(schedule))
    parts = ["loss", "reconstruction", "penalty"]
    measured = [*parts, *(f"validation_{part}" for part in parts)]
    assert list(history.columns) == ["epoch", *measured, "lr", "seconds", "examples_per_second"]
    for prefix in ("", "validation_"):
        total = np.add(history[f"{prefix}reconstruction"], history[f"{prefix}penalty"])
        assert_allclose(history[f"{prefix}loss"], total, rtol=1e-5)
    assert history["lr"] == [schedule(t) for t in (0, 7, 14)]  # at the beginning of each epoch of 7 steps
    assert_allclose(history["examples_per_second"], 50 / np.array(history["seconds"]))
    assert not history.interrupted
    assert not history.stopped_early


def test_the_model_stays_on_the_device(device):
    model = tiny()
    train(model, device=device)
    assert array_module(model.parameters) is device_module(device)
    train(model)
    assert array_module(model.parameters) is np


def test_both_devices_train_alike(stand_in):
    host, other = tiny(), tiny()
    assert_allclose(train(other, device="gpu")["loss"], train(host)["loss"], rtol=1e-5)
    assert_allclose(to_numpy(other.parameters), host.parameters, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64])
def test_the_model_keeps_its_dtype(device, dtype, given):
    model = tiny().to(dtype=dtype)
    train(model, examples().astype(given), validation=examples(9).astype(given), device=device)
    assert model.parameters.dtype == model.gradient.dtype == dtype


def test_an_optimizer_that_starts_afresh_says_so():
    """Else a loop of fits of one epoch each would lose Adam's moments, and the schedule, without a word."""
    model, optimizer = tiny(), Adam(0.01)
    train(model, optimizer=optimizer)
    with pytest.warns(UserWarning, match=r"Adam\(0\.01\) starts afresh: its 21 updates of this model are forgotten"):
        train(model, optimizer=optimizer)
    train(tiny(), optimizer=optimizer)  # of another model: as it should be


@pytest.mark.filterwarnings("ignore:.* starts afresh")
def test_the_optimizer_goes_along_with_the_model(device):
    """From one device and dtype to another."""
    model, optimizer = tiny(), Adam(0.01)
    train(model, optimizer=optimizer)
    train(model, optimizer=optimizer, device=device)
    train(model.to(dtype=np.float64), examples(), optimizer=optimizer, device=device)
    assert optimizer.t == 21  # each of the three starts afresh
    assert optimizer.m.dtype == optimizer.v.dtype == np.float64
    assert array_module(optimizer.m) is device_module(device)


def test_seconds_are_of_training_alone(monkeypatch):
    """Else more validation data would look like slower training. The clock is one of steps: it stands still between them."""
    now = 0

    class Timed(Autoencoder):
        def objective(self, x, rng=None):
            nonlocal now
            now += 1
            return super().objective(x, rng)

        def judge(self, x, rng):
            nonlocal now
            now += 99
            return super().judge(x, rng)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    history = train(tiny(kind=Timed), epochs=2, validation=examples(9))
    assert history["seconds"] == [7, 7]
    assert now == 2 * (7 + 100)


@pytest.mark.parametrize("before", [(), (GaussianNoise(0.5, clip=(0, 1)),), (Dropout(0.5),)])
def test_the_data_are_not_changed(device, before):
    x, validation = examples(), examples(9)
    x.flags.writeable = validation.flags.writeable = False
    train(tiny(*before), x, validation=validation, device=device)
    assert_array_equal(x, examples())
    assert_array_equal(validation, examples(9))


def test_the_layout_of_the_data_does_not_matter():
    wide = np.repeat(examples(), 2, axis=1)
    models = [tiny() for _ in range(3)]
    for model, x in zip(models, (examples(), np.asfortranarray(examples()), wide[:, ::2]), strict=True):
        train(model, x)
    assert len({bits(model) for model in models}) == 1


def test_fit_works_in_a_thread():
    """There no signal handler can be set."""
    found = []
    thread = threading.Thread(target=lambda: found.append(train(tiny())))
    thread.start()
    thread.join()
    assert len(found[0]) == 3


# Early stopping


class Scripted(Autoencoder):
    """Says the losses of `script` where it is validated, and keeps its parameters of those moments."""

    def judge(self, x, rng):
        self.seen = [*getattr(self, "seen", []), bits(self)]
        return {"loss": np.float32(self.script[len(self.seen) - 1])}


@pytest.mark.parametrize(
    ("script", "patience", "epochs", "best"),
    [
        ([5, 3, 4, 4, 1, 1], 2, 4, 2),  # two without a better one, then it stops: the 1 is never seen
        ([5, 3, 4, 2, 3, 1], 2, 6, 6),
        ([5, 5, 5, 5, 5, 5], 3, 4, 1),  # equal is not better
        ([5, 4, 3, 3, 2, 2], 1, 4, 3),
        ([6, 5, 4, 3, 2, 3], 1, 6, 5),  # patience would end with the last epoch: nothing is stopped early
        ([6, 5, 4, 3, 2, 1], 9, 6, 6),
    ],
)
def test_patience_stops_and_returns_the_best(device, script, patience, epochs, best):
    model = tiny(kind=Scripted)
    model.script = script
    history = train(model, epochs=6, validation=examples(9), patience=patience, device=device)
    assert history["validation_loss"] == script[:epochs]
    assert bits(model) == model.seen[best - 1]
    assert history.stopped_early == (epochs < 6)


def test_without_patience_the_last_parameters_stay():
    model = tiny(kind=Scripted)
    model.script = [1, 2, 3]
    train(model, validation=examples(9))
    assert bits(model) == model.seen[-1]


# What it refuses


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience"])
@pytest.mark.parametrize("value", [0, -1, 2.5, 3.0, "3", math.nan])
def test_counts_are_whole_and_positive(name, value):
    with pytest.raises(OptionError, match=rf"{name}={value!r}.*whole number, at least 1"):
        train(tiny(), validation=examples(9), **{name: value})


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_a_seed_is_whole_and_not_negative(seed):
    with pytest.raises(OptionError, match="seed="):
        train(tiny(), seed=seed)


def test_whole_numbers_of_numpy_are_fine(tmp_path):
    model, plain = tiny(), tiny()
    numbers = {"epochs": np.int64(2), "batch_size": np.int32(8), "seed": np.uint8(3)}
    optimizer = SGD(np.float32(0.5), momentum=np.float32(0.5))
    train(model, **numbers, optimizer=optimizer, checkpoint=tmp_path / "c")
    train(plain, epochs=2, batch_size=8, seed=3, optimizer=SGD(0.5, momentum=0.5), checkpoint=tmp_path / "d")
    assert bits(model) == bits(plain) == bits(load(tmp_path / "c"))


def test_patience_needs_validation():
    with pytest.raises(OptionError, match="patience needs validation"):
        train(tiny(), patience=2)


class Foreign:
    """Like an array of another library, PyTorch's say: it has a dtype and a shape, and it is none of ours."""

    dtype, shape, ndim = np.dtype(np.float32), (50, FEATURES), 2

    def __len__(self):
        return 50


def spoiled(value, rows):
    x = examples()
    x[rows, 2] = value
    return x


BAD_DATA = {
    "empty": (examples(0), DataError, r"shape \(0, 6\).*at least one example"),
    "1-D": (examples()[0], DataError, r"shape \(6,\)"),
    "a number": (np.float32(1), DataError, r"shape \(\)"),
    "a list": (examples().tolist(), ArrayTypeError, r"is a list: expected an array"),
    "None": (None, ArrayTypeError, "is a NoneType"),
    "another library's": (Foreign(), ArrayTypeError, "Foreign"),
    "images": (np.full((9, 6), 200, np.uint8), ArrayTypeError, r"uint8, max 200.*divide by 255"),
    "integers": (np.zeros((9, 6), int), ArrayTypeError, r"int64.*expected floats"),
    "text": (np.full((9, 6), "a"), ArrayTypeError, "expected floats"),
    "complex": (np.zeros((9, 6), complex), ArrayTypeError, "complex128"),
    "NaN": (spoiled(math.nan, [7, 9]), DataError, r"NaN or infinity.*2 of 50 rows.*row 7"),
    "infinity": (spoiled(-math.inf, [11]), DataError, r"1 of 50 rows.*row 11"),
    # finite in float64, infinite in the model's float32
    "too large": (spoiled(1, []).astype(float) * 1e300, DataError, r"infinity|too large"),
}


@pytest.mark.parametrize(
    ("name", "case"),
    [("x", case) for case in BAD_DATA] + [("validation", case) for case in BAD_DATA if case != "None"],
)
def test_bad_data(case, name):
    data, error, message = BAD_DATA[case]
    model = tiny()
    before = bits(model)
    with pytest.raises(error, match=message) as raised:
        fit(model, epochs=1, batch_size=8, optimizer=Adam(), progress=False, **{"x": examples()} | {name: data})
    assert isinstance(raised.value, ScratchaeError)
    assert str(raised.value).startswith(name)  # of the two, the one meant
    assert bits(model) == before


def test_wrong_width_names_the_layer():
    with pytest.raises(ShapeError, match=r"encoder\.0 Dense\(6, 4\) expects x of shape \(N, 6\), got \(50, 5\)"):
        train(tiny(), examples()[:, :5])


def test_the_decoder_must_give_back_the_shape():
    model = Autoencoder(Sequential(Dense(6, 4)), Sequential(Dense(4, 5)), loss=MSE())
    with pytest.raises(ShapeError, match=r"decoder.*\(5,\).*\(6,\)"):
        train(model)


def test_validation_of_another_shape():
    with pytest.raises(ShapeError, match=r"validation.*\(5,\).*\(6,\)"):
        train(tiny(), validation=examples()[:, :5])


@pytest.mark.parametrize("loss", [BCE(), BCEWithLogits()], ids=repr)
@pytest.mark.parametrize("name", ["x", "validation"])
@pytest.mark.parametrize(("value", "hint"), [(1.5, "scale"), (-0.5, "scale"), (255.0, "divide by 255")])
def test_cross_entropy_needs_targets_in_the_unit_interval(device, loss, name, value, hint):
    """It says so before it trains, of the validation data too."""
    decoder = Sequential(Dense(4, 6), Sigmoid())
    model = Spy(Sequential(Dense(6, 4)), decoder, loss=loss)
    with pytest.raises(DataError, match=rf"\[0, 1\].*{hint}"):
        train(model, **{"x": examples(), "validation": examples()} | {name: spoiled(value, [3])}, device=device)
    assert not hasattr(model, "batches")


def test_a_code_outside_the_range_of_the_penalty():
    model = Autoencoder(Sequential(Dense(6, 4), Tanh()), Dense(4, 6), loss=MSE(), penalty=SparseKL(0.1, 1.0))
    with pytest.raises(DataError, match="SparseKL needs a code in"):
        train(model)


def test_unknown_device():
    with pytest.raises(ScratchaeError, match="device='tpu'"):
        train(tiny(), device="tpu")


# A loss that is no number


class BreaksLater(Layer):
    """The identity, until it was trained on `good` batches; then all NaN."""

    def __init__(self, good):
        self.good = good
        self.seen = 0

    def forward(self, x, rng=None):
        self.seen += rng is not None
        return x * math.nan if self.seen > self.good else x

    def backward(self, dy):
        return dy


def test_a_layer_that_gives_nan_is_named(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    broken = BreaksLater(good=7 + 2)  # an epoch of 7 steps, and two more
    with pytest.raises(DivergenceError) as raised:
        train(tiny(broken), epochs=5, checkpoint=checkpoint)
    message = str(raised.value)
    assert "loss became nan in epoch 2, step 3 of 7" in message
    assert "the output of encoder.0 BreaksLater(9)" in message
    assert f"{checkpoint} keeps the state after epoch 1" in message
    assert "forward" not in vars(broken)  # looking for the culprit leaves no trace

    kept, straight = tiny(BreaksLater(9)), tiny(BreaksLater(9))
    restore(kept, checkpoint)
    train(straight, epochs=1)
    assert bits(kept) == bits(straight)


def test_a_layer_that_breaks_in_training_alone_is_named():
    """Noise of 1e38 is too much for float32; without noise all is well."""
    with pytest.raises(
        DivergenceError, match=r"epoch 1, step 1 of 7: the output of encoder\.0 GaussianNoise\(3e\+38\)"
    ):
        train(tiny(GaussianNoise(3e38)))


@pytest.mark.filterwarnings("ignore:.*networks learn well")
def test_an_infinite_loss_stops_before_the_parameters():
    """Squares of 1e25 are too large for float32, the numbers themselves are not."""
    model = tiny()
    before = bits(model)
    with pytest.raises(
        DivergenceError, match=r"loss became inf in epoch 1, step 1 of 7: .*the loss itself, is not finite"
    ):
        train(model, examples() * 1e25)
    assert bits(model) == before


@pytest.mark.parametrize("batch_size", [8, 50])
@pytest.mark.parametrize("lr", [1e10, 3e38])
@pytest.mark.parametrize("validation", [None, examples(9)])
def test_a_huge_learning_rate(device, tmp_path, lr, batch_size, validation):
    """Whether the parameters break in the middle of an epoch or with its last step: the file holds no broken ones."""
    checkpoint = tmp_path / "checkpoint.safetensors"
    model = Autoencoder(Sequential(Dense(6, 4), ReLU()), Sequential(Dense(4, 6)), loss=MSE())
    with pytest.raises(
        DivergenceError, match=r"epoch \d.* not finite.*learning rate \(now .*keeps the state after epoch \d"
    ):
        train(
            model, epochs=9, batch_size=batch_size, optimizer=SGD(lr), checkpoint=checkpoint, device=device,
            validation=validation,
        )  # fmt: skip
    assert np.isfinite(load(checkpoint).parameters).all()


def test_the_last_step_of_all_breaks_the_parameters():
    """No step follows that would notice."""
    with pytest.raises(DivergenceError, match=r"Dense\(.* not finite"):
        train(tiny(), epochs=1, batch_size=50, optimizer=SGD(3e38))


def test_a_validation_loss_that_is_no_number():
    """Else, with patience, no later epoch would be better than it."""
    model = tiny(kind=Scripted)
    model.script = [math.nan, 3, 2]
    with pytest.raises(DivergenceError, match="validation"):
        train(model, validation=examples(9), patience=1)


@pytest.mark.filterwarnings("ignore:.*networks learn well")
def test_clip_norm_is_a_way_out(device):
    x = examples() * 1e4
    with pytest.raises(DivergenceError):
        train(tiny(), x, epochs=30, optimizer=SGD(1.0), device=device)
    history = train(tiny(), x, epochs=30, optimizer=SGD(1.0, clip_norm=1.0), device=device)
    assert np.isfinite(history["loss"]).all()


# Ctrl-C


@pytest.fixture
def restored_handler():
    """Ctrl-C does after training what it did before."""
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("step", [1, 7, 10, 21])  # of 3 epochs of 7
@pytest.mark.usefixtures("restored_handler")
def test_ctrl_c_stops_after_the_step_at_hand(eager_device, step):
    model, optimizer = tiny(kind=Spy), Adam(0.01)
    model.on_step = lambda n: signal.raise_signal(signal.SIGINT) if n == step else None
    history = train(model, device=eager_device, optimizer=optimizer)
    assert history.interrupted
    assert len(history) == (step - 1) // 7  # whole epochs, the one at hand is not
    assert optimizer.t == step
    assert np.isfinite(to_numpy(model.parameters)).all()


@pytest.mark.usefixtures("restored_handler")
def test_a_second_ctrl_c_stops_at_once():
    model = tiny(kind=Spy)

    def twice(n):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    model.on_step = twice
    with pytest.raises(KeyboardInterrupt):
        train(model)
    assert len(model.batches) == 1


@pytest.mark.usefixtures("restored_handler")
def test_ctrl_c_while_the_last_epoch_validates_is_not_swallowed():
    class Judged(Autoencoder):
        def judge(self, x, rng):
            signal.raise_signal(signal.SIGINT)
            return super().judge(x, rng)

    history = train(tiny(kind=Judged), epochs=1, validation=examples(9))
    assert history.interrupted and len(history) == 1


@pytest.mark.usefixtures("restored_handler")
def test_ctrl_c_from_outside():
    """Another thread sends it while a step is on its way."""
    model = tiny(kind=Spy)

    def send(n):
        if n == 10:
            sender = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
            sender.start()
            sender.join()

    model.on_step = send
    history = train(model)
    assert history.interrupted and len(history) == 1
    assert np.isfinite(model.parameters).all()


@pytest.mark.usefixtures("restored_handler")
def test_the_handler_is_restored_after_an_error():
    with pytest.raises(DivergenceError):
        train(tiny(BreaksLater(3)))


def test_ctrl_c_in_a_process_of_its_own():
    script = """
        import os, signal
        import numpy as np
        from scratchae import *
        class Slow(Autoencoder):
            def training_step(self, x, rng=None):
                self.steps = getattr(self, "steps", 0) + 1
                if self.steps == 10:
                    print("in a step", flush=True)
                    input()  # until the signal is sent
                return super().training_step(x, rng)
        model = Slow(Sequential(Dense(6, 4)), Sequential(Dense(4, 6)), loss=MSE())
        x = np.random.default_rng(0).random((50, 6), dtype=np.float32)
        history = fit(model, x, epochs=3, batch_size=8, optimizer=Adam(), progress=False)
        assert history.interrupted and len(history) == 1
        assert np.isfinite(model.parameters).all()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        print("stopped cleanly")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in a step\n"
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate("go on\n")
    assert process.returncode == 0
    assert output == "stopped cleanly\n"


# Resuming


def in_two(first, second=None, *, make, optimizer, x=None, **options):
    """Train with a checkpoint for `first` epochs, then in new objects with resume=True; model, optimizer, history."""
    train(make(), x, optimizer=optimizer(), epochs=first, **options)
    model, later = make(), optimizer()
    history = train(model, x, optimizer=later, epochs=second or 6, resume=True, **options)
    return model, later, history


def assert_same_training(one, other):
    """Of (model, optimizer, history): all bits equal, save for what the clock says."""
    (model, optimizer, history), (model2, optimizer2, history2) = one, other
    assert bits(model) == bits(model2)
    assert optimizer.t == optimizer2.t
    assert set(optimizer.state()) == set(optimizer2.state())
    for name, state in optimizer.state().items():
        assert to_numpy(state).tobytes() == to_numpy(optimizer2.state()[name]).tobytes(), name
    timed = ("seconds", "examples_per_second")
    assert [*history.columns] == [*history2.columns]
    assert all(history[name] == history2[name] for name in history.columns if name not in timed)
    assert (history.stopped_early, history.interrupted) == (history2.stopped_early, history2.interrupted)


OPTIMIZERS = {
    "Adam": lambda: Adam(0.01),
    "cosine": lambda: Adam(Cosine(0.05, steps=42, warmup=5), weight_decay=0.01, clip_norm=1.0),
    "momentum": lambda: SGD(0.01, momentum=0.9),
    "plain": lambda: SGD(Cosine(0.05, steps=42)),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("patience", [None, 4])
def test_resumed_training_is_as_if_never_stopped(device, tmp_path, name, patience):
    options = {"validation": examples(9, seed=1), "patience": patience, "device": device, "seed": 5}
    model, optimizer = noisy(), OPTIMIZERS[name]()
    straight = model, optimizer, train(model, epochs=6, optimizer=optimizer, **options)
    parts = in_two(3, make=noisy, optimizer=OPTIMIZERS[name], checkpoint=tmp_path / "c", **options)
    assert_same_training(parts, straight)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumed_training_keeps_the_dtype(tmp_path, dtype):
    def make():
        return noisy().to(dtype=dtype)

    model, optimizer = make(), Adam(0.01)
    straight = model, optimizer, train(model, epochs=6, optimizer=optimizer)
    parts = in_two(1, make=make, optimizer=lambda: Adam(0.01), checkpoint=tmp_path / "c")
    assert parts[0].parameters.dtype == parts[1].m.dtype == dtype
    assert_same_training(parts, straight)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_resumed_patience_counts_on(tmp_path, stop):
    """The best parameters and how long ago they were survive, wherever training stopped."""
    script = [5, 3, 4, 4, 4, 1]

    def run(checkpoint, epochs, resume):
        model, optimizer = tiny(kind=Scripted), Adam(0.01)
        model.script = script[len(load_history(checkpoint)) :]
        options = {"validation": examples(9), "patience": 3, "checkpoint": checkpoint, "resume": resume}
        return model, optimizer, train(model, epochs=epochs, optimizer=optimizer, **options)

    straight = run(tmp_path / "straight", 6, False)
    run(tmp_path / "parts", stop, False)
    parts = run(tmp_path / "parts", 6, True)
    assert straight[2].stopped_early
    assert_same_training(parts, straight)


def load_history(path):
    from scratchae.training.container import read

    return read(path)[0]["training"]["history"].get("epoch", []) if path.exists() else []


def test_resuming_what_is_done_trains_no_more(tmp_path):
    model, optimizer = noisy(), Adam(0.01)
    straight = model, optimizer, train(model, epochs=4, optimizer=optimizer, checkpoint=tmp_path / "c")
    again, later = noisy(), Adam(0.01)
    history = train(again, epochs=4, optimizer=later, checkpoint=tmp_path / "c", resume=True)
    assert_same_training((again, later, history), straight)


def test_resume_without_a_checkpoint_starts(tmp_path):
    model, plain = noisy(), noisy()
    train(model, checkpoint=tmp_path / "c", resume=True)
    train(plain)
    assert bits(model) == bits(plain)
    assert (tmp_path / "c").exists()


def test_resuming_moves_to_another_device(stand_in, tmp_path):
    train(noisy(), checkpoint=tmp_path / "c", device="gpu")
    model = noisy()
    history = train(model, epochs=6, checkpoint=tmp_path / "c", resume=True)
    assert len(history) == 6
    assert array_module(model.parameters) is np


@pytest.mark.parametrize("step", [1, 7, 10])  # in the first epoch, with its last step, in the second
@pytest.mark.parametrize("anew", [True, False])
def test_resuming_after_ctrl_c(tmp_path, step, anew):
    """With new objects, as in a new process, or with those that were interrupted, as in a notebook."""

    def make():
        return tiny(GaussianNoise(0.1), kind=Spy)

    plain, optimizer = make(), SGD(0.01, momentum=0.9)
    straight = plain, optimizer, train(plain, optimizer=optimizer)

    model, optimizer = make(), SGD(0.01, momentum=0.9)
    model.on_step = lambda n: signal.raise_signal(signal.SIGINT) if n == step else None
    assert train(model, optimizer=optimizer, checkpoint=tmp_path / "c").interrupted
    model.on_step = None
    if anew:
        model, optimizer = make(), SGD(0.01, momentum=0.9)
    history = train(model, optimizer=optimizer, checkpoint=tmp_path / "c", resume=True)
    assert_same_training((model, optimizer, history), straight)


def test_an_existing_checkpoint_is_not_overwritten(tmp_path):
    train(tiny(), checkpoint=tmp_path / "c")
    before = (tmp_path / "c").read_bytes()
    with pytest.raises(CheckpointError, match=r"exists: resume=True goes on"):
        train(tiny(), checkpoint=tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, r"another seed \(0, now 1\)"),
        ({"batch_size": 9}, r"another batch_size \(8, now 9\)"),
        ({"patience": 2}, r"another patience \(None, now 2\)"),
        ({"optimizer": Adam(0.02)}, r"another optimizer \(Adam\(0\.01\), now Adam\(0\.02\)\)"),
        ({"optimizer": SGD(0.01)}, r"another optimizer \(Adam\(0\.01\), now SGD\(0\.01\)\)"),
        ({"optimizer": Adam(Cosine(0.01, 42))}, r"another optimizer .*Cosine\(0\.01, 42\)"),
        ({"x": examples(seed=1)}, "trained on other data: resume"),
        ({"x": examples(49)}, "on other data"),
        ({"validation": examples(8)}, "on other validation data"),
        ({"validation": None}, "with validation data, and now there are none"),
        ({"model": tiny(GaussianNoise(0.2))}, "another architecture"),
        ({"model": tiny(loss=BCEWithLogits())}, "another architecture"),
        ({"model": tiny().to(dtype=np.float64)}, "another"),
    ],
)
def test_resuming_another_training_is_refused(tmp_path, change, message):
    """And changes neither the file nor the model."""
    same = {"x": examples(), "validation": examples(9), "checkpoint": tmp_path / "c"}
    train(tiny(), **same)
    before = (tmp_path / "c").read_bytes()
    options = {"model": tiny(seed=3)} | same | change
    model = options["model"]
    start = bits(model)
    with pytest.raises(CheckpointError, match=message):
        train(**options, epochs=5, resume=True)
    assert (tmp_path / "c").read_bytes() == before
    assert bits(model) == start


def test_a_model_file_cannot_be_resumed(tmp_path):
    from scratchae import save

    save(tiny(), tmp_path / "m")
    with pytest.raises(CheckpointError, match="no training to resume"):
        train(tiny(), checkpoint=tmp_path / "m", resume=True)


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_resuming_a_damaged_checkpoint_is_refused(tmp_path, keep):
    train(tiny(), checkpoint=tmp_path / "c")
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="damaged"):
        train(tiny(), checkpoint=tmp_path / "c", resume=True)


def test_a_checkpoint_that_cannot_be_written_is_said_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    model = tiny(kind=Spy)
    with pytest.raises(CheckpointError, match="cannot write"):
        train(model, checkpoint=tmp_path / "file" / "c")
    assert not hasattr(model, "batches")


def test_a_schedule_may_be_any_function_but_then_there_is_no_checkpoint(tmp_path):
    """A function cannot be written down; that is said before training."""
    train(tiny(), optimizer=Adam(lambda t: 0.01))
    model = tiny(kind=Spy)
    with pytest.raises(ScratchaeError, match="function"):
        train(model, optimizer=Adam(lambda t: 0.01), checkpoint=tmp_path / "c")
    assert not hasattr(model, "batches")


# kill -9

# It dies at `moment`: a place, or the number of a call, counting those of all functions, Python's and C's
VICTIM = """
    import hashlib, os, signal, sys
    import numpy as np
    import safetensors.numpy
    from scratchae import *

    checkpoint, moment = sys.argv[1:]
    save_file, replace = safetensors.numpy.save_file, os.replace

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def half_save(arrays, path, metadata):
        save_file(arrays, path, metadata)
        os.truncate(path, os.path.getsize(path) // 2)
        die()

    calls = 0

    def count(frame, event, argument):
        global calls
        calls += event in ("call", "c_call")
        if moment.isdecimal() and calls == int(moment):
            die()

    if moment == "half written":
        safetensors.numpy.save_file = half_save
    elif moment == "before the rename":
        os.replace = lambda *names: die()
    elif moment == "after the rename":
        os.replace = lambda *names: (replace(*names), die())

    rng = np.random.default_rng(0)
    encoder = Sequential(GaussianNoise(0.1), Dense(300, 100, rng=rng), Tanh(), Dropout(0.1))
    model = Autoencoder(encoder, Sequential(Dense(100, 300, rng=rng)), loss=MSE())
    x = np.random.default_rng(1).random((40, 300), dtype=np.float32)
    optimizer = Adam(Cosine(0.01, 160))
    sys.setprofile(count)
    history = fit(model, x[:30], epochs=40, batch_size=8, optimizer=optimizer, validation=x[30:], patience=39,
                  progress=False, checkpoint=checkpoint, resume=True)
    sys.setprofile(None)
    vectors = model.parameters, optimizer.m, optimizer.v
    print(*(hashlib.sha256(vector).hexdigest() for vector in vectors), history["loss"], history["validation_loss"])
    print(calls, file=sys.stderr)
"""


def victim(checkpoint, moment="never"):
    command = [sys.executable, "-c", textwrap.dedent(VICTIM), str(checkpoint), str(moment)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What a training prints that nobody kills, and how many calls it makes."""
    done = victim(tmp_path_factory.mktemp("straight") / "c")
    assert done.returncode == 0, done.stderr
    return done.stdout, int(done.stderr)


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing(tmp_path, uninterrupted):
    expected, calls = uninterrupted
    for moment in np.random.default_rng(0).integers(1, calls // 8, 6):
        assert victim(tmp_path / "c", moment).returncode == -signal.SIGKILL
        if (tmp_path / "c").exists():
            load(tmp_path / "c")  # whole
    done = victim(tmp_path / "c")
    assert (done.returncode, done.stdout) == (0, expected)


@pytest.mark.parametrize("moment", ["half written", "before the rename", "after the rename"])
def test_kill_9_while_the_checkpoint_is_written(tmp_path, uninterrupted, moment):
    # the first time there is something to lose
    for dies in ("after the rename", moment, moment):
        assert victim(tmp_path / "c", dies).returncode == -signal.SIGKILL
    assert victim(tmp_path / "c").stdout == uninterrupted[0]


# As other libraries want it


def test_x_may_stand_for_its_own_target():
    """fit(model, x, x), also with a copy; the steps are those of fit(model, x)."""
    x, given = examples(), {"epochs": 2, "batch_size": 8, "progress": False}
    one, two, three = tiny(), tiny(), tiny()
    fit(one, x, optimizer=Adam(0.01), **given)
    fit(two, x, x, optimizer=Adam(0.01), **given)
    fit(three, x, x.copy(), optimizer=Adam(0.01), **given)
    assert bits(one) == bits(two) == bits(three)


@pytest.mark.parametrize("target", [examples(seed=1), examples(49), np.arange(50), [1, 2], 3, "x"])
def test_another_target_is_refused_with_the_way_out(target):
    with pytest.raises(OptionError, match=r"target is something else.* GaussianNoise.* help\(scratchae\.Model\)"):
        fit(tiny(), examples(), target, epochs=1, batch_size=8, optimizer=Adam())


def test_resuming_needs_a_file_and_says_if_there_is_none(tmp_path, capsys):
    with pytest.raises(OptionError, match="resume=True needs the file"):
        train(tiny(), resume=True)
    train(tiny(), checkpoint=tmp_path / "new", resume=True, progress=True)
    assert f"There is no {tmp_path / 'new'} to resume, so this training begins anew" in capsys.readouterr().out
    train(tiny(), checkpoint=tmp_path / "other", progress=True)
    assert "begins anew" not in capsys.readouterr().out
