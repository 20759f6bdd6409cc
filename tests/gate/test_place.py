"""Where an output may be: where nothing is, and in no other output."""

from __future__ import annotations

from pathlib import Path

import pytest

from sayso.errors import CorpusError
from sayso.gate.verify import verify
from tests.gate.platform import corpus, platform, records


def test_an_output_that_is_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with platform(tmp_path) as made, pytest.raises(CorpusError, match="there already"):
        made.gate(corpus(tmp_path / "in", records()), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("below", ["inner", "permitted/deep/inner", "../link/inner"])
def test_an_output_is_not_put_into_another_which_stays_what_its_manifest_says(tmp_path: Path, below: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with platform(tmp_path) as made:
        files = corpus(tmp_path / "in", records())
        made.gate(files, tmp_path / "out")
        with pytest.raises(
            CorpusError, match=r"`inner` would be within the output `out`.*; name a directory outside it"
        ):
            made.gate(files, tmp_path / "out" / below)
        assert verify(tmp_path / "out") == []
        (tmp_path / "out/manifest.json").unlink()
        with pytest.raises(CorpusError, match="would be within the output"):  # it is signed all the same
            made.gate(files, tmp_path / "out" / below)


def test_a_manifest_of_something_else_is_in_nobodys_way(tmp_path: Path) -> None:
    for name, text in (("app", '{"name": "an app"}'), ("odd", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text)
        with platform(tmp_path / name) as made:
            made.gate(corpus(tmp_path / name / "in", records()), tmp_path / name / "out")
        assert verify(tmp_path / name / "out") == []
