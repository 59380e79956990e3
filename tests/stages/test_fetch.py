import json
import re
import shutil
import socket
from pathlib import Path

import pytest

from facial_expression.core.errors import (
    ArchiveError,
    ChecksumError,
    ParameterError,
    SourceError,
)
from facial_expression.core.files import HALF, sha256_of
from facial_expression.core.params import load
from facial_expression.fetch import download
from facial_expression.fetch import run as fetch_run
from facial_expression.pictures import archive
from stages import fetch
from tests.clones import ROOT
from tests.helpers import make_folder, tiny_pictures

WRITTEN = ["data/raw/images.zip", "data/raw/people.csv", "data/raw/source.json"]
REMOTE = "memory://fetch/set.zip"


class Project:
    """A project folder with a parameter file, as `stages.fetch` sees it."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root, root / "data" / "raw"
        self.watched = root / "data" / "source" / "folder"
        self.watched.mkdir(parents=True)

    def fetch(self, *options: str, **section: object) -> None:
        """Write the section and run the stage."""
        params = self.root / "conf" / "data" / "folder.yaml"
        params.parent.mkdir(parents=True, exist_ok=True)
        params.write_text(json.dumps({"fetch": {"licence": "none", **section}}))  # JSON is YAML
        fetch.main(["--params", str(params), "--out", str(self.out), *options])

    def written(self) -> list[str]:
        """Every file that is neither a parameter nor a source."""
        given = (self.root / "conf", self.watched)
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if path.is_file() and not any(path.is_relative_to(folder) for folder in given)
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def expected(tiny_archive: Path) -> str:
    """The hash of the archive of `tiny_pictures()`."""
    return sha256_of(tiny_archive)


@pytest.fixture
def remote(tiny_archive: Path) -> str:
    """`tiny_pictures()` at a URL."""
    import fsspec

    with fsspec.open(REMOTE, "wb") as stream:
        stream.write(tiny_archive.read_bytes())
    return REMOTE


def test_a_watched_folder_needs_no_pin(project, expected):
    make_folder(project.watched, tiny_pictures())
    project.fetch(source=str(project.watched))
    images = project.out / "images.zip"
    assert dict(archive.read_members(images, archive.members(images).items())) == tiny_pictures()
    assert json.loads((project.out / "source.json").read_text()) == {
        "kind": "local",
        "source": "folder",
        "layout": "folders",
        "sha256": expected,
        "bytes": images.stat().st_size,
        "files": len(tiny_pictures()),
        "licence": "none",
    }
    assert project.written() == WRITTEN
    assert (project.out / "people.csv").read_text() == "path,group\n"


def test_a_path_elsewhere_needs_a_pin_and_is_told_its_hash(project, expected, tmp_path):
    elsewhere = make_folder(tmp_path / "elsewhere", tiny_pictures())
    with pytest.raises(SourceError, match=f"lies outside .*source/folder.* {expected}$"):
        project.fetch(source=str(elsewhere))
    assert project.written() == []
    project.fetch(source=str(elsewhere), sha256=expected)
    record = (project.out / "source.json").read_text()
    assert expected in record
    assert str(tmp_path) not in record


def test_a_link_out_of_the_watched_folder_is_elsewhere(project, tiny_archive, tmp_path):
    link = project.watched / "set.zip"
    link.symlink_to(tiny_archive)
    with pytest.raises(SourceError, match="lies outside"):
        project.fetch(source=str(link))
    cached = tmp_path / "cache/files/md5/0f" / ("0" * 30)  # as DVC links an object
    cached.parent.mkdir(parents=True)
    tiny_archive.rename(cached)
    link.unlink()
    link.symlink_to(cached)
    project.fetch(source=str(link))


def test_a_mismatch_names_both_hashes_and_leaves_nothing(project, remote, expected):
    make_folder(project.watched, tiny_pictures())
    for source in (str(project.watched), remote):
        with pytest.raises(ChecksumError, match=f"expects {'0' * 64}, .* gives {expected};"):
            project.fetch(source=source, sha256="0" * 64)
        assert project.written() == []


def test_the_hash_alone_leaves_what_another_run_is_writing(project, remote, expected):
    half = project.out / f".images.zip.other{HALF}"
    half.mkdir(parents=True)
    project.fetch("--print-sha256", source=remote)
    assert half.is_dir()
    project.fetch(source=remote, sha256=expected)
    assert not half.exists()


def test_a_url_is_pinned_and_then_fetched_to_the_same_bytes(project, remote, expected, capsys):
    project.fetch("--print-sha256", source=remote)
    assert capsys.readouterr().out == expected + "\n"
    assert project.written() == []
    written = []
    for _ in range(2):
        project.fetch(source=remote, sha256=expected)
        written.append([path.read_bytes() for path in sorted(project.out.iterdir())])
    assert written[0] == written[1]
    assert json.loads((project.out / "source.json").read_text())["source"] == remote
    assert project.written() == WRITTEN


@pytest.mark.parametrize(
    "source", ["memory://none.zip", "kaggle:msambare/fer2013", "gdrive:134M73bJ", "s3://b/a.zip"]
)
def test_a_remote_source_without_a_pin_fails_before_it_downloads(project, monkeypatch, source):
    monkeypatch.setattr(fetch_run, "write_archive", None)  # nothing may be fetched
    with pytest.raises(SourceError, match=r"get the hash by `python -m stages.fetch .*--print-sha"):
        project.fetch(source=source)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"source": "kaggle:fer2013"}, "expected a path.* found 'kaggle:fer2013'"),
        ({"source": "data/none.zip"}, "data/none.zip: no such file or folder"),
        ({"source": "set.zip", "sha256": "abc"}, "fetch.sha256"),
        ({"source": []}, "fetch.source"),
        ({"source": 3}, "fetch.source"),
        ({"source": ["set.zip", "none.zip"]}, "set.zip: no such file or folder"),
        ({"source": "set.zip", "max_bytes": 0}, "fetch.max_bytes"),
        ({"source": "set.zip", "checksum": "x"}, "unknown parameter 'fetch.checksum'"),
    ],
)
def test_a_wrong_parameter_is_named(project, section, message):
    with pytest.raises((SourceError, ParameterError), match=message):
        project.fetch(**section)
    assert project.written() == []


# Several sources


def packed(folder: Path, *names: str) -> list[str]:
    """The tiny set, its pictures dealt out to archives of these names; their paths."""
    items = sorted(tiny_pictures().items())
    for start, name in enumerate(names):
        part = make_folder(
            folder.parent / f"{folder.name}-{name}", dict(items[start :: len(names)])
        )
        kind = "zip" if name.endswith(".zip") else "gztar"
        shutil.move(shutil.make_archive(str(part), kind, part), folder / name)
        shutil.rmtree(part)
    return [str(folder / name) for name in names]


PARTS = ("part-0.zip", "part-1.tar.gz", "part-2.zip")


def test_several_archives_by_list_or_pattern_give_the_bytes_of_one(project, expected, capsys):
    paths = packed(project.watched, *PARTS)
    patterns = [f"{project.watched}/part-*"], f"{project.watched}/*-*"
    for source in (paths, paths[::-1], *patterns):
        project.fetch(source=source)
        assert sha256_of(project.out / "images.zip") == expected
        assert project.written() == WRITTEN
    told = [f"fetching {path}" for path in (*paths, *paths[::-1])]
    told += [f"fetching {project.watched}/{name}: 3 files" for name in ("part-*", "*-*")]
    assert capsys.readouterr().err.splitlines() == told
    record = json.loads((project.out / "source.json").read_text())
    assert (record["kind"], record["source"], record["files"]) == ("local", "*-*", 30)
    project.fetch("--print-sha256", source=paths)
    assert capsys.readouterr().out == f"{expected}\n"


def test_several_urls_need_a_pin_and_may_be_mixed_with_paths(project, expected):
    import fsspec

    *local, last = packed(project.watched, *PARTS)
    for name in ("fetch/parts/c.zip", "fetch/parts/other.txt"):
        with fsspec.open(f"memory://{name}", "wb") as stream:
            stream.write(Path(last).read_bytes())
    mixed = [*local, "memory://fetch/parts/*.zip"]
    with pytest.raises(SourceError, match=r"is remote, so pin it"):
        project.fetch(source=mixed)
    project.fetch(source=mixed, sha256=expected)
    record = json.loads((project.out / "source.json").read_text())
    assert record["kind"] == "local, url"
    assert record["source"] == "part-0.zip, part-1.tar.gz, memory://fetch/parts/*.zip"


def test_addresses_that_differ_in_a_secret_only_are_all_read(project, expected, monkeypatch):
    paths = dict(zip(["h/a?key=1", "h/a?key=2"], packed(project.watched, *PARTS[1:]), strict=True))

    def receive(url: str, folder: Path, max_bytes: int) -> Path:
        return Path(paths[url.removeprefix("https://")])

    monkeypatch.setitem(download.RECEIVERS, "url", receive)
    project.fetch(source=[f"https://{each}" for each in paths], sha256=expected)
    assert "key" not in (project.out / "source.json").read_text()


@pytest.mark.parametrize("pattern", ["none-*.zip", "memory://fetch/none-*.zip"])
def test_a_pattern_that_nothing_matches_is_named(project, pattern):
    with pytest.raises(SourceError, match=rf"^{re.escape(pattern)}: nothing matches; correct"):
        project.fetch(source=pattern, sha256="0" * 64)
    assert project.written() == []


def test_a_picture_in_two_archives_and_an_archive_that_is_none_are_named(project):
    paths = packed(project.watched, *PARTS)
    twice = project.watched / "twice.zip"
    shutil.copy(paths[0], twice)
    one, two = (rf"'test/angry/PrivateTest_0.jpg' in \S*{name}" for name in (PARTS[0], twice.name))
    with pytest.raises(ArchiveError, match=f"expected distinct names, found {one} and {two}; "):
        project.fetch(source=[*paths, str(twice)])
    twice.write_text("<html>")
    with pytest.raises(ArchiveError, match=r"/twice.zip: expected a zip, .* begins with b'<html>'"):
        project.fetch(source=[*paths, str(twice)])
    assert project.written() == []


@pytest.mark.parametrize("source", ["kaggle:a/b", "gdrive:134M73bJ", "https://me:secret@h/a.zip"])
def test_without_a_network_the_remedy_is_a_local_copy(project, monkeypatch, source):
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(download, "PAUSE", 0)
    shown = source.replace("me:secret@", "")
    remedy = r"-S \S+/conf/data/folder.yaml:fetch.source=PATH"
    with pytest.raises(SourceError, match=f"^no network: {shown} cannot be .* with {remedy}$"):
        project.fetch(source=source, sha256="0" * 64)


@pytest.mark.fer2013
def test_fer2013_has_the_committed_hash(project, fer2013_zip):
    pin = load(ROOT / "conf/data/fer2013.yaml", "fetch", fetch.FetchParameters).sha256
    project.fetch(source=str(fer2013_zip), sha256=pin)
    assert json.loads((project.out / "source.json").read_text())["files"] == 35_887
    shutil.rmtree(project.root)  # no picture of it stays behind
