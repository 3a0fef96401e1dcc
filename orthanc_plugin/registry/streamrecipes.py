"""How pictures' streams came out when they were written anew, so that a further copy needs no second writing.

Knows rows, and who may believe them: a row is sealed (AES-256-GCM) with a key that isn't in the database, under a name
made with one too, so that nobody who writes rows can make one that is followed, and nobody who reads them can tell of
which picture one is. A row that isn't as it was written counts as none. Must not know pictures. The rows are a memory
and no record: the oldest go when there are too many, and any may be deleted. Source: ADR 53; NIST SP 800-38D.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Connection, Integer, String, Table, Text, bindparam, delete, select

from dicomwrap.bitstream.recipes import EDITION, Recipe
from orthanc_plugin.errors import RegistryError
from orthanc_plugin.registry.engine import Database
from orthanc_plugin.registry.prepared import prepared
from orthanc_plugin.registry.tables import metadata

logger = logging.getLogger(__name__)

MOST: Final = 50_000  # of one to two kilobytes
NONCE_BYTES: Final = 12
_PLACE: Final = struct.Struct(">QQ")
_LABEL: Final = b"consentgate stream recipes "
_UNUSED: Final = "a stream recipe isn't as it was written and is not used; the stream is written anew"

stream_recipes = Table(
    "stream_recipes",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("sealed", Text, nullable=False),
)
_rows = stream_recipes.c
_BY_NAME: Final = prepared(select(_rows.sealed).where(_rows.name == bindparam("name")))


class StreamRecipes:
    """The recipes on record; see ``dicomwrap.bitstream.recipes``.

    Args:
        database: where they are.
        secret: 32 bytes that aren't in it. Nodes with other secrets don't see one another's.
        most: how many are kept.
        edition: of the writing that recipes are of; those of another one are as if they weren't there.
    """

    def __init__(self, database: Database, secret: bytes, most: int = MOST, edition: int = EDITION) -> None:
        self.database = database
        self.most = most
        self._naming = _key(secret, b"name", edition)
        self._cipher = AESGCM(_key(secret, b"seal", edition))

    def of(self, sha256: str) -> Recipe | None:
        """Return the recipe for a stream; None when there is none, or none that can be believed or had."""
        name = self._name(sha256)
        try:
            with self.database.reading() as connection:
                found = [str(sealed) for (sealed,) in _BY_NAME.rows(connection, name=name)]
        except RegistryError:  # what is recorded of the release needs the database too, and says so
            return None
        return next((self._opened(name, each) for each in found), None)

    def keep(self, sha256: str, recipe: Recipe) -> None:
        """Keep a recipe in place of an earlier one; when it can't be kept, the stream is written anew again."""
        name = self._name(sha256)
        nonce, plain = os.urandom(NONCE_BYTES), _PLACE.pack(recipe.start, recipe.end) + recipe.head
        sealed = (nonce + self._cipher.encrypt(nonce, plain, name.encode())).hex()

        def kept(connection: Connection) -> None:
            connection.execute(delete(stream_recipes).where(_rows.name == name))
            made = connection.execute(stream_recipes.insert().values(name=name, sealed=sealed))
            (number,) = made.inserted_primary_key or (0,)
            connection.execute(delete(stream_recipes).where(_rows.number <= number - self.most))

        try:
            self.database.write(kept)
        except RegistryError as error:
            logger.warning("a stream recipe could not be kept (%s)", type(error).__name__)

    def _name(self, sha256: str) -> str:
        return hmac.new(self._naming, sha256.encode(), hashlib.sha256).hexdigest()

    def _opened(self, name: str, sealed: str) -> Recipe | None:
        try:
            whole = bytes.fromhex(sealed)
            plain = self._cipher.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], name.encode())
            start, end = _PLACE.unpack_from(plain)
        except (InvalidTag, ValueError, struct.error):
            logger.warning(_UNUSED)
            return None
        return Recipe(head=plain[_PLACE.size :], start=start, end=end)


def _key(secret: bytes, use: bytes, edition: int) -> bytes:
    return hmac.new(secret, b"%b%b %d" % (_LABEL, use, edition), hashlib.sha256).digest()
