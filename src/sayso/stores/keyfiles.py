"""Keys kept in a directory apart from the ledger, or handed in by the environment.

The directory holds, readable by its owner alone but for `log.vkeys`:

- `signing.key`: the key that signs the log, `PRIVATE+KEY+…` (signed-note); `signing.next` only while it changes;
- `erasure.secret`: 32 bytes in hexadecimal, by which the erased are known again;
- `log.vkeys`: every public key that the log had, one a line, the newest last;
- `checkpoint`: the newest that was signed here, so that an older ledger is recognised;
- `erased`: the tombstones of all who were erased, so that an older ledger that is restored honours them.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sayso.errors import KeyFileError, Problem
from sayso.ledger.keys import SECRET_BYTES, Keys
from sayso.ledger.log.note import SEED_BYTES, Signer, VerifierKey

SIGNING, NEXT, SECRET, PUBLIC, SEEN = "signing.key", "signing.next", "erasure.secret", "log.vkeys", "checkpoint"
ERASED = "erased"
SIGNING_VARIABLE, SECRET_VARIABLE = "SAYSO_SIGNING_KEY", "SAYSO_ERASURE_SECRET"
_HEX = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}", re.ASCII)
_OTHERS = stat.S_IRWXO | stat.S_IWGRP
_MOST_BYTES = 1 << 16
SECTOR = 4096
"""So many bytes a disk writes whole or not at all."""


class KeyFiles:
    """The keys of one ledger, in a directory; `environment` may hold them instead."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self._environment = environment
        self._seen: int | None = None

    @property
    def from_environment(self) -> bool:
        """Whether the signing key is handed in by the environment."""
        return SIGNING_VARIABLE in self._environment

    def exist(self) -> bool:
        """Whether there are keys at all, in the directory or in the environment."""
        held = any((self.directory / name).exists() for name in (SIGNING, SECRET))
        return held or any(name in self._environment for name in (SIGNING_VARIABLE, SECRET_VARIABLE))

    def load(self) -> Keys:
        """The keys that are at hand. Raises KeyFileError for one that is no key, or that others may read."""
        signing, secret = self._text(SIGNING_VARIABLE, SIGNING), self._text(SECRET_VARIABLE, SECRET)
        coming = self._text("", NEXT)
        return Keys(
            None if signing is None else self._signer(signing, SIGNING),
            None if secret is None else self._secret(secret),
            None if coming is None else self._signer(coming, NEXT),
        )

    def make(self, origin: str, random_bytes: Callable[[int], bytes]) -> Keys:
        """Makes what is missing of the keys of a new log, and keeps it. Raises KeyFileError."""
        held = self.load()
        signer = held.signer or Signer(origin, random_bytes(SEED_BYTES))
        secret = held.secret or random_bytes(SECRET_BYTES)
        if signer.verifier.name != origin:
            raise KeyFileError(f"expected a signing key of log `{origin}`, got one of `{signer.verifier.name}`")
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable("cannot be made", error) from error
        if held.signer is None:
            self._write(SIGNING, signer.text + "\n")
        if held.secret is None:
            self._write(SECRET, secret.hex() + "\n")
        self._publish(signer.verifier)
        return Keys(signer, secret)

    def propose(self, signer: Signer) -> None:
        """Keeps a key that is to take the place of the one that signs."""
        self._write(NEXT, signer.text + "\n")

    def promote(self, signer: Signer) -> None:
        """Puts the proposed key in the place of the one that signed until now, which is destroyed."""
        self._publish(signer.verifier)
        (self.directory / NEXT).replace(self.directory / SIGNING)
        _sync(self.directory)

    def dismiss(self) -> None:
        """Destroys a proposed key that never signed."""
        (self.directory / NEXT).unlink(missing_ok=True)

    def public(self) -> tuple[VerifierKey, ...]:
        """Every public key that the log had, the newest last."""
        text = self._held(PUBLIC)
        return tuple(VerifierKey.parse(line) for line in (text or "").split("\n") if line)

    def last(self) -> str | None:
        """The newest checkpoint that was signed here; `None` if there is none yet."""
        return (self._held(SEEN) or "").rstrip(" ") or None

    def remember(self, checkpoint: str) -> None:
        """Remembers a checkpoint. A directory that may not be written, as of keys that are mounted, remembers nothing."""
        data = checkpoint.encode().ljust(SECTOR)
        # In place, and within one sector of the disk: replacing the file takes as long as the commit before it. What the
        # checkpoint covers is durable already, and is not lost where this cannot be written.
        with suppress(OSError):
            if self._seen is None:
                self._seen = os.open(self.directory / SEEN, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._seen, data, 0)

    def bury(self, tombstones: Sequence[bytes]) -> None:
        """Keeps tombstones, durably. A directory that may not be written, as of keys that are mounted, keeps none."""
        if not os.access(self.directory, os.W_OK, effective_ids=True):
            return
        try:
            number = os.open(self.directory / ERASED, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
            try:
                os.write(number, "".join(f"{one.hex()}\n" for one in tombstones).encode())
                os.fsync(number)
            finally:
                os.close(number)
        except OSError as error:
            raise self._unusable(f"`{ERASED}` cannot be written", error) from error

    def buried(self) -> frozenset[bytes]:
        """The tombstones kept here."""
        lines = (self._held(ERASED, most=None) or "").split("\n")
        return frozenset(bytes.fromhex(line) for line in lines if _HEX.fullmatch(line))

    def retire(self) -> None:
        """Puts the signing key and the checkpoint of a log that ended out of the way, under the key's id."""
        self.close()
        signer = self.load().signer
        if signer is not None:
            name = f"{signer.verifier.key_id:08x}"
            for one in (SIGNING, SEEN):
                with suppress(FileNotFoundError):
                    (self.directory / one).replace(self.directory / f"{one}.{name}")
            _sync(self.directory)

    def close(self) -> None:
        """Lets go of what is open."""
        if self._seen is not None:
            os.close(self._seen)
            self._seen = None

    def _publish(self, key: VerifierKey) -> None:
        known = self.public()
        if key not in known:
            text = "".join(f"{one}\n" for one in (*known, key))
            self._write(PUBLIC, text, mode=0o644)

    def _text(self, variable: str, name: str) -> str | None:
        """A secret, by the environment or a file that others may not read."""
        return self._environment[variable] if variable in self._environment else self._held(name, secret=True)

    def _held(self, name: str, *, secret: bool = False, most: int | None = _MOST_BYTES) -> str | None:
        """What a file of the directory holds; `None` where there is none.

        Raises KeyFileError for what is no file (a pipe would be waited for, a device never ends), is longer than `most`
        bytes, or no text; and for a `secret` that others may read.
        """
        path = self.directory / name
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or (most is not None and found.st_size > most):
                    told = f"`{name}` cannot be read: expected a file" + (
                        "" if most is None else f" of at most {most} bytes"
                    )
                    raise KeyFileError(Problem(told, file=str(self.directory), remedy="check the keys' directory"))
                if secret and found.st_mode & _OTHERS:
                    raise KeyFileError(
                        Problem(
                            f"key `{name}` may be read by others, or written by its group (mode {found.st_mode & 0o777:o})",
                            file=str(path),
                            remedy=f"run `chmod 600 {path}`; if others may have read it, change the key",
                        )
                    )
                return file.read().decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(f"`{name}` cannot be read", error) from error

    def _signer(self, text: str, name: str) -> Signer:
        try:
            return Signer.parse(text)
        except KeyFileError as error:
            raise KeyFileError(Problem(str(error), file=str(self.directory / name))) from error

    def _secret(self, text: str) -> bytes:
        if not _HEX.fullmatch(text.strip()):
            problem = f"expected an erasure secret of {2 * SECRET_BYTES} hexadecimal digits"
            raise KeyFileError(Problem(problem, file=str(self.directory / SECRET)))
        return bytes.fromhex(text.strip())

    def _write(self, name: str, text: str, *, mode: int = 0o600, durable: bool = True) -> None:
        """Writes a file whole or not at all, readable as `mode` says from its first byte on."""
        try:
            number, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self.directory)
            try:
                os.fchmod(number, mode)
                os.write(number, text.encode())
                if durable:
                    os.fsync(number)
            finally:
                os.close(number)
            Path(temporary).replace(self.directory / name)
            if durable:
                _sync(self.directory)
        except OSError as error:
            raise self._unusable(f"`{name}` cannot be written", error) from error

    def _unusable(self, what: str, error: Exception) -> KeyFileError:
        reason = getattr(error, "strerror", None) or "it is no text"
        return KeyFileError(Problem(f"{what}: {reason}", file=str(self.directory), remedy="check the keys' directory"))


def _sync(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
