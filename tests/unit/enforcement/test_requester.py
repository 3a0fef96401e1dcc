"""Who asks by HTTP: an account, or whom the one trusted proxy names; for a purpose among those that are bound."""

from __future__ import annotations

import base64
from ipaddress import ip_network
from pathlib import Path

import pytest

from dicomwrap.terms import PURPOSE_CODES, Audience, Form, Purpose
from orthanc_plugin.config.bindings import Role
from orthanc_plugin.config.policyfile import Policy, load_policy
from orthanc_plugin.config.proxy import Proxy, ProxySettings
from orthanc_plugin.enforcement.requester import IDENTITY_HEADERS, Asker, of_request, vouched_for
from tests.fakes.lecturer import LECTURER
from tests.fakes.world import POLICY

SECRET = "5e" * 32
PROXY = Proxy(
    settings=ProxySettings(
        account="proxy",
        secret_file="keys/proxy.key",
        addresses=(ip_network("127.0.0.1"), ip_network("10.1.0.0/16"), ip_network("fd00::/8")),
        user_header="X-Auth-Request-User",
    ),
    secret=SECRET,
)
HERE = "127.0.0.1"
PEOPLE = """
[[users]]
name = "dr-field"
signs_in = "proxy"
roles = ["view", "list"]
purpose = "DIRECT_CARE"
audience = "CARE_TEAM"
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    path: Path = tmp_path_factory.mktemp("policy") / "policy.toml"
    lane = LECTURER.replace('name = "lecturer"', 'name = "dr-lane"\nsigns_in = "proxy"')
    path.write_text(POLICY + LECTURER + PEOPLE + lane)
    return load_policy(path)


def basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:p".encode()).decode()


def through(name: str, **more: str) -> dict[str, str]:
    """Return what the proxy sends when it has signed ``name`` in; '' takes a header away."""
    sent = {"authorization": basic("proxy"), "x-consentgate-proxy": SECRET, "x-auth-request-user": name}
    sent |= {key.replace("_", "-"): value for key, value in more.items()}
    return {key: value for key, value in sent.items() if value}


def asks(policy: Policy, headers: dict[str, str], address: str | None = HERE, proxy: Proxy | None = PROXY) -> Asker:
    return of_request(policy, proxy, headers, {}, address)


@pytest.mark.parametrize("address", [HERE, "10.1.2.3", "fd00::7", None])
def test_the_proxy_is_believed_whom_it_names(address: str | None, policy: Policy) -> None:
    asker = asks(policy, through("dr-field"), address)
    assert (asker.rule, asker.requester.actor, asker.requester.recipient) == ("", "dr-field", "dr-field")
    assert asker.requester.address == (address or "")
    assert asker.user is not None
    assert asker.user.roles == {Role.VIEW, Role.LIST}


def test_an_account_of_orthanc_is_itself_with_or_without_a_proxy(policy: Policy) -> None:
    for proxy in (PROXY, None):
        asker = asks(policy, {"authorization": basic("derm")}, "10.9.9.9", proxy)
        assert (asker.rule, asker.requester.actor, asker.requester.address) == ("", "derm", "10.9.9.9")


UNTRUSTED = "IDENTITY_NOT_TRUSTED"
REFUSED = {
    "from another address": (through("dr-field"), "10.2.0.1", UNTRUSTED),
    "from what is no address": (through("dr-field"), "localhost", UNTRUSTED),
    "from no address": (through("dr-field"), "", UNTRUSTED),
    "without the secret": (through("dr-field", x_consentgate_proxy=""), HERE, UNTRUSTED),
    "with a wrong secret": (through("dr-field", x_consentgate_proxy=SECRET[:-1] + "f"), HERE, UNTRUSTED),
    "with a part of the secret": (through("dr-field", x_consentgate_proxy=SECRET[:8]), HERE, UNTRUSTED),
    "with a secret that is no ASCII": (through("dr-field", x_consentgate_proxy="é" * 64), HERE, UNTRUSTED),
    "by another account": (through("dr-field", authorization=basic("teacher")), HERE, UNTRUSTED),
    "by the same account as it names": (through("dr-field", authorization=basic("dr-field")), HERE, UNTRUSTED),
    "by no account": (through("dr-field", authorization=""), HERE, UNTRUSTED),
    "by a bearer token": (through("dr-field", authorization="Bearer abc"), HERE, "BEARER_TOKEN"),
    "naming nobody": (through(""), HERE, "NO_IDENTITY"),
    "naming a blank": (through(" "), HERE, "NO_IDENTITY"),
    "naming two": (through("dr-field", x_forwarded_user="teacher"), HERE, "IDENTITY_AMBIGUOUS"),
    "naming somebody in another header": (through("", x_forwarded_user="dr-field"), HERE, "NO_IDENTITY"),
    "naming a stranger": (through("dr-stranger"), HERE, "UNKNOWN_USER"),
    "naming itself": (through("proxy"), HERE, "UNKNOWN_USER"),
    "naming Consentgate": (through("consentgate"), HERE, "UNKNOWN_USER"),
    "naming somebody in other letters": (through("DR-FIELD"), HERE, "UNKNOWN_USER"),
    "without a word": ({"authorization": basic("proxy")}, HERE, UNTRUSTED),
}


@pytest.mark.parametrize(("headers", "address", "rule"), REFUSED.values(), ids=REFUSED.keys())
def test_what_claims_to_be_somebody_and_can_t_be_believed_is_refused(
    headers: dict[str, str], address: str, rule: str, policy: Policy
) -> None:
    asker = asks(policy, headers, address)
    assert (asker.user, asker.rule) == (None, rule)
    assert asker.reason
    assert (asker.requester.audience, asker.requester.verified) == (Audience.UNKNOWN_AE, False)


def test_where_no_password_was_verified_only_the_proxy_s_word_names_anybody(policy: Policy) -> None:
    assert vouched_for(policy, PROXY, through("dr-field"), HERE) == "dr-field"
    for headers, address, _ in REFUSED.values():
        named = vouched_for(policy, PROXY, headers, address)
        assert named == "" or named.startswith("proxy:")
    assert vouched_for(policy, PROXY, {"authorization": basic("dr-field")}, HERE) == ""
    assert vouched_for(policy, None, through("dr-field"), HERE) == ""


@pytest.mark.parametrize("name", ["derm", "uploader", "admin", "lecturer"])
def test_who_calls_himself_like_an_account_of_orthanc_s_at_the_identity_provider_isn_t_it(
    name: str, policy: Policy
) -> None:
    asker = asks(policy, through(name))
    assert (asker.user, asker.rule, asker.requester.actor) == (None, "OTHER_SIGN_IN", f"proxy:{name}")
    assert (asker.requester.audience, asker.requester.verified) == (Audience.UNKNOWN_AE, False)
    assert vouched_for(policy, PROXY, through(name), HERE) == f"proxy:{name}"


@pytest.mark.parametrize("proxy", [PROXY, None])
def test_an_account_of_orthanc_s_with_a_person_s_name_isn_t_that_person(proxy: Proxy | None, policy: Policy) -> None:
    asker = asks(policy, {"authorization": basic("dr-field")}, HERE, proxy)
    assert (asker.user, asker.rule, asker.requester.actor) == (None, "OTHER_SIGN_IN", "dr-field")


@pytest.mark.parametrize("name", ["consentgate", "proxy", "dr-stranger"])
def test_the_trail_never_has_a_stranger_of_the_proxy_s_by_a_bare_name(name: str, policy: Policy) -> None:
    assert asks(policy, through(name)).requester.actor == f"proxy:{name}"


@pytest.mark.parametrize("header", sorted({*IDENTITY_HEADERS, "x-consentgate-proxy"}))
def test_nobody_else_may_send_such_a_header_even_in_their_own_name(header: str, policy: Policy) -> None:
    asker = asks(policy, {"authorization": basic("derm"), header: "derm"})
    assert (asker.user, asker.rule, asker.requester.actor) == (None, UNTRUSTED, "derm")


@pytest.mark.parametrize("header", sorted(IDENTITY_HEADERS))
def test_without_a_proxy_no_such_header_is_read_and_none_is_ignored(header: str, policy: Policy) -> None:
    assert asks(policy, {"authorization": basic("derm"), header: "derm"}, proxy=None).rule == UNTRUSTED
    assert asks(policy, through("dr-field"), proxy=None).rule == UNTRUSTED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_is_refused(scheme: str, policy: Policy) -> None:
    assert asks(policy, {"authorization": f"{scheme} abc"}).rule == "BEARER_TOKEN"


def chosen(policy: Policy, header: str | None, name: str = "lecturer", **arguments: str) -> Asker:
    headers = {"authorization": basic(name)} | ({} if header is None else {"x-purpose-of-use": header})
    return of_request(policy, PROXY, headers, arguments, HERE)


def test_a_request_that_names_no_purpose_has_the_account_s_own(policy: Policy) -> None:
    asker = chosen(policy, None)
    assert asker.user is not None
    assert (asker.user.purpose, asker.user.may_view_intimate) == (Purpose.DIRECT_CARE, True)
    assert (asker.requester.purpose, asker.requester.form) == ("DIRECT_CARE", Form.IDENTIFIABLE)
    assert asker.requester.signed_in


@pytest.mark.parametrize("word", ["TEACHING", PURPOSE_CODES[Purpose.TEACHING]])
def test_a_purpose_comes_with_its_own_form_audience_and_roles_and_nothing_of_another(word: str, policy: Policy) -> None:
    asker = chosen(policy, word)
    user, requester = asker.user, asker.requester
    assert user is not None
    assert (user.purpose, user.form, user.audience) == (Purpose.TEACHING, Form.ANONYMISED, Audience.TRUST_STUDENTS)
    assert (user.profile, user.roles, user.may_view_intimate) == ("teaching", {Role.VIEW}, False)
    assert (requester.purpose, requester.form, requester.audience) == (
        "TEACHING",
        Form.ANONYMISED,
        Audience.TRUST_STUDENTS,
    )
    assert not requester.signed_in  # a grant of emergency access is no teaching material


@pytest.mark.parametrize("word", ["DIRECT_CARE", "TREAT"])
def test_the_account_s_own_purpose_may_be_named_too(word: str, policy: Policy) -> None:
    asker = chosen(policy, word)
    assert asker.user is not None
    assert asker.user.purpose is Purpose.DIRECT_CARE


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("lecturer", "RESEARCH"),
        ("lecturer", "HRESCH"),
        ("lecturer", ""),
        ("lecturer", " TEACHING"),
        ("lecturer", "teaching"),
        ("lecturer", "TEACHING, DIRECT_CARE"),
        ("lecturer", "TEACHING,TEACHING"),
        ("lecturer", "CURIOSITY"),
        ("teacher", "DIRECT_CARE"),
        ("teacher", "TREAT"),
        ("derm", "TEACHING"),
    ],
)
def test_a_purpose_that_is_not_bound_is_refused(name: str, word: str, policy: Policy) -> None:
    asker = chosen(policy, word, name)
    assert (asker.user, asker.rule, asker.requester.actor) == (None, "PURPOSE_NOT_BOUND", name)
    assert str(policy.user(name).purpose) in asker.reason  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "argument", "purpose"),
    [
        ("TEACHING", "TEACHING", "TEACHING"),
        ("TEACHING", "TRAIN", "TEACHING"),
        (None, "DIRECT_CARE", "DIRECT_CARE"),
        (None, "TEACHING", None),
        ("TEACHING", "DIRECT_CARE", None),
        ("DIRECT_CARE", "TEACHING", None),
        ("DIRECT_CARE", "", None),
    ],
)
def test_an_argument_never_chooses_and_may_not_say_otherwise(
    header: str | None, argument: str, purpose: str | None, policy: Policy
) -> None:
    asker = chosen(policy, header, purpose=argument)
    assert (asker.user and asker.user.purpose) == purpose


@pytest.mark.parametrize(
    ("other", "purpose"), [("TEACHING", "TEACHING"), ("TRAIN", "TEACHING"), ("TREAT", None), ("RESEARCH", None)]
)
def test_two_headers_must_mean_the_same(other: str, purpose: str | None, policy: Policy) -> None:
    headers = {"authorization": basic("lecturer"), "x-purpose-of-use": "TEACHING", "purpose-of-use": other}
    asker = asks(policy, headers)
    assert (asker.user and asker.user.purpose) == purpose


def test_a_person_behind_the_proxy_chooses_among_their_own_purposes(policy: Policy) -> None:
    asker = asks(policy, through("dr-lane", x_purpose_of_use="LOCAL_AUDIT"))
    assert asker.user is not None
    assert (asker.user.purpose, asker.user.roles) == (Purpose.LOCAL_AUDIT, {Role.LIST})
    assert asks(policy, through("dr-field", x_purpose_of_use="LOCAL_AUDIT")).rule == "PURPOSE_NOT_BOUND"


def test_the_secret_is_in_no_text_of_the_proxy() -> None:
    assert SECRET not in repr(PROXY)
