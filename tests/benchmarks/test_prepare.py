import shutil
from pathlib import Path

from benchmarks import archives
from facial_expression.pictures.images import decode, is_picture_file
from tests.helpers import tiny_pictures


def test_enlarge_adds_distinct_pictures_under_the_same_split_and_class(tiny_archive, tmp_path):
    archives.enlarge(tiny_archive, tmp_path / "many.zip", times=4)
    shutil.unpack_archive(tmp_path / "many.zip", tmp_path / "files")
    files = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    names = {str(path.relative_to(tmp_path / "files")) for path in files}
    assert len(names) == 4 * len(tiny_pictures())
    assert names > set(tiny_pictures())
    assert all(is_picture_file(path) for path in files)
    assert len({decode(path.read_bytes()).fingerprint for path in files}) == len(files)
    assert {path.parent for path in files} == {
        tmp_path / "files" / Path(name).parent for name in tiny_pictures()
    }
