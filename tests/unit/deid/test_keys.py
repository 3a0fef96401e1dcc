"""Keys from files, the environment or a command; one a domain, for years; a retired one makes no pseudonym."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orthanc_plugin.deid.keys import FIRST, CommandKey, EnvironmentKey, FileKey, KeyRing, KeySource, make_key
from orthanc_plugin.errors import ConfigurationError

DIGITS = "ab" * 32


def printing(text: str, *, status: int = 0, seconds: int = 10, wait: int = 0) -> CommandKey:
    script = f"import sys, time; time.sleep({wait}); print({text!r}); sys.stderr.write({DIGITS!r}); sys.exit({status})"
    return CommandKey((sys.executable, "-c", script), seconds)


@pytest.fixture
def file(tmp_path: Path) -> FileKey:
    path = tmp_path / "a.key"
    path.write_text(DIGITS)
    path.chmod(0o600)
    return FileKey(path)


def test_a_key_is_the_same_wherever_it_is_kept(file: FileKey) -> None:
    sources: tuple[KeySource, ...] = (file, EnvironmentKey("KEY", {"KEY": f" {DIGITS}\n"}), printing(DIGITS))
    assert {source.read() for source in sources} == {bytes.fromhex(DIGITS)}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (EnvironmentKey("KEY", {}), "KEY is no key"),
        (EnvironmentKey("KEY", {"KEY": DIGITS[2:]}), "64 hexadecimal digits"),
        (printing("nothing"), "printed something else"),
        (printing(DIGITS, status=3), "exit status 3"),
        (printing(DIGITS, wait=30, seconds=1), "TimeoutExpired"),
        (CommandKey(("/no/such/command", DIGITS), 1), "FileNotFoundError"),
        (FileKey(Path("/no/such/file")), "can't be used"),
    ],
    ids=["unset", "short", "other words", "failed", "too slow", "no command", "no file"],
)
def test_where_there_is_no_key_the_reason_is_told_and_no_digit_of_one(source: KeySource, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        source.read()
    assert DIGITS[:16] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "remedy"),
    [
        (DIGITS[2:], 0o600, "openssl rand"),
        ("00" * 32, 0o600, "openssl rand"),
        ("nothing", 0o600, "openssl rand"),
        (DIGITS, 0o640, "chmod 600"),
    ],
    ids=["short", "zeros", "other words", "open to others"],
)
def test_a_key_file_that_can_t_be_used_says_what_to_do(tmp_path: Path, text: str, mode: int, remedy: str) -> None:
    path = tmp_path / "a.key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=remedy) as caught:
        FileKey(path).read()
    assert DIGITS[:16] not in str(caught.value)


def test_no_shell_reads_the_command() -> None:
    with pytest.raises(ConfigurationError):
        CommandKey(("echo " + DIGITS,), 5).read()
    assert CommandKey(("echo", DIGITS), 5).read() == bytes.fromhex(DIGITS)


def test_neither_a_key_nor_its_source_shows_it(file: FileKey) -> None:
    ring = KeyRing({FIRST: file}, {})
    assert DIGITS not in repr((ring.key(FIRST), EnvironmentKey("KEY", {"KEY": DIGITS})))
    assert repr(bytes.fromhex(DIGITS)) not in repr(ring.key(FIRST))
    assert ring.key(FIRST).mark not in DIGITS


def test_a_domain_keeps_its_key_when_another_domain_gets_a_new_one(file: FileKey, tmp_path: Path) -> None:
    make_key(tmp_path / "new.key")
    sources = {FIRST: file, "2027": FileKey(tmp_path / "new.key")}
    before, after = KeyRing(sources, {}), KeyRing(sources, {"trial": "2027"})
    assert before.of("teaching") == after.of("teaching")
    assert (after.of("trial").name, after.of("trial") == before.of("trial")) == ("2027", False)
    assert after.of("trial").mark != after.of("teaching").mark


def test_a_key_is_read_once(file: FileKey) -> None:
    ring = KeyRing({FIRST: file}, {})
    first = ring.of("teaching")
    file.path.unlink()
    assert ring.of("teaching") is first


@pytest.mark.parametrize(
    ("domains", "retired", "words"),
    [({}, {FIRST}, "which is retired"), ({"teaching": "2027"}, set(), "settings.toml doesn't have")],
)
def test_a_domain_without_a_key_to_use_gets_no_pseudonyms(
    domains: dict[str, str], retired: set[str], words: str, file: FileKey
) -> None:
    ring = KeyRing({FIRST: file}, domains, frozenset(retired))
    with pytest.raises(ConfigurationError, match=words) as caught:
        ring.of("teaching")
    assert "[pseudonym_keys]" in str(caught.value)
