import copy
import unicodedata

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.errors import ArrayTypeError, DataError, FormulaError, OptionError, ShapeError
from scratchae.models import Model
from scratchae.presets import PRESETS
from scratchae.study import CATALOGUE, trace
from scratchae.study.tiny import LEARNING_RATE, classic
from scratchae.study.tracing.numerical import ALL, SAMPLE
from scratchae.study.tracing.program import NOT_A_GRADIENT

MODELS = [name for name, entry in CATALOGUE.items() if isinstance(entry.make(2), Model)]
TWO_PLAYERS = [name for name in MODELS if name.startswith(("GAN", "Adversarial"))]
SAID = [name for name in MODELS if name != "UpDown"]  # which is traced without formulas of its own


def small(**options):
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Dense(4, 3, rng=rng), s.Tanh(), s.Dense(3, 2, rng=rng), s.Sigmoid())
    return s.Autoencoder(encoder, s.Sequential(s.Dense(2, 4, rng=rng)), **{"loss": s.MSE()} | options)


def draw(*shape):
    return np.random.default_rng(1).random(shape)


# The steps


def test_the_steps_of_an_autoencoder():
    found = trace(small(), draw(3, 4))
    assert [(step.phase, step.result.symbol.text) for step in found] == [
        *(("forward", name) for name in ("a₁", "y₁", "a₂", "y₂", "a₃")),
        ("loss", "L"),
        *(("backward", f"∂L/∂{name}") for name in ("a₃", "W₃", "b₃", "y₂", "a₂", "W₂", "b₂", "y₁", "a₁", "W₁", "b₁")),
        *(("update", name) for name in ("W₁", "b₁", "W₂", "b₂", "W₃", "b₃")),
    ]
    assert [step.number for step in found] == list(range(1, len(found) + 1))
    assert found["a₂"].text == "a₂ = y₁ W₂ + b₂" and found["a₂"].layer == "encoder.2"
    assert found["∂L/∂W₂"].text == "∂L/∂W₂ = y₁ᵀ ∂L/∂a₂"
    assert found["∂L/∂y₁"].mathml.startswith("<math")
    assert [operand.tensor.symbol.text for operand in found["a₂"].operands] == ["y₁", "W₂", "b₂"]
    assert [operand.tensor.shape for operand in found["a₂"].operands] == [(3, 3), (3, 2), (2,)]
    assert found["y₂"].note == "the code" and found["a₃"].note == "the prediction"


def test_its_numbers_are_the_models():
    model = small().to(dtype=np.float64)
    x = draw(3, 4)
    found = trace(model, x)
    metrics = model.training_step(x)
    assert_allclose(found["L"].result.array, metrics["loss"], rtol=1e-14)
    assert_allclose(found["y₂"].result.array, model.z, rtol=1e-14)
    for number, layer in (
        ("₁", model.encoder.layers[0]),
        ("₂", model.encoder.layers[2]),
        ("₃", model.decoder.layers[0]),
    ):
        assert_array_equal(found[f"∂L/∂W{number}"].result.array, layer.dW)
        assert_array_equal(found[f"∂L/∂b{number}"].result.array, layer.db)
    s.SGD(0.1).update(model.parameters, model.gradient)
    updated = {step.result.symbol.text: step.result.array for step in found if step.phase == "update"}
    assert_array_equal(updated["W₁"], model.encoder.layers[0].W)


def test_statistics_flops_and_bytes():
    found = trace(small(), draw(3, 4))  # a model in float32
    z, a = found["a₁"], found["y₁"]
    assert z.statistics.min == z.result.array.min() and z.statistics.norm == pytest.approx(
        np.linalg.norm(z.result.array)
    )
    assert z.flops == 2 * 3 * 4 * 3 + 3 * 3
    assert z.bytes_kept == 3 * 4 * 4 and a.bytes_kept == 3 * 3 * 4  # x and y, of four bytes a number
    assert found["a₂"].bytes_kept == 0  # its x is what Tanh keeps already
    relu = s.Autoencoder(s.Sequential(s.Dense(4, 3), s.ReLU()), s.Sequential(s.Dense(3, 4)), loss=s.MSE())
    step = trace(relu, draw(9, 4))["y₁"]
    assert 0 < step.statistics.zeros == (step.result.array == 0).mean()


def test_source_lines():
    found = trace(small(), draw(3, 4), optimizer=s.SGD(0.1, momentum=0.9))

    def lines(symbol):
        source = found[symbol].source
        return (
            source.path,
            source.name,
            [source.lines[number - source.first].strip() for number in source.highlighted],
        )

    path, name, highlighted = lines("a₁")
    assert (path, name) == ("scratchae/layers/dense.py", "Dense.forward")
    assert highlighted == ["y = xp.matmul(x, self.W)  # (N, outputs)", "y += self.b"]
    path, name, highlighted = lines("∂L/∂W₁")
    assert name == "Dense.backward_parameters" and len(highlighted) == 1 and "out=self.dW" in highlighted[0]
    assert "matmul(dy, self.W.T)" in lines("∂L/∂y₁")[2][0]
    assert lines("∂L/∂a₃")[1:] == ("MSE.__call__", ["difference = prediction - target", "difference *= 2 / n"])
    update = next(step.source for step in found if step.phase == "update")
    assert update.name == "SGD.formula" and update.path == "scratchae/optimizers/descent.py"


def test_only_lines_that_ran_are_marked():
    encoder = s.Sequential(s.GaussianNoise(0.1, clip=(0, 1)), s.Dense(4, 2, rng=0))
    model = s.Autoencoder(encoder, s.Sequential(s.Dense(2, 4, rng=1)), loss=s.MSE())
    x = draw(3, 4)

    def lines(symbol, **options):
        found = trace(model, x, numerical=False, **options)[symbol].source
        assert found.path.startswith("scratchae/") and "calls" not in found.path
        return [found.lines[number - found.first].strip().partition("  #")[0] for number in found.highlighted]

    assert lines("encoder.0.y") == ["return x"]
    [line] = lines("encoder.0.y", rng=0)
    assert line.startswith("return self.noisy if self.clip is None")
    plain, decayed = (lines("encoder.1.W'", optimizer=s.Adam(0.1, weight_decay=decay)) for decay in (0, 0.1))
    assert plain == ["θ -= change"] and decayed == ["θ *= keep", "θ -= change"]
    assert "limit / size" in lines("norm", optimizer=s.SGD(0.1, clip_norm=1))[0]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("noisy", [True, False])
def test_every_step_of_every_model_shows_lines_of_code(name, noisy):
    found = trace(CATALOGUE[name].make(4), *inputs(name), rng=0 if noisy else None, numerical=False)
    for step in found:
        assert step.source is not None and step.source.highlighted, (step.number, step.text)


class Supervised(Model):
    """Somebody's own, with names of its own for what its formulas speak of."""

    part_names = ("net",)
    symbols = {"features": "x", "score": "ŷ"}
    notes = {"score": "what it says"}
    formulas = {
        "features": "x[:, :3]",
        "target": "x[:, 3:]",
        "score": "net(features)",
        "loss": "sum((score - target) ** 2) / N",
        "dscore": "2 * (score - target) / N",
        "dfeatures": "backward(net, dscore)",
    }

    def __init__(self, net):
        self.net = net
        self.gather()

    def objective(self, x, rng=None):
        features, t = x[:, :3], x[:, 3:]  # features, target: side by side
        error = self.net.forward(features, rng) - t
        self.error = 2 * error / len(x)  # dscore
        return {"loss": (error * error).sum() / len(x)}

    def backward(self):
        self.net.backward(self.error)


def test_a_model_of_ones_own_shows_its_lines():
    def line(step):
        return [step.source.lines[number - step.source.first].strip() for number in step.source.highlighted]

    found = trace(Supervised(s.Dense(3, 1, rng=0)), draw(5, 4))
    assert found.passed and found["ŷ"].note == "what it says" and found["ŷ"].text == "ŷ = x′ W + b"
    for key, code in {
        "features": "features, t = x[:, :3], x[:, 3:]  # features, target: side by side",
        "target": "features, t = x[:, :3], x[:, 3:]  # features, target: side by side",
        "loss": 'return {"loss": (error * error).sum() / len(x)}',
        "dscore": "self.error = 2 * error / len(x)  # dscore",
    }.items():
        assert line(found[key]) == [code] and found[key].source.name == "Supervised.objective"

    class Silent(Supervised):
        formulas = {}

    assert line(trace(Silent(s.Dense(3, 1, rng=0)), draw(5, 4))["loss"])[0].startswith('return {"loss"')


def inputs(name, n=3, d=4):
    return CATALOGUE[name].inputs(np.random.default_rng(0), n, d)


# Everything in the library


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("noisy", [True, False])
def test_every_model(name, noisy):
    found = trace(CATALOGUE[name].make(4), *inputs(name), rng=0 if noisy else None)
    assert found.passed
    for step in found:
        if step.result.role == "gradient":
            assert step.check is not None and step.check.error <= 1e-7, step.text
        else:
            assert step.check is None
        assert step.result.array.dtype == np.float64 and np.isfinite(step.result.array).all()
    phases = list(dict.fromkeys(step.phase for step in found))
    assert phases == ["forward", "loss", "backward", "update"]


@pytest.mark.parametrize("name", TWO_PLAYERS)
def test_a_discriminator_is_gone_back_through_twice(name):
    """For the other player's sake to its input, without gradients of its own; then for its own parameters."""
    found = trace(CATALOGUE[name].make(4), *inputs(name), rng=0)
    gradients = [
        step.result.symbol for step in found if step.layer.startswith("discriminator") and step.phase == "backward"
    ]
    assert [s.of for s in gradients] == sorted((s.of for s in gradients), reverse=True)
    trained = {s.of: {t.letter for t in gradients if t.of == s.of} for s in gradients}
    assert not trained["L_G"] & {"W", "b"} and {"W", "b"} <= trained["L_D"]
    assert "both" in trained["L_G"] and "both" not in trained["L_D"]
    others = {
        s.result.symbol.of
        for s in found
        if s.layer.startswith(("encoder", "decoder", "generator")) and s.phase == "backward"
    }
    assert others == ({"L_G"} if name == "GAN" else {"L"})


def test_each_part_of_up_down_is_checked_against_what_it_descends():
    found = trace(CATALOGUE["UpDown"].make(4), *inputs("UpDown"), rng=0)
    checked = {step.layer for step in found if step.check is not None and step.check.error <= 1e-7}
    assert found.passed and any(layer.startswith("up") for layer in checked) and len(checked) >= 4


LAYERS = [name for name, entry in CATALOGUE.items() if isinstance(entry.make(2), s.Layer) and name != "FreeEnergy"]


@pytest.mark.parametrize("name", [name for name in LAYERS if not name.startswith("FreeEnergy")])
def test_every_layer_inside_a_model(name):
    """Between two others, so that its own ∂L/∂x is asked for."""
    layer, (x,) = CATALOGUE[name].make(4), inputs(name)
    encoder = s.Sequential(s.LeakyReLU(0.5), layer, s.Flatten())
    shape = encoder.forward(x, np.random.default_rng(0)).shape
    decoder = s.Sequential(s.Dense(shape[1], int(np.prod(x.shape[1:])), rng=3), s.Reshape(x.shape[1:]))
    # a layer with parameters in front: the way back would else stop at the first that has any
    D = x.shape[-1]
    front = {2: s.Dense, 3: s.StepDense}[x.ndim](D, D, rng=2) if x.ndim < 4 else s.Conv2d(D, D, 1, rng=2)
    front.W[...] = np.eye(x.shape[-1]).reshape(front.W.shape)
    model = s.Autoencoder(s.Sequential(front, encoder), decoder, loss=s.MSE())
    found = trace(model, x, rng=5)
    assert found.passed
    assert {step.layer for step in found if step.phase == "backward"} >= {"encoder.0", "encoder.1.0"}


@pytest.mark.parametrize("seed", range(3))
def test_a_gradient_that_is_nothing_but_rounding(seed):
    """Batch normalisation takes away what a bias adds: ∂L/∂b is 0, or what is left of sums that cancel."""
    rng = np.random.default_rng(seed)
    encoder = s.Sequential(s.Dense(4, 3, rng=rng), s.BatchNorm(3), s.Tanh())
    found = trace(s.Autoencoder(encoder, s.Dense(3, 4, rng=rng), loss=s.MSE()), draw(9, 4), rng=0)
    assert found.passed and np.abs(found["∂L/∂b₁"].result.array).max() < 1e-14


@pytest.mark.parametrize("loss", [s.MSE(), s.BCE(), s.BCEWithLogits()], ids=repr)
@pytest.mark.parametrize("penalty", [None, s.L1(0.3), s.SparseKL(0.2, 0.5)], ids=repr)
def test_every_loss_and_penalty(loss, penalty):
    model = small(loss=loss, penalty=penalty)
    if isinstance(loss, s.BCE) and not isinstance(loss, s.BCEWithLogits):
        model = s.Autoencoder(model.encoder, s.Sequential(model.decoder, s.Sigmoid()), loss=loss, penalty=penalty)
    found = trace(model, draw(3, 4))
    assert found.passed and (penalty is None or found["Ω"].kind == repr(penalty))
    if penalty is not None:
        assert found["L"].text == "L = R + Ω"
        assert found["∂L/∂y₂"].text == "∂L/∂y₂ = ∂L/∂y₂|decoder + ∂Ω/∂y₂"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(name):
    preset = PRESETS[name]
    model = preset.build(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    x = rng.random((2, *preset.shape)) if preset.synthetic is None else preset.synthetic(rng, 2)
    if preset.labels:
        x = np.concatenate([x, np.eye(preset.labels)[[0, 1]]], axis=1)
    found = trace(model, x.astype(np.float32), rng=0, optimizer=preset.optimizer(preset.lr, 100))
    assert found.passed
    assert found.sampled == (name not in ("overcomplete", "rbm"))


def test_a_large_model_says_what_was_sampled():
    found = trace(s.Autoencoder(s.Dense(90, 40), s.Dense(40, 90), loss=s.MSE()), draw(2, 90))
    check = found["∂L/∂W₁"].check
    assert found.sampled and check.sampled and check.checked == SAMPLE
    assert np.isnan(check.numeric).sum() == check.numeric.size - SAMPLE
    compared = ~np.isnan(check.numeric)
    assert_allclose(check.numeric[compared], found["∂L/∂W₁"].result.array[compared], rtol=1e-5, atol=1e-9)
    assert compared.ravel()[np.abs(found["∂L/∂W₁"].result.array).argmax()]  # the largest is among them
    assert "sampled: " in found.text() and f"at {SAMPLE} of 3,600" in found.text()
    few = trace(small(), draw(2, 4))
    assert not few.sampled and "sampled" not in few.text() and ALL > 0


def on_blank_images():
    """A first layer whose biases all lie at a kink, as its input is 0 on one half, and its weights do not."""
    x = draw(2, 90)
    x[1] = 0
    model = s.Autoencoder(s.Sequential(s.Dense(90, 40, rng=0), s.ReLU()), s.Dense(40, 90, rng=1), loss=s.MSE())
    model.decoder.b[...] = 1  # so that the blank image, too, has an error to hand back
    return model, x


def test_what_lies_at_kinks_is_not_counted_as_agreeing():
    found = trace(*on_blank_images())
    assert found.passed and found["∂L/∂b₁"].check.checked == 40  # all there are
    assert not found["∂L/∂b₁"].check.comparable and found["∂L/∂W₁"].check.comparable
    assert "  not comparable: all 40 at a kink" in found.text()
    assert (
        "6 of 7 gradients agree with central differences; 1 could not be compared: all its elements lie at a kink; "
        in (found.text())
    )


def test_elements_off_the_kinks_are_looked_for():
    """∂L/∂a₁ has a half of its elements at a kink, those of the blank image."""
    check = trace(*on_blank_images())["∂L/∂a₁"].check
    assert check.comparable and check.checked - check.kinks >= SAMPLE // 2


class NotANumber(s.Sigmoid):
    def backward(self, dy):
        return super().backward(dy) * np.nan


def test_a_gradient_that_is_nan_is_named():
    model = s.Autoencoder(s.Sequential(s.Dense(4, 3), NotANumber()), s.Dense(3, 4), loss=s.MSE())
    text = str(s.check_gradients(model, draw(2, 4)))
    assert text.count("NaN or infinite in") == 2 and "largest relative error nan" in text


def test_words_that_textbooks_do_not_have_are_explained_once():
    conv = s.Autoencoder(s.Conv2d(1, 2, 3), s.ConvTranspose2d(2, 1, 3), loss=s.MSE())
    text = trace(conv, draw(2, 6, 6, 1)).text()
    lines = text.splitlines()
    for word in ("im2col", "col2im"):
        (place,) = [i for i, line in enumerate(lines) if line.strip().startswith(f"{word}")]
        assert f"{word}(" in lines[place - 1] and not any(f"{word}(" in line for line in lines[: place - 1])


def test_long_formulas_leave_the_columns_in_line():
    text = trace(*on_blank_images(), optimizer=s.Adam()).text()
    update = text[text.index("\nupdate\n") :].splitlines()[3:15]
    shapes = {"90 × 40", "40 ", "40 × 90", "90 "}
    head = text[text.index("\nupdate\n") :].splitlines()[2].index("shape")
    assert len(update) == 12 and all(
        any(width_cut(line, head).startswith(shape) for shape in shapes) for line in update
    )


def width_cut(line, places):
    """The line from a column on, of letters whose accents take no place."""
    plain = "".join(letter for letter in line if not unicodedata.combining(letter))
    return plain[places:]


def test_the_sample_is_drawn_by_the_seed():
    model, x = s.Autoencoder(s.Dense(90, 40), s.Dense(40, 90), loss=s.MSE()), draw(2, 90)
    where = [~np.isnan(trace(model, x, seed=seed)["∂L/∂W₁"].check.numeric) for seed in (0, 0, 1)]
    assert (where[0] == where[1]).all() and (where[0] != where[2]).any()


# Noise


def test_the_draw_is_a_step_of_its_own():
    model = s.Autoencoder(s.Sequential(s.MaskingNoise(0.5), s.Dense(4, 2)), s.Dense(2, 4), loss=s.MSE())
    x = draw(3, 4)
    found = trace(model, x, rng=7)
    assert [step.text for step in found][:4] == ["u ~ U(0, 1)", "m = [u ≥ 0.5]", "x̃ = x ⊙ m", "a₁ = x̃ W₁ + b₁"]
    assert_array_equal(found["u"].result.array, np.random.default_rng(7).random(x.shape))
    assert found["u"].result.role == "draw" and found["u"].cell((0, 0)) is None
    quiet = trace(model, x)
    assert quiet[quiet.steps[0].result.key].text == "x̃ = x"


def test_a_vae_shows_its_draw():
    model = CATALOGUE["VAE"].make(4)
    found = trace(model, *inputs("VAE"), rng=3)
    texts = [step.text for step in found]
    for text in (
        "σ = exp(log σ² / 2)", "ε ~ N(0, 1)", "z = μ + σ ⊙ ε", "L = R + β·KL",
        "∂L/∂μ = ∂L/∂z + β·∂KL/∂μ", "∂L/∂log σ² = β·∂KL/∂log σ² + ∂L/∂z ⊙ ε ⊙ σ / 2",
        "∂L/∂y₁ = ∂L/∂y₁|μ + ∂L/∂y₁|log σ²",
    ):  # fmt: skip
        assert text in texts
    again = trace(model, *inputs("VAE"), rng=np.random.default_rng(3))
    assert_array_equal(found["ε"].result.array, again["ε"].result.array)


# What is no gradient


def binary(n=5, d=4):
    return (draw(n, d) < 0.5).astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"k": 3}, {"persistent": True, "chains": 7, "k": 2}, {"hidden_units": "gaussian", "k": 2}),
        *({"visible_units": "gaussian", "k": 2}, {"visible_units": "gaussian", "persistent": True, "chains": 7}),
    ],
    ids=str,
)
def test_the_two_phases_of_an_rbm(options):
    model = s.RBM(4, 3, **options)
    model.energy.W *= 100
    found = trace(model, binary(), rng=0)
    assert list(dict.fromkeys(step.phase for step in found if step.phase != "loss")) == [
        "positive", "negative", "direction", "update",
    ]  # fmt: skip
    direction = [step for step in found if step.phase == "direction"]
    assert [step.result.symbol.text for step in direction] == ["ΔW", "Δa", "Δb"]
    for step in found:
        assert step.check is None and step.result.role != "gradient" and "∂" not in step.text
        assert step.source is not None and step.source.highlighted, step.text
    assert all(step.note == NOT_A_GRADIENT for step in direction)
    assert "no gradient of any objective" in found.text()


def test_the_direction_is_the_one_of_training():
    model = s.RBM(4, 3, persistent=True, chains=6).to(dtype=np.float64)
    model.energy.W[...] = draw(4, 3) - 0.5
    x = binary().astype(float)
    found = trace(model, x, rng=np.random.default_rng(2))
    model.training_step(x, np.random.default_rng(2))
    assert_allclose(found["ΔW"].result.array, model.energy.dW, rtol=1e-12)
    assert found["ΔW"].text == "ΔW = v₁ᵀ h₁ / 6 − xᵀ h₀ / N"


def test_a_dbn_is_traced_unrolled():
    found = trace(s.DBN((4, 3, 2)), binary())
    assert found.title == "DBN, unrolled to an Autoencoder" and found.passed
    assert found["L"].kind == "BCEWithLogits()"


# Devices, and what is left alone


@pytest.mark.parametrize("name", MODELS)
def test_on_the_device(name, device, to_device):
    """The same numbers, on the host, wherever it runs."""
    model, (x,) = CATALOGUE[name].make(4), inputs(name)
    found = trace(copy.deepcopy(model).to(device), to_device(x), rng=0)
    reference = trace(model, x, rng=0)
    assert found.passed and len(found) == len(reference)
    for step, other in zip(found, reference, strict=True):
        assert type(step.result.array) is np.ndarray and step.text == other.text
        assert_allclose(step.result.array, other.result.array, rtol=1e-9, atol=1e-12)


def test_an_rbm_on_the_device(device, xp, to_device):
    model = s.RBM(4, 3, persistent=True, chains=6).to(device)
    found = trace(model, to_device(binary()), rng=xp.random.default_rng(0))
    assert len(found) == len(trace(s.RBM(4, 3, persistent=True, chains=6), binary(), rng=0))


def test_nothing_is_changed():
    for model, x in (
        (CATALOGUE["VAE"].make(4), inputs("VAE")[0]),
        (s.RBM(4, 3, persistent=True, chains=5), binary()),
    ):
        model.training_step(x.astype(np.float32), np.random.default_rng(0))
        optimizer = s.Adam()
        optimizer.update(model.parameters, model.gradient)
        before = {name: tensor.copy() for name, tensor in model.tensors().items()}
        gradient, x_before = model.gradient.copy(), x.copy()
        state = {name: vector.copy() for name, vector in optimizer.state().items()}
        attributes = {name: set(vars(layer)) for name, layer in model.leaves()}
        trace(model, x, rng=0, optimizer=optimizer)
        for name, tensor in model.tensors().items():
            assert_array_equal(tensor, before[name])
            assert tensor.dtype == np.float32
        assert_array_equal(model.gradient, gradient)
        assert_array_equal(x, x_before)
        assert optimizer.t == 1 and all((optimizer.state()[name] == state[name]).all() for name in state)
        assert attributes == {name: set(vars(layer)) for name, layer in model.leaves()}
        assert np.shares_memory(model.parameters, next(iter(model.leaves()))[1].W)


def test_an_optimizer_goes_on_where_it_was():
    model, x = small(), draw(3, 4).astype(np.float32)
    optimizer = s.Adam(0.1, weight_decay=0.1, clip_norm=0.01)
    for _ in range(3):
        model.training_step(x)
        optimizer.update(model.parameters, model.gradient)
    found = trace(model, x, optimizer=optimizer)
    model.training_step(x)
    optimizer.update(model.parameters, model.gradient)
    updated = [step.result.array for step in found if step.result.role == "updated"]
    for array, (_, layer, attribute) in zip(updated, model.named_parameters(), strict=True):
        assert_allclose(array, getattr(layer, attribute), rtol=1e-4, atol=1e-6)
    assert [step.text for step in found if step.phase == "update"][:4] == [
        "‖g‖ = √(Σ (∂L/∂W₁)² + Σ (∂L/∂b₁)² + Σ (∂L/∂W₂)² + Σ (∂L/∂b₂)² + Σ (∂L/∂W₃)² + Σ (∂L/∂b₃)²)",
        "∂L/∂W₁ ← c / max(‖g‖, c)·∂L/∂W₁",
        "W′₁ = (1 − η·λ)·W₁",
        "m_W₁ ← β₁·m_W₁ + (1 − β₁)·∂L/∂W₁",
    ]


# The worked example that textbooks do by hand: 2-2-2, sigmoid, E = Σ ½ (t - o)², learning rate 0.5


class Shifted(s.Layer):
    """y = x + shift: so that an autoencoder, whose target is its input, can have another one."""

    formulas = {"y": "x + offset", "dx": "dy"}

    def __init__(self, shift):
        self.shift, self.offset = shift, np.array(shift)

    def forward(self, x, rng=None):
        return x + self.offset

    def backward(self, dy):
        return dy


def worked_example():
    """Our MSE has no ½: the loss is twice E, the gradients too, and half the learning rate makes the same step.

    Its target is its input; so that it be (0.01, 0.99) a last layer shifts the outputs by input - target.
    """

    def dense(W, b):
        layer = s.Dense(2, 2).to(dtype=np.float64)
        layer.W, layer.b = np.array(W), np.array([b, b])
        return layer

    x = np.array([[0.05, 0.10]])
    encoder = s.Sequential(dense([[0.15, 0.25], [0.20, 0.30]], 0.35), s.Sigmoid())
    decoder = s.Sequential(
        dense([[0.40, 0.50], [0.45, 0.55]], 0.60), s.Sigmoid(), Shifted((0.05 - 0.01, 0.10 - 0.99))
    )
    return trace(s.Autoencoder(encoder, decoder, loss=s.MSE()), x, optimizer=s.SGD(0.25))


def test_the_worked_example_digit_for_digit():
    found = worked_example()
    net, out = found["a₁"], found["y₁"]
    assert net.cell((0, 0), digits=9).text == "0.15·0.05 + 0.20·0.10 + 0.35 = 0.3775"
    assert out.cell((0, 0), digits=9).text == "1 / (1 + e^−0.3775) = 0.593269992"
    assert out.cell((0, 1), digits=9).text.endswith("= 0.596884378")
    assert found["a₂"].cell((0, 0), digits=9).text == "0.40·0.593269992 + 0.45·0.596884378 + 0.60 = 1.105905967"
    assert [f"{value:.9f}" for value in found["y₂"].result.array[0]] == ["0.751365070", "0.772928465"]
    assert f"{found['L'].result.array / 2:.9f}" == "0.298371109"
    dW2, dW1 = found["∂L/∂W₂"].result.array / 2, found["∂L/∂W₁"].result.array / 2
    assert f"{dW2[0, 0]:.9f}" == "0.082167041" and f"{dW1[0, 0]:.9f}" == "0.000438568"
    updated = {step.result.symbol.text: step.result.array for step in found if step.phase == "update"}
    assert [f"{value:.8f}" for value in updated["W₂"].T.ravel()] == [
        "0.35891648",
        "0.40866619",
        "0.51130127",
        "0.56137012",
    ]
    assert [f"{value:.9f}" for value in updated["W₁"].T.ravel()] == [
        "0.149780716", "0.199561432", "0.249751144", "0.299502287",
    ]  # fmt: skip
    assert "W₂[0, 0] = 0.40 − 0.25·0.164334081 = 0.35891648" in found.text(digits=9)


def test_the_worked_example_after_the_step():
    """E falls from 0.298371109 to 0.291027774, with the biases left alone, as the example leaves them."""
    found = worked_example()
    updated = {step.result.symbol.text: step.result.array for step in found if step.phase == "update"}
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    h = sigmoid(np.array([0.05, 0.10]) @ updated["W₁"] + 0.35)
    o = sigmoid(h @ updated["W₂"] + 0.60)
    assert f"{0.5 * ((np.array([0.01, 0.99]) - o) ** 2).sum():.9f}" == "0.291027774"


# Text


def test_the_text_of_tiny_writes_everything_out():
    model, x = classic()
    text = trace(model, x, optimizer=s.SGD(LEARNING_RATE)).text()
    assert "a₁[0, 0] = 0.15·0.05 + 0.20·0.10 + 0.35 = 0.3775" in text
    assert "y₁[0, 0] = 1 / (1 + e^−0.3775) = 0.59327" in text
    assert "L = (" in text and "∂L/∂W₁[1, 1] = " in text
    for heading in ("GIVEN", "FORWARD", "LOSS", "BACKWARD", "UPDATE", "THE PARAMETERS NOW"):
        assert heading in text
    assert "all 16 gradients agree with central differences" in text
    assert (
        text.index("GIVEN")
        < text.index("FORWARD")
        < text.index("LOSS")
        < text.index("BACKWARD")
        < text.index("UPDATE")
    )


def test_the_text_of_a_larger_model_is_a_table():
    text = trace(small(), draw(30, 4)).text()
    lines = text.splitlines()
    (line,) = [line for line in lines if " a₁ = x W₁ + b₁ " in line]
    assert "30 × 3" in line and "encoder.0" in line and " 810 " in line.replace("FLOP", "")
    (line,) = [line for line in lines if "∂L/∂W₁ = " in line and "←" not in line]
    assert "agree to" in line


def test_columns_stand_below_each_other():
    """An accent takes no place: x̃ is as wide as x."""
    model = s.Autoencoder(s.Sequential(s.GaussianNoise(0.1), s.Dense(4, 30)), s.Dense(30, 4), loss=s.MSE())
    rows = [line for line in trace(model, draw(8, 4), rng=0).text().splitlines() if " × " in line and "Σ" not in line]
    from scratchae.study.tracing.text import width

    starts = {width(line[: line.index(" × ")].rpartition("  ")[0]) for line in rows}
    assert len(starts) == 1 and any("x̃" in line for line in rows)


def test_str_is_the_text():
    found = trace(small(), draw(3, 4))
    assert str(found) == found.text()


# Steps, as a page uses them


@pytest.mark.parametrize("name", SAID)
def test_the_cells_of_every_step_give_its_numbers(name):
    """Some of each tensor, by the recipes that a page follows too."""
    found = trace(CATALOGUE[name].make(3), *inputs(name, 2, 3), rng=0, numerical=False)
    rng = np.random.default_rng(0)
    for step in found:
        for _ in range(3):
            index = tuple(int(rng.integers(size)) for size in step.result.shape)
            cell = step.cell(index)
            if cell is None:
                assert step.result.role == "draw"
                continue
            assert cell.value == pytest.approx(step.result.array[index], rel=1e-9, abs=1e-12), step.text
            operands = {operand.name: operand.tensor for operand in step.operands}
            for operand, place in cell.operands:
                operands[operand].array[place]  # is there
        assert {operand.tensor.key for operand in step.operands} <= set(found.tensors)


def test_the_keys_are_distinct():
    found = trace(small(), draw(3, 4), optimizer=s.Adam())
    keys = [step.result.key for step in found]
    assert len(set(keys)) == len(keys)
    assert found.tensors["encoder.0.W"].role == "parameter" and found.tensors["encoder.0.W'"].role == "updated"
    assert found["encoder.0.y"] is found["a₁"]
    with pytest.raises(OptionError, match="no 'a₉': it has a₁, y₁"):
        found["a₉"]


# Bad input, and a learner's own layers


class Plain(s.Layer):
    """A learner's own, without formulas."""

    parameter_names = ("scale",)

    def __init__(self):
        self.scale, self.dscale = np.ones(1, np.float32), np.zeros(1, np.float32)

    def forward(self, x, rng=None):
        self.x = x
        return self.scale * x**3

    def backward(self, dy):
        self.dscale[...] = (dy * self.x**3).sum()
        return dy * 3 * self.scale * self.x**2


def test_a_layer_without_formulas_is_shown_as_what_it_is():
    model = s.Autoencoder(s.Sequential(s.Dense(4, 3), Plain()), s.Dense(3, 4), loss=s.MSE())
    found = trace(model, draw(2, 4))
    assert found.passed and found["y₂"].text == "y₂ = Plain(a₁)" and found["y₂"].cell((0, 0)) is None
    assert found["∂L/∂a₁"].text == "∂L/∂a₁ = Plain.backward(∂L/∂y₂)"
    assert found["∂L/∂a₁"].check is None  # nothing to compute it again with; but parameters are checked by the code
    assert found["∂L/∂W₁"].check.passed and found["∂L/∂scale₂"].check.passed
    assert "Plain(a₁)" in found.text()


def test_a_wrong_gradient_is_seen():
    class Wrong(s.Tanh):
        formulas = {**s.Tanh.formulas, "dx": "dy * (1 + y ** 2)"}

        def backward(self, dy):
            return dy * (1 + self.y * self.y)

    found = trace(s.Autoencoder(s.Sequential(s.Dense(4, 3), Wrong()), s.Dense(3, 4), loss=s.MSE()), draw(2, 4))
    wrong = {step.result.symbol.text for step in found if step.check is not None and not step.check.passed}
    assert wrong == {"∂L/∂a₁", "∂L/∂W₁", "∂L/∂b₁"} and not found.passed
    assert "WRONG: ∂L/∂a₁, ∂L/∂W₁, ∂L/∂b₁" in found.text() and "DIFFER" in found.text()


def test_a_formula_that_lies_is_refused():
    class Liar(s.Tanh):
        formulas = {**s.Tanh.formulas, "y": "tanh(x) + x / 1000"}

    with pytest.raises(
        FormulaError, match=r"encoder.1 Liar\(\): the formula of encoder.1.y does not give what the code"
    ):
        trace(s.Autoencoder(s.Sequential(s.Dense(4, 3), Liar()), s.Dense(3, 4), loss=s.MSE()), draw(2, 4))


def test_a_model_without_formulas():
    class Own(s.Classifier):
        formulas = {}

    shown = trace(Own(s.Dense(4, 2), 2), np.concatenate([draw(2, 4), np.eye(2)], axis=1))  # what its layers do
    assert {"net.y", "loss", "net.dW", "net.W'"} <= set(shown.tensors) and shown.passed

    class Unknown(s.Classifier):
        formulas = {"logits": "net(everything)"}

    with pytest.raises(FormulaError, match=r"runs a part or a loss on 'everything': expected one of x"):
        trace(Unknown(s.Dense(4, 2), 2), np.concatenate([draw(2, 4), np.eye(2)], axis=1))


def test_bad_input():
    with pytest.raises(OptionError, match=r"expected a model, such as Autoencoder.*check_gradients\(layer, x\)"):
        trace(s.Dense(4, 2), draw(2, 4))
    with pytest.raises(OptionError, match="expected a model"):
        trace(s.Autoencoder, draw(2, 4))
    with pytest.raises(OptionError, match="expected an optimizer, such as SGD"):
        trace(small(), draw(2, 4), optimizer=0.1)
    with pytest.raises(ArrayTypeError, match="x is a list"):
        trace(small(), [[1.0] * 4])
    with pytest.raises(DataError, match="at least one example"):
        trace(small(), np.ones((0, 4)))
    with pytest.raises(ShapeError, match=r"expects x of shape \(N, 4\), got \(2, 5\)"):
        trace(small(), draw(2, 5))
    with pytest.raises(DataError, match="NaN or infinity in 1 of 2 rows"):
        trace(small(), np.array([[1.0, 2, 3, np.nan], [1, 2, 3, 4]]))
    with pytest.raises(OptionError, match="give it a generator"):
        trace(s.RBM(4, 3), binary())
