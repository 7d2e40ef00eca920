"""Several ranks train what one process trains, or say why they do not. The ranks are threads here; test_mpi.py has real ones."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ranks_in_threads import held, on_ranks

import scratchae as sae
from scratchae.backend import to_numpy
from scratchae.data import Scaling, Stream
from scratchae.errors import (
    CheckpointError,
    DataError,
    DeviceError,
    DivergenceError,
    MissingError,
    OptionError,
    RankError,
)
from scratchae.models import parallel
from scratchae.models.parallel import SomeRows
from scratchae.models.warmup import Warmup
from scratchae.optimizers import Parts
from scratchae.training.distributed import Group, group_for, part_of
from scratchae.training.ranks import RankSteps, RecordedRankSteps, Shard

FEATURES = 12
TIMES = {"seconds", "examples_per_second"}


def data(n=53, d=FEATURES):
    return np.random.default_rng(1).random((n, d))


def dense(*noise, penalty=None, loss=None):
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(*noise, sae.Dense(FEATURES, 8, rng=rng), sae.Sigmoid())
    return sae.Autoencoder(encoder, sae.Dense(8, FEATURES, rng=rng), loss=loss or sae.MSE(), penalty=penalty)


def variational(kind=sae.VAE, **options):
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(sae.Dense(FEATURES, 8, rng=rng), sae.Softplus(), sae.Dropout(0.2))
    heads = sae.Dense(8, 3, rng=rng), sae.Dense(8, 3, rng=rng)
    decoder = sae.Sequential(sae.Dense(3, 8, rng=rng), sae.ReLU(), sae.Dropout(0.1), sae.Dense(8, FEATURES, rng=rng))
    return kind(encoder, *heads, decoder, loss=sae.BCEWithLogits(), **options)


def gan():
    rng = np.random.default_rng(0)
    judge = sae.Sequential(
        sae.GaussianNoise(0.1), sae.Dense(FEATURES, 6, rng=rng), sae.Tanh(), sae.Dense(6, 1, rng=rng)
    )
    return sae.GAN(sae.Sequential(sae.Dense(3, FEATURES, rng=rng), sae.Sigmoid()), judge)


def aae():
    rng = np.random.default_rng(0)
    judge = sae.Sequential(sae.Dense(2, 6, rng=rng), sae.Tanh(), sae.Dense(6, 1, rng=rng))
    return sae.AdversarialAutoencoder(
        sae.Dense(FEATURES, 2, rng=rng), sae.Dense(2, FEATURES, rng=rng), judge, loss=sae.MSE()
    )


def convolutional():
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(sae.Reshape(2, 3, 2), sae.Conv2d(2, 3, 2, rng=rng), sae.Tanh(), sae.Flatten())
    return sae.Autoencoder(encoder, sae.Dense(6, FEATURES, rng=rng), loss=sae.MSE())


def diffusion():
    rng = np.random.default_rng(0)
    net = sae.Sequential(sae.Dense(FEATURES + 4, 8, rng=rng), sae.Tanh(), sae.Dense(8, FEATURES, rng=rng))
    return sae.Diffusion(net, loss=sae.MSE(), levels=4)


MODELS = {
    "dense": dense,
    "noise": lambda: dense(sae.GaussianNoise(0.1)),
    "salt and pepper, L1": lambda: dense(sae.SaltAndPepper(0.2), penalty=sae.L1(0.01)),
    "contractive": lambda: sae.ContractiveAutoencoder(
        sae.Sequential(sae.Dense(FEATURES, 4, rng=0), sae.Sigmoid()),
        sae.Dense(4, FEATURES, rng=1),
        loss=sae.MSE(),
        weight=0.1,
    ),
    "convolution": convolutional,
    "VAE": variational,
    "VAE, warm-up, free bits": lambda: variational(beta=Warmup(10), free_bits=0.05),
    "IWAE": lambda: variational(sae.IWAE, samples=3),
    "GAN": gan,
    "AAE": aae,
    "diffusion": diffusion,
    "RBM": lambda: sae.RBM(FEATURES, 5, k=2, rng=0),
    "Gaussian RBM": lambda: sae.RBM(FEATURES, 5, visible_units="gaussian", rng=0),
}


def optimizer(model):
    if isinstance(model, sae.GAN):
        return Parts(generator=sae.Adam(1e-2), discriminator=sae.Adam(2e-2))
    return sae.Adam(sae.Cosine(1e-2, 40), weight_decay=0.01, clip_norm=0.5)


def train(make, group=None, x=None, *, epochs=2, batch_size=10, dtype=np.float64, **options):
    x, model = data() if x is None else x, make().to(dtype=dtype)
    options = {"optimizer": optimizer(model), "validation": data(31), "progress": False, **options}
    history = sae.fit(model, x, epochs=epochs, batch_size=batch_size, distributed=group, **options)
    return model, history


@pytest.mark.filterwarnings("ignore:Gaussian visible units")
@pytest.mark.parametrize("name", MODELS)
def test_three_ranks_train_what_one_process_trains(name):
    """Noise, clipping, schedules, decay, validation; 53 examples in batches of 10, of which the last has 3."""
    alone, expected = train(MODELS[name])
    found = held(on_ranks(3, lambda group: train(MODELS[name], group)))
    for model, history in found:
        for parameter, tensor in alone.tensors().items():
            assert_allclose(model.tensors()[parameter], tensor, rtol=1e-9, atol=1e-11)
        assert history.columns.keys() == expected.columns.keys()
        for column in history.columns.keys() - TIMES:
            assert_allclose(history[column], expected[column], rtol=1e-9)
    assert len({model.parameters.tobytes() for model, _ in found}) == 1


def test_in_float32_they_agree_to_rounding():
    alone, _ = train(variational, dtype=np.float32)
    (model, _), _ = held(on_ranks(2, lambda group: train(variational, group, dtype=np.float32)))
    assert model.parameters.dtype == np.float32
    assert np.linalg.norm(model.parameters - alone.parameters) < 1e-4 * np.linalg.norm(alone.parameters)


@pytest.mark.parametrize("size", [2, 4, 5])
def test_a_last_batch_with_fewer_rows_than_ranks(size):
    """51 examples in batches of 10: the last has one, which only one rank computes, and all count the step."""

    def make():
        return variational(beta=Warmup(10))

    alone, _ = train(make, x=data(51))
    for model, _ in held(on_ranks(size, lambda group: train(make, group, data(51)))):
        assert_allclose(model.parameters, alone.parameters, rtol=1e-9, atol=1e-11)
        assert_array_equal(model.beta.t, alone.beta.t)


@pytest.mark.parametrize("name", ["noise", "GAN", "IWAE"])
def test_noise_is_that_of_one_process_where_it_draws_in_parts(monkeypatch, name):
    """A large batch is drawn part by part (models/parallel.py); ranks whose rows lie across the parts draw the same."""
    monkeypatch.setattr(parallel, "LEAST", 100)
    model = MODELS[name]().to(dtype=np.float64)
    assert parallel.count_parts(model, data(10), np.random.default_rng(0)) > 2
    alone, expected = train(MODELS[name])
    for model, history in held(on_ranks(3, lambda group: train(MODELS[name], group))):
        assert_allclose(model.parameters, alone.parameters, rtol=1e-9, atol=1e-11)
        assert_allclose(history["loss"], expected["loss"], rtol=1e-9)


def test_rows_of_a_batch_get_the_numbers_that_the_whole_batch_gets():
    whole = np.random.default_rng(3).standard_normal((10, 2, 3))
    some = SomeRows([(np.random.default_rng(3), 10)], slice(4, 7))
    assert_array_equal(some.standard_normal((3, 2, 3)), whole[4:7])
    twice = np.random.default_rng(3).random((20, 5))
    many = SomeRows([(np.random.default_rng(3), 10)], slice(4, 7))
    assert_array_equal(many.random((6, 5)), twice[8:14])
    stacked = SomeRows([(np.random.default_rng(3), 10)], slice(4, 7), stacked=True)
    assert_array_equal(stacked.random((6, 5)), twice[[4, 5, 6, 14, 15, 16]])
    with pytest.raises(OptionError, match=r"noise of shape \(4, 5\) for 3 of the examples"):
        many.random((4, 5))
    with pytest.raises(OptionError, match=r"noise of shape \(0,\) for 3"):
        many.random()
    with pytest.raises(MissingError, match="by random and standard_normal, and not by poisson"):
        many.poisson(3)


def test_every_row_belongs_to_one_rank():
    for rows in range(1, 20):
        for size in range(1, 9):
            counted = np.zeros(rows)
            for rank in range(size):
                part, weight = part_of(rows, rank, size)
                assert part.stop > part.start
                counted[part] += weight * rows / (part.stop - part.start)
            assert_allclose(counted, 1)


def test_no_rank_holds_all():
    seen = []

    def work(group):
        shard = Shard.of(data(50), dense().to(dtype=np.float64), group)
        seen.append((shard.first, len(shard.rows), len(shard), shard.mark))
        assert shard.rows.base is None  # a copy: the whole may go
        return train(dense, group, shard)

    alone, _ = train(dense, x=data(50))
    for model, _ in held(on_ranks(4, work)):
        assert_allclose(model.parameters, alone.parameters, rtol=1e-9)
    assert sorted(seen)[0][:3] == (0, 12, 50) and sum(count for _, count, _, _ in seen) == 50
    assert len({mark for *_, mark in seen}) == 1


def test_a_file_larger_than_memory_is_shared_row_by_row():
    """One process streams it; ranks hold it together, and train on it as on any array."""
    stored = data(80).astype(np.float32)
    scaling = Scaling("halved", False, np.float32(0), np.float32(2))
    stream = Stream(stored, np.arange(79, 9, -2), scaling).shaped((FEATURES,))
    alone, _ = train(dense, x=(stored / 2)[79:9:-2])
    for model, _ in held(on_ranks(3, lambda group: train(dense, group, stream))):
        assert_allclose(model.parameters, alone.parameters, rtol=1e-6)


def test_one_sum_of_the_gradient_a_step():
    def work(group):
        train(dense, group, epochs=2)
        return group.summed

    assert held(on_ranks(2, work)) == [12, 12]


def test_early_stopping_is_decided_alike():
    options = {"epochs": 30, "patience": 1, "optimizer": sae.SGD(0.5)}
    alone, expected = train(dense, **options)
    found = held(on_ranks(3, lambda group: train(dense, group, **{**options, "optimizer": sae.SGD(0.5)})))
    for model, history in found:
        assert len(history) == len(expected) < 30 and history.stopped_early
        assert_allclose(model.parameters, alone.parameters, rtol=1e-8)


@pytest.mark.parametrize("sizes", [(3, 2), (2, None), (None, 2)])
def test_training_goes_on_with_another_number_of_ranks(tmp_path, sizes):
    expected, _ = train(MODELS["noise"], epochs=4)
    for epochs, size in zip((2, 4), sizes, strict=True):
        kept = {"checkpoint": tmp_path / "state.safetensors", "resume": True, "epochs": epochs}
        if size is None:
            found = [train(MODELS["noise"], **kept)]
        else:
            found = held(on_ranks(size, lambda group, kept=kept: train(MODELS["noise"], group, **kept)))
    for model, history in found:
        assert len(history) == 4
        assert_allclose(model.parameters, expected.parameters, rtol=1e-8)


# What is refused


def normalised():
    rng = np.random.default_rng(0)
    encoder = sae.Sequential(sae.Dense(FEATURES, 8, rng=rng), sae.BatchNorm(8), sae.ReLU())
    return sae.Autoencoder(encoder, sae.Dense(8, FEATURES, rng=rng), loss=sae.MSE())


def quantised(**options):
    rng = np.random.default_rng(0)
    codebook = sae.Codebook(4, 3, rng=rng, **options)
    return sae.VQVAE(sae.Dense(FEATURES, 3, rng=rng), codebook, sae.Dense(3, FEATURES, rng=rng), loss=sae.MSE())


class Centred(sae.Layer):
    """A person's own layer, which does not say examples_apart."""

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy - dy.mean(axis=0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (normalised, r"BatchNorm.* does not treat each example by itself"),
        (quantised, r"Codebook.* does not treat each example by itself"),
        (lambda: quantised(decay=0.9), r"Codebook.* does not treat each example by itself"),
        (
            lambda: dense(penalty=sae.SparseKL(0.1, 1.0)),
            r"SparseKL\(0.1, 1.0\) does not treat each example by itself",
        ),
        (lambda: dense(Centred()), r"Centred.* does not treat each example by itself.*examples_apart = True"),
        (
            lambda: dense(loss=lambda p, x: (((p - x) ** 2).sum() / len(x), 2 * (p - x) / len(x))),
            "does not treat each example by",
        ),
        (
            lambda: sae.RBM(FEATURES, 5, persistent=True, rng=0),
            "keeps energy.chain from batch to batch.*persistent=False",
        ),
    ],
    ids=["BatchNorm", "VQVAE", "VQVAE, moving average", "SparseKL", "own layer", "own loss", "persistent RBM"],
)
def test_a_model_that_needs_the_whole_batch_is_refused_in_one_sentence(make, said):
    for error in on_ranks(2, lambda group: train(make, group)):
        assert isinstance(error, OptionError)
        with pytest.raises(OptionError, match=said):
            raise error


@pytest.mark.parametrize(
    ("kind", "said", "change"),
    [
        (RankError, r"ranks 0 and 1 differ in batch_size \(10 and 12\): start all of them with", {"batch_size": 12}),
        (RankError, r"ranks 0 and 1 differ in epochs \(2 and 3\)", {"epochs": 3}),
        (RankError, r"ranks 0 and 1 differ in seed \(0 and 7\)", {"seed": 7}),
        (RankError, r"ranks 0 and 1 differ in optimizer \(Adam.* and SGD\(0.1\)\)", {"optimizer": sae.SGD(0.1)}),
        (RankError, "ranks 0 and 1 differ in checkpoint.*start all of them with the same", {"checkpoint": "here"}),
        (RankError, "ranks 0 and 1 differ in model", {"make": lambda: dense(sae.Dropout(0.1))}),
        (RankError, "ranks 0 and 1 differ in validation data", {"validation": data(31) + 1}),
        (RankError, "ranks 0 and 1 differ in data: each rank is given all of the data", {"x": data() + 1}),
        (RankError, "ranks 0 and 1 differ in data", {"x": data(52)}),
        (OptionError, r"fit\(epochs=0\): expected a whole number.*rank 1 of 2", {"epochs": 0}),
        (
            DataError,
            r"x\[26:53\] holds NaN or infinity in 1 of 27 rows.*rank 1 of 2.*copies that are alike",
            {"x": "nan"},
        ),
    ],
)
def test_ranks_that_were_given_different_things(kind, said, change):
    def work(group):
        given = {"make": dense} | (change if group.rank == 1 else {})
        if isinstance(given.get("x"), str):
            given["x"] = data()
            given["x"][30, 0] = np.nan
        return train(given.pop("make"), group, **given)

    for error in on_ranks(2, work):
        assert type(error) is kind
        with pytest.raises(kind, match=said):
            raise error


def test_weights_that_were_drawn_apart():
    def make(group):
        model = dense().to(dtype=np.float64)
        model.parameters[:1] += group.rank
        return model

    for error in on_ranks(2, lambda group: train(lambda: make(group), group)):
        with pytest.raises(RankError, match="ranks 0 and 1 differ in weights: draw them from the same seed"):
            raise error


def test_a_watched_model():
    def work(group):
        model = dense()
        with sae.watch(model):
            return train(lambda: model, group, dtype=np.float32)

    for error in on_ranks(2, work):
        with pytest.raises(
            OptionError, match=r"the model is watched.* --watch \(in Python sae.watch\), or --distributed"
        ):
            raise error


def test_a_batch_smaller_than_the_ranks_and_data_without_a_row_for_each():
    for error in on_ranks(3, lambda group: train(dense, group, batch_size=2)):
        with pytest.raises(OptionError, match="batch_size=2 is smaller than the number of ranks, 3"):
            raise error
    for error in on_ranks(3, lambda group: train(dense, group, data(2))):
        with pytest.raises(DataError, match=r"x is shape \(2, 12\), and 3 ranks share it"):
            raise error
    for error in on_ranks(2, lambda group: train(dense, group, [data(4), data(4)], batch_size=None)):
        with pytest.raises(OptionError, match="x makes its batches itself"):
            raise error


# A rank that fails


class Breaking(sae.Layer):
    """Fails in its 9th step, where it is told to."""

    examples_apart = True

    def __init__(self):
        self.breaks, self.steps = False, 0

    def forward(self, x, rng=None):
        self.steps += rng is not None
        if self.breaks and self.steps == 9:
            raise MemoryError("no room")
        return x

    def backward(self, dy):
        return dy


def test_when_a_rank_fails_in_an_epoch_all_end_at_once_with_its_error():
    broken = [Breaking(), Breaking(), Breaking()]
    broken[1].breaks = True

    def make(group):
        return dense(broken[group.rank])

    first, second, third = on_ranks(3, lambda group: train(lambda: make(group), group, validation=None))
    assert type(second) is MemoryError
    for error in (first, third):
        assert error.speaker == 1
        with pytest.raises(RankError, match=r"MemoryError: no room \(rank 1 of 3, on "):
            raise error
    assert max(layer.steps for layer in broken) <= 9


@pytest.mark.filterwarnings("ignore::UserWarning")  # of the scale of x
def test_a_loss_that_is_no_number_names_the_rank_that_has_it(tmp_path):
    path = tmp_path / "state.safetensors"

    def work(group):
        x = data() * np.where(np.arange(53)[:, None] == 5, 1e200, 1)
        with np.errstate(over="ignore"):
            return train(dense, group, x, validation=None, checkpoint=path)

    found = on_ranks(2, work)
    assert {type(error) for error in found} == {DivergenceError}
    speaker = found[0].speaker
    assert str(found[0]) == str(found[1]) and f"rank {speaker} of 2" in str(found[0])
    assert "the loss became" in str(found[0]) and "epoch 1" in str(found[0])
    assert str(found[0]).count(f"{path} keeps the state after epoch 0") == 1


def test_a_checkpoint_that_cannot_be_written_ends_all(tmp_path, monkeypatch):
    from scratchae.training import keeping

    def full(*arguments):
        raise OSError(28, "No space left on device", "state.safetensors")

    monkeypatch.setattr(keeping, "save_training", full)
    first, second = on_ranks(2, lambda group: train(dense, group, checkpoint=tmp_path / "state.safetensors"))
    assert type(first) is OSError and first.speaker == second.speaker == 0
    with pytest.raises(RankError, match=r"No space left on device.*rank 0 of 2"):
        raise second


def test_a_damaged_checkpoint_ends_all(tmp_path):
    (tmp_path / "state.safetensors").write_bytes(b"damaged")
    for error in on_ranks(2, lambda g: train(dense, g, checkpoint=tmp_path / "state.safetensors", resume=True)):
        assert type(error) is CheckpointError and error.speaker == 0


def test_parameters_that_have_drifted_apart_are_noticed():
    """Here by an optimizer that goes another way on one rank."""

    class Own:
        def __init__(self, rank):
            self.rank = rank

        def __repr__(self):
            return "Own()"

        def update(self, parameters, gradient):
            parameters -= 0.01 * gradient * (1 + self.rank)

    for error in on_ranks(2, lambda group: train(dense, group, optimizer=Own(group.rank))):
        with pytest.raises(RankError, match="after epoch 1 the ranks hold different parameters"):
            raise error


def test_names_of_groups():
    assert type(group_for(None)) is Group
    with pytest.raises(OptionError, match="distributed='gloo': expected 'mpi', 'nccl'"):
        train(dense, "gloo")
    with pytest.raises(DeviceError, match="distributed='mpi' and device='gpu'"):
        group_for("mpi", "gpu")
    with pytest.raises(DeviceError, match="distributed='nccl' and device='cpu'"):
        train(dense, "nccl")


# On a GPU: the sum lies within the recorded step


@pytest.mark.parametrize("rows", [53, 51, 40])
def test_recorded_steps_of_ranks(stand_in, rows):
    """On the stand-in, which refuses in a recorded step what a CUDA graph cannot hold; its ranks sum where NCCL would."""

    def work(group):
        model = variational(beta=Warmup(10)).to(dtype=np.float64)
        shard = Shard.of(data(rows), model, group)
        model.to("gpu")
        steps = RecordedRankSteps(model, shard, 10, sae.Adam(1e-2, clip_norm=0.5), group, recorded=recorded)
        return epochs(steps)

    def recorded(step):
        def run():
            with stand_in.recording():
                step()

        def first():  # arrays and kernels are made in the first call, eagerly
            calls.append(1)
            return step() if len(calls) < 3 else run()

        calls = []
        return first

    def epochs(steps):
        found = []
        for epoch in range(3):
            steps.begin(0, epoch)
            for _ in range(steps.count):
                steps.step()
            found.append(steps.metrics())
        return found, to_numpy(steps.model.parameters)

    model = variational(beta=Warmup(10)).to(dtype=np.float64).to("gpu")
    expected, parameters = epochs(
        sae.training.steps.RecordedSteps(
            model, stand_in.asarray(data(rows)), 10, sae.Adam(1e-2, clip_norm=0.5), lambda step: step
        )
    )
    for found, θ in held(on_ranks(2, work)):
        assert_allclose(θ, parameters, rtol=1e-9, atol=1e-11)
        for one, other in zip(found, expected, strict=True):
            assert_allclose([*one.values()], [*other.values()], rtol=1e-9)


def test_each_device_has_its_steps(device):
    from scratchae.training.ranks import steps_of_ranks

    def work(group):
        model = dense().to(dtype=np.float64)
        shard = Shard.of(data(), model, group)
        return type(steps_of_ranks(model.to(device), shard, 10, sae.SGD(0.1), group))

    assert set(held(on_ranks(2, work))) == {RankSteps if device == "cpu" else RecordedRankSteps}
