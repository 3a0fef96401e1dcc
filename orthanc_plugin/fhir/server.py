"""A FHIR R4 server that is asked for what it knows of patients: every page of its searches, as one Bundle, or an error.

Knows HTTP, searches and their pages. Must not know what the resources tell (``episodes`` does). Pages are followed to
the same origin alone, so that a token goes nowhere else; redirects aren't. Pages, bytes and time are bounded. Whatever
is amiss with one page, nothing is given: half an answer would tell that somebody is not under care.

Sources: FHIR R4 http.html 3.1.0.5 (paging), Bundle (``total``, ``link``, ``search.mode``); requirements T-12.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from orthanc_plugin.clock import Ticks
from orthanc_plugin.fhir.elements import FhirError

JSON: Final = "application/fhir+json"
SECONDS: Final = 60.0  # for one answer to go on
ALTOGETHER: Final = 1800.0  # seconds
MOST_PAGES: Final = 2000
MOST_BYTES: Final = 512 << 20
REDIRECTS: Final = range(300, 400)
FORBIDDEN: Final = (401, 403)
OK: Final = 200
MOST_OUTCOME: Final = 64 << 10  # bytes of an error's words
ISSUE: Final = re.compile(r"[a-z-]{1,32}", re.ASCII)  # codes of IssueType; its diagnostics may name a patient
Page = dict[str, object]


class ServerError(FhirError):
    """A FHIR server can't be asked, or doesn't answer as it should."""

    remedy = (
        "Nothing was taken in, and what is known stays. See to the server, its address and its token; ask it again."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All pages of a search as one Bundle, and the moment that they tell of."""

    bundle: bytes
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirServer:
    """A server at an address.

    Attributes:
        context: what its certificate is checked against.
        token: sent as Bearer; '' for none.
        ticks: how time passes.
        most_pages, most_bytes, altogether: beyond these nothing is believed to end.
    """

    context: ssl.SSLContext
    token: str = field(repr=False)
    ticks: Ticks
    most_pages: int = MOST_PAGES
    most_bytes: int = MOST_BYTES
    altogether: float = ALTOGETHER

    def ask(self, url: str, also: Sequence[str], now: datetime) -> Answer:
        """Return every page of the search at ``url``, and of the others beside it, as of the moment of the earliest.

        The others are asked first: whom they name is a patient by the time that patients are asked for. Of one of them
        nothing may have been found, where the server says that it has counted none.

        Raises:
            ServerError: as ``search`` does; then nothing of any search is given.
        """
        found = [*(self._asked(urljoin(url, each), now, none=True) for each in also), self._asked(url, now)]
        entries = [entry for each, _ in found for entry in each]
        return Answer(bundle=_bundle(entries), as_of=min(as_of for _, as_of in found))

    def search(self, url: str, now: datetime) -> Answer:
        """Return every page of a search that begins at ``url``.

        Raises:
            ServerError: it can't be reached, isn't believed, or one page isn't as it should be.
        """
        entries, as_of = self._asked(url, now)
        return Answer(bundle=_bundle(entries), as_of=as_of)

    def _asked(self, url: str, now: datetime, *, none: bool = False) -> tuple[list[Page], datetime]:
        headers = {"Accept": JSON, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        options = {"verify": self.context, "headers": headers, "timeout": SECONDS, "trust_env": False}
        try:
            with httpx.Client(**options) as client:  # type: ignore[arg-type]
                pages = list(self._pages(client, url))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerError(f"The FHIR server can't be reached ({_why(error)}).") from error
        entries = [entry for page in pages for entry in _listed(page, "entry")]
        if not entries and not (none and pages[0].get("total") == 0):
            what = "nothing, and counts nothing" if none else "no patient at all"
            raise ServerError(f"The FHIR server tells of {what}.", remedy="See to the search's address.")
        _require_no_warning(entries)
        _require_all(pages[0], entries)
        return entries, min([now, *_made(pages)])

    def _pages(self, client: httpx.Client, url: str) -> Iterator[Page]:
        begun, left, seen = self.ticks(), self.most_bytes, set[str]()
        following: str | None = url
        while following is not None:
            if following in seen or len(seen) >= self.most_pages:
                raise ServerError("The pages of the search don't come to an end.")
            seen.add(following)
            content = self._content(client, following, left, begun)
            left -= len(content)
            page = _page(content)
            yield page
            following = _next(page, following)

    def _content(self, client: httpx.Client, url: str, most: int, begun: float) -> bytes:
        found = bytearray()
        with client.stream("GET", url) as answer:
            if answer.status_code != OK:
                raise _refusal(answer)
            for piece in answer.iter_bytes():
                found += piece
                if len(found) > most or self.ticks() - begun > self.altogether:
                    raise ServerError("The answer is larger, or takes longer, than any that is taken.")
        return bytes(found)


def _why(error: Exception) -> str:
    """Return why in words that name nobody; a search's address may have a patient in it."""
    cause: BaseException = error
    while below := cause.__cause__ or cause.__context__:
        cause = below
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {cause.verify_message}"
    return type(cause).__name__


def _refusal(answer: httpx.Response) -> ServerError:
    """Return what an answer that isn't good comes to."""
    status = answer.status_code
    if status in FORBIDDEN:
        return ServerError(f"The FHIR server refuses us ({status}).", remedy="Renew the token in its file; ask again.")
    if status in REDIRECTS:
        return ServerError(
            f"The FHIR server sends us elsewhere ({status}).", remedy="Give the address that it has now."
        )
    said = bytearray()
    for piece in answer.iter_bytes():
        said += piece
        if len(said) > MOST_OUTCOME:
            break
    return ServerError(f"The FHIR server answered {status}{_why_not(bytes(said))}.")


def _why_not(content: bytes) -> str:
    """Return the codes of an OperationOutcome; its own words are not told on, for they may name a patient."""
    try:
        outcome = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome":
        return ""
    issues = outcome.get("issue")
    told = [each.get("code") for each in issues if isinstance(each, dict)] if isinstance(issues, list) else []
    codes = dict.fromkeys(code for code in told if isinstance(code, str) and ISSUE.fullmatch(code))
    return f" ({', '.join(codes)})" if codes else ""


def _bundle(entries: list[Page]) -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def _page(content: bytes) -> Page:
    try:
        page = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ServerError("The FHIR server's answer is no JSON that can be read.") from error
    if not isinstance(page, dict) or page.get("resourceType") != "Bundle" or page.get("type") != "searchset":
        words = f"The FHIR server's answer is no Bundle of a search{_why_not(content)}."
        raise ServerError(words, remedy="Give the address of a search.")
    return page


def _listed(page: Page, name: str) -> list[dict[str, object]]:
    found = page.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ServerError(f"The FHIR server's Bundle has something else than a list of objects as {name}.")
    return found


def _next(page: Page, here: str) -> str | None:
    """Return where the next page is, None after the last; it must be where this one came from."""
    named = [str(each.get("url")) for each in _listed(page, "link") if each.get("relation") == "next"]
    if not named:
        return None
    try:
        following = urljoin(here, named[0])
        same = _origin(following) == _origin(here)
    except ValueError as error:
        raise ServerError("The FHIR server names a next page whose address can't be read.") from error
    if len(named) > 1 or not same:
        raise ServerError(
            "The next page of the search is said to be on another server, and the token isn't given to that.",
            remedy="Have the server name its own address in its links; nothing was taken in.",
        )
    return following


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port or {"https": 443, "http": 80}.get(parts.scheme)


def _require_all(first: Page, entries: list[dict[str, object]]) -> None:
    """Refuse an answer that has fewer patients than the server itself has counted."""
    said = first.get("total")
    if said is None:
        return
    modes = (each.get("search") for each in entries)
    found = sum(not isinstance(mode, dict) or mode.get("mode", "match") == "match" for mode in modes)
    if said != found:
        raise ServerError(f"The FHIR server counts {said} matches, and gave {found}.")


def _require_no_warning(entries: list[dict[str, object]]) -> None:
    """Refuse an answer of which the server says that something is amiss with it, such as matches left out."""
    for each in entries:
        resource = each.get("resource")
        if not isinstance(resource, dict) or resource.get("resourceType") != "OperationOutcome":
            continue
        issues = resource.get("issue")
        told = issues if isinstance(issues, list) else [None]
        if not all(isinstance(issue, dict) and issue.get("severity") == "information" for issue in told):
            raise ServerError("The FHIR server warns of its own answer.", remedy="Ask who runs it what is left out.")


def _made(pages: list[Page]) -> Iterator[datetime]:
    """Give when each page was made, by the server: one from a cache is as old as it is."""
    for page in pages:
        meta = page.get("meta")
        moment = meta.get("lastUpdated") if isinstance(meta, dict) else None
        if moment is None:
            continue
        try:
            found = datetime.fromisoformat(str(moment))
        except ValueError as error:
            raise ServerError("The FHIR server says of no moment that its answer is of it.") from error
        if found.tzinfo is None:
            raise ServerError("The FHIR server says of no moment that its answer is of it.")
        yield found.astimezone(UTC)
