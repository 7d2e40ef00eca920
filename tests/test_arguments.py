"""What arguments may be: one mechanism, and all that is public uses it."""

import random

import numpy as np
import pytest

import scratchae as s
from scratchae import arguments
from scratchae.errors import ArrayTypeError, DataError, OptionError, ScratchaeError, ShapeError
from scratchae.training.architecture import known

NOT_WHOLE = [0, -3, 2.0, 2.5, float("nan"), "2", None, True, np.float64(2), np.ones(1)]
NOT_NUMBERS = ["0.5", None, float("nan"), float("inf"), True, [0.5], 1j, np.array([0.5, 0.5])]


@pytest.mark.parametrize("value", NOT_WHOLE, ids=repr)
def test_a_whole_number(value):
    with pytest.raises(OptionError, match=r"^f\(n=.*\): expected a whole number, at least 1$"):
        arguments.whole("f", "n", value)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_become_pythons(value):
    assert type(arguments.whole("f", "n", value)) is int


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_a_number(value):
    with pytest.raises(OptionError, match=r"^f\(rate=.*\): expected a number, 0 <= rate < 1$"):
        arguments.number("f", "0 <= rate < 1", value)


@pytest.mark.parametrize(
    ("limits", "inside", "outside"),
    [
        ("0 <= a < 1", [0, 0.999], [-1e-9, 1]),
        ("0 < a <= 80", [1e-9, 80], [0, 80.1]),
        ("0 <= a", [0, 1e30], [-0.1]),
        ("a < 2.5", [-1e30, 2.4], [2.5]),
        ("a", [-1e30, 1e30], []),
    ],
)
def test_limits_are_what_they_look_like(limits, inside, outside):
    for value in inside:
        assert arguments.number("f", limits, value) == value
    for value in outside:
        with pytest.raises(OptionError, match=f"expected a number, {limits}"):
            arguments.number("f", limits, value)


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.array(0.5), 0.5])
def test_numbers_become_pythons(value):
    assert type(arguments.number("f", "a", value)) is float


@pytest.mark.parametrize("value", ["c", None, 1, ["a"]])
def test_a_choice(value):
    with pytest.raises(OptionError, match="expected 'a' or 'b'"):
        arguments.choice("f", "kind", value, ("a", "b"))


@pytest.mark.parametrize("value", ["no", None, 0, 1, 0.0, [], np.ones(2)], ids=repr)
def test_a_flag(value):
    with pytest.raises(OptionError, match="expected True or False"):
        arguments.flag("f", "tied", value)


def test_flags_of_numpy():
    assert arguments.flag("f", "tied", np.bool_(True)) is True


@pytest.mark.parametrize("value", [0, (1, 2, 3), (1, 0), "3", 1.5, None, True, (True, 2), np.ones(2)], ids=repr)
def test_a_pair(value):
    with pytest.raises(OptionError, match="a whole number, at least 1, or a pair of them"):
        arguments.pair("f", "stride", value)


def parts():
    return s.Sequential(s.Dense(4, 2)), s.Sequential(s.Dense(2, 4))


def heads():
    return s.Dense(4, 3), s.Dense(3, 2), s.Dense(3, 2), s.Dense(2, 4)


X = np.random.default_rng(0).random((6, 4))
RBM = s.RBM(4, 3, rng=0)
VAE = s.VAE(*heads(), loss=s.BCEWithLogits())
CVAE = s.CVAE(s.Dense(6, 3), s.Dense(3, 2), s.Dense(3, 2), s.Dense(4, 4), labels=2, loss=s.MSE())

WRONG = {
    "Dense(inputs=4.0)": lambda: s.Dense(4.0, 2),
    "Dense(outputs='2')": lambda: s.Dense(4, "2"),
    "Dense(init=None)": lambda: s.Dense(4, 2, init=None),
    "Conv2d(in_channels=True)": lambda: s.Conv2d(True, 2, 3),
    "Conv2d(kernel_size=array([1., 1.]))": lambda: s.Conv2d(1, 2, np.ones(2)),
    "Conv2d(kernel_size=None)": lambda: s.Conv2d(1, 2, None),
    "ConvTranspose2d(output_padding='1')": lambda: s.ConvTranspose2d(1, 2, 3, stride=2, output_padding="1"),
    "MaxPool2d(ceil_mode='no')": lambda: s.MaxPool2d(2, ceil_mode="no"),
    "UpSample2d(scale=1.5)": lambda: s.UpSample2d(1.5),
    "BatchNorm(features=2.5)": lambda: s.BatchNorm(2.5),
    "BatchNorm(momentum=None)": lambda: s.BatchNorm(2, momentum=None),
    "BatchNorm(eps='1e-5')": lambda: s.BatchNorm(2, eps="1e-5"),
    "Reshape(shape=(2.5,))": lambda: s.Reshape(2.5),
    "Dropout(rate=None)": lambda: s.Dropout(None),
    "GaussianNoise(std='1')": lambda: s.GaussianNoise("1"),
    "GaussianNoise(clip=1)": lambda: s.GaussianNoise(0.1, clip=1),
    "GaussianNoise(clip=(0, None))": lambda: s.GaussianNoise(0.1, clip=(0, None)),
    "LeakyReLU(slope='0.1')": lambda: s.LeakyReLU("0.1"),
    "KSparse(k=True)": lambda: s.KSparse(True),
    "L1(weight='1')": lambda: s.L1("1"),
    "SparseKL(target=None)": lambda: s.SparseKL(None, 1),
    "Adam(lr='1')": lambda: s.Adam("1"),
    "Adam(beta2=None)": lambda: s.Adam(beta2=None),
    "Adam(clip_norm='5')": lambda: s.Adam(clip_norm="5"),
    "SGD(momentum=True)": lambda: s.SGD(0.1, True),
    "SGD(weight_decay=None)": lambda: s.SGD(0.1, weight_decay=None),
    "Step(every=2.5)": lambda: s.Step(0.1, 2.5),
    "Step(factor=nan)": lambda: s.Step(0.1, 2, float("nan")),
    "Cosine(steps=10.5)": lambda: s.Cosine(0.1, 10.5),
    "Autoencoder(tied='yes')": lambda: s.Autoencoder(*parts(), loss=s.MSE(), tied="yes"),
    "VAE(beta='1')": lambda: s.VAE(*heads(), loss=s.MSE(), beta="1"),
    "VAE(binarise=1)": lambda: s.VAE(*heads(), loss=s.BCE(), binarise=1),
    "VAE(log_var_limit=None)": lambda: s.VAE(*heads(), loss=s.MSE(), log_var_limit=None),
    "IWAE(samples=True)": lambda: s.IWAE(*heads(), loss=s.BCEWithLogits(), samples=True),
    "CVAE(labels='2')": lambda: s.CVAE(*heads(), labels="2", loss=s.MSE()),
    "sample(n=0)": lambda: CVAE.sample(0),
    "sample(n=2.5)": lambda: VAE.sample(2.5),
    "log_likelihood(samples=None)": lambda: VAE.log_likelihood((X > 0.5) * 1.0, samples=None),
    "RBM(visible=4.0)": lambda: s.RBM(4.0, 2),
    "RBM(persistent='no')": lambda: s.RBM(4, 2, persistent="no"),
    "sample(n=-1)": lambda: RBM.sample(-1),
    "sample(steps=None)": lambda: RBM.sample(3, steps=None),
    "ais(temperatures=0.5)": lambda: RBM.ais(temperatures=0.5),
    "DBN(sizes=4)": lambda: s.DBN(4),
    "DBN(top=None)": lambda: s.DBN((4, 2), top=None),
    "PCA(components=2.5)": lambda: s.PCA(2.5),
    "Classifier(classes=2.0)": lambda: s.Classifier(s.Dense(4, 2), 2.0),
    "with_labels(classes='3')": lambda: s.with_labels(X, np.arange(6), "3"),
    "threads(n=True)": lambda: s.threads(True).__enter__(),
    "watch(every=0.5)": lambda: s.watch(VAE, every=0.5).__enter__(),
}


@pytest.mark.parametrize("start", WRONG)
def test_whatever_makes_no_sense_is_told_by_whose_it_is_its_name_and_what_came(start):
    with pytest.raises(OptionError) as error:
        WRONG[start]()
    assert str(error.value).startswith(f"{start}: expected ")


@pytest.mark.parametrize(
    "use",
    [
        lambda: s.PCA(2).fit(np.full((5, 3), np.nan)),
        lambda: s.PCA(2).fit(np.ones((0, 3))),
        lambda: VAE.elbo(X[:0]),
        lambda: VAE.unit_kl(X[:0]),
    ],
)
def test_data_that_nothing_can_be_said_of(use):
    with pytest.raises(DataError, match=r"holds (no examples|NaN)"):
        use()


# Arrays

LAYERS = {
    "Dense": s.Dense(4, 3, rng=0),
    "Conv2d": s.Conv2d(1, 2, 2, rng=0),
    "ConvTranspose2d": s.ConvTranspose2d(1, 2, 2, rng=0),
    "MaxPool2d": s.MaxPool2d(2),
    "AvgPool2d": s.AvgPool2d(2),
    "UpSample2d": s.UpSample2d(2),
    "BatchNorm": s.BatchNorm(4),
    "Flatten": s.Flatten(),
    "Reshape": s.Reshape(2, 2),
    "Sigmoid": s.Sigmoid(),
    "ReLU": s.ReLU(),
    "LeakyReLU": s.LeakyReLU(),
    "Tanh": s.Tanh(),
    "Softplus": s.Softplus(),
    "Dropout": s.Dropout(0.5),
    "GaussianNoise": s.GaussianNoise(0.5),
    "MaskingNoise": s.MaskingNoise(0.5),
    "SaltAndPepper": s.SaltAndPepper(0.5),
    "KSparse": s.KSparse(2),
}
NO_FLOATS = {
    "None": None,
    "a list": [[1.0, 2, 3, 4]],
    "a number": 3.5,
    "a single number": np.ones(()),
    "whole numbers": np.ones((3, 4), np.uint8),
    "truth values": np.ones((3, 4), bool),
    "objects": np.full((3, 4), None),
    "text": np.full((3, 4), "a"),
    "complex numbers": np.ones((3, 4), np.complex64),
    "masked cells": np.ma.masked_greater(np.ones((3, 4)), 0.5),
    "a matrix": np.ones((3, 4)).view(np.matrix),
    "half precision": np.ones((3, 4), np.float16),
    "more than double precision": np.ones((3, 4), np.longdouble),
    "bytes the other way round": np.ones((3, 4), ">f4"),
}
FITTED = s.PCA(2).fit(X)
DBN = s.DBN((4, 3, 2), rng=0)
NET = s.Autoencoder(s.Dense(4, 2, rng=0), s.Dense(2, 4, rng=1), loss=s.MSE())
USES = {
    **{f"{name}.forward": layer.forward for name, layer in LAYERS.items()},
    **{
        f"{name}, training": lambda x, layer=layer: layer.forward(x, np.random.default_rng(0))
        for name, layer in LAYERS.items()
    },
    **{
        f"{getattr(loss, '__name__', loss)}, {which}": lambda x, loss=loss, first=first: (
            loss(x, X) if first else loss(X, x)
        )
        for loss in (s.MSE(), s.BCE(), s.BCEWithLogits(), s.SoftmaxCrossEntropy(), s.gaussian_kl)
        for which, first in (("prediction", True), ("target", False))
    },
    "L1": s.L1(1),
    "SparseKL": s.SparseKL(0.1, 1),
    "Autoencoder.encode": NET.encode,
    "Autoencoder.reconstruct": NET.reconstruct,
    "Autoencoder.objective": NET.objective,
    "VAE.elbo": VAE.elbo,
    "VAE.unit_kl": VAE.unit_kl,
    "VAE.log_likelihood": VAE.log_likelihood,
    "CVAE.encode": CVAE.encode,
    "RBM.propup": RBM.propup,
    "RBM.propdown": RBM.propdown,
    "RBM.free_energy": RBM.free_energy,
    "RBM.pseudo_log_likelihood": RBM.pseudo_log_likelihood,
    "RBM.log_likelihood": lambda x: RBM.log_likelihood(x, 1.0),
    "RBM.training_step": lambda x: RBM.training_step(x, np.random.default_rng(0)),
    "DBN.encode": DBN.encode,
    "DBN.decode": DBN.decode,
    "DBN.bound": lambda x: DBN.bound(x, 1.0),
    "UpDown.encode": s.UpDown((4, 3, 2), rng=0).encode,
    "PCA.fit": lambda x: s.PCA(2).fit(x),
    "PCA.encode": FITTED.encode,
    "PCA.decode": FITTED.decode,
    "Adam.update": lambda x: s.Adam().update(x, x),
}


@pytest.mark.parametrize("what", NO_FLOATS)
@pytest.mark.parametrize("name", USES)
def test_what_is_no_array_of_floats_is_refused_everywhere(name, what):
    """Whole numbers too: images of 0 to 255 would give nonsense without a word."""
    with pytest.raises((ArrayTypeError, ShapeError), match=r"expect|must be equal|fit"):
        USES[name](NO_FLOATS[what])


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: RBM.propdown(np.ones((2, 4))), r"expects h of shape \(N, 3\), got \(2, 4\)"),
        (lambda: DBN.decode(np.ones(2)), r"expects h of shape \(N, 2\), got \(2,\)"),
        (lambda: FITTED.encode(np.ones((2, 5))), r"PCA\(2\) was fitted to 4 features, and x of shape \(2, 5\) has 5"),
        (lambda: FITTED.decode(np.ones((2, 3))), r"PCA\(2\) expects z of shape \(N, 2\), got \(2, 3\)"),
        (lambda: RBM.training_step(X[:0], np.random.default_rng(0)), "x holds no examples"),
        (lambda: RBM.ais(5, 5, x=np.ones((2, 5))), r"expects x of shape \(N, 4\)"),
        (lambda: s.L1(1)(X[:0]), "z holds no examples"),
        (lambda: DBN.training_step(X), r"a DBN is trained layer by layer: pretrain\(model, x\)"),
        (
            lambda: CVAE.decode(np.ones((3, 2)), np.ones((3, 5))),
            r"classes y, one-hot, of shape \(3, 2\), or \(1, 2\) for all z, got",
        ),
        (
            lambda: CVAE.sample(3, label=[0, 1]),
            r"sample\(label=\[0, 1\]\): expected a class from 0 to 1, or a list of 3",
        ),
        (lambda: NET.to(dtype=int), r"dtype=<class 'int'>: expected floats"),
        (lambda: NET.to(dtype="abc"), "dtype='abc': expected floats"),
        (lambda: NET.to(X[0, 0]), r"device=.*: expected 'cpu' or 'gpu'"),
        (lambda: s.load(None), "path=None: expected the path of a file"),
        (lambda: s.save(NET, 3), "path=3: expected the path of a file"),
        (lambda: s.load_data(X), "unknown data"),
        (lambda: s.watch([1]).__enter__(), r"watch\(model=.*: expected a model, such as"),
        (lambda: s.check_gradients(s.MSE(), [[1.0]], [[1.0]]), "x is a list: expected an array of floats"),
        (lambda: s.check_gradients(s.L1(1), X, X), r"check_gradients\(L1\(1\), …\): it was given x and target"),
        (lambda: s.check_gradients(s.MSE(), X), "it was given x .*: give a loss its target"),
        (
            lambda: s.check_gradients(s.Sigmoid(), X * 1j),
            r"x holds complex128: expected numbers; their real parts are x.real",
        ),
        (lambda: s.check_gradients(s.Sigmoid(), X * np.nan), "holds nothing, or NaN or infinity"),
        (
            lambda: s.evaluate(NET, X, batch_size=-1),
            r"evaluate\(batch_size=-1\): expected a whole number, at least 1",
        ),
        (lambda: s.evaluate(None, X), r"evaluate\(model=None\): expected a model, such as"),
        (lambda: s.evaluate(NET, X.astype(int)), r"x holds int64, max 0: expected floats"),
        (lambda: s.evaluate(NET, X[:0]), r"x has shape \(0, 4\): expected"),
        (lambda: s.evaluate(RBM, 3 * X), r"expected data in \[0, 1\], got"),
        (lambda: s.fit([], X, epochs=1, batch_size=2, optimizer=s.Adam()), r"fit\(model=\[\]\): expected a model"),
        (lambda: s.fit(NET, X, epochs=1, batch_size=2, optimizer=s.Adam(), resume="no"), r"fit\(resume='no'\)"),
        (
            lambda: s.fit(NET, X, epochs=1, batch_size=2, optimizer=s.Adam(), checkpoint=3),
            r"fit\(checkpoint=.*the path of a file",
        ),
        (
            lambda: s.pretrain(DBN, X, optimizer=s.Adam()),
            r"pretrain\(optimizer=Adam\(\)\): expected a function that makes one",
        ),
        (lambda: s.check(s.Dense, exercise=3), r"check\(exercise=3\): expected the name of an exercise"),
        (lambda: known(s.Dense), r"load\(classes=.*expected a list of classes"),
        (lambda: s.trace(NET, X, rng="0"), "rng='0': expected a seed, a generator"),
        (
            lambda: s.trace(NET, X[:2]).text(digits=-1),
            r"text\(digits=-1\): expected a whole number, at least 0 and at most 17",
        ),
        (lambda: s.History({"loss": [1.0], "kl": []}), r"History\(columns=.*lists of one length"),
        (lambda: s.History().to_csv(""), r"to_csv\(path=''\): expected the path of a file"),
        (lambda: RBM.pseudo_log_likelihood(X * np.nan), r"got min nan, max nan: repair or remove"),
        (lambda: RBM.log_likelihood(X * 255, 0.0), "divide by 255"),
        (lambda: RBM.log_likelihood(X, "0"), r"log_likelihood\(log_Z='0'\): expected a number, log_Z"),
        (lambda: VAE.active_units(X, threshold=None), r"active_units\(threshold=None\)"),
        (lambda: CVAE.target(np.ones((2, 2))), r"expects rows of pixels and, at their end, 2 labels, got \(2, 2\)"),
        (lambda: s.SoftmaxCrossEntropy().mean(np.ones(3)), r"expects prediction \(N, classes\), got \(3,\)"),
        (lambda: s.BCE().check_target(np.ones((3, 0))), r"target holds no numbers, its shape is \(3, 0\)"),
        (
            lambda: s.SGD(lambda t: -5.0).learning_rate(),
            r"SGD\(lr=-5.0\): expected .* from its schedule after 0 updates",
        ),
        (lambda: s.SGD(lambda t: "0.1").learning_rate(3), r"SGD\(lr='0.1'\): expected .* after 3 updates"),
        (lambda: s.SGD(s.Step), r"SGD\(lr=<class .*Step'>\): expected a number"),
        (lambda: s.Step(1.0, 1, 1e300)(9), r"Step\(t=9\): expected fewer updates"),
        (
            lambda: s.Dense(10**6, 10**9),
            r"Dense\(1000000, 1000000000\) needs an array of shape .*, and this machine has",
        ),
        (
            lambda: s.UpSample2d(10**9).forward(np.ones((1, 2, 2, 1))),
            r"needs an array of shape .* choose smaller sizes",
        ),
        (lambda: s.Conv2d(1, 1, 1, padding=10**9).forward(np.ones((1, 2, 2, 1))), "needs an array of shape"),
        (lambda: VAE.sample(10**13), r"'sample' needs an array of shape \(10000000000000, 2\)"),
        (lambda: s.ContractiveAutoencoder(None, s.Dense(2, 4), loss=s.MSE(), weight=1), "encoder expects layers"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(use, text):
    with pytest.raises(ScratchaeError, match=text):
        use()


# Random numbers

DRAWING = {
    "VAE.sample": lambda rng: VAE.sample(2, rng),
    "VAE.elbo": lambda rng: VAE.elbo(X, rng),
    "CVAE.sample": lambda rng: CVAE.sample(2, rng),
    "RBM.sample": lambda rng: RBM.sample(2, steps=2, rng=rng),
    "RBM.sample_h_given_v": lambda rng: RBM.sample_h_given_v(X, rng),
    "RBM.sample_v_given_h": lambda rng: RBM.sample_v_given_h(X[:, :3], rng),
    "RBM.gibbs_vhv": lambda rng: RBM.gibbs_vhv(X, rng),
    "RBM.ais": lambda rng: RBM.ais(4, 5, rng),
    "DBN.sample": lambda rng: DBN.sample(2, steps=2, rng=rng),
    "Dense": lambda rng: s.Dense(4, 2, rng=rng).W,
    "trace": lambda rng: s.trace(VAE, X[:2], rng=rng, numerical=False).text(),
}
NOT_DRAWN_FROM = ["0", 1.5, True, -1, np.random.RandomState(0), np.random, random.Random(0), np.random.Generator]


@pytest.mark.parametrize("name", DRAWING)
def test_seeds_are_taken_wherever_something_is_drawn(name):
    assert repr(DRAWING[name](3)) == repr(DRAWING[name](np.random.default_rng(3)))
    for wrong in NOT_DRAWN_FROM:
        with pytest.raises(OptionError, match="expected a seed, a generator, such as"):
            DRAWING[name](wrong)


@pytest.mark.parametrize("name", LAYERS)
def test_a_step_takes_a_generator_and_says_why_no_seed(name):
    for wrong in (0, *NOT_DRAWN_FROM):
        with pytest.raises(
            (OptionError, ArrayTypeError), match=r"expected a generator|a seed would draw the same noise"
        ):
            LAYERS[name].forward(
                np.ones((4, 4, 4, 1), np.float32) if "2d" in name else np.ones((4, 4), np.float32), wrong
            )
    with pytest.raises(OptionError, match="a seed would draw the same noise in every step: make a generator once"):
        VAE.training_step(X, 0)


# Sizes in NumPy's own numbers


def test_small_integers_of_numpy_do_not_overflow():
    """200 · 4 is more than a uint8 holds, and would make the weights far too large."""
    made = s.Conv2d(np.uint8(200), np.uint8(200), 2, rng=0), s.Conv2d(200, 200, 2, rng=0)
    np.testing.assert_array_equal(made[0].W, made[1].W)
    made = s.Dense(np.uint8(200), np.uint8(200), rng=0), s.Dense(200, 200, rng=0)
    np.testing.assert_array_equal(made[0].W, made[1].W)
