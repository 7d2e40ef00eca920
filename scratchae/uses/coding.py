"""Compression: codes quantised and entropy-coded, which is lossy; and whole binary images by bits-back coding, which is not.

The entropy coder is the package constriction (Bamler 2022); what is here are the models of its symbols.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import number, whole
from ..backend import to_numpy
from ..errors import DataError, OptionError, ShapeError
from ..files import written_whole
from ..losses import BCE
from ..models import CVAE, VAE
from .codes import in_batches

MAGIC, VERSION = b"scratchae", 1
QUANTILES = 513  # of each number of the code, by which its distribution is kept
DIGEST = 16  # bytes of SHA-256 at the end of a file


def constriction() -> Any:
    try:
        import constriction
    except ImportError:
        raise OptionError(
            "compression needs the package constriction, which is not installed: pip install 'scratchae[codec]'"
        ) from None
    return constriction


class Codec:
    """A lossy codec: x → code z → t = (z - mean) T → whole numbers round(t / step) → bits, and back.

    T is chosen so that an error of t of the same size costs the same in the image, whichever way it points: with the decoder's
    Jacobian J, M = E[JᵀJ] = L Lᵀ and T = L R, where R turns t to the directions in which it varies most. Of PCA T is the identity.
    The distribution of each number of t is that of the training examples, kept as quantiles. coder: a model, or a PCA.
    """

    def __init__(self, coder: Any, mean: np.ndarray, turn: np.ndarray, quantiles: np.ndarray, shape: tuple[int, ...]):
        self.coder, self.mean, self.turn, self.quantiles, self.shape = coder, mean, turn, quantiles, shape

    @staticmethod
    def fit(coder: Any, x: np.ndarray, probes: int = 100) -> Codec:
        """A codec for examples like the training examples x, (N, …). Raises OptionError for a model that is told the class."""
        if isinstance(coder, CVAE):
            raise OptionError(
                "a CVAE has to be told the class, which a compressed file does not hold: choose another model"
            )
        codes = in_batches(coder.encode, x)
        shape = codes.shape[1:]
        z = codes.reshape(len(x), -1).astype(np.float64)
        mean = z.mean(axis=0)
        L = np.linalg.cholesky(metric(coder, codes, probes))
        _, R = np.linalg.eigh(np.cov(((z - mean) @ L).T).reshape(z.shape[1], z.shape[1]))
        turn = L @ R[:, ::-1]
        quantiles = np.quantile((z - mean) @ turn, np.linspace(0, 1, QUANTILES), axis=0)
        return Codec(coder, mean, turn, quantiles, shape)

    def probabilities(self, step: float) -> list[tuple[int, np.ndarray]]:
        """For each number of t the least whole number, and the probabilities of it and of those that follow."""
        heights = np.linspace(0, 1, QUANTILES)
        found = []
        for values in self.quantiles.T:
            low, high = (int(np.rint(end / step)) for end in (values[0], values[-1]))
            edges = (np.arange(low - 1, high + 3) - 0.5) * step  # one more on each side, for what lies beyond
            p = np.diff(np.interp(edges, values + np.arange(QUANTILES) * 1e-12, heights)) + 1e-5
            found.append((low - 1, p / p.sum()))
        return found

    def turned(self, x: np.ndarray) -> np.ndarray:
        """t (N, D) of examples."""
        z = in_batches(self.coder.encode, x).reshape(len(x), -1)
        return (z - self.mean) @ self.turn

    def symbols(self, t: np.ndarray, step: float) -> np.ndarray:
        """The whole numbers (N, D) that stand for t."""
        k = np.rint(t / step).astype(np.int64)
        for j, (low, p) in enumerate(self.probabilities(step)):
            np.clip(k[:, j], low, low + len(p) - 1, out=k[:, j])
        return k

    def examples(self, k: np.ndarray, step: float) -> np.ndarray:
        """What the whole numbers stand for."""
        z = self.mean + np.linalg.solve(self.turn.T, (k * step).T).T
        return in_batches(self.coder.decode, z.astype(np.float32).reshape(len(k), *self.shape))

    def compress(self, x: np.ndarray, step: float) -> bytes:
        """The bits of examples, without header or checksum."""
        return self.coded(self.turned(x), step)

    def coded(self, t: np.ndarray, step: float) -> bytes:
        """The bits of t."""
        package = constriction()
        coder = package.stream.stack.AnsCoder()
        k = self.symbols(t, number("compress", "0 < step", step))
        for column, (low, p) in list(zip(k.T, self.probabilities(step), strict=True))[::-1]:
            coder.encode_reverse((column - low).astype(np.int32), package.stream.model.Categorical(p, perfect=False))
        return coder.get_compressed().astype("<u4").tobytes()

    def decompress(self, payload: bytes, n: int, step: float) -> np.ndarray:
        """The n examples that `compress` made bits of, as far as these say."""
        package = constriction()
        coder = package.stream.stack.AnsCoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        columns = [
            coder.decode(package.stream.model.Categorical(p, perfect=False), n) + low
            for low, p in self.probabilities(step)
        ]
        return self.examples(np.stack(columns, axis=1), step)

    def tensors(self) -> dict[str, np.ndarray]:
        """What of it has to be kept beside the model."""
        kept = {
            "mean": self.mean,
            "turn": self.turn,
            "quantiles": self.quantiles,
            "shape": np.array(self.shape, np.int64),
        }
        return {
            name: np.ascontiguousarray(each, np.float32 if each.dtype.kind == "f" else each.dtype)
            for name, each in kept.items()
        }

    @staticmethod
    def from_tensors(coder: Any, tensors: dict[str, np.ndarray]) -> Codec:
        mean, turn, quantiles = (tensors[name].astype(np.float64) for name in ("mean", "turn", "quantiles"))
        return Codec(coder, mean, turn, quantiles, tuple(tensors["shape"].tolist()))


def metric(coder: Any, codes: np.ndarray, probes: int) -> np.ndarray:
    """M = E[JᵀJ] of the decoder, (D, D), by differences at some of the codes."""
    chosen = codes[np.linspace(0, len(codes) - 1, min(probes, len(codes))).astype(int)]
    flat = chosen.reshape(len(chosen), -1)
    size = np.maximum(0.1 * flat.std(axis=0), 1e-4)
    slopes = []
    for j in range(flat.shape[1]):
        moved = flat.copy()
        moved[:, j] += size[j]
        apart = in_batches(coder.decode, moved.reshape(chosen.shape)) - in_batches(coder.decode, chosen)
        slopes.append(apart.reshape(len(flat), -1).astype(np.float64) / size[j])
    J = np.stack(slopes)  # (D, N, features)
    M = np.einsum("inf,jnf->ij", J, J, optimize=True) / len(flat)
    return M + 1e-6 * np.trace(M) / len(M) * np.eye(len(M))


# Files


def fingerprint(codec: Codec, weights: np.ndarray) -> str:
    """What tells whether a file is of this model and codec."""
    digest = hashlib.sha256(np.ascontiguousarray(weights))
    for each in codec.tensors().values():
        digest.update(each)
    return digest.hexdigest()[:16]


def write_file(path: str | Path, codec: Codec, weights: np.ndarray, x: np.ndarray, step: float) -> int:
    """Write examples as a compressed file: what it is, a header in JSON, the bits, and a checksum over all. Returns its bytes."""
    header = json.dumps({"examples": len(x), "step": step, "model": fingerprint(codec, weights)}).encode()
    content = MAGIC + struct.pack("<BI", VERSION, len(header)) + header + codec.compress(x, step)
    with written_whole(Path(path)) as temporary:
        temporary.write_bytes(content + hashlib.sha256(content).digest()[:DIGEST])
    return len(content) + DIGEST


def read_file(path: str | Path, codec: Codec, weights: np.ndarray) -> np.ndarray:
    """The examples in a compressed file. Raises DataError if it is damaged, or was made by another model: it is never half read."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    start = len(MAGIC) + 5
    if content[: len(MAGIC)] != MAGIC or len(content) < start + DIGEST:
        raise DataError(f"{path} is not a file that `scratchae use compress` wrote: it begins with {content[:9]!r}")
    content, digest = content[:-DIGEST], content[-DIGEST:]
    if hashlib.sha256(content).digest()[:DIGEST] != digest:
        raise DataError(
            f"{path} is damaged: its checksum does not match its content, so nothing of it is read; use another copy"
        )
    version, size = struct.unpack("<BI", content[len(MAGIC) : start])
    if version > VERSION:
        raise DataError(f"{path} has version {version}, and this scratchae reads up to {VERSION}: upgrade scratchae")
    header = json.loads(content[start : start + size])
    if header["model"] != fingerprint(codec, weights):
        raise DataError(f"{path} was compressed by another model: decompress it with the run that made it")
    return codec.decompress(content[start + size :], header["examples"], header["step"])


# Without loss

GRID = 64  # codes on a grid of 1 / GRID, from -REACH to REACH
REACH = 8
WORD = 16  # bits that are mixed at a time


def bits_back(model: VAE, x: np.ndarray, seed: int = 0) -> tuple[bytes, float]:
    """Binary images (N, …) as bits, from which `bits_forth` gets them back exactly; and how many bits each costs on average.

    The code of an image is not sent: it is drawn from q(z|x) by *decoding* it from the bits that are there already, which gets these
    bits back when the image is decoded. So an image costs -log p(x|z) - log p(z) + log q(z|x), on average -ELBO (Townsend et al. 2019).
    The first codes are drawn from random bits, which are not counted. Raises DataError for pixels other than 0 and 1.
    """
    require_binary(model, x)
    models, coder = symbol_models(), started(seed, model.code_size)
    before = coder.num_bits()
    for i in range(len(x)):
        row = x[i : i + 1]
        mix(coder, models, model.code_size, i, 1)
        k = coder.decode(models.gaussian, *posterior(model, row))
        coder.encode_reverse(row.ravel().astype(np.int32), models.bernoulli, likelihood(model, k))
        coder.encode_reverse(k, models.prior)
    return coder.get_compressed().astype("<u4").tobytes(), (coder.num_bits() - before) / max(len(x), 1)


def bits_forth(model: VAE, bits: bytes, n: int, shape: tuple[int, ...]) -> np.ndarray:
    """The n images (n, *shape) that `bits_back` made bits of."""
    models = symbol_models()
    coder = constriction().stream.stack.AnsCoder(np.frombuffer(bits, "<u4").astype(np.uint32))
    x = np.empty((whole("bits_forth", "n", n, least=0), *shape), model.parameters.dtype)
    for i in reversed(range(n)):
        k = coder.decode(models.prior, model.code_size)
        x[i] = coder.decode(models.bernoulli, likelihood(model, k)).reshape(shape)
        coder.encode_reverse(k, models.gaussian, *posterior(model, x[i : i + 1]))
        mix(coder, models, model.code_size, i, -1)
    return x


def mix(coder: Any, models: Any, size: int, i: int, sign: int) -> None:
    """Add random numbers to the uppermost bits, or take them away again, which costs nothing. These bits are the code of the image
    before; were they left as they are, a code in the tail of the prior would draw the next one from the tail of its q.
    """
    count = 2 * size
    words = coder.decode(models.word, count).astype(np.int64)
    random = np.random.default_rng([0, i]).integers(0, 2**WORD, count)
    coder.encode_reverse(((words + sign * random) % 2**WORD).astype(np.int32), models.word)


def symbol_models() -> Any:
    from types import SimpleNamespace

    kinds, reach = constriction().stream.model, REACH * GRID
    return SimpleNamespace(
        gaussian=kinds.QuantizedGaussian(-reach, reach),
        prior=kinds.QuantizedGaussian(-reach, reach, 0.0, float(GRID)),
        bernoulli=kinds.Bernoulli(perfect=False),
        word=kinds.Uniform(2**WORD),
    )


def started(seed: int, size: int) -> Any:
    """A coder that holds enough random bits to draw the first codes from."""
    words = np.random.default_rng(seed).integers(1, 2**32, 2 * size + 64, dtype=np.uint32)
    return constriction().stream.stack.AnsCoder(words)


def posterior(model: VAE, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """μ and σ of an image's code, in steps of the grid. One image at a time in both directions, so that both round alike."""
    mean, log_var = (to_numpy(each)[0].astype(np.float64) for each in model.infer(row))
    return np.clip(mean, -REACH + 1, REACH - 1) * GRID, np.maximum(np.exp(log_var / 2) * GRID, 0.1)


def likelihood(model: VAE, k: np.ndarray) -> np.ndarray:
    """The probability of each pixel to be 1, for a code on the grid."""
    p = to_numpy(model.decode((k[None] / GRID).astype(model.parameters.dtype))).ravel().astype(np.float64)
    return np.clip(p, 1e-6, 1 - 1e-6)


def require_binary(model: VAE, x: np.ndarray) -> None:
    if not isinstance(model, VAE) or isinstance(model, CVAE) or not isinstance(model.loss, BCE):
        raise OptionError(
            "bits-back coding needs a VAE of binary images, with the loss BCEWithLogits() or BCE(): the preset vae-binary"
        )
    if not ((x == 0) | (x == 1)).all():
        raise DataError(
            "bits_back: x holds grey pixels: expected 0 and 1; (rng.random(x.shape) < x).astype(x.dtype) draws them"
        )
    if x.ndim < 2:
        raise ShapeError(f"bits_back: x has shape {x.shape}: expected (N, …)")
