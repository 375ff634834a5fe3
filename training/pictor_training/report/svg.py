"""Figures as SVG inside the page: sharp at any size, text as text, colours from the page's style sheet."""

import io
import re
from html import escape
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

# Matplotlib knows colours, not style sheets. It draws with these stand-ins, and each becomes a CSS variable,
# so that one figure serves the light page, the dark one and the printer.
INK: Final = "#0a0b01"
MUTED: Final = "#0a0b02"
LINE: Final = "#0a0b03"
FIRST: Final = "#0a0b04"
SECOND: Final = "#0a0b05"
_VARIABLES: Final = {INK: "ink", MUTED: "muted", LINE: "line", FIRST: "first", SECOND: "second"}

# In a page the name spaces are implied; groups' ids would repeat from figure to figure.
_SUPERFLUOUS: Final = re.compile(
    r"""<metadata>.*?</metadata>|<style[^>]*>.*?</style>|\sxmlns(:\w+)?="[^"]*"|\sid="[\w.]+_\d+"|<!--.*?-->""",
    re.DOTALL,
)


def inline_svg(figure: Figure, description: str) -> str:
    """Return `figure` as an <svg> element that holds no address and is announced as `description`."""
    written = io.StringIO()
    # fonttype: text stays text. hashsalt: ids are equal from run to run and unequal between figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        figure.savefig(written, format="svg", transparent=True)
    text = written.getvalue()
    text = _SUPERFLUOUS.sub("", text[text.index("<svg") :])
    for stand_in, variable in _VARIABLES.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)
