"""How the seed notebook reads its pictures, file by file; the rival of `benchmarks.prepare`.

    python -m benchmarks.notebook_loading FOLDER

The notebook's Keras `load_img(grayscale=True)` is Pillow's open and convert, without the five
seconds that importing TensorFlow takes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    """Read every picture below the folder into one array and print its shape."""
    files = [path for path in sorted(Path(sys.argv[1]).rglob("*")) if path.is_file()]
    pictures = []
    for path in files:
        with Image.open(path) as image:
            pictures.append(np.array(image.convert("L")))
    features = np.array(pictures)
    print(features.reshape(len(features), *features.shape[1:], 1).shape)


if __name__ == "__main__":
    main()
