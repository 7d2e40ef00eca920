"""Watching a training changes nothing, measures what it says, and warns of what is wrong and of nothing else."""

import copy
import csv
import itertools
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
import scratchae.data
import scratchae.runs.autoencoder
from scratchae import plots
from scratchae.backend import cuda, device_module, to_numpy
from scratchae.cli import main
from scratchae.data import strokes
from scratchae.errors import DivergenceError, OptionError
from scratchae.models import parallel
from scratchae.presets import PRESETS
from scratchae.study import watch

FEATURES = 12


def data(n=200, seed=0):
    """Points on a curved sheet, in [0, 1]."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 3))
    return (1 / (1 + np.exp(-np.tanh(z @ rng.standard_normal((3, 8))) @ rng.standard_normal((8, FEATURES))))).astype(
        np.float32
    )


def stack(sizes, activation, rng, init):
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [s.Dense(inputs, outputs, init=init, rng=rng), activation()]
    return layers


def dense(activation=s.ReLU, *, hidden=(16,), init="he", scale=1.0, loss=None, noise=()):
    """12-hidden-4-hidden-12, linear code, linear at the end; all weights multiplied by `scale`."""
    rng = np.random.default_rng(0)
    encoder = s.Sequential(*noise, *stack([FEATURES, *hidden, 4], activation, rng, init)[:-1])
    decoder = s.Sequential(*stack([4, *hidden[::-1]], activation, rng, init), s.Dense(hidden[0], FEATURES, rng=rng))
    model = s.Autoencoder(encoder, decoder, loss=loss or s.MSE())
    model.parameters *= scale
    return model


def fit(model, x=None, *, epochs=10, optimizer=None, **options):
    return s.fit(
        model,
        data() if x is None else x,
        epochs=epochs,
        batch_size=20,
        optimizer=optimizer or s.Adam(3e-3),
        progress=False,
        **options,
    )


def watched(model, *, every=5, **options):
    with watch(model, every=every) as flow:
        fit(model, **options)
    return flow


# Training is not changed


MODELS = {
    "dense": dense,
    "with noise and dropout": lambda: dense(noise=(s.GaussianNoise(0.1), s.Dropout(0.2))),
    "with BatchNorm": lambda: dense(noise=(s.BatchNorm(FEATURES),)),
    "RBM": lambda: s.RBM(FEATURES, 6, persistent=True, rng=0),
    "VAE": lambda: s.VAE(
        s.Sequential(s.Dense(FEATURES, 8, rng=0), s.ReLU()),
        *(s.Dense(8, 2, rng=1), s.Dense(8, 2, rng=2), s.Dense(2, FEATURES, rng=3)),
        loss=s.BCEWithLogits(),
    ),
    "GAN": lambda: game(s.Sigmoid()),
}


def game(*end):
    make = stack([3, 16], s.ReLU, np.random.default_rng(0), "he")
    judge = s.Sequential(s.GaussianNoise(0.1), s.Dense(FEATURES, 8, rng=1), s.LeakyReLU(0.2), s.Dense(8, 1, rng=2))
    return s.GAN(s.Sequential(*make, s.Dense(16, FEATURES, rng=3), *end), judge)


@pytest.mark.parametrize("parts", [False, True], ids=["whole batches", "in parts"])
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_not_a_bit_of_training_changes(make, parts, device, monkeypatch):
    taken, step = [], parallel.training_step
    if parts:
        monkeypatch.setattr(parallel, "LEAST", 1)
        monkeypatch.setattr(parallel, "training_step", lambda *a: taken.append(a[3]) or step(*a))
    plain, seen = make(), make()
    history = fit(plain, epochs=2, device=device)
    with watch(seen, every=1) as flow:
        watched_history = fit(seen, epochs=2, device=device)
    assert flow.steps == list(range(20))
    assert_array_equal(to_numpy(plain.parameters), to_numpy(seen.parameters))
    for name, tensor in plain.tensors().items():
        assert_array_equal(to_numpy(tensor), to_numpy(seen.tensors()[name]))
    assert history["loss"] == watched_history["loss"]
    if parts and device == "cpu" and make in (MODELS["dense"], MODELS["VAE"]):
        assert len(taken) == 40  # both ran in parts, so the comparison meant something


def test_afterwards_the_model_is_as_before():
    model = dense()
    with pytest.raises(KeyError), watch(model):
        raise KeyError
    assert "training_step" not in vars(model)
    with watch(model, every=2) as outer:
        with watch(model, every=3) as inner:
            model.training_step(data())
        model.training_step(data())
    assert "training_step" not in vars(model)
    assert (outer.steps_seen, inner.steps_seen) == (2, 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_made_inside_trains_itself_and_is_not_watched(copied):
    model = dense()
    if copied is not copy.deepcopy:
        twin = copied(model)
        with watch(model) as flow:
            fit(twin, epochs=1)
    else:
        with watch(model) as flow:
            twin = copied(model)
            fit(twin, epochs=1)
    assert flow.steps_seen == 0
    assert_array_equal(model.parameters, dense().parameters)
    assert (twin.parameters != model.parameters).any()


def test_gradients_can_be_checked_inside():
    model = dense()
    with watch(model):
        assert s.check_gradients(model, data(4)).passed


# What is measured


def test_norms_and_updates_of_gradient_descent(device):
    """With plain gradient descent Δθ = -lr · gradient, so the ratio follows from the two norms."""
    model, lr = dense().to(device), 0.01
    x = device_module(device).asarray(data(20))
    expected, optimizer = [], s.SGD(lr)
    with watch(model, every=2) as flow:
        for _ in range(5):
            model.training_step(x)
            layer = model.encoder.layers[0]
            norms = [
                np.sqrt(sum((to_numpy(getattr(layer, d + a)).astype(float) ** 2).sum() for a in ("W", "b")))
                for d in ("d", "")
            ]
            expected.append(norms)
            optimizer.update(model.parameters, model.gradient)
    gradient, weight = np.array(expected)[::2].T
    assert flow.steps == [0, 2, 4]
    assert_allclose(flow.gradient_norm["encoder.0"], gradient, rtol=1e-5)
    assert_allclose(flow.weight_norm["encoder.0"], weight, rtol=1e-5)
    assert_allclose(flow.update_ratio["encoder.0"][:2], lr * gradient[:2] / weight[:2], rtol=1e-3)
    assert np.isnan(flow.update_ratio["encoder.0"][2])  # no step came after
    assert list(flow.gradient_norm) == ["encoder.0", "encoder.2", "decoder.0", "decoder.2"]


def test_the_update_is_not_measured_across_two_fits():
    """Between them `fit` may have moved the model, or restored its best parameters."""
    model = dense()
    with watch(model, every=10) as flow:
        fit(model, epochs=1)
        model.parameters *= 2
        fit(model, data()[:180], epochs=1)
    assert np.isfinite(flow.update_ratio["encoder.0"][0])
    with watch(model, every=1) as flow:
        fit(model, epochs=1)
        model.parameters *= 2
        fit(model, epochs=1)
    assert [i for i, ratio in enumerate(flow.update_ratio["encoder.0"]) if np.isnan(ratio)] == [9, 19]


def test_dead_units_are_counted_over_the_last_batches(device):
    """Of 4 units one is never on, one is on for one example of the first batch only."""
    first = s.Dense(2, 4)
    first.W = np.array([[0, 0, 1, 1], [0, 1, 0, 0]], np.float32)
    first.b = np.array([-1, -2, 0, 1], np.float32)
    model = s.Autoencoder(s.Sequential(first, s.ReLU()), s.Dense(4, 2), loss=s.MSE()).to(device)
    batches = np.ones((12, 5, 2), np.float32)
    batches[0, 3, 1] = 3  # the second unit: 3 - 2 > 0
    with watch(model, every=1) as flow:
        for batch in batches:
            model.training_step(device_module(device).asarray(batch))
    assert flow.dead == {"encoder.1": [0.25] * 10 + [0.5] * 2}


def test_a_unit_of_images_is_a_channel():
    conv = s.Conv2d(1, 3, 3, padding=1, rng=0)
    conv.b = np.array([0, -100, 0], np.float32)
    model = s.Autoencoder(s.Sequential(conv, s.ReLU()), s.Conv2d(3, 1, 3, padding=1), loss=s.MSE())
    with watch(model) as flow:
        model.training_step(np.random.default_rng(0).random((4, 5, 5, 1), dtype=np.float32))
    assert_allclose(flow.dead["encoder.1"], [1 / 3])


def test_saturated_outputs_are_near_a_limit(device):
    first = s.Dense(1, 4)
    # σ(±6) and tanh(±3, ±6) are within 0.02 of a limit, σ(±3) is not
    first.W = np.array([[-6, -3, 3, 6]], np.float32)
    for activation, share in ((s.Sigmoid(), 0.5), (s.Tanh(), 1.0)):
        encoder = s.Sequential(copy.deepcopy(first), activation)
        model = s.Autoencoder(encoder, s.Dense(4, 1), loss=s.MSE()).to(device)
        with watch(model) as flow:
            model.training_step(device_module(device).asarray(np.ones((3, 1), np.float32)))
        assert flow.saturated == {"encoder.1": [share]}


class Forgetful(s.Autoencoder):
    """Leaves its decoder out where it does not train."""

    def objective(self, x, rng=None):
        return super().objective(x, rng) if rng is not None else {"loss": (self.encode(x) ** 2).sum()}


def test_a_layer_that_is_left_out_is_no_number():
    model = Forgetful(*(vars(dense())[part] for part in ("encoder", "decoder")), loss=s.MSE())
    flow = watched(model, epochs=1, every=5)
    assert np.isnan(flow.dead["decoder.1"]).all() and not np.isnan(flow.dead["encoder.1"]).any()
    assert flow.warnings == []


# Warnings


def only(flow, kind):
    assert [text.partition(":")[0] for text in flow.warnings] == [kind]
    return flow.warnings[0]


def test_vanishing():
    model = dense(s.Sigmoid, hidden=(16, 16, 16), init="glorot", scale=0.3)
    text = only(watched(model), "vanishing gradient")
    assert "encoder.0 Dense(12, 16)" in text
    assert "decoder.6 Dense(16, 12)" in text


def test_exploding():
    model = dense(hidden=(16, 16, 16), scale=4)
    assert "clip_norm" in next(t for t in watched(model).warnings if t.startswith("exploding gradient: at "))


def test_exploding_until_the_loss_is_no_number():
    model = dense()
    with pytest.raises(DivergenceError), watch(model, every=1) as flow:
        fit(model, optimizer=s.SGD(10.0))
    assert any(text.startswith("exploding gradient") for text in flow.warnings)
    assert any(text.startswith("large updates") for text in flow.warnings)


def test_dead():
    model = dense()
    model.encoder.layers[0].b -= 100
    text = watched(model).warnings[0]
    assert text.startswith("dead ReLUs: 100% of the units of encoder.1 ReLU()")
    model = dense()
    model.encoder.layers[0].b[:9] -= 100
    assert "62% of the units of encoder.1 ReLU()" in only(watched(model), "dead ReLUs")


def test_saturated():
    model = dense(s.Sigmoid, init="glorot")
    model.encoder.layers[0].W *= 50
    text = only(watched(model), "saturated units")
    assert "encoder.1 Sigmoid()" in text


@pytest.mark.parametrize("beta", [1.0, 1e4])
def test_a_code_that_is_not_used(beta):
    rng = np.random.default_rng(0)
    model = s.VAE(s.Sequential(s.Dense(FEATURES, 16, rng=rng), s.Tanh()), *(s.Dense(16, 3, rng=rng) for _ in "μσ"),
                  s.Dense(3, FEATURES, rng=rng), loss=s.BCEWithLogits(), beta=beta)  # fmt: skip
    with warnings.catch_warnings(), watch(model, every=2) as flow:
        warnings.simplefilter("ignore")  # fit says the same
        fit(model, epochs=20, optimizer=s.Adam(1e-2))
    assert len(flow.kl) == len(flow.steps)
    said = [warning for warning in flow.warnings if "the code is not used" in warning]
    assert len(said) == (beta > 1)
    assert any("the code's KL term is" in figure and "a warning begins at 0.01" in figure for figure in flow.figures)


def test_a_saturated_output_is_what_black_and_white_pixels_ask_for():
    x = (data() > 0.5).astype(np.float32)
    model = dense()
    model.decoder.layers = (*model.decoder.layers, s.Sigmoid())
    model.decoder.layers[-2].b += 100 * (x[0] - 0.5)
    flow = watched(model, x=x[:1].repeat(200, axis=0))
    assert flow.saturated["decoder.3"][-1] == 1
    assert not any(text.startswith("saturated") for text in flow.warnings)


@pytest.mark.parametrize(("lr", "kind"), [(1e-8, "small updates"), (3.0, "large updates")])
def test_updates(lr, kind):
    flow = watched(dense(s.Tanh), optimizer=s.Adam(lr), epochs=1, every=1)
    assert any(text.startswith(kind) for text in flow.warnings)


@pytest.mark.parametrize(("winner", "loser"), [("discriminator", "generator"), ("generator", "discriminator")])
def test_a_player_that_has_won(winner, loser):
    """Its loss goes to 0, and with it all of its gradients; the loser's do not."""
    rates = s.Parts(**{part: s.Adam(0.05 if part == winner else 1e-7) for part in ("generator", "discriminator")})
    flow = watched(game(), x=data() + 3, epochs=40, optimizer=rates)  # far apart at first
    assert np.median(flow.losses[winner][-10:]) < 0.01 < 1 < np.median(flow.losses[loser][-10:])
    norms = {
        part: sum(v[-1] for name, v in flow.gradient_norm.items() if name.startswith(part)) for part in flow.losses
    }
    assert norms[winner] < norms[loser] / 30
    (said,) = [text for text in flow.warnings if " has won" in text]
    assert said == flow.warnings[0] and said.startswith(f"the {winner} has won: its loss is ")
    assert f"and the {loser} does not keep up. Give the {winner} a lower learning rate (Parts)" in said


def test_what_a_generator_makes_is_watched_for_codes_that_are_drawn():
    """Of codes of 0 all examples are the same, and half of the ReLUs would be dead."""
    flow = watched(game(s.Sigmoid()), epochs=1)
    assert flow.dead_now()["generator.1"] < 0.2 and not flow.warnings


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_healthy_run_gives_no_warning(make):
    assert watched(make(), epochs=20, optimizer=s.SGD(0.01) if make is MODELS["RBM"] else None).warnings == []


def test_the_figures_say_what_the_picture_draws_and_where_a_warning_begins():
    model = dense()
    model.decoder.layers = (*model.decoder.layers, s.Sigmoid())
    model.encoder.layers[0].b[:5] -= 100  # 5 of 16: not yet half
    flow = watched(model)
    units, output, arrives, largest, update = flow.figures
    assert flow.warnings == []
    dead = flow.dead["encoder.1"][-1]
    assert dead >= 5 / 16
    assert units == (
        f"up to {dead:.0%} of the units of encoder.1 ReLU() are dead: 0 for every example of the last 10 batches watched; "
        "a warning begins at 50%"
    )
    share = np.median(flow.saturated["decoder.3"][-10:])
    assert output.startswith(
        f"{share:.0%} of the outputs of decoder.3 Sigmoid() are saturated, which is not a fault: "
    )
    share = np.median(np.divide(flow.gradient_norm["encoder.0"], flow.gradient_norm["decoder.2"]))
    assert f" is {share:.1g} of that at decoder.2 " in arrives and arrives.endswith("a warning begins below 0.001")
    assert largest.endswith("a warning begins above 1000")
    assert update.endswith("warnings begin below 1e-05 and above 0.1")


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_figures_of_every_kind_of_model(make):
    assert not any("nan" in sentence for sentence in watched(make(), epochs=1).figures)


@pytest.mark.parametrize("name", ["simple", "deep", "conv", "vae", "sparse-kl", "rbm"])
def test_presets_are_healthy(name):
    preset, images = PRESETS[name], strokes(1000, 10).train_images
    model = preset.build(np.random.default_rng(0))
    x = (images / 255).astype(np.float32).reshape(-1, *preset.shape)
    optimizer = preset.optimizer(preset.lr, 2 * -(-len(x) // preset.batch_size))
    with watch(model, every=2) as flow:
        s.fit(model, x, epochs=2, batch_size=preset.batch_size, optimizer=optimizer, progress=False)
    assert flow.warnings == []


def test_without_a_step_that_is_said():
    with watch(dense()) as flow:
        pass
    assert "no training step" in only(flow, "no training step was watched")
    assert flow.figures == []


@pytest.mark.parametrize("every", [0, -1, 2.5, "10"])
def test_every_is_a_whole_number(every):
    with pytest.raises(OptionError, match="every="), watch(dense(), every=every):
        pass


# What is kept


def test_csv(tmp_path):
    flow = watched(dense(), epochs=1)
    flow.to_csv(tmp_path / "flow.csv")
    with open(tmp_path / "flow.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["layer"] for row in rows} == {
        *("encoder.0", "encoder.1", "encoder.2"),
        *("decoder.0", "decoder.1", "decoder.2"),
    }
    first = rows[0]
    assert (first["step"], first["layer"], first["dead"], first["saturated"]) == ("0", "encoder.0", "", "")
    assert float(first["gradient_norm"]) == flow.gradient_norm["encoder.0"][0]
    assert rows[1]["gradient_norm"] == "" and float(rows[1]["dead"]) == flow.dead["encoder.1"][0]


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("epochs", [1, 4])
def test_picture(make, epochs, tmp_path):
    plots.gradient_flow(watched(make(), epochs=epochs), tmp_path / "flow.png")
    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")


def test_picture_of_a_run_that_diverged(tmp_path):
    model = dense(s.Sigmoid)
    with pytest.raises(DivergenceError), watch(model, every=1) as flow:
        fit(model, optimizer=s.SGD(1e30))
    plots.gradient_flow(flow, tmp_path / "flow.png")
    assert (tmp_path / "flow.png").exists()


@pytest.fixture
def small(monkeypatch, tmp_path):
    images = strokes(360, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: images)
    monkeypatch.setattr(scratchae.runs.autoencoder, "draw", lambda *_: None)
    monkeypatch.setattr(cuda, "loaded", cuda.loaded.__wrapped__)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_leaves_flow_and_findings(small, capsys):
    assert main(["train", "deep", "--watch", "--epochs", "2", "--out", "run"]) == 0
    assert {"gradient_flow.png", "gradient_flow.csv"} <= {path.name for path in (small / "run").iterdir()}
    printed = capsys.readouterr().out
    assert "the gradients flow, and nothing is beyond its limit:\n  up to " in printed
    assert "a warning begins at 50%" in printed
    # no step is left to watch
    assert main(["train", "deep", "--watch", "--epochs", "2", "--out", "run", "--resume"]) == 0
    assert main(["train", "deep", "--epochs", "2", "--out", "plain"]) == 0
    assert not (small / "plain" / "gradient_flow.png").exists()
    assert (small / "plain" / "model.safetensors").read_bytes() == (small / "run" / "model.safetensors").read_bytes()


def test_the_command_leaves_them_too_if_training_diverged(small, capsys):
    assert main(["train", "deep", "--watch", "--epochs", "5", "--lr", "1e30", "--out", "run"]) == 2
    assert (small / "run" / "gradient_flow.csv").exists()
    printed = capsys.readouterr().out
    assert "large updates" in printed and "the gradients flow" not in printed
