"""Write docs/results.md from the last full runs in benchmarks/out: `python -m benchmarks.results`.

What was not run here keeps the section that it has, which names its own commit and machine. A section is marked stale
where code that its benchmark depends on has changed since; `--stale` names these instead of writing anything.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from benchmarks.common.code_used import changed_since, commits_since, files_used
from benchmarks.common.report import HERE, OUT, table
from pipeline.core.storage import write_bytes

DOCUMENT = HERE.parent / "docs" / "results.md"
_STALE = "**Stale**"
OPENING = """# Results

Each section is the last full run of one command. Simulated cameras are measured against their exact truth. Bars are the
limits that the command's `--check` holds it to. Written by `python -m benchmarks.results`, which marks a section stale
where code that it depends on has changed since its commit; `make bench-stale` runs these again.

Every section is of the commit that it names. Two settings of the occlusion classifier, that it is asked more of people
and does not overrule static occluders, were chosen after cam11 had been seen. That it had learnt to call whole what
nothing hides, whatever the mask showed, was found by looking at the wrong cutouts of cam07 and cam11: it was trained
again on cam03 and cam05 with the mask in its labels, and its thresholds were left as they were. That feet which jump
tell no heading was found on a car of cam11's.

How far to trust them: thresholds were chosen on cam07, so its numbers are not held out. cam11 chose no other value and
trained no network, but it was consulted: its precision was read while mining was made stricter until it met its bar,
and again when smaller objects were let in after masks had become exact. Two rules of mining, that people are refused
where most are short and vehicles where others end, were made with the cutouts of both cameras in view, cam11's above
all, and their few numbers tried on both: by them cam11's precision says nothing of a third camera. cam07's street was
changed (a tree, fewer vehicles, more people) until it hid enough and its backgrounds held fewer ghosts of waiting cars.
The mask network and the occlusion classifier are trained on cam03 and cam05, the keypoint network and the shape bases
on rendered vehicles, the mesh network on rendered people: other seeds, bodies and gaits than the measured cameras', but
the same generator of vehicles, dresses and illumination.
The noise settings of people's fits were chosen on cam07, after cam11's people, at 94 mm, had missed their bars: cam11
chose none of them, but it said that there was need. On real footage detection, tracks and cutouts on PETS
and two JamCams are measured, people's places and bodies on PETS, and the clicked keypoints of ApolloCar3D. The section
apollo_fit below has the settings that ship beside those for noisier clicks, with which it was measured before: with our
shapes and unknown sizes it fits 59 % and 87 % of the cars, and turns 17 % and 4 % of them round; 96 % and 1 % it had
been before the shapes' coefficients were bounded.
Apollo's clicks and our keypoints are up to 0.2 m apart on lamps and glass. The rows of "their definitions" move our
points by the median offset of the other CAD models, which uses those cars' true poses, and noise settings were tried on
these cars. How near two footprints may come follows from the uncertainty of their fits, whose scale was set on cam07's
truth; a term for people of unusual height was found on a case of cam07's, but with cam11's order of overlapping pairs
in view.
Occlusion-Net learns from rendered vehicles of the same generator as its test's, other seeds and, for "unseen", other
bodies; the test's scores were read while its losses were weighed, and pictures of two real cameras and cam07's
detections while it was made to bear poor boxes. Graphs of the ablation are trained alone on a few thousand crops, so
they are below what ships.
Joining broken tracks by appearance was made with cam07 and PETS in view; it is kept, off unless asked for,
because of what it adds on cam11 and on junction21, which chose nothing in it.
That the shipped network is believed of standing vehicles where two time buckets show them, or its score is 0.9, was
chosen with the backgrounds of cam07 and cam11 in view, and so was how looks of the street are weighed against each
other; high75 and low05 chose nothing there (regions off in their mornings: 7 and 3 before, none now). OPEC-Net's
blended initial pose was chosen on couples that training kept back.
naturalness on PETS has 45 composed people of some twenty who walked by: the classifier may know who walks where, and
its answer to frames against frames, 0.42, says how little 47 crops tell; by eye nothing tells the two apart.
"""


def section(run: dict) -> str:
    """One benchmark in Markdown: the command, where and when it ran, its table, its bars, its notes."""
    bars = [{"bar": b["name"], "limit": b["limit"], "value": b["value"], "met": b["met"]} for b in run["bars"]]
    parts = [
        f"## {run['name']}",
        f"`python -m benchmarks.{run['name']}`, commit {run['commit']}, {run['machine']}, {run['wall_s']:.0f} s",
        table(run["rows"]),
        table(bars) if bars else "",
        *(f"{name}: {value}" for name, value in run.get("notes", {}).items()),
    ]
    return "\n\n".join(part for part in parts if part)


def latest(folder: Path) -> list[dict]:
    """The full runs on the cameras that are theirs, by name: NAME.json, not NAME.quick.json nor NAME.CAMERA.json."""
    return [json.loads(p.read_text()) for p in sorted(folder.glob("*.json")) if "." not in p.stem]


def kept(document: str) -> dict[str, str]:
    """The sections of the document as it stands, by name."""
    parts = document.split("\n## ")[1:]
    return {part.split("\n", 1)[0]: f"## {part}".rstrip() for part in parts}


def staleness(name: str, text: str) -> str:
    """A line that says that a section is stale, and since what; nothing where it is not, or nothing is known."""
    told = re.search(r", commit ([0-9a-f]{7,40})(-dirty)?,", text)
    try:
        files = files_used(name)
    except ValueError:
        return f"{_STALE}: there is no such benchmark any more."
    if not told:
        return ""
    changed = changed_since(told[1], files)
    if changed is None:
        return f"{_STALE}: its commit is not known here."
    if not changed and not told[2]:
        return ""
    if not changed:
        return f"{_STALE}: it ran on changes that no commit holds."
    shown = ", ".join(f"`{one}`" for one in changed[:3]) + (", ..." if len(changed) > 3 else "")
    return (
        f"{_STALE}: {len(changed)} of the {len(files)} files that it depends on have changed since, in "
        f"{commits_since(told[1])} commits: {shown}"
    )


def marked(name: str, text: str) -> str:
    """A section with the line on its staleness below its command, in place of an earlier one."""
    paragraphs = [part for part in text.split("\n\n") if not part.startswith(_STALE)]
    line = staleness(name, text)
    return "\n\n".join([*paragraphs[:2], *([line] if line else []), *paragraphs[2:]])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--stale", action="store_true", help="only name the benchmarks whose sections are stale")
    only_names = parser.parse_args().stale
    sections = kept(DOCUMENT.read_text()) | {run["name"]: section(run) for run in latest(OUT)}
    if only_names:
        print("\n".join(name for name in sorted(sections) if staleness(name, sections[name])))
        raise SystemExit(0)
    sections = {name: marked(name, text) for name, text in sections.items()}
    write_bytes(DOCUMENT, "\n\n".join([OPENING.rstrip(), *(sections[n] for n in sorted(sections))]).encode() + b"\n")
    print(DOCUMENT)
