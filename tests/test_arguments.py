"""What arguments may be: one mechanism, and all that is public uses it."""

import numpy as np
import pytest

import scratchae as s
from scratchae import arguments
from scratchae.errors import ArrayTypeError, DataError, OptionError, ScratchaeError, ShapeError

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
        (lambda: s.check_gradients(s.MSE(), [[1.0]], [[1.0]]), "expected an array, got list"),
        (lambda: s.ContractiveAutoencoder(None, s.Dense(2, 4), loss=s.MSE(), weight=1), "encoder expects layers"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(use, text):
    with pytest.raises(ScratchaeError, match=text):
        use()
