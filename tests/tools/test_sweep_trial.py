import yaml

from tests.clones import ROOT
from tools.sweep.trial import link_networks


def test_a_network_in_a_folder_that_git_ignores_is_linked(tmp_path, monkeypatch):
    document = yaml.safe_load((ROOT / "conf/recipe/sample.yaml").read_text("utf-8"))
    document["train"]["initial"]["weights"] = "nets/start.keras"
    recipe = tmp_path / "sample.yaml"
    recipe.write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets/start.keras").write_bytes(b"weights")
    clone = tmp_path / "clone"
    clone.mkdir()
    monkeypatch.chdir(tmp_path)
    link_networks(clone, recipe)
    assert (clone / "nets/start.keras").read_bytes() == b"weights"
