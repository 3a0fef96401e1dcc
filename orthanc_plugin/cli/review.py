"""``consentgate review list | open | propose | outline | redact | confirm | reject``: what people find in pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from dicomwrap.durable import Disk
from orthanc_plugin.cli.common import by_option, json_option, say, services, show, told
from orthanc_plugin.cli.hiding import profile_option, record_hiding
from orthanc_plugin.deid.crops import crop as read_crop
from orthanc_plugin.deid.regions import region as read_region
from orthanc_plugin.enforcement import reviewing as desks
from orthanc_plugin.enforcement.hiding import HidingDesk
from orthanc_plugin.enforcement.hiding import told as told_of_others
from orthanc_plugin.enforcement.reviewing import Desk, Picture
from orthanc_plugin.enforcement.running import archive as running_archive
from orthanc_plugin.errors import ConsentgateError
from orthanc_plugin.lifecycle import hiding, reviewing
from orthanc_plugin.policy.reviewing import CHECKLIST, ITEMS, Box, Outline, Review, Shown
from orthanc_plugin.services import Services

DOOR: Final = "consentgate review"
COLUMNS: Final = ("image", "profile", "state", "since", "requesters", "open_by", "proposals", "reason")
ANSWERS: Final = {"no": Shown.NOT_SHOWN, "covered": Shown.COVERED, "yes": Shown.IDENTIFIES}
RECORDED: Final = {"YES": "may leave anonymised, where consent covers it", "NO": "may not leave anonymised"}


class UnwritablePictureError(ConsentgateError):
    """The place for the picture can't be written to."""

    remedy = "Name a file in a folder that you can write to; what was recorded so far stays."


image_argument = click.argument("image")
item = click.Choice(CHECKLIST)
out_option = click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the picture is written."
)


@click.group()
def review() -> None:
    """Look at pictures before anonymised copies leave, and record what was found."""


@review.command(name="list")
@json_option
@told
def list_(as_json: bool) -> None:
    """List the pictures that somebody must look at before a copy may leave, the oldest first.

    Those in which other people are to be hidden come last; `requesters` is then who has proposed it.
    """
    shared = services()
    act = shared.act("", DOOR)
    with shared.database.reading() as connection:
        rows = [desks.told(each) for each in reviewing.queue(connection, act, shared.release.under)]
        rows += [told_of_others(each) for each in hiding.queue(connection)]
    show(rows, COLUMNS, as_json=as_json, empty="Nothing waits for a review.")


@contextmanager
def _desk(image: str, profile: str, by: str, *, others: bool) -> Iterator[Desk]:
    """Give the place where ``by`` reviews the picture; whoever runs commands here sees intimate pictures too."""
    shared, kind = services(), HidingDesk if others else Desk
    with running_archive(shared) as archive:
        yield kind(shared, archive, shared.act(by, DOOR), image, profile, sees_intimate=True)
    shared.sign_head()


def _write(picture: Picture, out: Path) -> None:
    """Write the picture into a file of our own that nobody else can read, in place of a plain one that is there.

    Raises:
        UnwritablePictureError: it can't be written there, or something else is: somebody else could read it.
    """
    if out.is_symlink() or (out.exists() and not out.is_file()):
        raise UnwritablePictureError("The picture can't be written: no plain file is at its place.")
    try:
        Disk().put(out, picture.content)
    except OSError as error:
        raise UnwritablePictureError(f"The picture can't be written ({type(error).__name__}).") from error


def _told(review_: Review, **more: object) -> dict[str, object]:
    return {
        "review": review_.review_id,
        "image": review_.sop_instance_uid,
        "profile": review_.profile,
        "reviewer": review_.reviewer,
        **more,
    }


@review.command(name="open")
@image_argument
@profile_option(required=True)
@out_option
@by_option
@json_option
@told
def open_(image: str, profile: str, others: bool, out: Path, by: str, as_json: bool) -> None:
    """Take IMAGE (SOP Instance UID) to look at, alone for a while; Orthanc must run."""
    with _desk(image, profile, by, others=others) as desk:
        opened = desk.open()
        picture = desk.picture()
        _write(picture, out)
    sentence = f"Open in your name: {out} ({picture.media}). Delete it when you have looked."
    say(_told(opened, out=str(out), media=picture.media), sentence, as_json=as_json)


@review.command()
@image_argument
@profile_option(required=True)
@by_option
@json_option
@told
def propose(image: str, profile: str, others: bool, by: str, as_json: bool) -> None:
    """Have the detectors of policy.toml draft regions on IMAGE, which you have open.

    They don't make a picture anonymous: nothing found is not nothing there.
    """
    with _desk(image, profile, by, others=others) as desk:
        drafted = desk.propose()
    said = desks.proposals(drafted)
    sentence = "; ".join([*said, *(f"region {','.join(map(str, each))}" for each in drafted.regions)])
    say(_told(drafted, regions=drafted.regions, proposals=said), sentence, as_json=as_json)


@review.command()
@image_argument
@profile_option(required=True)
@out_option
@by_option
@json_option
@told
def outline(image: str, profile: str, others: bool, out: Path, by: str, as_json: bool) -> None:
    """Write IMAGE, which you have open, whole: lines about what you set, broken ones about what detectors proposed.

    It is no picture as it would leave, so a confirmation still needs a look at that.
    """
    with _desk(image, profile, by, others=others) as desk:
        picture = desk.outlined()
        _write(picture, out)
    more = {"image": image, "profile": profile, "reviewer": by, "out": str(out), "media": picture.media}
    say(more, f"Outlined: {out} ({picture.media}). Delete it when you have looked.", as_json=as_json)


def _box(value: str) -> Box:
    parts = value.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter("give a region as x,y,width,height in pixels.")
    left, top, width, height = map(int, parts)
    return left, top, width, height


def _regions(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[Outline, ...]:
    return tuple(map(_box, values))


def _crop(_context: click.Context, _option: click.Parameter, value: str | None) -> Box | None:
    return None if value is None else _box(value)


@review.command()
@image_argument
@profile_option(required=True)
@click.option("--region", "regions", multiple=True, callback=_regions, help="x,y,width,height in pixels; repeatable.")
@click.option("--proposed", is_flag=True, help="Blank what the detectors proposed as well.")
@click.option("--crop", callback=_crop, help="x,y,width,height in pixels of the whole picture: nothing else is kept.")
@out_option
@by_option
@json_option
@told
def redact(
    image: str,
    profile: str,
    others: bool,
    regions: tuple[Outline, ...],
    proposed: bool,
    crop: Box | None,
    out: Path,
    by: str,
    as_json: bool,
) -> None:
    """Set what is blanked on IMAGE, which you have open, and write the picture as it would leave.

    Regions grow to whole blocks of the JPEG, a crop shrinks to them. They take the place of those set before; none
    means that nothing is blanked, and all of the picture kept. With --others they are what is hidden in identifiable
    copies, once somebody else has confirmed it.
    """
    for each in regions:
        read_region(each)
    if crop is not None:
        read_crop(list(crop))
    with _desk(image, profile, by, others=others) as desk:
        set_ = desk.redact(regions, crop, with_proposed=proposed)
        picture = desk.picture()
        _write(picture, out)
    kept = "" if set_.crop is None else " Cropped."
    sentence = f"Blanked: {len(set_.regions)} regions.{kept} Look at {out} ({picture.media}): so it would leave."
    more = _told(set_, regions=set_.regions, crop=set_.crop, out=str(out), media=picture.media)
    say(more, sentence, as_json=as_json)


def _answers(covered: tuple[str, ...], identifying: tuple[str, ...], *, nothing: bool) -> dict[str, Shown]:
    """Return the checklist's answers: from the options, or asked one by one at a terminal."""
    if (nothing and identifying) or set(covered) & set(identifying):
        raise click.UsageError("--nothing-identifying, --covered and --identifying contradict one another.")
    if nothing or identifying:
        return {
            each: Shown.IDENTIFIES if each in identifying else Shown.COVERED if each in covered else Shown.NOT_SHOWN
            for each in CHECKLIST
        }
    if not sys.stdin.isatty():
        raise click.UsageError("Give --nothing-identifying, or --identifying ITEM for each thing that identifies.")
    choice = click.Choice(tuple(ANSWERS))
    return {
        each: ANSWERS[click.prompt(f"Does the picture show what identifies: {words}?", type=choice)]
        for each, words in ITEMS.items()
    }


def _record(step: Callable[[Services], Review], *, as_json: bool) -> None:
    shared = services()
    found = step(shared)
    shared.sign_head()
    sentence = f"Recorded: the picture {RECORDED.get(found.outcome, 'needs another look')}."
    more = _told(found, anonymisable=found.outcome, regions=found.regions, crop=found.crop)
    say(more, sentence, as_json=as_json)


@review.command()
@image_argument
@profile_option(required=False)
@click.option(
    "--nothing-identifying", "nothing", is_flag=True, help="I looked for every item; none identifies, as it leaves."
)
@click.option("--covered", multiple=True, type=item, help="This is shown, and covered by a region; repeatable.")
@click.option("--identifying", multiple=True, type=item, help="This identifies; repeatable.")
@click.option("--note", default="", help="Anything worth keeping with the finding.")
@by_option
@json_option
@told
def confirm(
    image: str,
    profile: str,
    others: bool,
    nothing: bool,
    covered: tuple[str, ...],
    identifying: tuple[str, ...],
    note: str,
    by: str,
    as_json: bool,
) -> None:
    """Record, in your name, whether IMAGE (SOP Instance UID) shows anything identifying.

    The list to look for: face, eyes, ears, tattoo, jewellery, rings, birthmark or scar, clothing, text, other people,
    reflection, room or background, rare condition. Without options each is asked for at the terminal. With a profile
    you must have the picture open, and the regions that you set are blanked in every copy. With --others there is no
    list: you agree on what somebody else has proposed to hide, and have seen the picture without it.
    """
    if others:
        if nothing or covered or identifying:
            raise click.UsageError("--others has no checklist: it agrees on the regions that somebody else has set.")
        record_hiding(image, (by, DOOR), hiding.confirm, note, as_json=as_json)
        return
    answers = _answers(covered, identifying, nothing=nothing)

    def step(shared: Services) -> Review:
        with shared.database.writing() as connection:
            on = reviewing.matter(connection, image, profile, shared.release.under)
            return reviewing.confirm(connection, shared.act(by, DOOR), on, answers, note)

    _record(step, as_json=as_json)


@review.command()
@image_argument
@profile_option(required=False)
@click.option("--reason", required=True, help="Why it may not leave anonymised.")
@by_option
@json_option
@told
def reject(image: str, profile: str, others: bool, reason: str, by: str, as_json: bool) -> None:
    """Record, in your name, that no anonymised copy of IMAGE may leave: under this profile, or under any.

    With --others: that what is proposed to be hidden is wrong; or that nobody is to be hidden any more, which takes
    two persons' word. Whoever says either has the picture open.
    """
    if others:
        record_hiding(image, (by, DOOR), hiding.reject, reason, as_json=as_json)
        return

    def step(shared: Services) -> Review:
        with shared.database.writing() as connection:
            on = reviewing.matter(connection, image, profile, shared.release.under)
            return reviewing.reject(connection, shared.act(by, DOOR), on, reason)

    _record(step, as_json=as_json)
