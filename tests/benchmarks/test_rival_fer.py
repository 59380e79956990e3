import cv2
import numpy as np

from benchmarks import rival_fer


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_pictures_are_enlarged_linearly_and_scaled_to_plus_minus_one():
    images = noise(3, 48, 48)
    prepared = rival_fer.prepare(images)
    assert prepared.shape == (3, 64, 64, 1)
    assert prepared.dtype == np.float32
    assert -1 <= prepared.min() < prepared.max() <= 1
    expected = np.stack([cv2.resize(image, (64, 64)) for image in images])
    levels = (prepared[..., 0] / 2 + 0.5) * 255
    np.testing.assert_allclose(levels, expected, atol=1.01)  # Pillow rounds twice
