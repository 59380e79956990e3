"""What docs/remotes.md says a team does, its commands to the letter, over real protocols."""

import hashlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clones import ROOT, copied, environment, run, stages_run
from tests.helpers import make_archive, tiny_pictures
from tests.remote_servers import BUCKET, S3, Moto, Rclone, Sshd, mirror, running

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

DOCUMENT = (ROOT / "docs/remotes.md").read_text("utf-8")
RECIPE = "conf/recipe/sample.yaml"


def documented(words: str, given: dict[str, object] | None = None) -> list[str]:
    """The commands of the first block after these words, with other values in the given places."""
    before = r"\s+".join(re.escape(word) for word in words.split())
    block = re.search(rf"{before}.*?```bash\n(.*?)```", DOCUMENT, re.DOTALL)
    assert block, words
    text = re.sub(r" +#.*", "", block[1])
    for old, new in (given or {}).items():
        assert f" {old}\n" in text, old
        text = text.replace(f" {old}\n", f" {new}\n")
    return text.splitlines()


def shell(clone: Path, *commands: str) -> list[str]:
    """What each of the commands said; all must succeed."""
    return [run(clone, "bash", "-c", command) for command in commands]


def fails(clone: Path, command: str) -> str:
    """What a command says that must fail."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def files(place: Path) -> list[Path]:
    return [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]


def objects(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in files(folder)}


def put(clone: Path, file: str, old: str, new: str) -> None:
    """Write a value into a file of parameters, as an editor does."""
    text, found = re.subn(rf"(?m)^( *){old}$", rf"\g<1>{new}", (clone / file).read_text("utf-8"))
    assert found == 1, old
    (clone / file).write_text(text, encoding="utf-8")


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()  # as DVC names objects


def held(remote: Path) -> set[str]:
    """The hashes of the objects in a remote."""
    return {path.parent.name + path.name for path in remote.rglob("files/md5/*/*")}


def copy_of_git(clone: Path, target: Path) -> Path:
    """A colleague's clone: what git has, and an empty cache."""
    run(clone.parent, "git", "clone", "--quiet", str(clone), str(target))
    return target


@pytest.fixture(scope="module")
def finished(pulled, tmp_path_factory) -> Path:
    """A clone with a run on somebody's pictures, and a second run on the branch `second`."""
    clone = copied(pulled, tmp_path_factory.mktemp("finished") / "clone")
    pictures = {f"faces/{name}": data for name, data in tiny_pictures().items()}
    (clone / "data/source/folder").mkdir(parents=True)
    make_archive(clone / "data/source/folder/faces.zip", pictures)
    shell(clone, *[line for line in documented("may not be passed on") if "push:" not in line])
    folder = clone / "data/source/folder.dvc"
    folder.write_text(folder.read_text("utf-8") + "  remote: folder\n", encoding="utf-8")
    put(clone, "params.yaml", "data: sample", "data: folder")
    put(clone, RECIPE, "epochs: .*", "epochs: 1")
    run(clone, "dvc", "repro")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "One epoch")
    run(clone, "git", "checkout", "--quiet", "-b", "second")
    put(clone, RECIPE, "epochs: 1", "epochs: 2")
    run(clone, "dvc", "repro")
    run(clone, "git", "commit", "--all", "--quiet", "--message", "Two epochs")
    run(clone, "git", "checkout", "--quiet", "main")
    run(clone, "dvc", "checkout")
    return clone


def push(clone: Path) -> None:
    """Commit and push the first run, then the second one, with the documented commands."""
    commit, send, _ = documented("## Push and pull")
    shell(clone, commit, send)
    run(clone, "git", "checkout", "second", "--", RECIPE, "dvc.lock", "data/evaluation")
    run(clone, "dvc", "checkout")
    shell(clone, commit, send)


def everything_is_there(clone: Path) -> None:
    """What was pulled is enough for all that does not need the remote any more."""
    assert "up to date" in run(clone, "dvc", "status")
    assert stages_run(run(clone, "dvc", "repro")) == []
    metrics, plots = shell(clone, *documented("runs again, since its metrics")[1:])
    assert re.search(r"val_acc +[\d.]+ +[\d.]+", metrics)
    assert "failed" not in plots
    page = (clone / "dvc_plots/index.html").read_text("utf-8")
    assert all(f'"rev": "{revision}"' in page for revision in ("HEAD~1", "HEAD"))
    assert run(clone, "git", "status", "--porcelain") == ""


@pytest.fixture(scope="module")
def pushed(finished, tmp_path_factory) -> tuple[Path, Path]:
    """A clone that pushed both runs to a folder; the folder."""
    clone = copied(finished, tmp_path_factory.mktemp("pushed") / "clone")
    folder = tmp_path_factory.mktemp("folder") / "faces"
    before = objects(clone / ".dvc/remote")
    shell(clone, *documented("**A folder**", {"/mnt/team/faces": folder}))
    push(clone)
    assert objects(clone / ".dvc/remote") == before
    return clone, folder


def test_a_folder_and_the_run_cache(pushed, tmp_path):
    clone, folder = pushed
    colleague = copy_of_git(clone, tmp_path / "colleague")
    _, pull, *_ = documented("A colleague then has everything")
    shell(colleague, pull, documented("runs again, since its metrics")[0])
    shutil.move(folder, tmp_path / "away")
    try:
        everything_is_there(colleague)
        put(colleague, RECIPE, "epochs: 2", "epochs: 1")
        assert stages_run(run(colleague, "dvc", "repro")) == ["evaluate"]
        assert run(colleague, "git", "diff", "--stat", "HEAD~1", "--", "dvc.lock", RECIPE) == ""
    finally:
        shutil.move(tmp_path / "away", folder)


def test_a_web_server_is_read_with_a_password_and_never_written(pushed, tmp_path):
    clone, folder = pushed
    colleague = copy_of_git(clone, tmp_path / "colleague")
    with mirror(folder) as (url, ranges):
        address, *password = documented(
            "**A web server**",
            {"https://www.example.org/faces": url, "NAME": "reader", "PASSWORD": "words"},
        )
        shell(colleague, address)
        assert "Checkout failed" in fails(colleague, "dvc pull")
        shell(colleague, *password, documented("runs again, since its metrics")[0])
        assert any(ranges)
        before = objects(folder)
        (colleague / "data/raw/people.csv").write_text("path,group\nx,y\n", encoding="utf-8")
        run(colleague, "dvc", "commit", "--force", "fetch")
        assert fails(colleague, "dvc push")
        assert objects(folder) == before
        run(colleague, "git", "checkout", "--quiet", ".")
        run(colleague, "dvc", "checkout", "--force")
    everything_is_there(colleague)


def test_ssh(finished, tmp_path):
    clone = copied(finished, tmp_path / "mine")
    with running(Sshd, tmp_path / "sshd") as server:
        address, *mine = documented(
            "**SSH**",
            {
                "ssh://server.example.org/srv/faces": f"ssh://127.0.0.1:{server.port}{tmp_path}/srv",
                "NAME": server.user,
                "~/.ssh/id_ed25519": server.folder / "key",
            },
        )
        shell(clone, address, *mine)
        sent = tmp_path / "srv"
        half_way = "dvc push --jobs 1", lambda: len(objects(sent)) >= 5
        interrupted(clone, *half_way, lambda _: server.kill())
        server.start()
        push(clone)
        colleague = copy_of_git(clone, tmp_path / "colleague")
        shell(colleague, mine[0], mine[1].replace("/key", "/host"))
        assert "failed to connect to ssh" in fails(colleague, "dvc pull")
        shell(colleague, *mine, documented("runs again, since its metrics")[0])
    everything_is_there(colleague)


def interrupted(
    clone: Path,
    command: str,
    half_way: Callable[[], bool],
    stop: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    """Call `stop` while the command runs, which then fails.

    The command stands still while `half_way` looks, or a busy machine lets it end meanwhile.
    """
    with subprocess.Popen(
        command.split(),
        cwd=clone,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while True:
                process.send_signal(signal.SIGSTOP)
                if half_way():
                    break
                assert process.poll() is None, "it ended before it could be stopped"
                process.send_signal(signal.SIGCONT)
                time.sleep(0.02)
            stop(process)
            process.send_signal(signal.SIGCONT)
            assert process.wait(timeout=300) != 0
        finally:
            process.kill()  # or the block would wait for it, however long it takes


def s3(server: S3) -> list[str]:
    """The documented commands for this server."""
    return documented(
        "**S3**",
        {
            "s3://your-bucket/faces": f"s3://{BUCKET}/team",
            "https://s3.example.org": server.url,
            "ID": server.key,
            "KEY": server.secret,
        },
    )


@pytest.mark.parametrize("kind", [Moto, Rclone])
def test_s3_that_dies_half_way(kind, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # else botocore waits for a server that is dead
    clone, colleague = copied(finished, tmp_path / "mine"), tmp_path / "colleague"
    with running(kind, tmp_path / "s3") as server:
        shell(clone, *s3(server))
        run(clone, "dvc", "remote", "modify", "--local", "private", "url", "s3://nobodys/faces")
        assert "bucket does not exist" in fails(clone, "dvc push")
        run(clone, "dvc", "remote", "modify", "--local", "private", "url", f"s3://{BUCKET}/team")

        sent = server.objects
        interrupted(clone, "dvc push --jobs 1", lambda: len(sent()) >= 5, lambda _: server.kill())
        server.start()
        shell(clone, *s3(server))
        push(clone)

        copy_of_git(clone, colleague)
        assert "Unable to locate credentials" in fails(colleague, "dvc pull")
        *mine, secret = [line for line in s3(server) if "--local" in line]
        shell(colleague, *mine, secret + "x")
        denied = fails(colleague, "dvc pull")
        assert "403" in denied
        assert server.secret not in denied + run(clone, "git", "log", "--all", "--patch", ".dvc")
        shell(colleague, secret)
        received, kill = colleague / ".dvc/cache/files", subprocess.Popen.kill
        interrupted(colleague, "dvc pull --jobs 1", lambda: len(objects(received)) >= 5, kill)
        shell(colleague, documented("runs again, since its metrics")[0])

        if isinstance(server, Moto):
            server.check_keys(False)
            public = copy_of_git(clone, tmp_path / "public")
            shell(public, *documented("reads a public bucket by"))
            assert "403" in fails(public, "dvc pull")
            server.publish()
            run(public, "dvc", "pull")
            assert "up to date" in run(public, "dvc", "status")
    everything_is_there(colleague)


def test_what_names_no_remote_goes_to_the_default_and_never_into_git(pushed, tmp_path):
    clone = copied(pushed[0], tmp_path / "clone")
    before = objects(clone / ".dvc/remote"), objects(pushed[1])
    (clone / "faces.zip").write_bytes(b"faces of people")
    run(clone, "dvc", "add", "faces.zip")
    run(clone, "dvc", "remote", "add", "other", str(tmp_path / "other"))
    run(clone, "dvc", "remote", "default", "other")
    run(clone, "dvc", "push")
    assert len(objects(tmp_path / "other")) == 1
    assert (objects(clone / ".dvc/remote"), objects(pushed[1])) == before
    run(clone, "git", "add", "--all")
    staged = run(clone, "git", "diff", "--cached", "--name-only").split()
    assert staged == [".dvc/config", ".gitignore", "faces.zip.dvc"]


def test_moving_and_cleaning_up(pushed, tmp_path):
    clone, elsewhere = copied(pushed[0], tmp_path / "clone"), tmp_path / "elsewhere"
    shutil.copytree(pushed[1], elsewhere)
    shell(clone, *documented("To move,", {"/mnt/elsewhere/faces": elsewhere}))
    moved = objects(elsewhere / "folder")
    put(clone, "params.yaml", "dpi: .*", "dpi: 50")
    assert stages_run(run(clone, "dvc", "repro")) == ["plot"]
    run(clone, "dvc", "push")
    assert objects(elsewhere / "folder") > moved
    run(clone, "git", "checkout", "--quiet", ".")  # nobody commits it
    fetch, address, _, collect, back = documented("## Clean up, or move", {"ADDRESS": elsewhere})
    shell(clone, fetch, address, f"{collect} --force", back)
    assert objects(elsewhere / "folder") == moved
    assert run(clone, "git", "status", "--porcelain") == ""


def test_pictures_that_are_not_passed_on(finished, tmp_path):
    clone = copied(finished, tmp_path / "mine")
    shell(clone, *documented("**A folder**", {"/mnt/team/faces": tmp_path / "faces"}))
    shell(clone, "printf '  push: false\n' >> data/source/folder.dvc")
    shell(clone, documented("may not be passed on")[2])
    commit, send, _ = documented("## Push and pull")
    shell(clone, commit, send)
    archive = md5(clone / "data/source/folder/faces.zip")
    assert archive not in held(tmp_path / "faces")

    colleague = copy_of_git(clone, tmp_path / "colleague")
    assert "data/source/folder" in fails(colleague, "dvc pull")
    put(colleague, "conf/data/folder.yaml", "per_class: .*", "per_class: 1")
    *_, ran = shell(colleague, *documented("evaluates and plots with parameters of his own"))
    assert stages_run(ran) == ["evaluate", "plot"]

    pictures = ("data/raw/images.zip", "data/arrays", "data/plots")
    for out in pictures:
        text = (clone / "dvc.yaml").read_text("utf-8")
        text, found = re.subn(rf"( +- {out}:\n.*\n( +)remote: .*\n)", r"\1\2push: false\n", text)
        assert found == 1
        (clone / "dvc.yaml").write_text(text, encoding="utf-8")
    shell(clone, f"dvc remote modify private url {tmp_path / 'tables'}", commit, send)
    hidden = {md5(path) for name in pictures for path in files(clone / name)}
    hidden -= {md5(clone / "data/export/classes.json")}  # stands in data/arrays, too
    assert not hidden & held(tmp_path / "tables")
    other = copy_of_git(clone, tmp_path / "other")
    *_, ran = shell(other, *documented("evaluates and plots with parameters of his own"))
    assert stages_run(ran) == []
    assert (other / "data/export/model.onnx").exists()


def test_two_people_change_something(pushed, tmp_path):
    shared = copied(pushed[1], tmp_path / "faces")
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(pushed[0]), "team.git")
    one, two = (copy_of_git(tmp_path / "team.git", tmp_path / name) for name in ("one", "two"))
    resolve = documented("## Two people changed something")
    for clone in (one, two):
        run(clone, "dvc", "remote", "modify", "--local", "private", "url", str(shared))
        shell(clone, documented("runs again, since its metrics")[0])
    put(one, RECIPE, "epochs: 2", "epochs: 1")
    put(two, "params.yaml", "dpi: .*", "dpi: 50")
    for clone, stages in ((one, ["evaluate"]), (two, ["plot"])):
        assert stages_run(run(clone, "dvc", "repro")) == stages
        run(clone, "git", "commit", "--all", "--quiet", "--message", "A change")
        run(clone, "dvc", "push", "--run-cache")
    run(one, "git", "push", "--quiet")
    fails(two, "git push")
    pull, *others = resolve
    assert "CONFLICT" in fails(two, pull)
    said = shell(two, *others)
    assert stages_run("".join(said)) == ["plot"]
    assert run(two, "git", "status", "--porcelain") == ""
    third = copy_of_git(tmp_path / "team.git", tmp_path / "third")
    run(third, "dvc", "remote", "modify", "--local", "private", "url", str(shared))
    run(third, "dvc", "pull")
    assert stages_run(run(third, "dvc", "repro")) == []
    assert "epochs: 1" in (third / RECIPE).read_text("utf-8")
    assert "dpi: 50" in (third / "params.yaml").read_text("utf-8")
