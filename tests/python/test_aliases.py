"""Other names of models are read by the rules of the seeds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from latent_probes.providers import ProviderError, names


def project(folder: Path, content: bytes) -> Path:
    """A project with this content of seeds/model_aliases.csv."""
    (folder / "seeds").mkdir()
    shutil.copy2(ROOT / "seeds" / "_seeds.yml", folder / "seeds")
    (folder / names.ALIASES).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfmodel,alias\r\nm,m.gguf\r\nn,\r\n",
        b"alias,model\n\nm.gguf,m\n,n\n",
        b'model,alias\rm,"m.gguf"\rn,""\r',
    ],
)
def test_aliases_are_read_as_the_check_of_the_seeds_reads_them(content, tmp_path):
    assert names.aliases(project(tmp_path, content)) == {("m", "m.gguf"), ("n", "")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"model,alias\nm\n", ", line 2: 1 values for 2 columns; a value with a comma"),
        (b"name,alias\nm,n\n", ", line 1: no column model; the columns are model,alias"),
        (b"model,alias\nm,n \n", ", line 2, alias: 'n ' is not a text without white space"),
        (b"model,alias\nm,\xff\n", ", line 2: not UTF-8: save the file as CSV in UTF-8"),
        (b"model,alias\nm,\0\n", ", line 2: a NUL character; save the file as CSV in UTF-8"),
    ],
)
def test_aliases_that_cannot_be_read_are_refused_with_their_place(content, said, tmp_path):
    with pytest.raises(ProviderError) as refused:
        names.aliases(project(tmp_path, content))
    assert str(refused.value).startswith(f"seeds/model_aliases.csv{said}")
