"""Every way to a recipient says of itself whether it is TLS; what policy demands is held against that."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from orthanc_plugin.archive.folder import FolderExport
from orthanc_plugin.archive.otherorthanc import OtherOrthanc
from orthanc_plugin.archive.storescu import StoreScu
from orthanc_plugin.archive.stow import StowScu
from orthanc_plugin.archive.upperlayer import Peer
from orthanc_plugin.archive.webline import Server, tls_context


@pytest.mark.parametrize("kind", [StowScu, OtherOrthanc])
def test_a_server_is_sent_to_by_tls_or_in_clear(kind: type[StowScu | OtherOrthanc]) -> None:
    assert kind(Server(url="https://a.example", tls=tls_context())).secured
    assert kind(Server(url="https://a.example", tls=tls_context(pin="0" * 64), pin="0" * 64)).secured
    assert not kind(Server(url="http://127.0.0.1")).secured


def test_a_node_whose_certificate_nobody_checks_is_no_secure_channel() -> None:
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    for tls, secured in ((None, False), (unchecked, False), (ssl.create_default_context(), True)):
        peer = Peer(aet="A", host="a.example", port=104, calling="US", seconds=1, tls=tls)
        assert StoreScu(peer).secured is secured


def test_a_medium_that_is_carried_away_has_no_channel(tmp_path: Path) -> None:
    assert not FolderExport(tmp_path).secured
