from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from facial_expression.core.errors import (
    DatasetError,
    ImageError,
    ParameterError,
    PipelineError,
    run,
)
from facial_expression.core.files import sha256_of, write_csv
from facial_expression.fetch import fer2013_csv
from facial_expression.index import table as index_table
from facial_expression.index import votes
from stages import fetch, index
from tests.helpers import make_archive, picture, tiny_pictures

ROOT = Path(__file__).parents[2]
PARAMS = {
    "protocol": "clean",
    "near_duplicate": 0.8,
    "drop": ["leak"],
    "exclude": {"table": "", "sha256": ""},
    "val_fraction": 0.2,
    "test_fraction": 0.2,
    "seed": 0,
    "on_bad_image": "error",
}


def indexed(images: Path, out: Path, workers: int = 1, **changed: Any) -> Path:
    """Run the stage as dvc.yaml does; OUT."""
    params = images.parent / "params.yaml"
    YAML(typ="safe").dump({"index": PARAMS | changed}, params)
    argv = ["--params", params, "--images", images, "--out", out, "--workers", workers]
    index.main([str(part) for part in argv])
    return out


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def audit_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "audit.json").read_text(encoding="utf-8"))


def faulty_pictures() -> dict[str, bytes]:
    """The tiny set with one leak, one duplicate inside train, and two files that are no picture."""
    pictures = tiny_pictures()
    pictures["train/happy/Training_90.jpg"] = pictures["test/sad/PublicTest_0.jpg"]
    pictures["train/happy/Training_91.jpg"] = pictures["train/happy/Training_0.jpg"]
    pictures["train/sad/Training_92.jpg"] = pictures["train/sad/Training_0.jpg"][:200]
    pictures["test/sad/PrivateTest_93.png"] = b"words"
    return pictures


def test_four_files_with_the_columns_of_the_contract(tiny_archive: Path, tmp_path: Path) -> None:
    out = indexed(tiny_archive, tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == [
        "audit.csv",
        "audit.json",
        "class_counts.csv",
        "index.csv",
    ]
    rows = table(out / "index.csv")
    assert ",".join(rows[0]) == (
        "path,class,split,sha256,width,height,mode,mean,std,duplicate_of,dropped_because,leak_free"
    )
    assert [row["path"] for row in rows] == sorted(tiny_pictures())
    assert Counter(row["split"] for row in rows) == {"train": 18, "val": 6, "test": 6}
    assert {(row["width"], row["height"], row["mode"]) for row in rows} == {("48", "48", "L")}
    assert table(out / "class_counts.csv")[:3] == [
        {"class": "angry", "split": "train", "count": "6"},
        {"class": "angry", "split": "val", "count": "2"},
        {"class": "angry", "split": "test", "count": "2"},
    ]
    assert b"\r" not in (out / "index.csv").read_bytes()
    assert (out / "audit.csv").read_text(encoding="utf-8") == "path,kind,partner,score\n"


def test_equal_bytes_for_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_table, "CHUNK", 5)
    images = make_archive(tmp_path / "images.zip", faulty_pictures())
    outs = [indexed(images, tmp_path / str(n), n, on_bad_image="skip") for n in (1, 2, 3)]
    for name in ("index.csv", "audit.csv", "audit.json", "class_counts.csv"):
        assert len({(out / name).read_bytes() for out in outs}) == 1


def test_a_bad_picture_stops_the_run_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = make_archive(tmp_path / "images.zip", faulty_pictures())
    with pytest.raises(ImageError) as caught:
        indexed(images, tmp_path / "out")
    message = str(caught.value)
    assert f"{images}: 2 of 34 pictures cannot be decoded" in message
    assert "test/sad/PrivateTest_93.png (undecodable: not a picture" in message
    assert "train/sad/Training_92.jpg (undecodable: " in message
    assert "index.on_bad_image to skip" in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()
    assert "undecodable" not in capsys.readouterr().err, "the message says it already"


def test_of_many_bad_pictures_the_message_lists_a_few(tmp_path: Path) -> None:
    pictures = tiny_pictures() | {f"train/sad/bad{i}.png": b"x" for i in range(9)}
    with pytest.raises(ImageError, match=r"39 pictures.*bad4\.png.* and 4 more; remove"):
        indexed(make_archive(tmp_path / "images.zip", pictures), tmp_path / "out")


def test_a_bad_picture_may_be_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = make_archive(tmp_path / "images.zip", faulty_pictures())
    out = indexed(images, tmp_path / "out", on_bad_image="skip")
    reasons = {r["path"]: r["dropped_because"] for r in table(out / "index.csv")}
    assert reasons["test/sad/PrivateTest_93.png"].startswith("undecodable: not a picture")
    assert reasons["train/sad/Training_92.jpg"].startswith("undecodable: ")
    assert audit_of(out)["dropped"] == {"also_in_val": 1, "undecodable": 2}
    said = capsys.readouterr().err
    assert "left out test/sad/PrivateTest_93.png: undecodable: not a picture" in said


def test_the_audit_counts_what_was_put_in(tmp_path: Path) -> None:
    images = make_archive(tmp_path / "images.zip", faulty_pictures())
    clean = audit_of(indexed(images, tmp_path / "clean", on_bad_image="skip"))
    assert clean == {
        "protocol": "clean",
        "labels": "folders",
        "pictures": 34,
        "classes": 3,
        "used": {"train": 19, "val": 6, "test": 6},
        "dropped": {"also_in_val": 1, "undecodable": 2},
        "blank": 0,
        "duplicates": {
            "groups": 2,
            "files": 4,
            "groups_across_train_and_evaluation": 1,
            "groups_across_val_and_test": 0,
            "groups_with_conflicting_labels": 1,
        },
        "near_duplicates": {
            "pairs": 0,
            "files": 0,
            "pairs_across_train_and_evaluation": 0,
            "pairs_across_val_and_test": 0,
            "pairs_with_conflicting_labels": 0,
        },
        "findings": {
            "duplicate": 2,
            "near_duplicate": 0,
            "conflicting_label": 1,
            "blank": 0,
            "almost_blank": 0,
            "size_outlier": 0,
            "mode_outlier": 0,
        },
        "imbalance": {"train": 1.166667, "val": 1.0, "test": 1.0},
    }
    notebook = audit_of(
        indexed(images, tmp_path / "notebook", on_bad_image="skip", protocol="notebook")
    )
    assert notebook["used"] == {"train": 20, "val": 12, "test": 0}
    assert notebook["duplicates"] == clean["duplicates"]


def test_every_finding_is_a_row_of_audit_csv(tmp_path: Path) -> None:
    pictures = faulty_pictures()
    copy = pictures["train/angry/Training_1.png"]
    pictures["test/sad/PublicTest_94.jpg"] = encoded_again(copy)
    images = make_archive(tmp_path / "images.zip", pictures)
    out = indexed(images, tmp_path / "out", on_bad_image="skip")
    found = [[r["path"], r["kind"], r["partner"]] for r in table(out / "audit.csv")]
    pairs = {path for path, kind, partner in found for path in (path, partner)}
    assert {r["path"] for r in table(out / "index.csv") if r["leak_free"] == "0"} == pairs
    leak, near = "train/happy/Training_90.jpg", "train/angry/Training_1.png"
    assert found == [
        [leak, "duplicate", "test/sad/PublicTest_0.jpg"],
        ["train/happy/Training_91.jpg", "duplicate", "train/happy/Training_0.jpg"],
        [near, "near_duplicate", "test/sad/PublicTest_94.jpg"],
        [leak, "conflicting_label", "test/sad/PublicTest_0.jpg"],
        [near, "conflicting_label", "test/sad/PublicTest_94.jpg"],
    ]
    kinds = ["near_leak", "duplicate"]
    out = indexed(images, tmp_path / "dropped", on_bad_image="skip", drop=kinds)
    reasons = {r["path"]: r["dropped_because"] for r in table(out / "index.csv")}
    assert reasons[near] == "nearly in val"
    assert reasons["train/happy/Training_91.jpg"] == "duplicate"
    assert reasons[leak] == ""
    assert audit_of(out)["dropped"] == {"duplicate": 1, "nearly_in_val": 1, "undecodable": 2}
    notebook = indexed(
        images, tmp_path / "notebook", on_bad_image="skip", drop=kinds, protocol="notebook"
    )
    assert audit_of(notebook)["dropped"] == {"undecodable": 2}


def encoded_again(data: bytes) -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("L").save(stream, "JPEG", quality=50)
    return stream.getvalue()


# A person's list of what to exclude


def listed(folder: Path, text: str) -> dict[str, str]:
    """The parameter `exclude` that names a table of this content."""
    path = folder / "reviewed.csv"
    path.write_text(text, encoding="utf-8")
    return {"table": str(path), "sha256": sha256_of(path)}


def test_pictures_on_a_person_s_list_leave_training(tiny_archive: Path, tmp_path: Path) -> None:
    path = "train/happy/Training_0.jpg"
    exclude = listed(tmp_path, f"rank,path,why\n1,{path},no face\n")
    out = indexed(tiny_archive, tmp_path / "out", exclude=exclude)
    reasons = {r["path"]: r["dropped_because"] for r in table(out / "index.csv")}
    assert {name: why for name, why in reasons.items() if why} == {path: "excluded"}
    assert audit_of(out)["dropped"] == {"excluded": 1}


def test_a_list_that_excel_saved_is_read(tiny_archive: Path, tmp_path: Path) -> None:
    exclude = listed(tmp_path, "\ufeffpath,why\r\ntrain/happy/Training_0.jpg,no face\r\n")
    out = indexed(tiny_archive, tmp_path / "out", exclude=exclude)
    assert audit_of(out)["dropped"] == {"excluded": 1}


def test_near_duplicates_that_are_not_searched_are_not_counted(
    tiny_archive: Path, tmp_path: Path
) -> None:
    out = indexed(tiny_archive, tmp_path / "out", near_duplicate=None)
    assert audit_of(out)["near_duplicates"] is None
    with pytest.raises(ParameterError, match="near_leak needs a search for near-duplicates"):
        indexed(tiny_archive, tmp_path / "no", near_duplicate=None, drop=["leak", "near_leak"])


@pytest.mark.parametrize(
    ("text", "changed", "reason"),
    [
        ("path\ntrain/happy/no.jpg\n", {}, "paths of images.zip, found train/happy/no.jpg"),
        ("path\ntest/sad/PublicTest_0.jpg\n", {}, "test/sad/PublicTest_0.jpg of val or test"),
        ("name\ntrain/happy/no.jpg\n", {}, "expected a CSV table with a column path, found none"),
        ("path\n", {"sha256": "0" * 64}, "index.exclude.sha256: expected '0+', found [0-9a-f]{64}"),
        ("path\n", {"table": "no.csv"}, "index.exclude.table: cannot read no.csv"),
    ],
)
def test_a_list_that_cannot_be_followed_is_one_clear_line(
    tiny_archive: Path, tmp_path: Path, text: str, changed: dict[str, str], reason: str
) -> None:
    with pytest.raises(PipelineError, match=reason) as caught:
        indexed(tiny_archive, tmp_path / "out", exclude=listed(tmp_path, text) | changed)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_protocol_notebook_drops_nothing_so_it_refuses_a_list(
    tiny_archive: Path, tmp_path: Path
) -> None:
    exclude = listed(tmp_path, "path\n")
    with pytest.raises(ParameterError, match="notebook drops nothing"):
        indexed(tiny_archive, tmp_path / "out", exclude=exclude, protocol="notebook")


def plain(*folders: str, count: int = 6) -> dict[str, bytes]:
    names = [f"{folder}/{i}.png" for folder in folders for i in range(count)]
    return {name: picture(seed, kind="PNG") for seed, name in enumerate(names)}


@pytest.mark.parametrize(
    ("pictures", "reason"),
    [
        (plain("train/happy"), "at least two classes to train on, found happy"),
        (plain("test/happy", "test/sad"), "at least two classes to train on, found none"),
        (plain("train/happy", "train/sad", "test/fear"), "every class of test, .* fear"),
        (
            plain("train/happy", "train/sad", "extra/sad"),
            "top folders train, val, test, found extr",
        ),
        (plain("train/a", "train/b", count=1), "expected pictures for val, found none"),
    ],
)
def test_what_is_no_data_set_is_refused_and_nothing_is_written(
    tmp_path: Path, pictures: dict[str, bytes], reason: str
) -> None:
    with pytest.raises(DatasetError, match=reason):
        indexed(make_archive(tmp_path / "images.zip", pictures), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_class_whose_training_pictures_all_leak_is_refused(tmp_path: Path) -> None:
    pictures = plain("train/happy", "train/sad", "test/happy")
    pictures |= {f"test/sad/{i}.png": pictures[f"train/sad/{i}.png"] for i in range(6)}
    pictures |= {f"train/fear/{i}.png": picture(90 + i, kind="PNG") for i in range(6)}
    with pytest.raises(DatasetError, match=r"no picture of sad left to train on"):
        indexed(make_archive(tmp_path / "images.zip", pictures), tmp_path / "out")


@pytest.mark.parametrize(
    "changed",
    [
        {"protocol": "fair"},
        {"drop": ["leaks"]},
        {"near_duplicate": 1.0},
        {"exclude": ""},
        {"val_fraction": 0.0},
        {"test_fraction": 1},
        {"seed": -1},
        {"on_bad_image": "warn"},
        {"shuffle": True},
    ],
)
def test_a_wrong_parameter_is_named(tiny_archive: Path, changed: dict[str, Any]) -> None:
    (name,) = changed
    with pytest.raises(ParameterError, match=rf"params\.yaml: .*'index\.{name}[.\d]*'"):
        indexed(tiny_archive, tiny_archive.parent / "out", **changed)


def with_votes(folder: Path, **changed: Any) -> dict[str, Any]:
    """index.labels for the tiny set: six votes for its class, four for fear; three pictures odd."""
    odd = {
        "train/sad/Training_0.jpg": (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        "test/happy/PublicTest_0.jpg": (0, 0, 0, 0, 0, 0, 0, 1, 9, 0),
        "test/sad/PrivateTest_0.jpg": (0, 5, 0, 0, 0, 5, 0, 0, 0, 0),
    }
    column = {"happy": 1, "sad": 3, "angry": 4}
    rows = []
    for path in sorted(tiny_pictures()):
        cast = [0] * 10
        cast[column[path.split("/")[1]]], cast[6] = 6, 4
        rows.append((path, *odd.get(path, cast)))
    write_csv(folder / "votes.csv", votes.JOINED, rows)
    pin = sha256_of(folder / "votes.csv")
    rules = {"targets": "majority", "classes": 7, "filter": "published"}
    named = {"source": "ferplus", "votes": str(folder / "votes.csv"), "sha256": pin}
    return {"labels": named | rules | changed}


def test_ferplus_labels_and_what_leaves_for_them_in_every_split(
    tiny_archive: Path, tmp_path: Path
) -> None:
    out = indexed(tiny_archive, tmp_path / "out", **with_votes(tmp_path))
    rows = {row["path"]: row for row in table(out / "index.csv")}
    reasons = {path: row["dropped_because"] for path, row in rows.items() if row["dropped_because"]}
    assert reasons == {
        "train/sad/Training_0.jpg": "no votes",
        "test/happy/PublicTest_0.jpg": "unknown",
        "test/sad/PrivateTest_0.jpg": "no majority",
    }
    for path, row in rows.items():
        assert row["class"] == ("" if path in reasons else path.split("/")[1])
        assert "votes" not in row
    audit = audit_of(out)
    assert (audit["labels"], audit["ferplus"]["filter"]) == ("ferplus", "published")
    assert audit["classes"] == 3
    assert audit["dropped"] == {"no_majority": 1, "no_votes": 1, "unknown": 1}
    assert audit["used"] == {"train": 17, "val": 5, "test": 5}


def test_soft_targets_hand_the_votes_on(tiny_archive: Path, tmp_path: Path) -> None:
    labels = with_votes(tmp_path, targets="distribution")
    rows = table(indexed(tiny_archive, tmp_path / "out", **labels) / "index.csv")
    assert list(rows[0])[-3:] == ["dropped_because", "votes", "leak_free"]
    cast = {row["path"]: row["votes"] for row in rows}
    assert cast["train/happy/Training_1.png"] == "happy:6 fear:4"
    assert cast["train/sad/Training_0.jpg"] == ""
    assert cast["test/angry/PublicTest_0.jpg"] == "angry:6"  # a majority outside training


def test_the_published_table_goes_with_pictures_made_from_the_challenge_file(
    tmp_path: Path,
) -> None:
    """Row by row, whatever the order of the names; the emotion of fer2013.csv does not matter."""
    rng = np.random.default_rng(0)
    usages = ["Training"] * 12 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
    lines = ["emotion,pixels,Usage"]
    cast = [",".join(votes.PUBLISHED)]
    for row, usage in enumerate(usages):
        pixels = " ".join(map(str, rng.integers(0, 256, 2304)))
        lines.append(f"{row % 7},{pixels},{usage}")
        counts = "9,0,0,1" if row % 2 else "1,0,0,9"  # neutral and sad by turns
        cast.append(f"{usage},fer{row:07d}.png,{counts},0,0,0,0,0,0")
    cast[3] = "Training,,0,0,0,0,0,0,0,0,0,10"
    made = dict(fer2013_csv.pictures(io.BytesIO("\n".join(lines).encode()), "fer2013.csv"))
    table_of_votes = tmp_path / "fer2013new.csv"
    table_of_votes.write_text("\n".join(cast), encoding="utf-8")
    labels = with_votes(tmp_path, votes=str(table_of_votes), sha256=sha256_of(table_of_votes))
    out = indexed(make_archive(tmp_path / "images.zip", made), tmp_path / "out", **labels)
    found = {int(row["path"].split("_")[1][:-4]): row for row in table(out / "index.csv")}
    assert found.pop(2)["dropped_because"] == "no votes"
    assert {row: r["class"] for row, r in found.items()} == {
        row: "neutral" if row % 2 else "sad" for row in range(16) if row != 2
    }


def test_folder_labels_are_what_there_is_without_the_section(
    tiny_archive: Path, tmp_path: Path
) -> None:
    labels = with_votes(tmp_path, source="folders")
    plain, named = (
        indexed(tiny_archive, tmp_path / name, **given)
        for name, given in (("plain", {}), ("named", labels))
    )
    for name in ("index.csv", "audit.json", "class_counts.csv"):
        assert (plain / name).read_bytes() == (named / name).read_bytes()


def test_a_wrong_parameter_of_the_labels_is_named(tiny_archive: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"'index\.labels\.classes'.*found 6"):
        indexed(tiny_archive, tmp_path / "out", **with_votes(tmp_path, classes=6))


def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file that is opened for writing from here on is the kernel's full device."""
    real: Callable[..., Any] = Path.open

    def open_full(self: Path, mode: str = "r", **options: Any) -> Any:
        return real(Path("/dev/full") if "w" in mode else self, mode, **options)

    monkeypatch.setattr(Path, "open", open_full)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line_and_leaves_nothing(
    tiny_archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = tmp_path / "params.yaml"
    YAML(typ="safe").dump({"index": PARAMS}, params)
    argv = ["--params", params, "--images", tiny_archive, "--out", tmp_path / "out"]
    full_disk(monkeypatch)
    with pytest.raises(SystemExit) as caught:
        run(lambda: index.main([str(part) for part in argv]))
    assert str(caught.value.code).startswith("error: no space left on the device")
    assert "\n" not in str(caught.value.code)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.fer2013
def test_the_real_fer2013_has_the_faults_that_are_known(fer2013_zip: Path, tmp_path: Path) -> None:
    """The counts of issue 2, on the archive whose sha256 conf/data/fer2013.yaml pins."""
    conf = YAML(typ="safe").load(ROOT / "conf" / "data" / "fer2013.yaml")
    conf["fetch"]["source"] = str(fer2013_zip)
    params = tmp_path / "conf" / "fer2013.yaml"
    params.parent.mkdir()
    YAML(typ="safe").dump(conf, params)
    raw, out = tmp_path / "data" / "raw", tmp_path / "data" / "index"
    fetch.main(["--params", str(params), "--out", str(raw)])
    index.main(["--params", str(params), "--images", str(raw / "images.zip"), "--out", str(out)])
    (raw / "images.zip").unlink()  # 59 MiB that pytest would keep
    audit = audit_of(out)
    assert audit["pictures"] == 35_887
    assert audit["classes"] == 7
    assert audit["blank"] == 13
    assert audit["duplicates"] == {
        "groups": 1_516,
        "files": 3_369,
        "groups_across_train_and_evaluation": 531,
        "groups_across_val_and_test": audit["duplicates"]["groups_across_val_and_test"],
        "groups_with_conflicting_labels": 57,
    }
    assert (audit["used"]["val"], audit["used"]["test"]) == (3_589, 3_589)
    assert audit["near_duplicates"]["pairs"] == pytest.approx(4_305, abs=20)  # rounding of pixels
    assert audit["findings"] == {
        "duplicate": 1_853,
        "near_duplicate": audit["near_duplicates"]["pairs"],
        "conflicting_label": audit["findings"]["conflicting_label"],
        "blank": 13,
        "almost_blank": 1,
        "size_outlier": 0,
        "mode_outlier": 0,
    }
    assert audit["used"]["train"] + sum(audit["dropped"].values()) == 28_709
    assert sum(audit["dropped"].values()) == 703  # as docs/protocol.md says

    rows = table(out / "index.csv")
    held = {row["sha256"] for row in rows if row["split"] != "train"}
    for row in rows:
        leaks = row["split"] == "train" and row["sha256"] in held
        assert bool(row["dropped_because"]) == leaks, row["path"]
