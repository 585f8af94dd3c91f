"""Second held-out corpus: credentials that are whole texts: URLs, keys in armour, files."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

_URLS = (
    ("url-postgres", "postgres://shop_rw:«{alnum:18}»@pg-primary.lumenshop.io:5432/orders"),
    ("url-mysql", "mysql://wp:«{alnum:14}»@10.20.0.7:3306/wordpress"),
    ("url-mongodb", "mongodb+srv://ingest:«{alnum:16}»@prod.{lower:5}.mongodb.net/events"),
    ("url-redis", "redis://:«{alnum:32}»@redis-master:6379/2"),
    ("url-rediss", "rediss://default:«{alnum:28}»@fly-cache.upstash.io:6379"),
    ("url-amqp", "amqp://celery:«{alnum:20}»@rabbit-1:5672/prod"),
    ("url-sqlserver", "sqlserver://reporting:«{alnum:17}»@mssql.lumenshop.io:1433?database=dwh"),
    ("url-basic", "https://deploy:«{alnum:24}»@nexus.lumenshop.io/repository/maven/"),
    ("url-git", "https://oauth2:«{alnum:26}»@git.lumenshop.io/platform/infra.git"),
    ("url-smtp", "smtps://alerts%40lumenshop.io:«{alnum:16}»@smtp.lumenshop.io:465"),
    ("url-sentry", "https://{hex:32}:«{hex:32}»@sentry.lumenshop.io/12"),
    ("webhook-slack", "https://hooks.slack.com/services/T0{upper:9}/B0{upper:9}/«{alnum:24}»"),
    ("webhook-slack-flow", "https://hooks.slack.com/triggers/T0{upper:9}/{digit:13}/«{hex:32}»"),
    ("webhook-discord", "https://discord.com/api/webhooks/{digit:19}/«{url:68}»"),
    (
        "webhook-teams",
        "https://prod-17.westeurope.logic.azure.com:443/workflows/{hex:32}/triggers/manual/paths/invoke"
        "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=«{url:43}»",
    ),
    (
        "webhook-google-chat",
        "https://chat.googleapis.com/v1/spaces/AAAA{url:7}/messages?key=AIzaSy{url:33}&token=«{url:43}»",
    ),
    ("webhook-dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=«{hex:64}»"),
    ("webhook-feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/«{uuid}»"),
    ("telegram-url", "https://api.telegram.org/bot«{digit:10}:AAH{url:32}»/sendMessage?chat_id=4471"),
    (
        "azure-sas",
        "https://media.blob.core.windows.net/raw?sp=racwl&st=2026-02-01T08:00:00Z&se=2026-12-31T16:00:00Z"
        "&spr=https&sv=2024-11-04&sr=c&sig=«{alnum:43}%3D»",
    ),
    (
        "aws-presigned",
        "https://dumps.s3.eu-west-1.amazonaws.com/full.sql.gz?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
        "X-Amz-Credential=AKIA{base32:16}%2F20260211%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date="
        "20260211T071500Z&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=«{hex:64}»",
    ),
    (
        "gcs-signed",
        "https://storage.googleapis.com/dumps/a.tar?X-Goog-Expires=900&X-Goog-Signature=«{hex:512}»",
    ),
    ("otp-seed", "otpauth://totp/Lumen:root?secret=«{base32:32}»&issuer=Lumen&digits=6"),
    (
        "azure-storage",
        "DefaultEndpointsProtocol=https;AccountName=lumenraw;AccountKey=«{b64:76}+ASt{b64:6}==»;"
        "EndpointSuffix=core.windows.net",
    ),
    (
        "azure-service-bus",
        "Endpoint=sb://lumen.servicebus.windows.net/;SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=«{b64:33}+ASb{b64:6}=»",
    ),
    (
        "azure-event-hub",
        "Endpoint=sb://lumen-eh.servicebus.windows.net/;SharedAccessKeyName=send;"
        "SharedAccessKey=«{b64:33}+AEh{b64:6}=»;EntityPath=clicks",
    ),
    (
        "azure-iot",
        "HostName=lumen-hub.azure-devices.net;DeviceId=pump-7;SharedAccessKey=«{b64:33}AIoT{b64:6}=»",
    ),
    (
        "connection-string",
        "Data Source=sql-02.lumenshop.io;Initial Catalog=Billing;User ID=billing;Password=«{alnum:19}»;",
    ),
    ("connection-jdbc", "jdbc:mysql://db-3:3306/hr?user=hr_app&password=«{alnum:18}»&useSSL=true"),
    (
        "connection-libpq",
        "host=pg-primary port=5432 dbname=orders user=etl password=«{alnum:16}» sslmode=require",
    ),
)

_AROUND = (
    "DEPLOY_TARGET=prod\nSERVICE_ENDPOINT=§V\nTHREADS=8\n",
    '{"name": "primary", "endpoint": "§V", "pool": 12}\n',
    "2026-06-03 04:17:55,120 ERROR worker[31]: connection failed: §V (timed out)",
    'subprocess.run(["bin/run", "--to", "§V"], check=True)\n',
    "It still fails for me. I use §V as in the runbook, is that right?",
    "1. Open a shell\n2. Enter `§V`\n3. Wait\n",
    "curl -fsS -o out.txt '§V'",
)


def _around(urls: Sequence[tuple[str, str]], each: int) -> Iterator[tuple[str, str]]:
    for at, (kind, url) in enumerate(urls):
        places = _AROUND if url.startswith("http") else _AROUND[:-1]
        for step in range(each):
            yield kind, places[(at + step) % len(places)].replace("§V", url)


def _armour(label: str, first: str, rows: int, head: str = "") -> str:
    """A private key of so many rows; ``first`` is how the encoding of its kind begins."""
    body = [f"{first}{{b64:{64 - len(first)}}}", *["{b64:64}"] * rows, "{b64:42}=="]
    return "\n".join((f"-----BEGIN {label}-----", *head.splitlines(), *body, f"-----END {label}-----"))


_ENCRYPTED = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{hex:32}\n\n"
_ARMOURED = (
    ("key-rsa", _armour("RSA PRIVATE KEY", "MIIEowIBAAKCAQEA", 23)),
    ("key-pkcs8", _armour("PRIVATE KEY", "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQ", 23)),
    (
        "key-encrypted",
        _armour("ENCRYPTED PRIVATE KEY", "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI", 24),
    ),
    ("key-rsa-encrypted", _armour("RSA PRIVATE KEY", "", 23, _ENCRYPTED)),
    ("key-ec", _armour("EC PRIVATE KEY", "MHcCAQEEI", 1)),
    ("key-dsa", _armour("DSA PRIVATE KEY", "MIIDVgIBAAKCAQEA", 16)),
    (
        "key-openssh",
        _armour("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAA", 5),
    ),
    ("key-pgp", _armour("PGP PRIVATE KEY BLOCK", "lIYEZ", 12, "Version: GnuPG v2\n\n")),
)


def _keys() -> Iterator[tuple[str, str]]:
    for kind, key in _ARMOURED:
        folded, indented = key.replace("\n", "\\n"), key.replace("\n", "\n    ")
        yield kind, f"$ cat id_backup\n«{key}»\n$ exit\n"
        yield kind, f'{{"server": "web-2", "tls": {{"key": "«{folded}»"}}}}'
        yield kind, f"tls:\n  enabled: true\n  key: |\n    «{indented}»\n"
        yield kind, f'TLS_PRIVATE_KEY="«{folded}»"\n'
        yield kind, f"Please install this on the new host:\n\n```\n«{key}»\n```\nThanks!"


def _basic(word: str) -> str:
    return base64.b64encode(f"ci-bot:{word}".encode()).decode()


_FILES = (
    ("service-account", '{"type": "service_account", "project_id": "lumen-eu", "private_key_id": "{hex:40}", '
     '"private_key": "«-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC{b64:32}\\n{b64:64}\\n'
     '{b64:64}\\n{b64:62}==\\n-----END PRIVATE KEY-----\\n»", "client_email": "ci@lumen-eu.iam"}'),
    ("service-account", 'gcp:\n  credentials: >-\n    {"type": "service_account", '
     '"private_key": "«-----BEGIN PRIVATE KEY-----'
     '\\nMIIEvgIBADANBgkqhkiG9w0BAQEFAASC{b64:32}\\n{b64:64}\\n{b64:40}==\\n-----END PRIVATE KEY-----»"}\n'),
    ("service-account", 'creds = {"client_id": "{digit:21}", "private_key": "«-----BEGIN PRIVATE KEY-----'
     '\\nMIIEvAIBADANBgkqhkiG9w0BAQEFAASC{b64:32}\\n{b64:64}\\n{b64:40}==\\n-----END PRIVATE KEY-----»"}\n'),
    ("aws-credentials", "[lumen-prod]\nregion = eu-west-1\naws_access_key_id = AKIA{base32:16}\n"
     "aws_secret_access_key = «{b64:40}»\n"),
    ("aws-credentials", '{"AccessKeyId": "ASIA{base32:16}", "SecretAccessKey": "«{b64:40}»"}'),
    ("aws-credentials", "aws configure set aws_secret_access_key «{b64:40}» --profile ci\n"),
    ("aws-session", "AWS_SESSION_TOKEN=«IQoJb3JpZ2luX2VjE{b64:400}=»\n"),
    ("aws-session", '{"Credentials": {"SessionToken": "«FwoGZXIvYXdzE{b64:380}==»"}}'),
    ("aws-session", "set AWS_SESSION_TOKEN=«IQoJb3JpZ2luX2VjE{b64:360}==»"),
    ("docker-config", '{"auths": {"ghcr.io": {"auth": "«' + _basic("W9rTq2xLm7Vb4Z") + '»"}}}'),
    ("docker-config", '{"auths": {"quay.io": {"username": "lumen+ci", "password": "«{upper:64}»"}}}'),
    ("docker-config", "docker login -u ci -p «{alnum:22}» registry.lumenshop.io\n"),
    ("npmrc", "registry=https://npm.lumenshop.io/\n//npm.lumenshop.io/:_authToken=«{uuid}»\n"),
    ("npmrc", "//npm.lumenshop.io/:_password=«{b64:30}==»\n//npm.lumenshop.io/:username=ci\n"),
    ("npmrc", "npm config set //npm.lumenshop.io/:_authToken «{alnum:40}»\n"),
    ("netrc", "machine api.lumenshop.io\n  login ci\n  password «{alnum:22}»\n"),
    ("netrc", "machine files.lumenshop.io login backup password «{alnum:16}»\n"),
    ("netrc", "$ cat ~/.netrc\ndefault login anna password «{alnum:13}»\n"),
    ("maven", "<server>\n  <username>ci</username>\n  <password>«{alnum:20}»</password>\n</server>"),
    ("maven", "mavenPassword=«{alnum:21}»\nmavenUser=ci\n"),
    ("maven", 'credentials {\n  username = "ci"\n  password = "«{alnum:18}»"\n}\n'),
    ("kubernetes-data", "kind: Secret\napiVersion: v1\ntype: Opaque\ndata:\n  password: «{b64:22}==»\n"),
    ("kubernetes-data", '{"kind": "Secret", "apiVersion": "v1", "data": {"db-password": "«{b64:31}=»"}}'),
    ("kubernetes-data", "kubectl create secret generic db --from-literal=password=«{alnum:18}»\n"),
    ("kubeconfig", "users:\n- name: ops\n  user:\n    token: «{jwthead}.{jwtpart}.{url:342}»\n"),
    ("kubeconfig", "- name: root\n  user:\n    client-key-data: «LS0tLS1CRUdJTiBSU0EgUFJ{b64:200}==»\n"),
    ("kubeconfig", "kubectl --token=«{jwthead}.{jwtpart}.{url:342}» get pods\n"),
    ("terraform", 'resource "random_user" "x" {\n  name     = "svc"\n  password = "«{alnum:20}»"\n}\n'),
    ("terraform", '{"type": "aws_db_instance", "values": {"user": "root", "password": "«{alnum:24}»"}}'),
    ("terraform", 'variable "admin_password" {\n  default = "«{alnum:17}»"\n}\n'),
    ("spring", "spring.datasource.username=app\nspring.datasource.password=«{alnum:17}»\n"),
    ("spring", "spring:\n  mail:\n    username: noreply\n    password: «{alnum:16}»\n"),
    ("spring", "server.ssl.key-store-password=«{alnum:12}»\n"),
    ("header-basic", "Authorization: Basic «" + _basic("n4Ez8Kq1YtBv") + "»\r\nHost: ci.lumenshop.io\r\n"),
    ("header-basic", "curl -H 'Authorization: Basic «" + _basic("Hu7_wPz3LdXc") + "»' https://ci.lumenshop.io/api"),
    ("header-basic", '{"headers": {"Authorization": "Basic «' + _basic("mG5sR0kVj9aT") + '»"}}'),
    ("command-user", "curl -u admin:«{alnum:16}» https://grafana.lumenshop.io/api/org"),
    ("command-user", "wget --user=anna --password=«{alnum:14}» https://files.lumenshop.io/a.zip"),
    ("command-user", "mongosh --host mongo-1 -u root -p «{alnum:15}» --authenticationDatabase admin"),
    ("command-user", "mysqldump --user=root --password=«{alnum:18}» --all-databases"),
    ("header-token", "X-Auth-Token: «{hex:40}»\r\nAccept: application/json\r\n"),
    ("header-token", "http GET api.lumenshop.io/v2/me 'X-API-Key:«{alnum:32}»'"),
    ("header-token", 'fetch(url, { headers: { "PRIVATE-TOKEN": "«{alnum:20}»" } })'),
    ("cookie-session", "Cookie: lang=de; PHPSESSID=«{lower:26}»; consent=1"),
    ("cookie-session", "Set-Cookie: connect.sid=«s%3A{url:32}.{alnum:43}»; Path=/; HttpOnly; SameSite=Lax"),
    ("cookie-session", "curl -b 'JSESSIONID=«{upper:32}»' https://wiki.lumenshop.io/rest/api/content"),
    ("cookie-session", "set-cookie: session_token=«{url:43}»; Secure; HttpOnly"),
    ("key-putty", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 2\n{b64:64}\n"
     "{b64:16}\nPrivate-Lines: 1\n«{b64:48}»\nPrivate-MAC: {hex:64}\n"),
    ("key-putty", "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\n«{b64:64}\n{b64:64}»\n"
     "Private-MAC: {hex:40}\n"),
    ("key-putty", "my ppk:\n\nPuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 1\n«{b64:60}==»\n"),
    ("key-wireguard", "[Interface]\nAddress = 10.44.0.3/24\nPrivateKey = «{b64:43}=»\nDNS = 10.44.0.1\n"),
    ("key-wireguard", "wg0:\n  private_key: «{b64:43}=»\n  listen_port: 51820\n"),
    ("key-wireguard", "[Peer]\nPublicKey = {b64:43}=\nPresharedKey = «{b64:43}=»\n"),
    ("key-jwk", '{"kty":"OKP","crv":"Ed25519","kid":"sig-2026","x":"{url:43}","d":"«{url:43}»"}'),
    ("key-jwk", '{"keys":[{"kty":"EC","crv":"P-256","x":"{url:43}","y":"{url:43}","d":"«{url:43}»"}]}'),
    ("key-jwk", '{"kty":"oct","alg":"HS256","k":"«{url:43}»"}'),
    ("token-response", '{"access_token":"«{url:64}»","token_type":"Bearer","expires_in":3600}'),
    ("token-response", '{"token_type":"Bearer","scope":"mail","refresh_token":"«{url:90}»"}'),
    ("token-response", "grant_type=client_credentials&client_id=portal&client_secret=«{url:40}»"),
    ("password-said", "The wifi password is «{alnum:12}» and the printer is on the third floor."),
    ("password-said", "user: root\npassword: «{alnum:14}»\n\nplease change it after the first login"),
    ("password-said", "Le mot de passe du compte de test est «{alnum:13}»."),
    ("password-said", "Passwort: «{alnum:8}-{alnum:5}»\nBenutzer: buchhaltung"),
    ("password-said", "パスワード:«{alnum:12}»"),
    ("password-said", "La contraseña de la base de datos es «{alnum:15}»"),
    ("ansible", "ansible_user: deploy\nansible_become_password: «{alnum:15}»\n"),
    ("ansible", "db-1 ansible_host=10.2.0.4 ansible_ssh_pass=«{alnum:14}»\n"),
    ("ansible", "vars:\n  vault_db_password: «{alnum:20}»\n"),
    ("code-password", 'db = pymysql.connect(host="db-3", user="hr", password="«{alnum:16}»")\n'),
    ("code-password", 'dataSource.setPassword("«{alnum:18}»");\n'),
    ("code-password", "$db = new PDO($dsn, 'root', '«{alnum:14}»');\n"),
    ("code-password", 'const pool = new Pool({ user: "api", password: "«{alnum:19}»" });\n'),
    ("code-password", 'NetworkCredential("svc-report", "«{alnum:15}»")\n'),
    ("snmp-ipsec", "snmp-server community «{alnum:14}» RO\n"),
    ("snmp-ipsec", "203.0.113.5 198.51.100.9 : PSK \"«{alnum:32}»\"\n"),
    ("snmp-ipsec", 'network={\n  ssid="Lumen"\n  psk="«{alnum:16}»"\n}\n'),
)  # fmt: skip

WHOLE: tuple[tuple[str, str], ...] = (*_around(_URLS, 4), *_keys(), *_FILES)
"""(Family, template)."""
