"""The embedded data: digits like handwriting, drawn by code, so that nothing has to be downloaded.

Each digit is a skeleton of polylines. For each image it is bent by a smooth wave, turned, slanted, stretched and
shifted, and drawn with a pen of random width: a pixel's ink is how far the pen, a disc moved along the line,
covers it. Bending, slant and width are not linear in the pixels, so a linear code needs many more numbers
than the dozen that each image is made from.
"""

from __future__ import annotations

import itertools

import numpy as np

from .dataset import Dataset

SIZE = 28  # pixels
TRAIN, TEST = 30_000, 5_000
TOGETHER = 250  # images drawn at once, so that their distances to a segment stay in the cache


def strokes(train: int = TRAIN, test: int = TEST, seed: int = 0) -> Dataset:
    """The dataset, with as many images of each digit. The same seed gives the same images."""
    rng = np.random.default_rng(seed)
    glyph = rng.permutation(np.arange(train + test) % len(GLYPHS))
    images = np.empty((len(glyph), SIZE, SIZE), np.uint8)
    for which, (_, segments) in enumerate(GLYPHS):
        members = np.flatnonzero(glyph == which)
        for start in range(0, len(members), TOGETHER):
            chunk = members[start : start + TOGETHER]
            images[chunk] = draw(segments, len(chunk), rng)
    labels = np.array([label for label, _ in GLYPHS], np.uint8)[glyph]
    return Dataset("strokes", images[:train], labels[:train], images[train:], labels[train:])


def draw(segments: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n images (28, 28), uint8, of the segments (S, 2, 2) of a skeleton, each in a different handwriting."""
    jitter = random_jitter(n, rng)
    ends = jitter(np.broadcast_to(segments.reshape(1, -1, 2), (n, 2 * len(segments), 2)))
    return render(ends.reshape(n, -1, 2, 2), rng.uniform(0.8, 1.9, (n, 1)).astype(np.float32))


def random_jitter(n: int, rng: np.random.Generator):
    """A random distortion for each of n images: a function from points (N, P, 2) in the unit square to pixels."""
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
        bent = points + amplitude * np.sin(frequency * points[..., ::-1] + phase)  # x bends with y, and y with x
        return ((bent - 0.5) @ matrix + shift).astype(np.float32)

    return apply


def render(segments: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Line segments (N, S, 2, 2) drawn with a round pen of a radius (N, 1): images (N, 28, 28), uint8."""
    axis = np.arange(SIZE, dtype=np.float32)
    x, y = (grid.reshape(1, -1) for grid in np.meshgrid(axis, axis))  # (1, 784)
    nearest = np.full((len(segments), SIZE * SIZE), np.inf, np.float32)  # squared distance to the line
    for i in range(segments.shape[1]):
        (ax, ay), (bx, by) = segments[:, i].transpose(1, 2, 0)[..., None]  # (N, 1) each
        along_x, along_y = bx - ax, by - ay
        dx, dy = x - ax, y - ay  # (N, 784)
        # the place of the closest point on the segment, from 0 at its start to 1 at its end
        share = dx * along_x
        share += dy * along_y
        share /= np.maximum(along_x**2 + along_y**2, np.float32(1e-6))
        np.clip(share, 0, 1, out=share)
        dx -= share * along_x
        dy -= share * along_y
        dx *= dx
        dy *= dy
        dx += dy
        np.minimum(nearest, dx, out=nearest)
    ink = np.clip(radius + 0.5 - np.sqrt(nearest), 0, 1)  # one pixel of soft edge
    return np.rint(ink * 255).astype(np.uint8).reshape(-1, SIZE, SIZE)


def arc(
    cx: float, cy: float, rx: float, ry: float, first: float, last: float, points: int = 9
) -> list[tuple[float, float]]:
    """Points on an ellipse, angles in degrees: 0 is right, 90 is down."""
    angles = np.radians(np.linspace(first, last, points))
    return list(zip(cx + rx * np.cos(angles), cy + ry * np.sin(angles), strict=True))


# Each digit in two ways of writing, as polylines in the unit square, x to the right and y down
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


# (label, segments (S, 2, 2)) of each digit in each way of writing
GLYPHS = [
    (digit, np.array([pair for line in lines for pair in itertools.pairwise(line)]))
    for digit, manners in SKELETONS.items()
    for lines in manners
]
