"""The hospital's consent forms: what each level that a patient can sign agrees to.

Knows forms, levels and the terms they stand for. Must not know patients nor what becomes of a consent. Letters, numbers
and order differ between hospitals, so the mapping is configuration (``[forms.<id>]`` of policy.toml).

Sources: requirements 2.2 (form levels: IMI 2019), 003-32 and 003-33 (form and audience of each purpose), 000-14 (a
publication or medium is named).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import ConfigDict, StringConstraints

from dicomwrap.terms import FORBIDDEN_AUDIENCES, Audience, Form, Purpose, PurposeGroup, purposes_named
from orthanc_plugin.errors import ConfigurationError

STRICT = ConfigDict(extra="forbid")
Text = Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
PUBLIC: Final = frozenset({Purpose.PUBLICATION, Purpose.PUBLIC_MEDIA})


class UnknownFormError(ConfigurationError):
    """A form, a version of it or a level is not in policy.toml."""

    remedy = "See 'consentgate form list', or have the form added to policy.toml."


@dataclass(frozen=True, slots=True, kw_only=True)
class FormScope:
    """What a level agrees to for one purpose. A named publication is filled in with the patient, once for each use."""

    __pydantic_config__ = STRICT
    purpose: Purpose | PurposeGroup
    max_form: Form
    audience: tuple[Audience, ...]
    named_recipients: tuple[Text, ...] = ()
    named_publication_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLevel:
    """One box that a patient can tick, in the form's own words, and everything it agrees to."""

    __pydantic_config__ = STRICT
    label: Text
    scopes: tuple[FormScope, ...]

    @property
    def names_a_publication(self) -> bool:
        """Tell whether the level needs the name of a publication."""
        return any(scope.named_publication_required for scope in self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentForm:
    """A form in one version; ``levels`` from the narrowest to the widest, as the file has them."""

    __pydantic_config__ = STRICT
    title: Text
    version: Text
    levels: dict[Key, FormLevel]


def form_faults(forms: Mapping[str, ConsentForm]) -> tuple[str, ...]:
    """Return what is wrong with the forms; empty never means yes."""
    return tuple(
        f"forms.{form_id}{fault}" for form_id, form in forms.items() for fault in (*_empty(form), *_level_faults(form))
    )


def _empty(form: ConsentForm) -> Iterator[str]:
    if not form.levels:
        yield ": a form needs at least one level"


def _level_faults(form: ConsentForm) -> Iterator[str]:
    for name, level in form.levels.items():
        yield from (f".levels.{name}: {fault}" for fault in _scope_faults(level))


def _scope_faults(level: FormLevel) -> Iterator[str]:
    if not level.scopes:
        yield "a level needs at least one scope"
    for purpose, count in Counter(scope.purpose for scope in level.scopes).items():
        if count > 1:
            yield f"{purpose} is there {count} times; write it once"
    for scope in level.scopes:
        if not scope.audience:
            yield f"{scope.purpose}: audience is empty; say who may receive"
        for audience in FORBIDDEN_AUDIENCES & set(scope.audience):
            yield f"{scope.purpose}: audience {audience} may never receive"
        if purposes_named(frozenset({scope.purpose})) & PUBLIC and not _named(scope):
            yield f"{scope.purpose}: publication needs a named use; set named_publication_required = true"


def _named(scope: FormScope) -> bool:
    return scope.named_publication_required or bool(scope.named_recipients)


def narrowings(form: ConsentForm) -> tuple[str, ...]:
    """Say where a level takes away what the one before it gave; that may be meant, but hardly ever is."""
    pairs = zip(form.levels.items(), tuple(form.levels.items())[1:], strict=False)
    return tuple(
        f"level {name} leaves out {purpose}, which level {before} has"
        for (before, narrow), (name, wide) in pairs
        for purpose in sorted(_reach(narrow.scopes) - _reach(wide.scopes))
    )


def _reach(scopes: Iterable[FormScope]) -> frozenset[Purpose]:
    return purposes_named(frozenset(scope.purpose for scope in scopes))


def level_of(
    forms: Mapping[str, ConsentForm], form_id: str, level_id: str, version: str | None = None
) -> tuple[ConsentForm, FormLevel]:
    """Return the form and its level; ``version`` is the one the patient signed, when it is known.

    Raises:
        UnknownFormError: there is no such form or level, or the form is there in another version.
    """
    if (form := forms.get(form_id)) is None:
        raise UnknownFormError(f"policy.toml has no form {form_id!r}; it has: {', '.join(forms) or 'none'}.")
    if version not in (None, form.version):
        raise UnknownFormError(
            f"policy.toml has form {form_id} in version {form.version}, not in the one that was signed.",
            remedy="Another version may mean other things: write the terms out, or add that version as its own form.",
        )
    if (level := form.levels.get(level_id)) is None:
        raise UnknownFormError(f"Form {form_id} has no level {level_id!r}; it has: {', '.join(form.levels)}.")
    return form, level
