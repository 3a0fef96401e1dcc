"""Whether a form, in the version that policy.toml has now, allows more than a patient signed in another one.

Knows forms and what was signed. Must not know the registry, nor what follows. Which box was ticked isn't on record: it
is taken for the narrowest level of today that has every purpose of the consent.

Source: requirements 2.9 (re-consent triggers: a new version of the form that widens use).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dicomwrap.consentrecord import ConsentRecord, Scope
from dicomwrap.terms import Form, Purpose, PurposeGroup, purposes_named
from orthanc_plugin.config.forms import ConsentForm, FormScope


def widened(record: ConsentRecord, forms: Mapping[str, ConsentForm]) -> str | None:
    """Say which form allows more now, and in which version; None when none does."""
    if record.document is None or (form := forms.get(record.document.form_id)) is None:
        return None
    if record.document.form_version == form.version or not _wider(_terms(record.scopes), form):
        return None
    return f"form {record.document.form_id} allows more in version {form.version} than was signed"


def _wider(signed: Mapping[Purpose, Scope | FormScope], form: ConsentForm) -> bool:
    levels = (_terms(level.scopes) for level in form.levels.values())
    now = next((terms for terms in levels if terms.keys() >= signed.keys()), {})
    return any(purpose not in signed or _more(signed[purpose], terms) for purpose, terms in now.items())


def _terms(scopes: Iterable[Scope | FormScope]) -> dict[Purpose, Scope | FormScope]:
    """Return what holds for each purpose; what names it comes before what names its group."""
    by_group_first = sorted(scopes, key=lambda scope: not isinstance(scope.purpose, PurposeGroup))
    return {purpose: scope for scope in by_group_first for purpose in purposes_named(frozenset({scope.purpose}))}


def _more(signed: Scope | FormScope, now: Scope | FormScope) -> bool:
    identifies = now.max_form is Form.IDENTIFIABLE and signed.max_form is not Form.IDENTIFIABLE
    return identifies or not set(now.audience) <= set(signed.audience)
