"""What README.md lists is what the code has."""

import re
from pathlib import Path

from attattr_core.engine.families import FAMILIES, REFUSED

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_families_are_those_of_the_table():
    section = README.split("\n## Models\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?:Encoders|Decoders|Encoder-decoders)[^|]*\| ([^|]+) \|$", section, flags=re.MULTILINE)
    assert sorted(", ".join(rows).split(", ")) == sorted(FAMILIES)
    refused = section.split("Refused, with the reason")[1]
    named = set(re.findall(r"[a-z][\w-]+", refused)) & set(REFUSED)
    assert named == set(REFUSED)


def test_every_required_package_is_explained():
    requirements = (Path(__file__).resolve().parents[2] / "requirements.txt").read_text(encoding="utf-8")
    required = set(re.findall(r"^([a-z][\w-]*)", requirements, flags=re.MULTILINE))
    explained = set(re.findall(r"^\| ([a-z][\w-]*) \| ", README.split("## What it stands on")[1], flags=re.MULTILINE))
    assert explained == required


def test_the_front_matter_names_the_gradio_that_is_allowed():
    version = re.search(r"^sdk_version: (\d+)\.(\d+)", README, flags=re.MULTILINE)
    requirements = (Path(__file__).resolve().parents[2] / "requirements.txt").read_text(encoding="utf-8")
    assert f"gradio>={version[1]}.{version[2]}," in requirements
    description = re.search(r"^short_description: (.*)$", README, flags=re.MULTILINE)[1]
    assert len(description) <= 60
