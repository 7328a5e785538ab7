"""The Dockerfile: what must hold of it, and its build stage as lines for a shell. `image.py stage FOLDER` prints those."""

import pathlib
import re
import shlex
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDED = re.compile(r'include_(?:str|bytes)!\(\s*(?:concat!\()?"((?:\.\./)+[^"]+)"')


def steps():
    """(instruction, rest) of each line, continued lines joined, comments gone."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            word, rest = line.split(None, 1)
            yield word.upper(), " ".join(rest.split())


def build_stage():
    found = []
    for word, rest in steps():
        if word == "FROM" and found:
            return found
        found.append((word, rest))
    return found


def copies():
    """(source, destination) of each COPY of the build stage."""
    for word, rest in build_stage():
        if word == "COPY":
            *sources, to = rest.split()
            yield from ((s, to + pathlib.Path(s).name if to.endswith("/") else to) for s in sources)


def stage(folder):
    for word, rest in build_stage():
        if word == "RUN":
            yield rest
        elif word == "COPY":
            *sources, to = rest.split()
            for source in sources:
                target = pathlib.Path(folder) / (to + source if to.endswith("/") else to)
                yield f"mkdir -p {shlex.quote(str(target.parent))} && cp -pR {shlex.quote(str(ROOT / source))}{'/.' if (ROOT / source).is_dir() else ''} {shlex.quote(str(target))}"


def allowed():
    """What .dockerignore lets through."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    if not lines or lines[0] != "*":
        sys.exit(".dockerignore must begin with *, and name what may pass")
    return {line[1:] for line in lines if line.startswith("!")}


def wrong():
    copied = {source for source, _ in copies()}
    # A file of a folder that is copied, too, may be copied before it.
    alone = {source for source in copied if not any(source.startswith(f"{folder}/") for folder in copied)}
    if alone != allowed():
        yield f".dockerignore and the Dockerfile differ in {sorted(alone ^ allowed())}"
    for source in copied:
        if not (ROOT / source).exists():
            yield f"the Dockerfile copies {source}, which is not there"
    folders = [f for f in copied if (ROOT / f).is_dir()]
    for file in (ROOT / "src").rglob("*.rs"):
        for path in INCLUDED.findall(file.read_text()):
            inside = (file.parent / path).resolve().relative_to(ROOT)
            if inside.parts[0] not in folders:
                yield f"{file.relative_to(ROOT)} includes {inside}, which the Dockerfile does not copy"
    needed = re.search(r'^rust-version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    final, all_steps = [], list(steps())
    for word, rest in all_steps:
        final = [] if word == "FROM" else final
        final.append((word, rest))
    if not all_steps[0][1].startswith(f"rust:{needed}-"):
        yield f"the build stage is not Rust {needed}, which Cargo.toml asks for"
    if len([1 for word, _ in all_steps if word == "FROM"]) < 2:
        yield "the compiler would be in the image"
    user = [rest for word, rest in final if word == "USER"]
    if not user or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user[-1]):
        yield "the image must run as a user and a group by number, not root"
    if not any(word == "HEALTHCHECK" and '"healthcheck"' in rest for word, rest in final):
        yield "the image has no HEALTHCHECK by the program itself"
    for word, rest in final:
        if word == "RUN":
            yield f"the final stage runs {rest}: its base has no shell"


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "stage":
        sys.exit("usage: image.py stage FOLDER")
    print("\n".join(stage(sys.argv[2])))
