import errno
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from facial_expression.core import errors
from tests.helpers import one_line


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def printed(main: Callable[[], object]) -> str:
    """The one line with which `run` exits: `sys.exit(text)` prints it, and exits with 1."""
    with pytest.raises(SystemExit, match=one_line("error: ")) as caught:
        errors.run(main)  # type: ignore[arg-type]
    return caught.value.code


def test_our_errors_become_their_message():
    assert errors.PipelineError.__subclasses__()
    for kind in errors.PipelineError.__subclasses__():
        assert printed(raising(kind("a.zip: found b"))) == "error: a.zip: found b"


def test_line_ends_in_names_end_no_message():
    error = errors.DatasetError.expected("a\nb.csv", "x", "y\r\nz", "mend it\n")
    assert str(error) == "a b.csv: expected x, found y z; mend it"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # from a worker process


def test_missing_files_and_folders_in_their_place_are_named(tmp_path):
    missing = tmp_path / "none.csv"
    assert f"{missing}: no such file; run the stage" in printed(missing.read_bytes)
    assert f"{tmp_path}: Is a directory" in printed(tmp_path.read_bytes)
    assert "File name too long; correct" in printed((tmp_path / ("x" * 300)).read_bytes)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_with_and_without_a_file_name(number):
    named = printed(raising(OSError(number, os.strerror(number), "data/raw/images.zip")))
    assert "data/raw/images.zip: no space left on the device" in named
    assert "None" not in printed(raising(OSError(number, os.strerror(number))))


def test_a_missing_extra_is_named_and_a_missing_dependency_is_not_ours():
    text = printed(raising(ModuleNotFoundError("No module", name="flask")))
    assert "flask of the extra web is not installed; run `pip install" in text
    with pytest.raises(ModuleNotFoundError):
        errors.run(raising(ModuleNotFoundError("No module", name="numpy")))


def test_an_interruption_is_one_word_and_exit_code_130(capsys):
    with pytest.raises(SystemExit, match=r"^130$"):
        errors.run(raising(KeyboardInterrupt()))
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_what_the_machine_refuses_is_no_damage_of_the_file(number):
    error = OSError(number, os.strerror(number), "a.npy")

    def reading() -> None:
        with errors.damaged("a.npy", "the preprocess stage"):
            raise error

    told = printed(reading)
    assert f"a.npy: {os.strerror(number)}; " in told
    assert "damage" not in told


def test_too_little_memory_is_one_line_and_no_damage():
    def reading() -> None:
        with errors.damaged("a.npy", "the preprocess stage"):
            raise MemoryError("Unable to allocate 3 GiB")

    assert "too little memory: Unable to allocate 3 GiB; free some" in printed(reading)


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("nothing known")])
def test_a_bug_keeps_its_traceback(error):
    with pytest.raises(type(error), match=re.escape(str(error))):
        errors.run(raising(error))


def test_a_real_process_exits_with_1_and_one_line():
    code = (
        "from facial_expression.core.errors import ParameterError, run\n"
        "def main(): raise ParameterError('conf/x.yaml: no')\n"
        "run(main)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: conf/x.yaml: no\n")


@pytest.mark.parametrize(
    ("closed", "code", "file"), [("2>&-", 0, "1,2\n"), (">&-", 1, ""), (">&- 2>&-", 1, "")]
)
def test_a_closed_stream_gives_neither_a_traceback_nor_lines_in_a_file(
    tmp_path, closed, code, file
):
    text = (
        "import os, sys\nfrom facial_expression.core.errors import run\n"
        "def main():\n    with open(sys.argv[1], 'w') as file:\n"
        "        os.write(2, b'notice')\n        print('notice', file=sys.stderr)\n"
        "        file.write('1,2\\n')\n"
        "run(main)\n"
    )
    out = tmp_path / "out.csv"
    command = ["sh", "-c", f'exec "$0" -c "$1" "$2" {closed}', sys.executable, text, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert (out.read_text() if out.exists() else "") == file


def test_a_reader_that_has_enough_ends_a_command_in_silence():
    code = (
        "from facial_expression.core.errors import run\n"
        "def main():\n    for number in range(100_000): print(number)\n"
        "run(main)"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1
