"""Public data sets in miniature: their layouts as they are downloaded, with drawn faces."""

import io
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from facial_expression.core.labels import FER2013_IDS
from tests.helpers import drawn_face, encoded

Tree = dict[str, bytes]

RAF_IDS = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")  # from 1
AFFECTNET_IDS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")  # from 0
CK_IDS = {"angry": 1, "disgust": 3, "fear": 4, "happy": 5, "sad": 6, "surprise": 7}
CODES = {
    "AN": "angry",
    "DI": "disgust",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}


@cache
def face(expression: str, seed: int, kind: str = "JPEG", side: int = 48) -> bytes:
    """A drawn face as the bytes of a picture file."""
    return encoded(Image.fromarray(drawn_face(seed, expression)).resize((side, side)), kind)


def lines(*rows: object) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def raf_db() -> Tree:
    files: Tree = {}
    labels = []
    for number, label in enumerate(RAF_IDS * 4, 1):
        split = "train" if number <= 21 else "test"
        stem = f"{split}_{number:05d}"
        labels.append(f"{stem}.jpg {RAF_IDS.index(label) + 1}")
        files[f"basic/Image/aligned/{stem}_aligned.jpg"] = face(label, number, side=100)
        files[f"basic/Image/original/{stem}.jpg"] = face(label, number, side=120)
        marks = ["11.5\t20.25"] * 5
        files[f"basic/Annotation/manual/{stem}_manu_attri.txt"] = lines(
            *marks, number % 3, number % 2, number % 5
        )
    return {**files, "basic/EmoLabel/list_patition_label.txt": lines(*labels)}


def raf_db_on_kaggle() -> Tree:
    files = {
        f"DATASET/{split}/{label}/{split}_{label:05d}_aligned.jpg": face(name, label)
        for split in ("train", "test")
        for label, name in enumerate(RAF_IDS, 1)
    }
    return {**files, "train_labels.csv": b"image,label\n", "test_labels.csv": b"image,label\n"}


def affectnet_tables() -> Tree:
    header = (
        "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
        "expression,valence,arousal"
    )
    files: Tree = {}
    for name, split in (("training", "689"), ("validation", "944")):
        rows = []
        for label, expression in enumerate([*AFFECTNET_IDS, "happy", "sad", "fear", "angry"]):
            path = f"{split}/{label:08x}.jpg"
            files[f"Manually_Annotated_Images/{path}"] = face(expression, label, side=96)
            rows.append(f"{path},4,8,80,72,1.5;2.5;3.5,{label},-0.5,0.25")
        files[f"Manually_Annotated_file_lists/{name}.csv"] = lines(header, *rows)
    return files


def affectnet_annotations() -> Tree:
    files: Tree = {}
    for split in ("train_set", "val_set"):
        for label, expression in enumerate([*AFFECTNET_IDS, "happy", "sad"]):
            stream = io.BytesIO()
            np.save(stream, np.array(str(label)))  # as its owners saved it: a text
            files[f"{split}/images/{label}.jpg"] = face(expression, label)
            files[f"{split}/annotations/{label}_exp.npy"] = stream.getvalue()
            files[f"{split}/annotations/{label}_val.npy"] = b"\x93NUMPY"
    return files


def ck_plus(first: int = 0) -> Tree:
    """Four subjects from number `first` on; each shows two expressions at most."""
    files: Tree = {}
    for number, (expression, label) in enumerate(CK_IDS.items()):
        subject = f"S{first + number // 2:03d}"
        for frame in range(1, 7):
            path = f"{subject}/{number:03d}/{subject}_{number:03d}_{frame:08d}"
            shown = expression if frame > 3 else "neutral"
            files[f"cohn-kanade-images/{path}.png"] = face(
                shown, 100 * first + 10 * number + frame, "PNG"
            )
        files[f"Emotion/{path}_emotion.txt"] = f"   {label}.0000000e+00\n".encode()
    files["cohn-kanade-images/S009/001/S009_001_00000001.png"] = face("sad", 99, "PNG")
    return files


def ck_plus_48() -> Tree:
    return {
        f"CK+48/{expression}/S{subject:03d}_004_{subject:08d}.png": face(expression, subject, "PNG")
        for expression in CK_IDS
        for subject in (5, 11)
    }


def jaffe() -> Tree:
    files = {
        f"jaffe/{person}.{code}{take}.{number}.tiff": face(expression, number, "TIFF", 256)
        for number, (code, expression) in enumerate([*CODES.items(), ("FE", "fear")])
        for person, take in (("KA", 1), ("KL", 2))
    }
    return {**files, "jaffe/README_FIRST.txt": b"text", "jaffe/cover.png": face("happy", 9, "PNG")}


def kdef() -> Tree:
    return {
        f"KDEF/{session}{person}/{session}{person}{code}{angle}.JPG": face(expression, number)
        for number, (code, expression) in enumerate([*CODES.items(), ("AF", "fear")])
        for session in "AB"
        for person, angle in (("F01", "S"), ("M02", "HL"))
    }


def expw() -> Tree:
    files: Tree = {}
    rows = []
    for label, expression in enumerate(FER2013_IDS):
        both = np.concatenate(
            [drawn_face(label, expression), drawn_face(label + 50, expression)], 1
        )
        name = f"{expression}_actor_{label}.png"
        files[f"image/origin/{name}"] = encoded(Image.fromarray(both))
        rows += [f"{name} 0 0 0 48 48 60.5 {label}", f"{name} 1 -2 48 99 50 12.25 {label}"]
    return {**files, "label/label.lst": lines(*rows)}


def afew() -> Tree:
    return {
        f"{split}/{expression.title()}/{number:09d}/{frame:03d}.png": face(expression, frame, "PNG")
        for split, start in (("Train", 100), ("Val", 200))
        for number, expression in enumerate(FER2013_IDS, start)
        for frame in (1, 2)
    }


MINIATURES: dict[str, Callable[[], Tree]] = {
    made.__name__: made
    for made in (
        raf_db, raf_db_on_kaggle, affectnet_tables, affectnet_annotations, ck_plus, ck_plus_48,
        jaffe, kdef, expw, afew,
    )
}  # fmt: skip
