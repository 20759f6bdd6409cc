"""Keeping a ledger: backups, restores that honour erasures, rollbacks that are recognised, and keys that change."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import sayso
from sayso import Ledger
from sayso.api.keeping import parse_keys, restore
from sayso.errors import EventError, KeyFileError, RollbackError, StoreError, VerificationError
from sayso.ledger.log import checkpoint, merkle, proof
from sayso.ledger.log.note import Signer

STRANGER = Signer("example.com/other", bytes(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "members.ledger"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with sayso.init_ledger(path, "string", origin="example.com/members") as made:
        for name in ("ann", "ben", "zoe"):
            made.append({"kind": "subject.registered", "subject": name, "attributes": {"mark": f"of-{name}"}})
        made.append({"kind": "subject.aliased", "subject": "ann", "other": "ben"})
        yield made


def lose(ledger: Ledger, path: Path) -> None:
    """The ledger is lost; its keys, which are kept apart, are not."""
    ledger.close()
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith(".keys"):
            file.unlink()


def test_a_new_log_does_not_begin_with_the_keys_of_one_that_is_lost(ledger: Ledger, path: Path) -> None:
    lose(ledger, path)
    with pytest.raises(KeyFileError, match="a new log needs keys of its own"):
        sayso.init_ledger(path, "string")
    assert not path.exists()


def test_a_backup_is_the_ledger_as_of_one_moment(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    ledger.append({"kind": "subject.registered", "subject": "later"})
    with pytest.raises(StoreError, match="is there already"):
        ledger.log.backup(tmp_path / "copy")
    with pytest.raises(StoreError):
        ledger.log.backup(tmp_path / "none" / "copy")
    assert not list(tmp_path.glob(".*partial*"))


def test_the_newest_copy_takes_the_place_of_a_ledger_that_is_lost(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    with pytest.raises(StoreError, match="move it away"):
        restore(tmp_path / "copy", path)
    lose(ledger, path)
    made = restore(tmp_path / "copy", path)
    assert (made.size, made.origin, made.erased) == (4, "example.com/members", 0)
    with sayso.open_ledger(path) as found:
        assert found.log.check() == []
        found.append({"kind": "subject.registered", "subject": "later"})


def test_an_older_copy_is_recognised_as_a_rollback(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    seen = ledger.log.checkpoint
    ledger.append({"kind": "subject.registered", "subject": "later"})
    newer = ledger.log.checkpoint
    lose(ledger, path)
    with pytest.raises(RollbackError, match="was rolled back: it holds `4` events, and `5` were seen"):
        restore(tmp_path / "copy", path)
    assert not path.exists()
    shutil.copy(tmp_path / "copy", path)
    with pytest.raises(RollbackError, match="rolled back"):
        sayso.open_ledger(path)
    (path.parent / f"{path.name}.keys" / "checkpoint").unlink()
    with sayso.open_ledger(path) as found:  # by a checkpoint that somebody else kept
        found.log.check_against(seen)
        with pytest.raises(RollbackError, match="rolled back"):
            found.log.check_against(newer)
        assert [fault.part for fault in found.log.check(newer)] == ["checkpoint"]
        found.append({"kind": "subject.registered", "subject": "another"})
        with pytest.raises(RollbackError, match="is another than was seen"):
            found.log.check_against(newer)


def test_who_was_erased_since_is_erased_again(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    ledger.log.backup(tmp_path / "copy")
    ledger.erase("ann")
    ledger.append({"kind": "subject.registered", "subject": "later"})
    lose(ledger, path)
    made = restore(tmp_path / "copy", path, new_origin="example.com/members-2")
    assert (made.origin, made.erased) == ("example.com/members-2", 1)
    with sayso.open_ledger(path) as found:
        assert found.log.check() == []
        assert found.log.origin == "example.com/members-2"
        assert found.log.keys[-1].name == "example.com/members-2"
        for name in ("ann", "ben"):
            with pytest.raises(EventError, match="erased"):
                found.append({"kind": "subject.registered", "subject": name})
    data = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*") if file.is_file())
    assert b"of-zoe" in data
    assert b"of-ann" not in data
    assert b"of-ben" not in data


def test_what_is_no_copy_is_not_restored(tmp_path: Path, path: Path) -> None:
    with pytest.raises(StoreError, match="no copy"):
        restore(tmp_path / "none", path)
    (tmp_path / "text").write_text("x" * 5000)
    with pytest.raises(StoreError):
        restore(tmp_path / "text", path)
    assert not path.exists()
    assert not list(tmp_path.glob(".*"))


def test_a_proof_is_checked_by_the_key_alone(ledger: Ledger) -> None:
    keys = parse_keys([str(key) for key in ledger.log.keys])
    for position in range(4):
        read = proof.parse(str(ledger.log.prove(position)))
        assert read.verify(ledger.log.entry(position), keys).size == 4
    with pytest.raises(VerificationError):
        proof.parse(str(ledger.log.prove(3))).verify(ledger.log.entry(0), keys)
    with pytest.raises(VerificationError):
        ledger.log.prove(4)


def test_a_later_state_is_proved_to_go_on_from_an_earlier_one(ledger: Ledger) -> None:
    old = ledger.log.checkpoint
    ledger.append({"kind": "subject.registered", "subject": "later"})
    before, now = checkpoint.unverified(old), checkpoint.unverified(ledger.log.checkpoint)
    merkle.verify_consistency(before.size, now.size, before.root, now.root, ledger.log.prove_consistency(old))


def test_the_key_changes_and_who_knows_the_old_one_learns_of_it(ledger: Ledger, path: Path) -> None:
    old = ledger.log.keys
    with sayso.open_ledger(path) as another:
        new = ledger.log.rotate_key()
        with pytest.raises(KeyFileError, match="open the ledger again"):  # it was opened with the key of then
            another.append({"kind": "subject.registered", "subject": "too late"})
    assert ledger.log.keys == (*old, new)
    assert ledger.log.trusted(old) == (*old, new)
    ledger.append({"kind": "subject.registered", "subject": "at once"})
    ledger.close()
    with sayso.open_ledger(path) as found:
        found.append({"kind": "subject.registered", "subject": "later"})
        assert found.log.check() == []
        checkpoint.opened(found.log.checkpoint, [new])


@pytest.mark.parametrize("recorded", [False, True])
def test_a_change_of_keys_that_was_interrupted_is_brought_to_its_end(
    ledger: Ledger, path: Path, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        where = "sayso.stores.keyfiles.KeyFiles.promote" if recorded else "sayso.ledger.journal.Journal.append"
        patched.setattr(where, killed)
        with pytest.raises(Killed):
            ledger.log.rotate_key()
    ledger.close()
    with sayso.open_ledger(path) as found:
        found.append({"kind": "subject.registered", "subject": "meanwhile"})
        new = found.log.rotate_key()
    with sayso.open_ledger(path) as found:
        assert found.log.keys[-1] == new
        assert [one["kind"] for one in found.show()].count("key.rotated") == 1
        assert found.log.check() == []


def test_keys_of_the_environment_are_not_changed_here(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAYSO_SIGNING_KEY", ledger.parts.journal.keys.signing().text)
    with sayso.open_ledger(path) as found, pytest.raises(KeyFileError, match="comes from the environment"):
        found.log.rotate_key()


def test_keys_may_be_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAYSO_KEYS", str(tmp_path / "vault"))
    with sayso.init_ledger(tmp_path / "other.ledger") as made:
        made.append({"kind": "subject.registered", "subject": 1})
    assert (tmp_path / "vault" / "signing.key").is_file()
    assert not (tmp_path / "other.ledger.keys").exists()


def test_a_ledger_without_its_keys_is_read_and_not_written(ledger: Ledger, path: Path) -> None:
    ledger.close()
    shutil.rmtree(path.with_name(path.name + ".keys"))
    with sayso.open_ledger(path) as found:
        assert len(list(found.show())) == 4
        with pytest.raises(KeyFileError, match="signing key is missing"):
            found.append({"kind": "subject.registered", "subject": "later"})


@pytest.mark.parametrize(
    "text",
    [
        lambda key, _: str(key),
        lambda key, folder: _file(folder, f"{key}\n\n"),
        lambda key, folder: _file(folder, str(key)),
    ],
)
def test_verifier_keys_are_given_or_in_files(
    ledger: Ledger, tmp_path: Path, text: Callable[[object, Path], str]
) -> None:
    assert parse_keys([text(ledger.log.keys[0], tmp_path)]) == ledger.log.keys
    with pytest.raises(KeyFileError):
        parse_keys(["no such file"])


def _file(folder: Path, text: str) -> str:
    (folder / "log.vkeys").write_text(text)
    return str(folder / "log.vkeys")


def test_a_checkpoint_that_no_key_of_the_log_signed_accuses_nobody(ledger: Ledger) -> None:
    """Who wants a ledger to look rolled back makes up a checkpoint of more events than it holds."""
    made_up = checkpoint.Checkpoint(ledger.log.origin, 9, bytes(32)).signed(Signer(ledger.log.origin, bytes(32)))
    with pytest.raises(VerificationError, match="no known key"):
        ledger.log.check_against(str(made_up))
    with pytest.raises(RollbackError, match="of another log"):
        ledger.log.check_against(str(checkpoint.Checkpoint("example.com/other", 9, bytes(32)).signed(STRANGER)))


def test_copies_made_while_others_write_are_whole_and_older_than_what_was_seen_since(
    ledger: Ledger, path: Path, tmp_path: Path
) -> None:
    going, seen = threading.Event(), [ledger.log.checkpoint]

    def write() -> None:
        number = 0
        while not going.is_set():
            ledger.append({"kind": "subject.registered", "subject": f"p{number}"})
            seen.append(ledger.log.checkpoint)
            number += 1

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write)]
        copies = [tmp_path / f"copy-{number}" for number in range(4)]
        for copy in copies:
            written = len(seen) + 2
            ledger.log.backup(copy)
            while len(seen) < written:
                time.sleep(0.001)
        going.set()
        assert [one.result() for one in writers] == [None]
    heads = {checkpoint.unverified(text).size: text for text in seen}
    newest = max(heads)
    assert newest > 8, "something was written meanwhile"
    shutil.copytree(path.with_name(f"{path.name}.keys"), tmp_path / "keys")
    (tmp_path / "keys" / "checkpoint").unlink()
    sizes = []
    for number, copy in enumerate(copies):
        place = tmp_path / f"place-{number}"
        shutil.copytree(tmp_path / "keys", f"{place}.keys")
        sizes.append(restore(copy, place).size)
        with sayso.open_ledger(place) as found:
            assert found.log.check() == []
            for size, text in heads.items():
                if size <= sizes[-1]:
                    found.log.check_against(text)
                else:
                    with pytest.raises(RollbackError, match="rolled back"):
                        found.log.check_against(text)
        place.unlink()
        if sizes[-1] < newest:
            with pytest.raises(RollbackError, match="rolled back"):
                restore(copy, place, against=[heads[sizes[-1]], heads[newest]])
            assert not place.exists()
        assert restore(copy, place, against=[heads[sizes[-1]]]).size == sizes[-1]
    assert sizes == sorted(sizes)


def test_a_restore_is_held_against_a_checkpoint_that_somebody_kept(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    """As where keys are mounted read-only, and remember none."""
    ledger.log.backup(tmp_path / "copy")
    ledger.append({"kind": "subject.registered", "subject": "later"})
    kept = ledger.log.checkpoint
    lose(ledger, path)
    (path.with_name(f"{path.name}.keys") / "checkpoint").unlink()
    with pytest.raises(VerificationError, match="expected a signed note"):
        restore(tmp_path / "copy", path, against=["no checkpoint"])
    with pytest.raises(RollbackError, match="rolled back"):
        restore(tmp_path / "copy", path, against=[kept])
    assert not path.exists()
    made = restore(tmp_path / "copy", path, against=[kept], new_origin="example.com/members-2")
    assert made.origin == "example.com/members-2"
