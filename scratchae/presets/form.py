"""What a preset's network has to fit: the shape and the range of the data, and the sizes that a person asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import OptionError, ShapeError
from ..layers import GaussianNoise, Layer
from ..losses import MSE, Loss


@dataclass(frozen=True)
class Form:
    """shape: that of an example, (D,) or (H, W, C). unit: whether its numbers lie in [0, 1]; only then an output may be squashed
    into that range. code: the size of the code, and hidden: those of the layers before it, where a person has chosen them.
    labels: the number of classes, for a model that is told the class.
    """

    shape: tuple[int, ...] = (784,)
    unit: bool = True
    code: int | None = None
    hidden: tuple[int, ...] | None = None
    labels: int = 10
    beta: float | None = None

    @property
    def features(self) -> int:
        """The number of numbers in a row. Raises ShapeError for images, which a dense network takes as rows."""
        (features,) = self.shape
        return features

    def sizes(self, *hidden: int, code: int) -> list[int]:
        """Sizes of dense layers from the data to the code: the preset's own, unless a person has chosen others."""
        return [self.features, *(self.hidden or hidden), self.code or code]

    def channels(self, preset: str, *own: int) -> tuple[int, ...]:
        """The channels of a convolutional network's layers. Raises OptionError for another number of layers than it has."""
        chosen = self.hidden or own
        if len(chosen) != len(own):
            raise OptionError(
                f"--hidden {','.join(map(str, chosen))}: {preset} has {len(own)} hidden layer{'s' * (len(own) > 1)} of channels, such as "
                f"--hidden {','.join(map(str, own))}; dense presets take any number of layers"
            )
        return chosen

    def end(self, *layers: Layer) -> tuple[Layer, ...]:
        """The last layers of a decoder, such as Sigmoid(), where the data lie in [0, 1]; none for other data."""
        return layers if self.unit else ()

    def loss(self, loss: Loss, otherwise: Loss | None = None) -> Loss:
        """The loss for data in [0, 1]; for other data the squared error, which is the likelihood of a Gaussian of fixed variance."""
        return loss if self.unit else otherwise or MSE()

    def noise(self, std: float) -> GaussianNoise:
        """Gaussian noise, which stays within the range of the data."""
        return GaussianNoise(std, clip=(0, 1) if self.unit else None)

    def halved(self, times: int, preset: str) -> list[tuple[int, int]]:
        """Height and width, and what they become when they are halved so often, rounded up. Raises ShapeError for rows."""
        if len(self.shape) != 3:
            side = math.isqrt(self.shape[0])
            images = (
                f"; or say what images they are, if they are any: --size {side}" if side**2 == self.shape[0] else ""
            )
            raise ShapeError(
                f"{preset} begins with a convolution, which needs images (H, W, C), and the data are rows of {self.shape[0]} numbers: "
                f"choose a dense preset, such as table or deep{images}"
            )
        sizes = [self.shape[:2]]
        for _ in range(times):
            sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
        return sizes


def output_padding(small: tuple[int, int], large: tuple[int, int]) -> tuple[int, int]:
    """What ConvTranspose2d(…, 3, stride=2, padding=1) must add to come from `small` to `large`: 2 small - 1 or 2 small."""
    return tuple(b - (2 * a - 1) for a, b in zip(small, large, strict=True))
