"""What the folders of a picture say: the data set around it, its split, its class."""

import re
from collections.abc import Mapping
from functools import cache

from facial_expression.core.labels import FER2013_SPLITS, SPLIT_FOLDERS
from facial_expression.fetch.rows import Row
from facial_expression.fetch.unpack import Files

SPLITS = {
    **{name: name for name in SPLIT_FOLDERS},
    **{"training": "train", "dev": "val", "testing": "test", "eval": "test"},
    **{name.lower(): split for name, split in FER2013_SPLITS.items()},
}
"""What the folder of a split may be called, in lower case -> its folder in images.zip."""
OF_A_SPLIT = re.compile(rf"({'|'.join(SPLITS)})[ _-]?(?:set|data|images|faces)?", re.IGNORECASE)


@cache  # pictures outnumber folders
def place_of(folder: str) -> tuple[str, ...] | None:
    """The folders around a data set; split, class, folders in that.  None without a split.

    The split is the first folder with the name of one, or the last of several in a row.

    >>> place_of("download/faces/Train/happy/may")
    ('download/faces', 'train', 'happy', 'may')
    """
    parts = folder.split("/")
    named = [OF_A_SPLIT.fullmatch(part.strip()) for part in parts[:-1]]
    splits = [SPLITS[name[1].lower()] if name else "" for name in named]
    start = next((place for place, split in enumerate(splits) if split), None)
    if start is None:
        return None
    while any(splits[start + 1 : start + 2]):
        start += 1
    return "/".join(parts[:start]), splits[start], parts[start + 1].strip(), *parts[start + 2 :]


def only_set(files: Files, sets: Mapping[str, list[Row]]) -> tuple[str, list[Row]]:
    """The set in the fewest folders, with its folder, if all others hold copies of its pictures."""
    first, *others = sorted(sets, key=lambda around: (around.count("/"), around))
    known = {row[:3]: row.file for row in sets[first]} if others else {}
    for other in others:
        for row in sets[other]:
            twin, file = known.get(row[:3]), row.file
            if not (twin and twin.size == file.size and files.content(twin) == files.content(file)):
                found = f"one in {first or '.'!r} and another picture, {file.path!r}"
                remedy = "keep one, or merge them"
                raise files.fault("one set of <split>/<class>/<name>", found, remedy)
        files.note(
            f"the {len(sets[other])} pictures in {other!r} are copies of those in "
            f"{first or '.'!r}: read once"
        )
    return first, sets[first]
