"""The embedded data: handwriting-like digits, drawn by code. Nothing to download.

Each digit is a skeleton of polylines. An image bends it by a smooth wave, turns, slants, stretches and shifts
it, and draws it with a pen of its own width: a pixel's ink is how far the pen, a disc moved along the line,
covers it. Bending, slant and width are not linear in the pixels, so a linear code needs many more numbers
than the dozen that each image was drawn from.
"""

from __future__ import annotations

import itertools

import numpy as np

from .dataset import Dataset

SIZE = 28  # pixels
TRAIN, TEST = 12_000, 2_000


def strokes(train: int = TRAIN, test: int = TEST, seed: int = 0) -> Dataset:
    """The dataset; the same numbers for the same seed, the ten digits in equal shares."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(train + test) % 10).astype(np.uint8)
    images = np.concatenate([draw(labels[i : i + 250], rng) for i in range(0, len(labels), 250)])
    return Dataset("strokes", images[:train], labels[:train], images[train:], labels[train:])


def draw(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One image (28, 28) of each label, uint8."""
    n = len(labels)
    variant = rng.integers(0, 2, n)
    start, end = np.stack([SEGMENTS[label][v] for label, v in zip(labels, variant, strict=True)]).transpose(
        2, 0, 1, 3
    )  # (N, S, 2) each
    jitter = random_jitter(n, rng)
    return render(jitter(start), jitter(end), rng.uniform(0.8, 1.9, (n, 1)).astype(np.float32))


def random_jitter(n: int, rng: np.random.Generator):
    """A random distortion for each of n images, as a function of points (N, S, 2) in the unit square that
    gives pixels.
    """
    amplitude = rng.normal(0, 0.035, (n, 1, 2))
    frequency, phase = rng.uniform(2, 5, (n, 1, 2)), rng.uniform(0, 2 * np.pi, (n, 1, 2))
    angle, slant = rng.normal(0, 0.12, n), rng.normal(0.1, 0.18, n)
    width, height = rng.uniform(0.65, 1.05, n), rng.uniform(0.85, 1.05, n)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)  # (N, 2, 2)
    shape = np.stack([np.stack([width, slant * height], 1), np.stack([np.zeros(n), height], 1)], 1)
    matrix = (turn @ shape).transpose(0, 2, 1) * 19  # the digit is about 19 pixels high
    shift = SIZE / 2 - 0.5 + rng.normal(0, 0.8, (n, 1, 2))

    def apply(points: np.ndarray) -> np.ndarray:
        bent = points + amplitude * np.sin(
            frequency * points[..., ::-1] + phase
        )  # x bends with y, and y with x
        return ((bent - 0.5) @ matrix + shift).astype(np.float32)

    return apply


def render(start: np.ndarray, end: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Ink of line segments start → end (N, S, 2) drawn with a round pen of the given radius (N, 1), as images
    (N, 28, 28), uint8.
    """
    axis = np.arange(SIZE, dtype=np.float32)
    pixel = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)  # (784, 2), x before y
    nearest = np.full((len(start), len(pixel)), np.inf, np.float32)
    for a, b in zip(start.swapaxes(0, 1), end.swapaxes(0, 1), strict=True):  # segment by segment
        along = b - a
        length2 = np.maximum((along * along).sum(axis=1), np.float32(1e-6))[:, None]
        # how far along the segment the closest point lies, 0 at a and 1 at b
        share = pixel @ along.T  # (784, N)
        share = (share.T - (a * along).sum(axis=1)[:, None]) / length2
        np.clip(share, 0, 1, out=share)
        dx = share * along[:, :1] + a[:, :1] - pixel[:, 0]
        dy = share * along[:, 1:] + a[:, 1:] - pixel[:, 1]
        np.minimum(nearest, dx * dx + dy * dy, out=nearest)
    ink = np.clip(radius + 0.5 - np.sqrt(nearest), 0, 1)  # one pixel of soft edge
    return np.rint(ink * 255).astype(np.uint8).reshape(-1, SIZE, SIZE)


def arc(
    cx: float, cy: float, rx: float, ry: float, first: float, last: float, points: int = 9
) -> list[tuple[float, float]]:
    """Points on an ellipse, angles in degrees: 0 is right, 90 is down."""
    angles = np.radians(np.linspace(first, last, points))
    return list(zip(cx + rx * np.cos(angles), cy + ry * np.sin(angles), strict=True))


# Each digit in two manners, as polylines in the unit square, x to the right and y down
SKELETONS = {
    0: [[arc(0.5, 0.5, 0.3, 0.48, -90, 270, 17)], [arc(0.5, 0.5, 0.38, 0.44, -60, 300, 17)]],
    1: [[[(0.5, 0.02), (0.5, 0.98)]], [[(0.3, 0.25), (0.55, 0.03), (0.55, 0.98)]]],
    2: [
        [[*arc(0.5, 0.28, 0.3, 0.26, -170, 40, 9), (0.2, 0.95), (0.82, 0.95)]],
        [[*arc(0.5, 0.28, 0.3, 0.26, -150, 50, 8), *arc(0.32, 0.84, 0.14, 0.12, -60, -300, 7), (0.85, 0.93)]],
    ],
    3: [
        [[*arc(0.45, 0.27, 0.3, 0.25, -150, 80, 9), *arc(0.45, 0.74, 0.34, 0.25, -80, 150, 9)]],
        [[(0.2, 0.05), (0.75, 0.05), (0.45, 0.4), *arc(0.45, 0.7, 0.33, 0.28, -80, 150, 9)]],
    ],
    4: [
        [[(0.6, 0.02), (0.12, 0.65), (0.88, 0.65)], [(0.66, 0.35), (0.66, 0.98)]],
        [[(0.22, 0.05), (0.18, 0.5), (0.8, 0.5)], [(0.75, 0.05), (0.72, 0.98)]],
    ],
    5: [
        [[(0.78, 0.04), (0.3, 0.04), (0.25, 0.45), *arc(0.45, 0.68, 0.33, 0.28, -110, 140, 10)]],
        [[(0.8, 0.08), (0.35, 0.05), (0.28, 0.4), *arc(0.42, 0.7, 0.3, 0.26, -80, 120, 9)]],
    ],
    6: [
        [[(0.68, 0.03), *arc(0.5, 0.68, 0.3, 0.28, -150, 200, 14)]],
        [[(0.6, 0.02), (0.35, 0.3), *arc(0.47, 0.7, 0.25, 0.26, -180, 170, 14)]],
    ],
    7: [
        [[(0.15, 0.06), (0.82, 0.06), (0.4, 0.97)]],
        [[(0.18, 0.1), (0.5, 0.04), (0.82, 0.08), (0.55, 0.5), (0.42, 0.97)], [(0.3, 0.52), (0.75, 0.48)]],
    ],
    8: [
        [arc(0.5, 0.26, 0.25, 0.23, 90, 450, 11), arc(0.5, 0.74, 0.3, 0.25, -90, 270, 12)],
        [[*arc(0.5, 0.26, 0.24, 0.22, 40, -220, 9), *arc(0.5, 0.75, 0.27, 0.22, -40, 220, 9), (0.69, 0.4)]],
    ],
    9: [
        [[*arc(0.46, 0.3, 0.28, 0.27, 0, -360, 13), (0.72, 0.55), (0.66, 0.97)]],
        [
            [
                *arc(0.5, 0.28, 0.28, 0.25, -20, -340, 12),
                (0.78, 0.25),
                (0.7, 0.7),
                *arc(0.48, 0.8, 0.2, 0.17, 20, 130, 4),
            ]
        ],
    ],
}


def segments(lines: list[list[tuple[float, float]]]) -> np.ndarray:
    """The segments of polylines, (24, 2, 2): a list of (start, end); filled up by repeating the last."""
    pairs = [pair for line in lines for pair in itertools.pairwise(line)]
    return np.array(pairs + [pairs[-1]] * (24 - len(pairs)))


SEGMENTS = {digit: [segments(lines) for lines in manners] for digit, manners in SKELETONS.items()}
