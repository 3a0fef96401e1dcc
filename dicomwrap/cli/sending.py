"""The command ``dicomwrap send``: objects go to an archive, and are deleted only when it vouches for them.

Knows options, exit codes and how outcomes are told. Must not know DICOM's messages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from dicomwrap.cli import clock
from dicomwrap.cli.nodes import FILE, address, caller, caller_options, node, stacked
from dicomwrap.errors import DicomwrapError
from dicomwrap.sending.commitment import Committed, commit, listening
from dicomwrap.sending.delivery import Outcome, Route, State, Terms, deliver
from dicomwrap.sending.node import Caller, Node
from dicomwrap.sending.parcel import Parcel
from dicomwrap.sending.storescu import store
from dicomwrap.sending.stow import Service, stow
from dicomwrap.uids import UidSource, fresh_uid
from dicomwrap.version import VERSION

send_options = stacked(
    click.option("--to", type=node, metavar="AET@HOST:PORT", help="The archive, by C-STORE."),
    click.option("--stow", metavar="URL", help="The archive, by STOW-RS, in place of --to."),
    click.option("--stow-user", metavar="NAME", default="", help="The user there."),
    click.option("--stow-password-file", type=FILE, help="File that holds the user's password."),
    click.option("--stow-token-file", type=FILE, help="File that holds a bearer token, in place of a user."),
    click.option(
        "--commit",
        "voucher",
        type=node,
        metavar="AET@HOST:PORT",
        help="Who is asked for storage commitment.  [default: --to]",
    ),
    click.option(
        "--listen",
        type=address,
        metavar="[HOST:]PORT",
        help="Where reports are awaited.  [default: our address, a free port]",
    ),
    caller_options,
    click.option("--receipts", type=click.Path(file_okay=False, path_type=Path), help="Folder for deletion receipts."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrder:
    """How to send, checked."""

    caller: Caller
    node: Node | None
    service: Service | None
    voucher: Node | None
    listen: tuple[str, int]


def send_order(
    *,
    to: Node | None,
    stow: str | None,
    stow_user: str,
    stow_password_file: Path | None,
    stow_token_file: Path | None,
    voucher: Node | None,
    listen: tuple[str, int] | None,
    no_commit: bool = False,
    aet: str,
    timeout: float,
    tls: bool,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> SendOrder:
    """Check what ``send_options`` gave, but ``--receipts``.

    Raises:
        click.UsageError: the options contradict each other.
    """
    if (to is None) == (stow is None):
        raise click.UsageError("Give either --to or --stow.")
    if no_commit and voucher is not None:
        raise click.UsageError("--no-commit and --commit contradict each other.")
    if not no_commit and voucher is None and to is None:
        raise click.UsageError("STOW-RS can't vouch for what it stored: give --commit AET@HOST:PORT, or --no-commit.")
    if stow is None and (stow_user or stow_password_file or stow_token_file):
        raise click.UsageError("--stow-user, --stow-password-file and --stow-token-file need --stow.")
    if bool(stow_user) != (stow_password_file is not None) or (stow_user and stow_token_file):
        raise click.UsageError("Give --stow-user with --stow-password-file, or --stow-token-file alone.")
    service = None if stow is None else _service(stow, stow_user, stow_password_file, stow_token_file, tls_ca, timeout)
    return SendOrder(
        caller=caller(aet=aet, timeout=timeout, tls=tls, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key),
        node=to,
        service=service,
        voucher=None if no_commit else voucher or to,
        listen=listen or ("", 0),
    )


@contextmanager
def route(order: SendOrder, new_uid: UidSource) -> Iterator[Route]:
    """Give the way to the archive; reports are listened for as long as it is open.

    Raises:
        PeerError: nothing can listen at the address.
    """
    with _committing(order, new_uid) as asked:
        if order.service is not None:
            send, by = partial(stow, service=order.service), f"STOW-RS {order.service.url}"
        elif order.node is not None:
            send, by = partial(store, node=order.node, caller=order.caller), f"C-STORE {order.node}"
        else:
            raise ValueError("an order has a node or a service")
        yield Route(store=send, commit=asked, voucher=order.voucher, sent_by=by)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@send_options
@click.option("--no-commit", is_flag=True, help="Don't ask for storage commitment: no receipt, and nothing is deleted.")
@click.option("--delete-source", is_flag=True, help="Delete each FILE once its receipt is on the disk.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object in place of lines.")
@click.pass_context
def send(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    receipts: Path | None,
    no_commit: bool,
    delete_source: bool,
    as_json: bool,
    **options: object,
) -> None:
    """Send each FILE, a DICOM object, to an archive and have the archive vouch for it.

    Exit code 0: the archive vouches for all of them (with --no-commit: has stored them). 1: some are not safe there, or
    not deleted as asked; each is kept, with its reason. 2: the call itself is wrong, nothing sent.
    """
    if no_commit and (delete_source or receipts is not None):
        raise click.UsageError("Without storage commitment there are no receipts, and nothing is deleted.")
    order = send_order(no_commit=no_commit, **options)  # type: ignore[arg-type]
    now: Callable[[], datetime] = getattr(context.obj, "now", clock.now)
    new_uid: UidSource = getattr(context.obj, "new_uid", fresh_uid)
    terms = Terms(moment=now, version=VERSION, receipts=receipts, delete_source=delete_source)
    try:
        with route(order, new_uid) as way:
            outcomes = deliver(files, way, terms)
    except DicomwrapError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(show(outcomes, terms, as_json=as_json, commit=order.voucher is not None))


def show(outcomes: Sequence[Outcome], terms: Terms, *, as_json: bool, commit: bool) -> int:
    """Print the outcomes and return the exit code."""
    for outcome in outcomes:
        _tell(outcome, quietly=as_json)
    if as_json:
        click.echo(json.dumps({"files": [_as_json(outcome) for outcome in outcomes]}, indent=1))
    wanted = State.COMMITTED if commit else State.STORED
    good = all(each.state is wanted and (each.deleted or not terms.delete_source) for each in outcomes)
    return 0 if good else 1


@contextmanager
def _committing(order: SendOrder, new_uid: UidSource) -> Iterator[Callable[[Sequence[Parcel]], Committed] | None]:
    if order.voucher is None:
        yield None
        return
    with listening(order.caller, order.voucher, *order.listen) as reports:
        voucher = order.voucher
        yield lambda parcels: commit(
            parcels, voucher, order.caller, reports, transaction_uid=new_uid(), seconds=order.caller.seconds
        )


def _service(
    url: str, user: str, password: Path | None, token: Path | None, ca: Path | None, seconds: float
) -> Service:
    try:
        return Service(url=url, user=user, password=_secret(password), token=_secret(token), ca=ca, seconds=seconds)
    except DicomwrapError as error:
        raise click.UsageError(str(error)) from error


def _secret(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        text = file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} can't be read as text.") from error
    if not text or not text.isprintable():
        raise click.UsageError(f"{file} must hold one line.")
    return text


def _tell(outcome: Outcome, *, quietly: bool) -> None:
    name = "".join(sign if sign.isprintable() else "?" for sign in str(outcome.file))
    for warning in outcome.warnings:
        click.echo(f"{name}: warning: {warning}", err=True)
    if outcome.reason:
        click.echo(f"{name}: {outcome.reason}. {outcome.remedy}", err=True)
    elif not quietly:
        click.echo(f"{name}: {outcome.state}{', deleted' if outcome.deleted else ''}")


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "file": str(outcome.file),
        "state": str(outcome.state),
        "sop_instance_uid": outcome.sop_instance_uid,
        "reason": outcome.reason,
        "remedy": outcome.remedy,
        "warnings": [*outcome.warnings],
        "receipt": None if outcome.receipt is None else str(outcome.receipt),
        "deleted": outcome.deleted,
    }
