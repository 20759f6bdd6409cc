"""`corpus.yaml`: what it may say, and what is told of one that says something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sayso.errors import CorpusError
from sayso.gate.columns import Columns, SubjectColumn, columns_from_yaml


def read(tmp_path: Path, text: str) -> Columns:
    path = tmp_path / "corpus.yaml"
    path.write_text(text, "utf-8")
    return columns_from_yaml(path)


def test_everything_that_it_may_say(tmp_path: Path) -> None:
    text = """
subjects:
  - author
  - {column: recipients, role: recipient}
  - {column: mentioned, role: mentioned, optional: true}
collected_at: written_at
time_zone: Europe/Dublin
category: kind
territory: country
account: workspace
reserved: tdm_reserved
key: record_id
"""
    assert read(tmp_path, text) == Columns(
        (
            SubjectColumn("author"),
            SubjectColumn("recipients", "recipient"),
            SubjectColumn("mentioned", "mentioned", optional=True),
        ),
        "written_at", "kind", None, "country", "workspace", "tdm_reserved", "record_id", "Europe/Dublin",
    )  # fmt: skip


def test_one_subject_needs_no_list(tmp_path: Path) -> None:
    assert read(tmp_path, "subjects: author\ncategory_constant: posts") == Columns(
        (SubjectColumn("author"),), category_constant="posts"
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("subjects: a\ncategory: c\ncolected_at: t\n", 3, "unknown key `colected_at`"),
        ("subjects: a\ncategory: 7\n", 2, "expected the name of a column for `category`, got `7`"),
        ("subjects: a\ncategory: [b]\n", 2, "expected the name of a column for `category`"),
        ("category: c\nsubjects: 7\n", 2, "expected `subjects`"),
        ("category: c\nsubjects:\n  - a\n  - 7\n", 4, "expected a column, or `column`, `role` and `optional`"),
        ("category: c\nsubjects:\n  - {column: a, roles: x}\n", 3, "expected a column"),
        ("category: c\nsubjects:\n  - {column: a, optional: 1}\n", 3, "expected a column"),
        ("category: c\nsubjects: a\nkey: a\nkey: b\n", 4, "key"),
        ("category: [\n", 2, ""),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, text)
    problem = caught.value.problems[0]
    assert problem.file == str(tmp_path / "corpus.yaml")
    assert problem.line == line, problem
    assert said in problem.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "expected a mapping"),
        ("category: c\n", "expected `subjects`"),
        ("subjects: []\ncategory: c\n", "at least one column of subjects"),
        ("subjects: a\n", "a column of categories or one category for all"),
        ("subjects: a\ncategory: c\ncategory_constant: d\n", "give one of the two"),
    ]
    + [
        (f"subjects: a\ncategory: c\ntime_zone: {zone}\n", "expected a time zone such as `Europe/Dublin`")
        for zone in ("Mars/Olympus", "Europe", "localtime", "../../etc/passwd", "posix/Europe/Paris", "a" * 300, "''")
    ],
)
def test_what_has_no_line_names_the_file(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said) as caught:
        read(tmp_path, text)
    assert all(problem.file == str(tmp_path / "corpus.yaml") for problem in caught.value.problems)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        read(tmp_path, "subjects: [1, 2]\ncategory: 3\nfoo: 4\n")
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00"])
def test_what_is_not_text_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "corpus.yaml"
    path.write_bytes(data)
    with pytest.raises(CorpusError):
        columns_from_yaml(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        columns_from_yaml(tmp_path / "none.yaml")
    with pytest.raises(CorpusError, match="cannot be read"):
        columns_from_yaml(tmp_path)
