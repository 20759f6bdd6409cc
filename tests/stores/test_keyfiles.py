"""Keys in files and in the environment: strict about who may read them, clear about what is wrong, and shown to nobody."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sayso.errors import KeyFileError
from sayso.ledger.log.note import Signer
from sayso.stores.keyfiles import ERASED, NEXT, PUBLIC, SECRET, SEEN, SIGNING, KeyFiles
from tests.ledgers import ORIGIN, SIGNER
from tests.unprivileged import anybody, read_only


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return KeyFiles(tmp_path / "keys", {})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_made_once_and_readable_by_their_owner_alone(files: KeyFiles) -> None:
    assert not files.exist()
    before = os.umask(0)
    try:
        made = files.make(ORIGIN, os.urandom)
    finally:
        os.umask(before)
    assert files.exist()
    assert mode(files.directory) == 0o700
    assert {path.name: mode(path) for path in files.directory.iterdir()} == {
        SIGNING: 0o600,
        SECRET: 0o600,
        PUBLIC: 0o644,
    }
    again = files.make(ORIGIN, os.urandom)
    assert (again.signing().text, again.secret) == (made.signing().text, made.secret)
    held = files.load()
    assert held.signing().text == made.signing().text
    assert held.secret == made.secret
    assert files.public() == (made.signing().verifier,)


@pytest.mark.parametrize("name", [SIGNING, SECRET])
@pytest.mark.parametrize("bits", [0o004, 0o002, 0o001, 0o020])
def test_a_key_that_others_may_read_or_write_is_refused(files: KeyFiles, name: str, bits: int) -> None:
    files.make(ORIGIN, os.urandom)
    (files.directory / name).chmod(0o600 | bits)
    with pytest.raises(KeyFileError, match="may be read by others") as caught:
        files.load()
    assert "chmod 600" in str(caught.value)
    (files.directory / name).chmod(0o640)  # as a mounted secret is, to its group
    files.load()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (SIGNING, b"", "expected a signing key"), (SIGNING, b"\xff", "cannot be read"), (SIGNING, b"x" * 9999, "expected"),
        (SECRET, b"", "64 hexadecimal digits"), (SECRET, b"g" * 64, "64 hexadecimal"), (SECRET, b"0" * 63, "64 hexa"),
        (NEXT, b"?", "expected a signing key"),
    ],
)  # fmt: skip
def test_what_is_no_key_says_where_and_what_was_expected(files: KeyFiles, name: str, content: bytes, told: str) -> None:
    files.make(ORIGIN, os.urandom)
    (files.directory / name).write_bytes(content)
    (files.directory / name).chmod(0o600)
    with pytest.raises(KeyFileError, match=told) as caught:
        files.load()
    assert str(files.directory) in str(caught.value)


def test_a_key_of_another_log_is_refused(files: KeyFiles) -> None:
    files.make(ORIGIN, os.urandom)
    with pytest.raises(KeyFileError, match="got one of"):
        files.make("example.com/other", os.urandom)


def test_no_error_shows_a_key(files: KeyFiles) -> None:
    made = files.make(ORIGIN, os.urandom)
    secret = made.signing().text.split("+", 4)[4]
    (files.directory / SIGNING).write_text(made.signing().text[:-4])
    with pytest.raises(KeyFileError) as caught:
        files.load()
    assert secret[:10] not in str(caught.value)
    assert secret[:10] not in repr(made)


def test_the_environment_comes_first(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path / "none", {"SAYSO_SIGNING_KEY": SIGNER.text, "SAYSO_ERASURE_SECRET": "ab" * 32})
    assert files.exist()
    assert files.from_environment
    assert files.load().signing().verifier == SIGNER.verifier
    assert files.load().secret == b"\xab" * 32
    with pytest.raises(KeyFileError):
        KeyFiles(tmp_path, {"SAYSO_SIGNING_KEY": ""}).load()


def test_what_is_not_there_is_none(files: KeyFiles) -> None:
    held = files.load()
    assert held.signer is None
    assert files.last() is None
    assert files.buried() == frozenset()
    assert files.public() == ()
    with pytest.raises(KeyFileError, match="signing key is missing"):
        held.signing()
    with pytest.raises(KeyFileError, match="erasure secret is missing"):
        held.tombstone(1)


def test_a_checkpoint_is_remembered_whole(files: KeyFiles) -> None:
    files.make(ORIGIN, os.urandom)
    for text in ("a\n" * 300, "short\n", "longer than that\n"):
        files.remember(text)
        assert files.last() == text
        assert KeyFiles(files.directory, {}).last() == text
    files.close()
    assert mode(files.directory / SEEN) == 0o600


def test_tombstones_are_kept_and_added_to(files: KeyFiles) -> None:
    files.make(ORIGIN, os.urandom)
    files.bury([b"\x01" * 32])
    files.bury([b"\x02" * 32, b"\x03" * 32])
    assert files.buried() == {bytes([n]) * 32 for n in (1, 2, 3)}
    with (files.directory / ERASED).open("a") as file:
        file.write("cut off")  # as by a power failure
    assert len(files.buried()) == 3


def test_a_proposed_key_takes_the_place_of_the_old_one(files: KeyFiles) -> None:
    old = files.make(ORIGIN, os.urandom).signing()
    new = Signer(ORIGIN, os.urandom(32))
    files.propose(new)
    assert files.load().next is not None
    files.dismiss()
    assert files.load().next is None
    files.propose(new)
    files.promote(new)
    assert files.load().signing().verifier == new.verifier
    assert files.load().next is None
    assert files.public() == (old.verifier, new.verifier)
    assert not [path for path in files.directory.iterdir() if old.text in path.read_text()]


def test_the_key_of_a_log_that_ended_is_put_away(files: KeyFiles) -> None:
    old = files.make(ORIGIN, os.urandom).signing()
    files.remember("seen\n")
    files.retire()
    assert files.load().signer is None
    assert files.last() is None
    kept = files.directory / f"{SIGNING}.{old.verifier.key_id:08x}"
    assert kept.read_text().strip() == old.text
    files.retire()


def test_a_directory_that_may_not_be_written(files: KeyFiles) -> None:
    files.make(ORIGIN, os.urandom)
    with read_only(files.directory) as copy, anybody():
        mounted = KeyFiles(copy, {})
        mounted.remember("seen\n")
        mounted.bury([bytes(32)])
        with pytest.raises(KeyFileError, match="cannot be written"):
            mounted.propose(SIGNER)
        assert mounted.last() is None
        assert mounted.buried() == frozenset()


def test_a_place_where_none_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="Not a directory"):
        KeyFiles(tmp_path / "file" / "keys", {}).make(ORIGIN, os.urandom)


def put(path: Path, kind: str) -> None:
    """Something that is no file of ours, at a path."""
    path.unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path, 0o600)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)
            path.chmod(0o600)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "loop", "huge"])
def test_what_is_no_file_is_not_waited_for(files: KeyFiles, kind: str) -> None:
    files.make(ORIGIN, os.urandom)
    asked = {SIGNING: files.load, SECRET: files.load, NEXT: files.load, PUBLIC: files.public, SEEN: files.last}
    asked |= {} if kind == "huge" else {ERASED: files.buried}
    for name, ask in asked.items():
        path = files.directory / name
        held = path.read_bytes() if path.exists() else None
        put(path, kind)
        with pytest.raises(KeyFileError, match=f"`{name}` cannot be read") as caught:
            ask()
        assert str(files.directory) in str(caught.value)
        path.rmdir() if kind == "folder" else path.unlink()
        if held is not None:
            path.write_bytes(held)
            path.chmod(0o600)
    put(files.directory / ERASED, "pipe")
    with pytest.raises(KeyFileError, match="cannot be written"):
        files.bury([bytes(32)])
