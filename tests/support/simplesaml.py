"""SimpleSAMLphp as the identity provider, under PHP's own web server.

With folders of a test's own: nothing of the system's is changed and no service is started.
"""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lxml import etree

from gatekit.demo.gateway import free_port
from tests.support.saml import DS, Keys, keys

ROOT = Path("/usr/share/simplesamlphp")
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
PEOPLE: Mapping[str, Mapping[str, Sequence[str]]] = {
    "alice": {
        "uid": ["alice"],
        "mail": ["alice@example.com"],
        "displayName": ["Alice A"],
        "groups": ["eng", "admins"],
    },
    "mallory": {"uid": ["mallory"], "mail": ["mallory@example.com"], "groups": ["guests"]},
}


class SimpleSaml:
    """One provider. Started and stopped by the test."""

    def __init__(self, folder: Path) -> None:
        assert (ROOT / "www").is_dir(), "run scripts/install-directories"
        self.folder = folder
        self.port = free_port(0)
        self.base = f"http://127.0.0.1:{self.port}/"
        self.entity = f"{self.base}idp"
        self.metadata = f"{self.base}saml2/idp/metadata.php"
        self.pair: Keys = keys("simplesamlphp")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        for name in ("cert", "log", "data", "tmp", "metadata"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "cert" / "idp.key").write_bytes(self.pair.private_pem)
        (self.folder / "cert" / "idp.crt").write_bytes(self.pair.pem)
        self._php("config.php", "config", self._config())
        sources: dict[str, Any] = {"example-userpass": {0: "exampleauth:UserPass"}}
        for name, attributes in PEOPLE.items():
            sources["example-userpass"][f"{name}:{name}pw"] = attributes
        self._php("authsources.php", "config", sources)
        self._php("metadata/saml20-idp-hosted.php", "metadata", {self.entity: self._idp()})
        self._php("metadata/saml20-sp-remote.php", "metadata", {})
        environment = {
            **os.environ,
            "SIMPLESAMLPHP_CONFIG_DIR": str(self.folder),
            "PHP_CLI_SERVER_WORKERS": "2",
        }
        with (self.folder / "log" / "php.log").open("wb") as said:
            self._process = subprocess.Popen(
                ["php", "-d", "error_reporting=0", "-S", f"127.0.0.1:{self.port}", "-t", str(ROOT / "www")],
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(self.metadata, timeout=10) as answer:
                    assert b"EntityDescriptor" in answer.read()
                return
            except OSError:
                assert time.monotonic() < deadline, (self.folder / "log" / "php.log").read_text()[-2000:]
                time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, 15)  # PHP's workers are its own children
            self._process.wait(20)
            self._process = None

    def knows(self, gateways: Mapping[str, Mapping[str, Any]]) -> None:
        """Trust our side: the address of our metadata → what is special about this one."""
        self._php(
            "metadata/saml20-sp-remote.php",
            "metadata",
            {url: _service(url) | dict(special) for url, special in gateways.items()},
        )

    def _config(self) -> dict[str, Any]:
        folder = self.folder
        return {
            "baseurlpath": self.base,
            "certdir": f"{folder}/cert/",
            "loggingdir": f"{folder}/log/",
            "datadir": f"{folder}/data/",
            "tempdir": f"{folder}/tmp",
            "metadatadir": f"{folder}/metadata/",
            "attributenamemapdir": "/etc/simplesamlphp/attributemap/",
            "technicalcontact_name": "Test",
            "technicalcontact_email": "test@example.com",
            "secretsalt": "a salt for tests, and for nothing else",
            "auth.adminpassword": "a password for tests, and for nothing else",
            "admin.checkforupdates": False,
            "trusted.url.domains": None,  # any, for ReturnTo
            "logging.handler": "file",
            "logging.level": 7,
            "enable.saml20-idp": True,
            "module.enable": {"exampleauth": True, "core": True, "saml": True},
            "session.cookie.secure": False,
            "session.cookie.samesite": "Lax",
            "session.phpsession.savepath": f"{folder}/tmp",
            "session.phpsession.cookiename": "SimpleSAML",
            "session.phpsession.httponly": True,
            "store.type": "phpsession",
            "language.default": "en",
            "language.cookie.secure": False,
            "language.cookie.samesite": "Lax",
            "language.available": ["en"],
            "production": True,
            "metadata.sources": [{"type": "flatfile"}],
            "authproc.idp": {},
        }

    def _idp(self) -> dict[str, Any]:
        return {
            "host": "__DEFAULT__",
            "privatekey": "idp.key",
            "certificate": "idp.crt",
            "auth": "example-userpass",
            "signature.algorithm": SHA256,
            "sign.logout": True,
            "redirect.sign": True,
            "validate.authnrequest": True,
            "NameIDFormat": PERSISTENT,
            "authproc": {
                3: {"class": "saml:AttributeNameID", "attribute": "uid", "Format": PERSISTENT},
            },
        }

    def _php(self, name: str, variable: str, value: Any) -> None:
        draft = self.folder / f"{name}.new"
        # A reader in another process must never see half of it, and PHP must not keep the old one.
        draft.write_text(f"<?php\n${variable} = {_literal(value)};\n", encoding="utf-8")
        draft.replace(self.folder / name)


def _service(url: str) -> dict[str, Any]:
    """What PHP has to know of us, from our metadata."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        root = etree.fromstring(answer.read())
    certificates = [
        {
            "type": "X509Certificate",
            "signing": descriptor.get("use") == "signing",
            "encryption": descriptor.get("use") == "encryption",
            "X509Certificate": descriptor.findtext(f".//{{{DS}}}X509Certificate"),
        }
        for descriptor in root.iter("{*}KeyDescriptor")
    ]
    return {
        "AssertionConsumerService": root.find(".//{*}AssertionConsumerService").get("Location"),
        "SingleLogoutService": root.find(".//{*}SingleLogoutService").get("Location"),
        "NameIDFormat": PERSISTENT,
        "keys": certificates,
    }


def _literal(value: Any) -> str:
    """As PHP writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "[" + ", ".join(f"{_literal(k)} => {_literal(v)}" for k, v in value.items()) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
