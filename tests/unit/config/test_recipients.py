"""Recipients beside the DICOM nodes: what must be true of one before anything could leave to it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orthanc_plugin.config.bindings import Recall
from orthanc_plugin.config.recipients import Kind, loopback
from tests.unit.config.test_policyfile import STATED, load, node, problems

RECIPIENT = '[[recipients]]\nname = "{name}"\npurpose = "DIRECT_CARE"\naudience = "CARE_TEAM"\n'
STOW = 'kind = "stow"\nowner = "ward"\nurl = "{url}"\n'
SECURE = "https://pacs.example/dicom-web"
FOLDER = 'kind = "folder"\nowner = "ward"\nfolder = "/media/export"\n'
ACCOUNT = '[[users]]\nname = "{name}"\nperson = "one"\nroles = ["admin"]\npurpose = "RECORDS_MANAGEMENT"\n'
TWICE = "".join(ACCOUNT.format(name=name) + 'audience = "RECORDS_OFFICER"\n' for name in ("clerk", "clerk2"))


def recipient(text: str = STOW.format(url=SECURE), name: str = "store") -> str:
    return STATED + RECIPIENT.format(name=name) + text


def exports(*people: str, allowed: str = "true") -> str:
    return f"[exports]\nallowed = {allowed}\napproved_by = [{', '.join(map(repr, people))}]\n"


def test_a_recipient_is_found_by_its_name_as_a_node_that_may_receive_is(tmp_path: Path) -> None:
    text = recipient('expires = 2027-01-31\nrecall = "kos"\n' + STOW.format(url=SECURE))
    policy = load(tmp_path, text + node(may='["receive"]', name="ws") + node(name="asks", aet="ASKS"))
    found = policy.recipient("store")
    assert found is policy.recipients[0]
    assert (policy.recipients[0].kind, found.expires, found.recall) == (Kind.STOW, date(2027, 1, 31), Recall.KOS)
    assert policy.recipient("ws") is policy.dicom_nodes[0]
    assert policy.recipient("asks") is None, "what may only ask is nowhere to send to"
    assert policy.recipient("nobody") is None
    assert [each.name for each in policy.destinations] == ["ws", "store"]


@pytest.mark.parametrize(("day", "over"), [(30, False), (31, False), (1, True)])
def test_the_last_day_is_the_last_on_which_anything_leaves(tmp_path: Path, day: int, *, over: bool) -> None:
    found = load(tmp_path, recipient("expires = 2027-01-31\n" + STOW.format(url=SECURE))).recipient("store")
    assert found is not None
    assert found.expired(date(2027, 2 if over else 1, day)) is over


def test_how_copies_are_called_back_is_a_letter_unless_it_is_a_dicom_node(tmp_path: Path) -> None:
    policy = load(tmp_path, recipient() + node(may='["receive"]'))
    assert [each.recall for each in policy.destinations] == [Recall.KOS, Recall.LETTER]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "stow"\nurl = "https://a.example"\n', "store: owner is missing"),
        ('kind = "stow"\nowner = " "\nurl = "https://a.example"\n', "store: owner is missing"),
        (STOW.format(url=""), "url is missing"),
        (STOW.format(url="ftp://a.example"), "url is missing, or isn't one of http or https"),
        (STOW.format(url="https://"), "url is missing"),
        (STOW.format(url="HTTPS://a.example"), "url is missing"),
        (STOW.format(url=" https://a.example"), "url is missing"),
        (STOW.format(url="http://127.1"), "url must begin with https"),
        (STOW.format(url="https://a.example:port"), "url is missing"),
        (STOW.format(url="https://me:word@a.example"), "url must have no account"),
        (STOW.format(url="https://a.example/?to=b"), "url must have no account, query"),
        (STOW.format(url="http://a.example"), "url must begin with https"),
        (STOW.format(url="http://127.0.0.1") + "tls_required = true\n", "url must begin with https"),
        (STOW.format(url="http://127.0.0.1") + "secure_channel = true\n", "url must begin with https"),
        (STOW.format(url="http://127.0.0.1") + 'ca = "ca.pem"\n', "url must begin with https where ca"),
        (STOW.format(url=SECURE) + 'pin = "AB:CD"\n', "recipients.0.pin"),
        (STOW.format(url=SECURE) + 'key = "key.pem"\n', "certificate and key belong together"),
        (STOW.format(url=SECURE) + 'account = "us"\n', "account and password_file belong together"),
        (STOW.format(url=SECURE) + 'folder = "/tmp"\n', "folder is not for the kind stow"),
        (STOW.format(url=SECURE) + 'recall = "delete"\n', 'recall = "delete" needs an Orthanc peer'),
        (STOW.format(url=SECURE) + 'kind2 = "x"\n', "recipients.0.kind2"),
        (STOW.format(url=SECURE) + 'expires = "soon"\n', "recipients.0.expires"),
        ('kind = "post"\nowner = "ward"\n', "recipients.0.kind"),
        (
            'kind = "peer"\nowner = "w"\nrecall = "kos"\nurl = "https://a.example"\n',
            'recall = "kos" needs a DICOM node',
        ),
        (FOLDER.replace("/media/export", "export") + exports("a", "b"), "folder is missing, or isn't a full path"),
        (FOLDER + "tls_required = true\n" + exports("a", "b"), "a folder is not sent to"),
        (FOLDER + 'url = "https://a.example"\n' + exports("a", "b"), "url is not for the kind folder"),
    ],
)
def test_what_could_let_pictures_go_astray_is_told(text: str, words: str, tmp_path: Path) -> None:
    assert any(words in problem for problem in problems(tmp_path, recipient(text)))


@pytest.mark.parametrize("audience", ["SOCIAL_MEDIA", "PERSONAL_DEVICE", "UNKNOWN_AE"])
def test_no_recipient_is_of_an_audience_that_may_never_receive(audience: str, tmp_path: Path) -> None:
    text = recipient().replace('"CARE_TEAM"', f'"{audience}"')
    assert any(f"store: audience {audience} may never receive" in each for each in problems(tmp_path, text))


def test_an_anonymised_recipient_needs_a_profile(tmp_path: Path) -> None:
    text = recipient('form = "ANONYMISED"\n' + STOW.format(url=SECURE))
    assert any("store: form ANONYMISED needs a profile" in each for each in problems(tmp_path, text))


def test_a_name_is_nobody_else_s(tmp_path: Path) -> None:
    assert any("name 'ws' is there 2 times" in each for each in problems(tmp_path, recipient(name="ws") + node()))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, recipient('kind = "stow"\nfolder = "x"\ncertificate = "c.pem"\nrecall = "delete"\n'))
    assert len(found) == 5


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        ("", "export to a folder is off"),
        (exports(allowed="false"), "export to a folder is off"),
        (exports("officer", "photographer", allowed="false"), "export to a folder is off"),
        (exports(), "takes two different people"),
        (exports("officer"), "takes two different people"),
        (exports("officer", "Officer "), "takes two different people"),
        (exports("clerk", "clerk2") + TWICE, "takes two different people"),
        (exports("officer", ""), "exports.approved_by.1"),
    ],
)
def test_nothing_goes_to_a_folder_before_two_people_allowed_it(allowed: str, words: str, tmp_path: Path) -> None:
    assert any(words in problem for problem in problems(tmp_path, recipient(FOLDER) + allowed))


def test_two_people_allow_exports(tmp_path: Path) -> None:
    policy = load(tmp_path, recipient(FOLDER) + exports("officer", "photographer"))
    assert policy.recipients[0].folder == "/media/export"


def test_exports_are_off_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert not load(tmp_path, STATED).exports.allowed


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False),
        ("127.0.0.1.example", False), ("ward", False), ("", False),
    ],
)  # fmt: skip
def test_only_this_machine_itself_is_no_network(host: str, *, here: bool) -> None:
    assert loopback(host) is here
