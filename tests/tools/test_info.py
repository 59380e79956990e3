"""The command `facial-expression`, and what `info` tells."""

import hashlib
import sys

import pytest

from facial_expression.core.errors import ModelError
from tests.networks import tiny_network
from tools import __main__ as command
from tools import info


def test_info_names_the_network_its_hash_its_terms_and_the_versions(tmp_path, capsys):
    path = tiny_network(tmp_path / "tiny.onnx")
    info.main(["--model", str(path)])
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["network"] == f"{path} (--model)"
    assert lines["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert lines["terms"] == "For tests alone."
    assert lines["card"] == "none beside the network"
    assert lines["Python"] == sys.version.split()[0]
    with pytest.raises(ModelError, match=r"model_card\.md: no such card"):
        info.main(["--model", str(path), "--card"])
    (tmp_path / "model_card.md").write_text("# A card\n")
    info.main(["--model", str(path), "--card"])
    assert capsys.readouterr().out == "# A card\n"


@pytest.mark.parametrize("name", command.COMMANDS)
def test_the_installed_command_has_three_of_them_under_its_own_name(name, monkeypatch, capsys):
    pytest.importorskip("flask", reason="the extra web is not installed")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/facial-expression"])
    with pytest.raises(SystemExit, match="0"):
        command.main([name, "--help"])
    assert f"usage: facial-expression {name}" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        command.main(["other"])
    assert "invalid choice: 'other'" in capsys.readouterr().err
