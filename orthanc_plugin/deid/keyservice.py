"""A key that a key management service gives out over HTTPS.

Knows TLS, a token and where in an answer the key stands. Must not know what the key is for, nor tell anybody a word of
an answer: errors name the service and the kind of fault. Whatever goes wrong, and whatever takes too long, is no key.
Source: NIST SP 800-57 part 1, 8.1.5.2 (keys are distributed through a protected channel, to whom they are meant for).
"""

from __future__ import annotations

import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Final

import httpx

from orthanc_plugin.deid.keys import KEY_BYTES, key_of
from orthanc_plugin.errors import ConfigurationError

MOST_BYTES: Final = 64 * 1024


class _UselessError(Exception):
    """An answer that has no key; its words are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceKey:
    """A key that is asked for over HTTPS.

    Attributes:
        url: what is asked.
        seconds: how long it may take, all in all.
        answer: the names that lead to the key in a JSON answer; none where the key is all of the answer.
        token: the file of what is sent as bearer token; none is without.
        authority: the file of whom certificates are believed; the system's are without.
        certificate: the file of our own certificate and its key; none is shown without.
    """

    url: str
    seconds: int
    answer: tuple[str, ...] = ()
    token: Path | None = None
    authority: Path | None = None
    certificate: tuple[Path, Path] | None = field(default=None, repr=False)

    def read(self) -> bytes:
        """Return the key; what the service says besides is told to nobody."""
        context, headers = self._context(), self._headers()
        answers: Queue[bytes | str] = Queue(1)
        with httpx.Client(verify=context, headers=headers, timeout=self.seconds, trust_env=False) as client:
            Thread(target=lambda: answers.put(self._asked(client)), daemon=True).start()
            try:
                found = answers.get(timeout=self.seconds)  # a socket's own time begins anew with every byte
            except Empty:
                found = f"no answer within {self.seconds} s"
        if isinstance(found, str):
            raise self._useless(found)
        return found

    def _asked(self, client: httpx.Client) -> bytes | str:
        """Return the key, or why there is none."""
        try:
            with client.stream("GET", self.url) as response:
                if response.status_code != httpx.codes.OK:
                    return f"status {response.status_code}"
                return self._key(_body(response))
        except _UselessError as error:
            return str(error)
        except (httpx.HTTPError, RuntimeError) as error:  # a client that is closed meanwhile raises the latter
            return type(error).__name__

    def _key(self, body: bytes) -> bytes:
        found: object = body.decode("ascii", "replace")
        if self.answer:
            with suppress(ValueError, RecursionError):
                found = json.loads(body)
            for name in self.answer:
                found = found.get(name) if isinstance(found, dict) else None
        key = key_of(found) if isinstance(found, str) else None
        if key is None:
            raise _UselessError("its answer is none")
        return key

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate:
                if self.certificate[1].stat().st_mode & 0o077:
                    raise self._useless("the key of our certificate is not one that only its owner can read")
                context.load_cert_chain(*self.certificate, password="")
        except OSError as error:
            raise self._useless(f"{type(error).__name__} with its certificates' files") from None
        return context

    def _headers(self) -> dict[str, str]:
        if self.token is None:
            return {}
        try:
            token, open_to_others = self.token.read_text("ascii").strip(), self.token.stat().st_mode & 0o077
        except (OSError, ValueError) as error:
            raise self._useless(f"{type(error).__name__} with its token's file") from None
        if open_to_others or not token.isprintable() or not token or " " in token:
            raise self._useless("the token's file is not one token that only its owner can read")
        return {"Authorization": f"Bearer {token}"}

    def _useless(self, why: str) -> ConfigurationError:
        host = httpx.URL(self.url).host
        return ConfigurationError(
            f"The key service at {host} gave no key ({why}).",
            remedy=f"It must answer {2 * KEY_BYTES} hexadecimal digits within {self.seconds} s; mend [keys] in "
            "settings.toml or the service, then run 'consentgate key check'.",
        )


def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise _UselessError("its answer is too long")
    return bytes(body)
