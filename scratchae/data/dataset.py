"""Labelled images in four arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Images uint8 (N, 28, 28), from 0 (paper) to 255 (ink), and labels uint8 (N,), for training and for testing."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def pixels(images: np.ndarray) -> np.ndarray:
    """Images for the dense models: float32 in [0, 1], one row for each image."""
    return (images.reshape(len(images), -1) / np.float32(255)).astype(np.float32, copy=False)
