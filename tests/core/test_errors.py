from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facial_expression.core import errors


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def test_a_missing_extra_is_one_line_and_any_other_module_is_a_defect():
    text = printed(raising(ModuleNotFoundError("No module named 'flask'", name="flask")))
    assert "extra web: pip install -r requirements-extras.txt" in text
    with pytest.raises(ModuleNotFoundError):
        errors.run(raising(ModuleNotFoundError(name="facial_expression.nothing")))


def printed(main: Callable[[], None]) -> str:
    """What `run` says of a failure with exit code 1; exactly one line."""
    with pytest.raises(SystemExit) as caught:
        errors.run(main)
    text = caught.value.code
    assert isinstance(text, str), "sys.exit(text) prints it and exits with 1"
    assert text.startswith("error: ")
    assert "\n" not in text
    return text


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.PipelineError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_our_errors_become_their_message(kind: type[errors.PipelineError]) -> None:
    assert printed(raising(kind("x.zip: expected a, found b"))) == (
        "error: x.zip: expected a, found b"
    )


def test_success_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    errors.run(lambda: None)
    assert capsys.readouterr() == ("", "")


def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    text = printed(lambda: (tmp_path / "none.csv").open().close())
    assert f"{tmp_path / 'none.csv'}: no such file; run the stage" in text


def test_a_folder_in_place_of_a_file_names_itself(tmp_path: Path) -> None:
    assert f"{tmp_path}: Is a directory" in printed(lambda: tmp_path.open().close())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_with_and_without_a_file_name(number: int) -> None:
    named = printed(raising(OSError(number, os.strerror(number), "data/raw/images.zip")))
    assert "data/raw/images.zip: no space left on the device" in named
    assert "None" not in printed(raising(OSError(number, os.strerror(number))))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_the_kernel_s_own_full_device_is_one_line() -> None:
    assert "no space left" in printed(lambda: void(Path("/dev/full").write_text("x" * 100_000)))


def void(_: object) -> None:
    """A callable's result, dropped."""


def test_an_interruption_is_one_word_and_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        errors.run(raising(KeyboardInterrupt()))
    assert caught.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    "error", [ValueError("ours"), OSError(errno.EIO, "disk"), OSError("nothing known")]
)
def test_a_defect_of_ours_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        errors.run(raising(error))
    assert caught.value is error


def test_a_real_process_exits_with_1_and_one_line() -> None:
    code = (
        "from facial_expression.core.errors import ParameterError, run\n"
        "def main(): raise ParameterError('conf/x.yaml: no')\n"
        "run(main)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: conf/x.yaml: no\n")
