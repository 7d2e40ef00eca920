"""The stand-in refuses what CuPy refuses; without that the tests on it would prove nothing."""

import copy
import pickle

import make_cupy_names
import numpy as np
import pytest
import strict as xp
from numpy.testing import assert_array_equal

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def x():
    return xp.asarray(HOST)


def test_names_are_those_of_the_installed_cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: its names cannot be compared")
    if cupy.__version__ != xp.NAMES["cupy"]:
        pytest.skip(f"cupy_names.json was written by CuPy {xp.NAMES['cupy']}, here is {cupy.__version__}")
    assert make_cupy_names.text() == make_cupy_names.PATH.read_text(encoding="utf-8")


def test_the_trap_table_is_in_the_names():
    """The differences that matter most, written down by hand, against a damaged JSON file."""
    functions, methods = xp.NAMES["functions"], xp.NAMES["methods"]
    assert functions["take"] == "a, indices, axis=None, out=None"
    assert functions["sum"] == "a, axis=None, dtype=None, out=None, keepdims=None"
    assert functions["clip"] == "a, a_min, a_max, out=None"
    assert methods["astype"] == "self, dtype, order=None, casting=None, subok=None, copy=None"
    assert xp.NAMES["ufuncs"]["add"] == "x1, x2, /, out=None, *, casting=None, dtype=None"
    assert xp.NAMES["lib.stride_tricks"]["as_strided"] == "x, shape=None, strides=None"
    assert "out=None" in functions["matmul"]


class Empty:
    """What every class has, whatever the Python."""


def test_every_operator_is_one_of_cupy():
    inherited = {*dir(object), *vars(Empty), "__slots__", "__array_namespace__"}
    extra = set(vars(xp.StrictArray)) - inherited - set(xp.NAMES["operators"])
    assert {name for name in extra if name.startswith("__")} == {"__getattr__"}


# What is refused

# the refusal is the stand-in's own, not an accident within NumPy
OWN_WORDS = (
    "Unsupported type|unexpected keyword|Implicit conversion|needs a GPU array|not a GPU array|use xp = array_module"
)

REFUSED = {
    "add of an ndarray": lambda x: x + HOST,
    "add to an ndarray": lambda x: HOST + x,
    "ndarray += array": lambda x: HOST.copy().__iadd__(x),
    "array += ndarray": lambda x: x.__iadd__(HOST),
    "array @ ndarray": lambda x: x @ HOST.T,
    "array == ndarray": lambda x: x == HOST,
    "ndarray < array": lambda x: HOST < x,  # noqa: SIM300
    "list operand": lambda x: x * [1.0, 2.0, 3.0],
    "None operand": lambda x: x == None,  # noqa: E711
    "ufunc of an ndarray": lambda x: xp.maximum(x, HOST),
    "ufunc of a list": lambda x: xp.exp([1.0]),
    "ufunc into an ndarray": lambda x: xp.exp(x, out=HOST.copy()),
    "ufunc into an ndarray, by position": lambda x: xp.exp(x, HOST.copy()),
    "function of an ndarray": lambda x: xp.sum(HOST),
    "function of a tuple": lambda x: xp.prod(x.shape),
    "function into an ndarray": lambda x: xp.sum(x, axis=0, out=np.zeros(3, np.float32)),
    "matmul into an ndarray": lambda x: xp.matmul(x, x.T, out=np.zeros((2, 2), np.float32)),
    "matmul of an ndarray": lambda x: xp.matmul(x, HOST.T),
    "concatenate with an ndarray": lambda x: xp.concatenate([x, HOST]),
    "where with an ndarray": lambda x: xp.where(x > 0, x, HOST),
    "take with ndarray indices": lambda x: xp.take(x, np.array([0]), axis=0),
    "method with an ndarray": lambda x: x.dot(HOST.T),
    "norm of an ndarray": lambda x: xp.linalg.norm(HOST),
    "as_strided of an ndarray": lambda x: xp.lib.stride_tricks.as_strided(HOST, (2,), (4,)),
    "random numbers into an ndarray": lambda x: xp.random.default_rng(0).random(out=np.zeros(3)),
    "assignment of an ndarray": lambda x: x.__setitem__(slice(None), HOST),
    "assignment of a list": lambda x: x.__setitem__(0, [1.0, 2.0, 3.0]),
    "ndarray index": lambda x: x[np.array([0])],
    "copyto from an ndarray": lambda x: xp.copyto(x, HOST),
    "fill with an ndarray": lambda x: x.fill(HOST),
    "np.asarray": lambda x: np.asarray(x),
    "np.array": lambda x: np.array(x),
    "np.array of a list of arrays": lambda x: np.array([x, x]),
    "assignment to an ndarray": lambda x: HOST.copy().__setitem__(slice(None), x),
    "NumPy's ufunc": lambda x: np.exp(x),
    "NumPy's function": lambda x: np.sum(x),
    "NumPy's matmul": lambda x: np.matmul(HOST, x.T),
    "take(mode=)": lambda x: xp.take(x, xp.asarray([0]), axis=0, mode="clip"),
    "add(where=)": lambda x: xp.add(x, x, where=x > 0),
    "exp(order=)": lambda x: xp.exp(x, order="C"),
    "sum(where=)": lambda x: xp.sum(x, where=x > 0),
    "sum(initial=)": lambda x: xp.sum(x, initial=0),
    "x.sum(where=)": lambda x: x.sum(where=x > 0),
    "x.max(initial=)": lambda x: x.max(initial=0),
    "einsum(out=)": lambda x: xp.einsum("ij->i", x, out=xp.zeros(2)),
    "as_strided(writeable=)": lambda x: xp.lib.stride_tricks.as_strided(x, (2,), (4,), writeable=False),
    "astype with a misspelt argument": lambda x: x.astype("f8", cpy=False),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_refuses(x, refused):
    with pytest.raises(TypeError, match=OWN_WORDS):
        refused(x)
    assert_array_equal(x.get(), HOST)


@pytest.mark.parametrize("refused", [float, hash, lambda x: range(x.sum())])
def test_is_no_number(x, refused):
    with pytest.raises(TypeError):
        refused(x)


@pytest.mark.parametrize("name", ["block", "errstate", "nditer", "insert", "geomspace", "vecdot", "no_such_name"])
def test_lacks_the_names_that_cupy_lacks(name):
    assert not hasattr(xp, name)


@pytest.mark.parametrize("name", ["normal", "permutation", "shuffle", "choice", "standard_cauchy"])
def test_generator_lacks_the_names_that_cupy_lacks(name):
    assert hasattr(np.random.default_rng(0), name)
    assert not hasattr(xp.random.default_rng(0), name)


def test_array_and_linalg_lack_the_names_that_cupy_lacks(x):
    for name in ("ctypes", "__array_interface__", "tostring", "__contains__", "__index__"):
        assert not hasattr(x, name)
    for name in ("multi_dot", "vecdot"):
        assert hasattr(np.linalg, name) and not hasattr(xp.linalg, name)


# What is allowed


def test_scalars_of_python_and_of_numpy_are_operands(x):
    for scalar in (2, 2.0, True, np.float32(2), np.float64(2)):
        assert_array_equal((x * scalar).get(), HOST * scalar)
        assert_array_equal((scalar * x).get(), scalar * HOST)
        assert (x * scalar).dtype == (HOST * scalar).dtype  # NEP 50: np.float64 widens, float does not
        assert (scalar * x).dtype == (scalar * HOST).dtype


def test_reductions_and_elements_are_arrays_without_axes(x):
    for result in (x.sum(), xp.sum(x), xp.vdot(x, x), x[0, 1], x.max(), xp.allclose(x, x), xp.linalg.norm(x)):
        assert isinstance(result, xp.StrictArray) and result.shape == ()


def test_an_element_is_a_view(x):
    x[1, 2][...] = 7
    x[0][1] += 10
    assert_array_equal(x.get(), [[0, 11, 2], [3, 4, 7]])


def test_iteration_gives_views(x):
    for row in x:
        row += 1
    assert_array_equal(x.get(), HOST + 1)


def test_in_place_operators_and_out_return_the_same_object(x):
    same = x
    x += 1
    x *= x
    assert x is same
    assert xp.sqrt(x, out=x) is same and xp.sqrt(x, x) is same
    total = xp.zeros(3, dtype=np.float32)
    assert xp.sum(x, axis=0, out=total) is total
    product = xp.zeros((2, 2), dtype=np.float32)
    assert xp.matmul(x, x.T, out=product) is product
    assert x.astype(np.float32, copy=False) is x
    assert xp.asarray(x) is x


def test_transfers_copy():
    host = HOST.copy()
    device = xp.asarray(host)
    host[...] = -1
    assert_array_equal(device.get(), HOST)
    back = device.get()
    back[...] = -1
    assert_array_equal(device.get(), HOST)
    device.set(back)
    assert_array_equal(device.get(), back)
    assert_array_equal(xp.asnumpy(device), back)
    with pytest.raises(ValueError):
        device.set(back.T)


def test_functions_with_several_arrays(x):
    assert_array_equal(xp.stack([x, x]).get(), np.stack([HOST, HOST]))
    values, vectors = xp.linalg.eigh(xp.matmul(x.T, x))
    assert isinstance(values, xp.StrictArray) and isinstance(vectors, xp.StrictArray)
    halves = xp.split(x, [1], axis=1)
    assert [h.shape for h in halves] == [(2, 1), (2, 2)]


def test_questions_about_shapes_and_dtypes_get_plain_answers(x):
    assert x.shape == (2, 3) and x.T.shape == (3, 2) and x.nbytes == 24 and len(x) == 2
    assert xp.result_type(x, np.float64) is np.dtype(np.float64)
    assert xp.shares_memory(x, x[0]) is True and xp.ndim(x) == 2
    assert xp.float32 is np.float32 and xp.pi == np.pi and xp.newaxis is None


def test_array_finds_its_module(x):
    assert x.__array_namespace__() is xp


def test_generator_draws_numpys_numbers_on_the_device():
    for seed in (7, np.random.SeedSequence([1, 2])):
        drawn = xp.random.default_rng(seed).standard_normal((3, 4), dtype=np.float32)
        assert isinstance(drawn, xp.StrictArray) and drawn.dtype == np.float32
        assert_array_equal(drawn.get(), np.random.default_rng(seed).standard_normal((3, 4), dtype=np.float32))
    rng = xp.random.default_rng(7)
    assert rng.uniform(2, 3, 5, dtype=np.float32).dtype == np.float32
    assert rng.random().shape == ()
    out = xp.zeros(4)
    assert rng.random(out=out) is out and float(out.min()) > 0
    assert isinstance(xp.random.default_rng().random(3), xp.StrictArray)


def test_copies_are_copies(x):
    for duplicate in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.copy()):
        duplicate += 1
        assert_array_equal(duplicate.get(), HOST + 1)
        assert_array_equal(x.get(), HOST)
    rng = xp.random.default_rng(3)
    twin = copy.deepcopy(rng)
    assert_array_equal(rng.random(5).get(), twin.random(5).get())


# Reading back

READS = {
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.sum()),
    "bool": lambda x: bool(x.sum() > 3),
    "if": lambda x: 1 if x.sum() > 3 else 0,
    "item": lambda x: x.sum().item(),
    "get": lambda x: x.get(),
    "asnumpy": lambda x: xp.asnumpy(x),
    "tolist": lambda x: x.tolist(),
    "format": lambda x: f"{x.sum():g}",
    "print": str,
    "Python's max": lambda x: max(x.sum(), x.max()),
    "x[mask]": lambda x: x[x > 1],
    "nonzero": lambda x: xp.nonzero(x),
    "x.nonzero": lambda x: x.nonzero(),
    "where(condition)": lambda x: xp.where(x > 1),
    "unique": lambda x: xp.unique(x),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_reads_by_the_host_are_counted_and_cannot_be_recorded(x, read):
    before = xp.host_reads
    read(x)
    assert xp.host_reads == before + 1
    with xp.recording(), pytest.raises(xp.RecordingError):
        read(x)
    assert xp.host_reads == before + 1


@pytest.mark.parametrize(
    "attempt",
    [
        lambda x: xp.asarray(HOST),
        lambda x: xp.array([1.0, 2.0]),
        lambda x: x.set(HOST),
        lambda x: x[[0, 1]],
        lambda x: x @ x.T,
        lambda x: xp.einsum("ij->i", x),
        lambda x: x.dot(x.T),
        lambda x: xp.matmul(x, x.T.astype(np.float64)),
        lambda x: xp.linalg.eigh(xp.matmul(x, x.T)),
    ],
)
def test_what_a_graph_cannot_hold(x, attempt):
    with xp.recording(), pytest.raises(xp.RecordingError):
        attempt(x)
    attempt(x)  # outside it is fine


def test_what_a_graph_can_hold(x):
    before = xp.host_reads
    with xp.recording():
        y = xp.matmul(x, x.T)
        y += xp.zeros(2, dtype=y.dtype)
        y[0] = xp.where(y > 0, y, 0).sum(axis=0)
        noise = xp.random.default_rng(0).standard_normal(y.shape)
        assert xp.asarray(y) is y and noise.shape == (2, 2) and len(y) == 2
    assert xp.host_reads == before


def test_functions_named_like_python_s_own(x):
    assert bool(xp.any(x > 0)) and float(xp.sum(x)) == float(x.sum()) and float(xp.max(x)) == float(x.max())
    xp.stack([x, x])  # which asks Python's any
