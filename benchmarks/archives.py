"""For `benchmarks.prepare`: larger archives and loose files, and the seed notebook's loading.

python -m benchmarks.archives FOLDER
"""

import io
import sys
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image


def enlarge(source: Path, target: Path, times: int) -> None:
    """Write a zip with the pictures of `source` and `times - 1` distinct copies of each."""
    with zipfile.ZipFile(source) as few, zipfile.ZipFile(target, "w") as many:
        for info in few.infolist():
            if info.is_dir():
                continue
            data = few.read(info)
            many.writestr(info.filename, data)
            picture = Image.open(io.BytesIO(data)).convert("L")
            pixels = picture.tobytes()
            for number in range(1, times):
                name = PurePosixPath(info.filename).with_suffix(f".{number}.pgm")
                many.writestr(str(name), variant(picture.size, pixels, number))


def variant(size: tuple[int, int], pixels: bytes, number: int) -> bytes:
    """A PGM file of grey pixels (width * height), of which pixel `number` is inverted."""
    changed = bytearray(pixels)
    changed[number % len(changed)] ^= 255
    return b"P5 %d %d 255\n" % size + changed


def load(folder: Path) -> None:
    """Read every picture below a folder into one array as the seed notebook does, file by file.

    Its Keras `load_img(grayscale=True)` is Pillow's open and convert, without the five seconds
    that importing TensorFlow takes.
    """
    pictures = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with Image.open(path) as image:
                pictures.append(np.array(image.convert("L")))
    print(np.array(pictures)[..., None].shape)


if __name__ == "__main__":
    load(Path(sys.argv[1]))
