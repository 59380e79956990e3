"""Own faces under DVC: put there in every way, pushed, pulled by a colleague, queued, killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from facial_expression.core.files import sha256_of
from facial_expression.pictures import archive
from tests.clones import copied, run, stages_run, started

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

RECIPE = "conf/recipe/sample.yaml"
FOLDER = "data/source/folder"
OWN = ("-S", "data=folder", "-S", f"{RECIPE}:train.epochs=1")


def objects(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def put_faces(clone: Path, target: Path) -> None:
    """Drawn faces of three classes, 20 a class, as `target`/train/<class>/<name>."""
    images = clone / "data/raw/images.zip"
    places = archive.members(images).items()
    for label in ("happy", "sad", "surprise"):
        chosen = [place for place in places if place[0].startswith(f"train/{label}/")][:20]
        for name, data in archive.read_members(images, chosen):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)


def documented(clone: Path) -> list[str]:
    """The commands of data/README.md that follow `dvc add` or an import."""
    text = (clone / "data/README.md").read_text(encoding="utf-8")
    _, after = re.findall(r"```bash\n(.*?)```", text.partition("under DVC\n")[2], re.DOTALL)
    return after.splitlines()


def staged(clone: Path) -> list[str]:
    """What `git add --all` adds, with names as they are."""
    run(clone, "git", "add", "--all")
    return run(clone, "git", "diff", "--cached", "--name-only", "-z").split("\0")[:-1]


def added(clone: Path, _: Path) -> str:
    put_faces(clone, clone / FOLDER)
    run(clone, "dvc", "add", FOLDER)
    return f"{FOLDER}.dvc"


def added_archive(clone: Path, outside: Path) -> str:
    (clone / FOLDER).mkdir()
    outside.rename(clone / FOLDER / "faces.zip")
    run(clone, "dvc", "add", f"{FOLDER}/faces.zip")
    return f"{FOLDER}/faces.zip.dvc"


def imported_url(clone: Path, outside: Path) -> str:
    (clone / FOLDER).mkdir()
    run(clone, "dvc", "import-url", str(outside), f"{FOLDER}/faces.zip")
    return f"{FOLDER}/faces.zip.dvc"


def imported(clone: Path, outside: Path) -> str:
    registry = outside.parent / "registry"
    put_faces(clone, registry / "faces")
    run(registry, "git", "init", "--quiet")
    run(registry, "dvc", "init", "--quiet")
    run(registry, "dvc", "add", "faces")
    run(registry, "git", "add", "--all")
    run(registry, "git", "commit", "--quiet", "--message", "faces")
    run(clone, "dvc", "config", "--local", "cache.type", "symlink")
    (clone / FOLDER).mkdir()
    run(clone, "dvc", "import", str(registry), "faces", "--out", f"{FOLDER}/faces")
    assert (clone / FOLDER / "faces/train/happy").is_dir()
    assert all(path.is_symlink() for path in (clone / FOLDER).rglob("*.jpg"))
    return f"{FOLDER}/faces.dvc"


@pytest.mark.parametrize("way", [added, added_archive, imported_url, imported])
def test_every_way_under_dvc(way, pulled, tmp_path):
    clone = copied(pulled, tmp_path / "clone")
    outside = tmp_path / "outside/faces.zip"
    put_faces(clone, outside.parent / "faces")
    with zipfile.ZipFile(outside, "w") as packed:
        for path in sorted((outside.parent / "faces").rglob("*.jpg")):
            packed.write(path, path.relative_to(outside.parent))
    before = objects(clone / ".dvc/remote")
    dvc_file = way(clone, outside)
    for command in documented(clone):
        run(clone, "bash", "-c", command.replace(f"{FOLDER}.dvc", dvc_file))
    (out,) = yaml.safe_load((clone / dvc_file).read_text("utf-8"))["outs"]
    assert out["remote"] == "folder"
    assert set(staged(clone)) <= {dvc_file, "data/source/.gitignore", f"{FOLDER}/.gitignore"}
    assert "up to date" in run(clone, "dvc", "status", dvc_file)
    run(clone, "dvc", "push")
    assert objects(clone / ".dvc/remote") == before
    fetched = run(clone, "python", "-m", "stages.fetch", "--params", "conf/data/folder.yaml",
                  "--out", "data/raw")  # fmt: skip
    assert "fetched 60 pictures" in fetched
    assert "passed over" not in fetched


def test_pictures_that_are_only_copied_stay_out_of_git(pulled, tmp_path):
    clone = copied(pulled, tmp_path / "clone")
    put_faces(clone, clone / FOLDER)
    put_faces(clone, clone / "data/source/team/holiday ü")
    (clone / "data/source/faces.zip").write_bytes(b"faces of people")
    assert staged(clone) == []
    run(clone, "dvc", "exp", "run", "--temp", "-C", FOLDER, "--name", "copied", *OWN)
    refs = run(clone, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    (experiment,) = (ref for ref in refs if ref.endswith("/copied"))
    held = run(clone, "git", "ls-tree", "-r", "--name-only", experiment).splitlines()
    assert "dvc.lock" in held
    assert not [name for name in held if name.startswith("data/") and name.endswith(".jpg")]


def test_a_set_of_any_name_needs_one_command(pulled, tmp_path):
    clone = copied(pulled, tmp_path / "clone")
    put_faces(clone, clone / "data/source/team")
    for name, old, new in (
        ("conf/data/team.yaml", "data/source/folder", "data/source/team"),
        ("params.yaml", "data: sample", "data: team"),
    ):
        source = clone / (name if name == "params.yaml" else "conf/data/folder.yaml")
        text = source.read_text("utf-8")
        assert old in text
        (clone / name).write_text(text.replace(old, new), encoding="utf-8")
    run(clone, "dvc", "remote", "add", "team", "remote://private/team")
    assert stages_run(run(clone, "dvc", "repro", "fetch")) == ["fetch"]
    run(clone, "dvc", "push", "fetch")
    assert objects(clone / ".dvc/private/team/files")
    assert set(staged(clone)) == {"conf/data/team.yaml", "params.yaml", "dvc.lock", ".dvc/config"}


@pytest.fixture(scope="module")
def team(pulled, tmp_path_factory) -> Path:
    """A clone with own faces under DVC, trained outside its workspace, pushed to a bucket."""
    clone = copied(pulled, tmp_path_factory.mktemp("team") / "clone")
    run(clone, "dvc", "remote", "modify", "private", "url", str(tmp_path_factory.mktemp("bucket")))
    put_faces(clone, clone / FOLDER)
    for command in ["dvc add data/source/folder", *documented(clone)]:
        run(clone, "bash", "-c", command)
    before = objects(clone / ".dvc/remote")
    run(clone, "dvc", "exp", "run", "--temp", "--name", "own", *OWN)
    assert not (clone / "data/raw/source.json").read_text("utf-8").count(FOLDER)
    run(clone, "dvc", "exp", "apply", "own")
    assert {Path(name).suffix for name in staged(clone)} <= {".yaml", ".lock", ".json", ".dvc", ""}
    run(clone, "git", "commit", "--quiet", "--message", "Our faces in our bucket")
    run(clone, "dvc", "push")
    assert objects(clone / ".dvc/remote") == before
    return clone


def test_a_colleague_has_nothing_to_run_and_queues_another_run(team, tmp_path):
    colleague = tmp_path / "colleague"
    run(tmp_path, "git", "clone", "--quiet", str(team), str(colleague))
    run(colleague, "dvc", "pull")
    assert "up to date" in run(colleague, "dvc", "status")
    assert stages_run(run(colleague, "dvc", "repro")) == []
    assert run(colleague, "git", "status", "--porcelain") == ""

    initial = colleague / "data/initial.keras"  # ignored by git, unknown to DVC, pinned
    initial.write_bytes((colleague / "data/model/model.keras").read_bytes())
    start = f"{RECIPE}:train.initial"
    weights = (f"{start}.weights=data/initial.keras", f"{start}.sha256={sha256_of(initial)}")
    for seed in (1, 2):
        run(colleague, "dvc", "exp", "run", "--queue", "--name", f"seed-{seed}",
            *("-S", weights[0], "-S", weights[1], "-S", f"{RECIPE}:train.seed={seed}"))  # fmt: skip
    run(colleague, "dvc", "queue", "start", "--jobs", "2")
    waited_until = time.monotonic() + 1800
    while re.search(r"Queued|Running", run(colleague, "dvc", "queue", "status")):
        assert time.monotonic() < waited_until
        time.sleep(2)
    for seed in (1, 2):
        log = run(colleague, "dvc", "queue", "logs", f"seed-{seed}")
        assert stages_run(log) == ["train", "evaluate", "plot", "export"], log
    shown = json.loads(run(colleague, "dvc", "exp", "show", "--json"))
    assert len(shown[1]["experiments"]) == 2
    assert run(colleague, "git", "status", "--porcelain") == ""


def trainings(clone: Path) -> Iterator[int]:
    """Processes that train in a temporary copy of the clone."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, folder = (path / "cmdline").read_bytes(), os.readlink(path / "cwd")  # noqa: PTH115
        except OSError:  # it has ended, or is another user's
            continue
        if b"stages.train" in command and Path(folder).is_relative_to(clone / ".dvc/tmp"):
            yield int(path.name)


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs Linux' /proc")
def test_a_killed_temporary_run_goes_on(pulled, tmp_path):
    clone = copied(pulled, tmp_path / "clone")
    added(clone, tmp_path)
    staged(clone)
    run(clone, "git", "commit", "--quiet", "--message", "Our faces")
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", "long",
               "-S", "data=folder", "-S", f"{RECIPE}:train.epochs=300"]  # fmt: skip
    said = []
    for _ in range(2):
        with started(clone, *command, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if line.startswith("epoch 3/300") or "continuing" in line:
                    for training in trainings(clone):
                        os.kill(training, signal.SIGKILL)
    (line,) = (line for line in said if "continuing" in line)
    last = max(int(epoch) for epoch in re.findall(r"^epoch (\d+)/300", "\n".join(said), re.M))
    assert 3 <= int(line.removeprefix("continuing an interrupted run after epoch ")) <= last
    assert list((clone / ".resume").iterdir())
    assert run(clone, "git", "status", "--porcelain") == ""
