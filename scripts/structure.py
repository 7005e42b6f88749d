#!/usr/bin/env python3
"""Count and draw how the package is built: its packages, the layers that they stand on, and who imports whom.

    scripts/structure.py [FOLDER]        the counts of this checkout, or of another one

A module directly in ``gates/`` counts as a package. A layer is as high as the longest way down.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Packages = Mapping[str, Counter[str]]  # package -> the packages that it imports from, and how often


def sources(root: Path) -> list[Path]:
    """Every module of the package, less the template's files."""
    return sorted(path for path in (root / "gates").rglob("*.py") if "template" not in path.parts)


def package_of(path: Path, root: Path) -> str:
    """The package that a module is in; of the package's own file nothing."""
    first = path.relative_to(root / "gates").parts[0]
    return first.removesuffix(".py").removesuffix("__init__")


def imported(tree: ast.Module, names: set[str]) -> Iterator[str]:
    """The packages that a module imports from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "gates":
            inside = (node.module or "").split(".")[1:2]
            yield from inside or [one.name for one in node.names if one.name in names]


def packages_of(root: Path) -> Packages:
    """Every package with what it imports."""
    found: dict[str, Counter[str]] = {package_of(path, root): Counter() for path in sources(root)}
    found.pop("", None)
    for path in sources(root):
        package = package_of(path, root)
        for other in imported(ast.parse(path.read_text()), set(found)) if package else ():
            if other != package:
                found[package][other] += 1
    return found


def layers(packages: Packages) -> Mapping[str, int]:
    """The layer of each package, the lowest 1. Raises ``ValueError`` where packages import each other in a circle."""
    open_: list[str] = []

    @cache
    def layer(package: str) -> int:
        if package in open_:
            raise ValueError(f"a circle: {' -> '.join([*open_, package])}")
        open_.append(package)
        found = 1 + max((layer(other) for other in packages[package]), default=0)
        open_.pop()
        return found

    return {package: layer(package) for package in packages}


def counts(root: Path) -> Mapping[str, int]:
    """What the page on design tells of a checkout."""
    packages, every = packages_of(root), sources(root)
    own = [path for path in every if path.stem not in ("__init__", "__main__")]
    classes = Counter(
        node.name
        for path in every
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    return {
        "modules at the root": sum(path.parent == root / "gates" for path in own),
        "packages": len(packages) - ("__main__" in packages),
        "layers": max(layers(packages).values()),
        "arrows between packages": sum(len(others) for others in packages.values()),
        "modules of the largest folder": max(Counter(path.parent for path in own).values()),
        "names that several modules bear": _shared(Counter(path.stem for path in own)),
        "names that several public classes bear": _shared(classes),
    }


def _shared(names: Counter[str]) -> int:
    return sum(times > 1 for times in names.values())


WIDE, STEP, HIGH = 760, 58, 26
SHADES = ((20, 0.75), (5, 0.4), (1, 0.15))  # of a line, by how many imports it stands for
STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2328;text-anchor:middle}.s{fill:#59636e;text-anchor:start}.g{fill:#fff}
.box{fill:#f6f8fa;stroke:#8c959f}.way{stroke:#0969da;fill:none}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}.g{fill:#0d1117}.box{fill:#151b23;stroke:#656c76}
.way{stroke:#58a6ff}}
"""


def house() -> str:
    """Draw the packages on their layers; a line leads from a package down to one that it imports from."""
    packages = packages_of(ROOT)
    storey = layers(packages)
    top = max(storey.values())
    at: dict[str, tuple[float, float]] = {}
    for level in range(1, top + 1):
        there = sorted(package for package in packages if storey[package] == level)
        for place, package in enumerate(there):
            at[package] = (90 + (WIDE - 110) * (place + 0.5) / len(there), 30 + (top - level) * STEP)
    high = 30 + top * STEP
    ways: dict[float, str] = {}
    for package, others in sorted(packages.items()):
        for other, times in sorted(others.items()):
            shade = next(one for least, one in SHADES if times >= least)
            (x, y), (to_x, to_y) = at[package], at[other]
            ways[shade] = ways.get(shade, "") + f"M{x:.0f} {y + HIGH / 2:.0f}L{to_x:.0f} {to_y - HIGH / 2:.0f}"
    lines = [f'<path class="way" opacity="{shade}" d="{way}"/>' for shade, way in sorted(ways.items())]
    boxes = [
        f'<rect class="box" x="{x - 44:.0f}" y="{y - HIGH / 2:.0f}" width="88" height="{HIGH}" rx="5"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}">{package}</text>'
        for package, (x, y) in sorted(at.items())
    ]
    storeys = [f'<text class="s" x="12" y="{34 + (top - level) * STEP}">{level}</text>' for level in range(1, top + 1)]
    told = f"{len(packages)} packages on {top} layers; every line leads down."
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" width="{WIDE}" role="img" '
        f'aria-labelledby="t d">\n<title id="t">The packages of the package</title>\n<desc id="d">{told}</desc>\n'
        f'<style>{STYLE}</style>\n<rect class="g" width="{WIDE}" height="{high}" rx="6"/>\n'
        + "\n".join([*lines, *boxes, *storeys])
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    for name, number in counts(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT).items():
        print(f"{number:5,}  {name}")
