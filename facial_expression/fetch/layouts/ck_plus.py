"""CK+ (Lucey et al. 2010): sequences of frames from the neutral face to the full expression.

`cohn-kanade-images/S005/001/S005_001_00000001.png` and so on, and for the sequences that have a
label `Emotion/S005/001/S005_001_00000011_emotion.txt`.  Class folders, as CK+48, are `folders`.
"""

from collections import defaultdict
from collections.abc import Iterator

from facial_expression.fetch.rows import Row, joined
from facial_expression.fetch.unpack import Files

NAMES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
CLASSES = {str(number): name for number, name in enumerate(NAMES)}
LABEL = "_emotion.txt"
FIRST = "_00000001."
PEAK = 3  # the last frames of a sequence show its expression, the first shows none


def recognises(files: Files) -> bool:
    """Whether there are labels of sequences."""
    return bool(files.other(LABEL))


def read(files: Files) -> list[Row]:
    """The last three frames and the first of each sequence with a label; a subject is a group."""
    return joined(files, _labels(files), CLASSES)


def _labels(files: Files) -> Iterator[dict[str, str]]:
    sequences = defaultdict(list)
    for file in files.pictures:
        sequences["_".join(file.name.split("_")[:2])].append(file.name)
    for file in files.other(LABEL):
        sequence = "_".join(file.name.split("_")[:2])
        subject, text = sequence.partition("_")[0], files.text(file).strip()
        try:
            label = str(int(float(text)))  # such as "   3.0000000e+00"
        except ValueError:
            found = repr(text[:20])
            raise files.fault("a number 0 to 7", found, "correct it", file.path) from None
        frames = sorted(set(sequences[sequence])) or [f"{sequence}_*.png"]
        shown = [(frames.pop(0), "0")] if FIRST in frames[0] else []  # a copy may lack it
        for path, what in [*shown, *((frame, label) for frame in frames[-PEAK:])]:
            yield {"path": path, "label": what, "group": subject}
