from pathlib import Path

import keras
import numpy as np
import pytest

from facial_expression.core.errors import ModelError
from facial_expression.core.files import sha256_of
from facial_expression.network import backend, keras_file
from facial_expression.train import models
from tests.helpers import predicted
from tools import narrow

NOISE = np.random.default_rng(0).integers(0, 256, (9, 48, 48), np.uint8)
PICTURES = NOISE // np.arange(1, 10, dtype=np.uint8)[:, None, None]  # of falling contrast
BEHIND = {  # the layers that read the channels of a layer of `best`
    "whitening": ["identity_1a"],
    "identity_1a": ["identity_1b", "identity_2a"],
    "identity_1b": ["identity_1c"],
    "identity_2a": ["identity_2b", "identity_3a"],
    "identity_2b": ["identity_2c"],
    "identity_3a": ["identity_3b", "logits"],
    "identity_3b": ["identity_3c"],
}


def network(path: Path, name: str, narrower: str) -> Path:
    """A network of random weights and statistics whose idle channels nobody reads.

    Of each layer just as many channels have readers as `narrower` has.
    """
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(2)
    stay = {layer.name: layer.output.shape[-1] for layer in models.build(narrower, 48, 3).layers}
    model = models.build(name, 48, 3)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.weights])
    for made_by, readers in BEHIND.items():
        channels = model.get_layer(readers[0]).kernel.shape[-2]
        idle = rng.permutation(channels)[stay[made_by] :]
        for reader in map(model.get_layer, readers):
            kernel, *rest = reader.get_weights()
            kernel[..., idle, :] = 0
            reader.set_weights([kernel, *rest])
    keras_file.save(model, path)
    return path


@pytest.mark.parametrize(("source", "target"), [("best", "lean"), ("lean", "slim")])
def test_without_its_idle_channels_a_network_predicts_the_same(
    source, target, tmp_path, capsys, monkeypatch
):
    wide, out = network(tmp_path / "wide.keras", source, target), tmp_path / "narrow.keras"
    monkeypatch.setattr(backend, "configure", lambda *_: None)  # Keras runs already
    narrow.main([str(wide), target, "--out", str(out)])
    assert sha256_of(out) in capsys.readouterr().out
    expected = predicted(wide, PICTURES)
    assert np.ptp(expected, axis=0).max() > 0.01, "the pictures differ"
    np.testing.assert_allclose(predicted(out, PICTURES), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("compact", "slim", "^slim: expected 'compact' with fewer channels"),
        ("slim", "fast", "^fast: expected 'slim' with fewer channels"),
        ("seed", "seed", "^seed: expected 'seed' with fewer channels"),
        ("fast", "thin", r"expected one of .*lean.*, found 'thin'"),
    ],
)
def test_only_a_narrower_network_of_the_same_layers_will_do(source, target, reason, tmp_path):
    keras_file.save(models.build(source, 48, 3), tmp_path / "source.keras")
    with pytest.raises(ModelError, match=reason):
        narrow.make(tmp_path / "source.keras", target, tmp_path / "out.keras")
    assert not (tmp_path / "out.keras").exists()
