"""A real OpenLDAP server of a test's own: its port, its folder, its database, its process."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from gatekit.demo.gateway import free_port
from tests.support.tls import certificate_for

SLAPD = Path("/usr/sbin/slapd")
BASE = "dc=example,dc=com"
READER = f"cn=gatekit,ou=services,{BASE}"
READER_PASSWORD = "reader password"

_CONFIGURATION = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
pidfile {folder}/slapd.pid
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
{extra}
database mdb
suffix "{base}"
rootdn "cn=admin,{base}"
rootpw admin
directory {folder}/db
index objectClass,uid,entryUUID,member eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by anonymous auth by * none
overlay memberof
"""

_SEED = f"""
dn: {BASE}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{BASE}
objectClass: organizationalUnit
ou: groups

dn: ou=services,{BASE}
objectClass: organizationalUnit
ou: services

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: gatekit
userPassword: {READER_PASSWORD}
"""


def person(uid: str, password: str, **more: str) -> str:
    """LDIF of somebody below ``ou=people``."""
    facts = {"cn": uid.title(), "sn": uid.title(), "mail": f"{uid}@example.com", **more}
    lines = [f"{name}: {value}" for name, value in facts.items()]
    head = [f"dn: uid={uid},ou=people,{BASE}", "objectClass: inetOrgPerson", f"uid: {uid}"]
    return "\n".join([*head, *lines, f"userPassword: {password}"])


def group(name: str, *members: str) -> str:
    """LDIF of a group; ``members`` are DNs."""
    head = [f"dn: cn={name},ou=groups,{BASE}", "objectClass: groupOfNames", f"cn: {name}"]
    return "\n".join([*head, *(f"member: {member}" for member in members)])


def user_dn(uid: str) -> str:
    return f"uid={uid},ou=people,{BASE}"


def group_dn(name: str) -> str:
    return f"cn={name},ou=groups,{BASE}"


class Slapd:
    """``ldap://`` with StartTLS on ``url``, ``ldaps://`` on ``tls_url``; ``chain``: the authority's file."""

    def __init__(self, folder: Path, *entries: str, extra: str = "") -> None:
        self.folder = folder
        (folder / "db").mkdir(parents=True)
        self.chain, key = certificate_for(
            "127.0.0.1", folder
        )  # libldap puts the host's own name for localhost
        port, tls_port = free_port(0), free_port(0)
        self.url, self.tls_url = f"ldap://127.0.0.1:{port}", f"ldaps://127.0.0.1:{tls_port}"
        self._ports = (port, tls_port)
        self._configuration = folder / "slapd.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=folder, chain=self.chain, key=key, base=BASE, reader=READER, extra=extra
            ),
            encoding="utf-8",
        )
        seed = folder / "seed.ldif"
        seed.write_text("\n\n".join([_SEED.strip(), *entries]) + "\n", encoding="utf-8")
        self._run("slapadd", "-f", str(self._configuration), "-l", str(seed))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it listens."""
        assert SLAPD.is_file(), "run scripts/install-directories"
        with (self.folder / "out.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(SLAPD), "-d", "0", "-f", str(self._configuration), "-h", f"{self.url} {self.tls_url}"],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 10
        for port in self._ports:
            while not _listens(port):
                assert self._process.poll() is None, (self.folder / "out.log").read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def modify(self, ldif: str) -> None:
        """As the directory's administrator, with the distribution's own client."""
        self._run(
            "ldapmodify", "-x", "-H", self.url, "-D", f"cn=admin,{BASE}", "-w", "admin", stdin=ldif + "\n"
        )

    def _run(self, *command: str, stdin: str = "") -> None:
        run = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            env={"PATH": "/usr/sbin:/usr/bin"},
        )
        assert run.returncode == 0, run.stderr


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
