"""Takes the released network into the wheel where `dvc pull` has brought it.

pyproject.toml has the rest.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RELEASED = ("expression-int8.onnx", "model_card.md", "README.md")


class WithNetwork(build_py):
    """Builds the packages, then copies the network, its card and its terms into one of them."""

    def run(self) -> None:  # noqa: D102
        super().run()
        target = Path(self.build_lib, "facial_expression", "inference", "released")
        source = Path(__file__).parent / "released"
        if (source / RELEASED[0]).is_file() and not self.editable_mode:
            target.mkdir(parents=True, exist_ok=True)
            for name in RELEASED:
                shutil.copyfile(source / name, target / name)


setup(cmdclass={"build_py": WithNetwork})
