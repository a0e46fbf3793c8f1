"""IBM Plex for the pages: cut down from the fonts of Python packages, so that no font file lies in the repository.

The packages hold whole families as TTF. `FontFinder` hands `collectstatic` (and the tests' server) what a page needs:
Latin letters, the weights in use, as WOFF2. They are made once, which takes some seconds, and kept in `.made/`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

# Basic Latin to Latin Extended-A, the punctuation, arrows and signs that pages use.
LETTERS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *(0x2C6, 0x2DA, 0x2DC),
    *range(0x2010, 0x2028),
    *(0x2030, 0x2032, 0x2033, 0x2039, 0x203A, 0x2044, 0x20AC, 0x2122),
    *(0x2190, 0x2191, 0x2192, 0x2193, 0x2212, 0x2260, 0x2264, 0x2265, 0x22EF, 0xFFFD),
)
FOLDER = "fonts"


@dataclass(frozen=True, slots=True)
class Font:
    """A font file to serve, and where it comes from; `axes` of a variable font are fixed or narrowed."""

    name: str
    package: str
    source: str
    axes: tuple[tuple[str, float | tuple[float, float]], ...] = ()


FONTS = (
    Font(
        "plex-sans.woff2",
        "fontpkg_ibm_plex_sans",
        "IBMPlexSans[wdth,wght].ttf",
        (("wdth", 100), ("wght", (400, 600))),
    ),
    Font("plex-mono-400.woff2", "fontpkg_ibm_plex_mono", "IBMPlexMono-Regular.ttf"),
    Font("plex-mono-500.woff2", "fontpkg_ibm_plex_mono", "IBMPlexMono-Medium.ttf"),
)
LICENCE = "OFL.txt"  # the SIL Open Font License asks to go with the fonts


class FontFinder(BaseFinder):
    """Finds `fonts/…` among the static files, and makes what is not there yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.storage = FileSystemStorage(location=_folder())
        self.storage.prefix = FOLDER  # type: ignore[attr-defined]  # collectstatic puts them into this folder

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, *args: Any, **kwargs: Any) -> Any:
        folder, _, name = path.replace("\\", "/").partition("/")
        found = [str(_made() / name)] if folder == FOLDER and name in _names() else []
        wants_all = kwargs.get("find_all") or kwargs.get("all")
        return found if wants_all or not found else found[0]

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        _made()
        for name in _names():
            yield name, self.storage


def _names() -> tuple[str, ...]:
    return (LICENCE, *(font.name for font in FONTS))


def _folder() -> Path:
    """Return where they are kept: with another version of a package, elsewhere."""
    packages = dict.fromkeys(font.package for font in FONTS)
    return Path(settings.FONTS_MADE_IN) / "-".join(metadata.version(package) for package in packages)


def _made() -> Path:
    """Return their folder, all of them there."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    for font in FONTS:
        if not (folder / font.name).exists():
            _make(font, folder / font.name)
    if not (folder / LICENCE).exists():
        (folder / LICENCE).write_bytes((resources.files(FONTS[0].package) / "LICENSE").read_bytes())
    return folder


def _make(font: Font, target: Path) -> None:
    """Cut the font down and write it; under its name only when it is whole, as two processes may do so at once."""
    # Only here: they take a fifth of a second to load, and a running server never needs them.
    from fontTools import subset
    from fontTools.varLib import instancer

    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of every table that it leaves out
    options = subset.Options(
        flavor="woff2", layout_features=["kern", "liga", "mark", "tnum", "zero"], notdef_outline=True
    )
    with resources.as_file(resources.files(font.package) / "files" / font.source) as source:
        cut = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=LETTERS)
    subsetter.subset(cut)
    if font.axes:
        cut = instancer.instantiateVariableFont(cut, dict(font.axes))
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as begun:
        subset.save_font(cut, begun, options)
    Path(begun.name).chmod(0o644)
    Path(begun.name).replace(target)
