"""The colours of the pages: text stands out from its ground, in light and in dark."""

import re

import pytest
from PIL import ImageColor

from tests.clones import ROOT

AA = 4.5  # https://www.w3.org/TR/WCAG22/#contrast-minimum
PAIRS = {
    "tools/report/report.css": {
        "paper": ("ink", "soft", "link"),
        "tint": ("ink", "soft", "link"),
        "warn-tint": ("warn",),
    },
    "tools/web/page/static/page.css": {
        "ground": ("ink", "quiet", "accent"),
        "sheet": ("ink", "quiet", "accent", "warn"),
        "accent": ("accent-ink",),
        "accent-soft": ("ink",),
        "warn-soft": ("ink", "warn"),
    },
}


def luminance(colour: str) -> float:
    levels = [level / 255 for level in ImageColor.getrgb(colour)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("sheet", PAIRS)
def test_text_stands_out_from_its_ground(sheet):
    text = (ROOT / sheet).read_text(encoding="utf-8")
    light, dark, *_ = re.findall(r":root \{(.*?)\}", text, flags=re.DOTALL)
    for theme in (light, light + dark):  # what dark leaves out, it keeps
        colours = dict(re.findall(r"--([\w-]+): (#\w+);", theme))
        for ground, inks in PAIRS[sheet].items():
            for ink in inks:
                low, high = sorted((luminance(colours[ink]), luminance(colours[ground])))
                assert (high + 0.05) / (low + 0.05) >= AA, (ink, ground)
