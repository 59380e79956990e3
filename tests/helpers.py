"""Small real input for the tests."""

import io
import re
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from facial_expression.core.arrays import ROWS, write_array
from facial_expression.core.files import write_zip
from facial_expression.core.tables import write_table
from facial_expression.sample.faces import contraction, identity
from facial_expression.sample.portraits import looks, portrait


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def picture(seed: int, side: int = 48, kind: str = "JPEG") -> bytes:
    """A grey square of smooth noise as the bytes of an image file; each seed another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    return encoded(Image.fromarray(coarse).resize((side, side), Image.Resampling.BILINEAR), kind)


def make_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    codec: str = "mjpeg",
    container: str | None = None,
    times: Sequence[int] | None = None,
    shape: Fraction = Fraction(1),
) -> Path:
    """Write frames uint8 (rows, columns, 3) as a video.

    Args:
        path: its suffix names the container, unless `container` does.
        frames: red, green, blue.
        codec: FFmpeg's name of the encoder.
        container: FFmpeg's name of the container.
        times: milliseconds of each frame; by default ten frames a second.
        shape: width of a pixel divided by its height.
    """
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=10)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.height, stream.width, _ = frames[0].shape
        stream.codec_context.sample_aspect_ratio = shape
        stream.codec_context.time_base = Fraction(1, 1000 if times else 10)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = times[number] if times else number
            frame.time_base = stream.codec_context.time_base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def noise_video(path: Path, codec: str, container: str | None = None) -> Path:
    """Twenty 128x96 frames of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), np.uint8)
    return make_video(path, noise, codec, container)


def drawn_face(seed: int, expression: str = "happy") -> NDArray[np.uint8]:
    """A drawn face with a full expression, uint8 (48, 48); each seed another one."""
    rng = np.random.default_rng(seed)
    return portrait(identity(rng), contraction(expression, 1.0, rng), looks(rng), rng)


def tiny_pictures() -> dict[str, bytes]:
    """Real JPEG and PNG files under FER2013's names: three classes, both folders, no duplicate."""
    names = [
        f"{folder}/{label}/{usage}_{number}{suffix}"
        for label in ("angry", "happy", "sad")
        for folder, usage, count in (
            ("train", "Training", 6),
            ("test", "PublicTest", 2),
            ("test", "PrivateTest", 2),
        )
        for number, suffix in zip(range(count), (".jpg", ".png") * count, strict=False)
    ]
    kinds = {".jpg": "JPEG", ".png": "PNG"}
    return {name: picture(seed, kind=kinds[name[-4:]]) for seed, name in enumerate(sorted(names))}


def make_archive(path: Path, pictures: Mapping[str, bytes]) -> Path:
    """Write the members as a normalised archive, whatever their order."""
    write_zip(path, ((name, pictures[name]) for name in sorted(pictures)))
    return path


def write_rows(folder: Path, split: str, rows: Sequence[tuple[int, str, bool]]) -> None:
    """rows.csv of a split, as stage preprocess writes it."""
    table = pd.DataFrame(rows, columns=list(ROWS)).astype({"leak_free": int})
    write_table(folder / split / "rows.csv", table)


def make_split(
    arrays: Path,
    split: str,
    images: NDArray[np.integer],
    labels: NDArray[np.int64],
    shards: int = 1,
    leaks: Collection[int] = (),
) -> list[str]:
    """A split as stage preprocess writes it; the rows `leaks` are not leak-free; its paths."""
    for shard, part in enumerate(np.array_split(np.arange(len(labels)), shards)):
        write_array(arrays / split / f"images-{shard:03}.npy", images[part].astype(np.uint8))
        write_array(arrays / split / f"labels-{shard:03}.npy", labels[part])
    paths = [f"{split}/{row}.png" for row in range(len(labels))]
    write_rows(arrays, split, [(row, path, row not in leaks) for row, path in enumerate(paths)])
    return paths


def make_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files under a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def one_line(*parts: str) -> str:
    """A pattern for `pytest.raises`: the message is one line, which holds all these parts."""
    return rf"\A{''.join(f'(?=.*{re.escape(part)})' for part in parts)}.+\Z"


def predicted(network: Path, pictures: NDArray[np.uint8]) -> NDArray[np.floating]:
    """What a `.keras` file says of uint8 pictures (N, side, side); Keras is configured already."""
    from facial_expression.network import keras_file, predict

    return predict.predicted(keras_file.load(network), pictures)
