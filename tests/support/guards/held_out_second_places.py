"""Where people leave a credential: files, commands, logs, code, chats. For the second held-out corpus.

In a place ``§V`` is the value, ``§N`` its setting as an environment variable, ``§S`` the same in snake case,
``§C`` in camel case, ``§P`` with dots, ``§W`` what people call it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Maker = tuple[str, str, str, str]
"""(Family, what people call it, name of its environment variable, template of the value)."""

NAMED = (
    "# staging\nLOG_LEVEL=info\n§N=«§V»\nTZ=Europe/Berlin\n",
    '{\n  "retries": 3,\n  "§C": "«§V»",\n  "timeout": 30\n}\n',
    "2026-05-19T07:41:12Z DEBUG settings loaded §N=«§V» source=environment",
    "hi @dana, here is the §W for the demo: «§V» (works until friday)",
    'import os\n\nos.environ["§N"] = "«§V»"\nmain()\n',
    "## Setup\n\nThe §W is `«§V»`. Put it into `§N`.\n",
    "docker run -d --name worker -e §N=«§V» registry.lumenshop.io/worker:1.8",
    "integration:\n  enabled: true\n  §S: «§V»\n  retries: 5\n",
    'NODE_ENV=production\n§N="«§V»"\n',
    'apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\nstringData:\n  §N: "«§V»"\n',
    '{"mcpServers": {"tool": {"command": "npx", "args": ["-y", "tool-mcp"], "env": {"§N": "«§V»"}}}}',
    "@@ -3,2 +3,3 @@\n HOST=api.lumenshop.io\n+§N=«§V»\n PORT=443\n",
    "export const settings = { §C: '«§V»', debug: false };\n",
    "export §N='«§V»' && make deploy\n",
    "app.name=shop\n§P=«§V»\napp.port=8080\n",
    '§S = "«§V»"\nregion     = "eu-central-1"\n',
    '    private static final String §N = "«§V»";\n',
    '{"level":"debug","msg":"outgoing request","§S":"«§V»","ms":41}',
    "| Service | Credential |\n|---|---|\n| §W | `«§V»` |\n",
    "    environment:\n      §N: «§V»\n      WORKERS: 4\n",
    '<appSettings>\n  <add key="§N" value="«§V»" />\n</appSettings>\n',
    "[worker]\nthreads = 2\n§S = «§V»\n",
    "C:\\> set §N=«§V»\nC:\\> npm start\n",
    "Hallo Jonas,\n§W für den Testserver: «§V»\nGruß, Mia",
)
"""Places that give the setting's name beside the value."""

BARE = (
    "curl -sS https://api.lumenshop.io/v1/me -H 'Authorization: Bearer «§V»'",
    '{"ok": true, "data": {"id": 71, "token": "«§V»", "scopes": ["read"]}}',
    "DEBUG send: b'GET /v1/me HTTP/1.1\\r\\nAuthorization: Bearer «§V»\\r\\nAccept: */*\\r\\n\\r\\n'",
    "can someone check why «§V» gives me a 403 since this morning?",
    '    client = Client(token="«§V»", region="eu")\n',
    "### Steps to reproduce\n1. sign in with `«§V»`\n2. open the list\n",
    "$ tool login --token «§V»\nLogged in as ci-bot.\n",
    "WARN rejected credential «§V»: scope missing",
    "https://api.lumenshop.io/export?format=csv&access_token=«§V»",
    "INSERT INTO integrations (id, name, token) VALUES (7, 'prod', '«§V»');",
)
"""Places without that name: a value there is known by its own mark only."""


def placed(makers: Sequence[Maker], places: Sequence[str], each: int) -> Iterator[tuple[str, str]]:
    """(Family, template) for every maker in ``each`` of the places, taken in turn."""
    for at, (kind, words, name, value) in enumerate(makers):
        for step in range(each):
            place = places[(at * each + step) % len(places)]
            yield kind, _put(place, words, name, value)


def _put(place: str, words: str, name: str, value: str) -> str:
    first, *rest = name.lower().split("_")
    forms = {
        "§N": name,
        "§S": name.lower(),
        "§P": name.lower().replace("_", "."),
        "§C": first + "".join(map(str.capitalize, rest)),
        "§W": words,
        "§V": value,
    }
    for mark, text in forms.items():
        place = place.replace(mark, text)
    return place
