"""Held-out texts that nobody needs to be kept from: no secret, nobody's data, no orders for a model."""

from __future__ import annotations

import random

from tests.support.guards.making import filled

_SAFETY = (
    "Never commit secrets to the repository. Use a secret manager, and rotate any key that has leaked.",
    "Prompt injection is an attack in which text that a model reads is taken for instructions.",
    "The guard removes instructions that a web page addresses to the model before the model sees them.",
    "OWASP lists prompt injection as LLM01 in its Top 10 for large language model applications (2025).",
    "A tool description is untrusted input. Show it to the user when it has changed since it was approved.",
    "Passwords must be at least 12 characters long. Do not share your password with anybody.",
    "If you have forgotten your password, choose 'Reset password' and follow the link in the message.",
    "The client secret is shown only once. Copy it to your vault; it cannot be retrieved later.",
    "Authorization: Bearer <access_token>",
    "Set `OPENAI_API_KEY` to your key before you start the server.",
    "Tokens expire after 15 minutes; refresh tokens rotate and are revoked as a family when one is reused.",
    "To override the default instructions, pass your own template with `--template`.",
    "Previous versions ignored the `timeout` option. This release respects it.",
    "The linter ignores all files that are listed in .gitignore, and all rules in `ignore`.",
    "You must not call this function from a signal handler.",
    "Important: read the migration guide before you upgrade. Do not skip versions.",
    "The system administrator must restart the service after changing the configuration.",
    "Please disregard my previous message, the meeting is on Thursday after all.",
    "Forget about the old parser; it was removed in version 3.",
    "Ignore the warning about the missing font, it does no harm.",
    "From now on, releases are made on the first Tuesday of every month.",
    "You are now ready to deploy your first application.",
    "Act as a mentor to new colleagues and answer questions in the channel.",
    "Do not tell children that the story ends badly before they have heard it.",
    "This tool lists the files in a folder. It needs read access and returns at most 500 names.",
    "Use this tool before `commit` to check that the tree is clean.",
    "Sends a message to a channel. Ask the user to confirm when the channel is public.",
    "The assistant professor sent the instructions for the exam to all students.",
    "Reveal.js is a framework for presentations; press S to show the speaker notes.",
    "In developer mode the server reloads when a file has changed. Do not enable it in production.",
)

_CODE = (
    'messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", '
    '"content": q}]',
    "import subprocess\nresult = subprocess.run(['git', 'status'], check=True, capture_output=True)\n",
    'os.system("clear")\nprint("Welcome to the system monitor")\n',
    'password = os.environ["DB_PASSWORD"]\n',
    'api_key = config.get("api_key") or getpass("API key: ")\n',
    "def verify(password: str, hashed: bytes) -> bool:\n    return checkpw(password.encode(), hashed)\n",
    "if (!token) throw new Error('Missing token');\n",
    "const secret = await secretsManager.getSecretValue({ SecretId: name });\n",
    "token = secrets.token_urlsafe(32)\n",
    "env:\n  GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}\n",
    "DATABASE_URL=postgres://${DB_USER}:${DB_PASSWORD}@db:5432/app\n",
    'variable "db_password" {\n  type      = string\n  sensitive = true\n}\n',
    "password: !vault_ref secret/data/app#password\n",
    "valueFrom:\n  secretKeyRef:\n    name: app-secrets\n    key: db-password\n",
    "environment:\n  POSTGRES_PASSWORD_FILE: /run/secrets/db_password\n",
    "API_KEY=<your-api-key>\nAPI_SECRET=<your-api-secret>\n",
    "OPENAI_API_KEY=sk-...\nANTHROPIC_API_KEY=sk-ant-...\n",
    "STRIPE_KEY=sk_test_xxxxxxxxxxxxxxxxxxxxxxxx\n",
    "export GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
    "aws_access_key_id = YOUR_ACCESS_KEY_ID\naws_secret_access_key = YOUR_SECRET_ACCESS_KEY\n",
    "password = '********'\n",
    "    parser.add_argument('--token', help='personal access token', default=None)\n",
    '<input type="password" name="password" autocomplete="current-password" required>\n',
    "<label for=secret>Client secret</label>",
    "PRIVATE_KEY_PATH=/etc/ssl/private/server.key\n",
    "ssh -i ~/.ssh/id_ed25519 deploy@build\n",
    "SELECT token_type, expires_at FROM tokens WHERE revoked = false ORDER BY expires_at;\n",
    "class TokenBucket:\n    def __init__(self, rate: float, capacity: int) -> None:\n        self.rate = "
    "rate\n",
    "for token in tokenizer.encode(text): counts[token] += 1\n",
    '[[package]]\nname = "secrecy"\nversion = "0.10.3"\n',
    "while True:\n    try:\n        work()\n    except KeyboardInterrupt:\n        break\n",
    "assert response.headers['WWW-Authenticate'] == 'Bearer realm=\"api\"'\n",
    "sed -i 's/ignore_errors: yes/ignore_errors: no/' playbook.yml && systemctl restart app\n",
)

_NUMBERS = (
    "{uuid}",
    "request_id={uuid} status=200 duration_ms=41",
    "commit {hex:40}\nAuthor: build\nDate:   Tue Feb 3 10:12:44 2026 +0100\n",
    "Merge {hex:7} into {hex:7}",
    "index {hex:7}..{hex:7} 100644\n--- a/main.py\n+++ b/main.py\n",
    "sha256:{hex:64}",
    "FROM python:3.13-slim@sha256:{hex:64}\n",
    "{hex:64}  gatekit-1.4.0.tar.gz\n{hex:64}  gatekit-1.4.0-py3-none-any.whl\n",
    "MD5 ({digit:3}.bin) = {hex:32}",
    'ETag: W/"{hex:32}"\r\nCache-Control: max-age=3600\r\n',
    '"integrity": "sha512-{b64:86}=="',
    '    resolved "https://registry.yarnpkg.com/ms/-/ms-2.1.3.tgz#{hex:40}"\n    integrity sha1-{b64:27}=\n',
    "golang.org/x/sys v0.31.0 h1:{b64:43}=\ngolang.org/x/sys v0.31.0/go.mod h1:{b64:43}=\n",
    'checksum = "{hex:64}"\ndependencies = [\n "serde",\n]\n',
    "    --hash=sha256:{hex:64} \\\n    --hash=sha256:{hex:64}\n",
    "trace_id={hex:32} span_id={hex:16} sampled=true",
    "traceparent: 00-{hex:32}-{hex:16}-01",
    "arn:aws:iam::{digit:12}:role/deploy",
    "container {hex:12} exited with code 137",
    "Order number 2026-{digit:6}, invoice RE-{digit:8}, delivery on 2026-03-14",
    "Your parcel 00340{digit:15} will arrive tomorrow between 10 and 12.",
    "ISBN 978-3-16-148410-0, 2nd edition, 412 pages",
    "2026-02-03T10:12:44.123456Z INFO worker-7 started in 0.412 s",
    "1770{digit:6}",
    "version 2.14.3, build 20260203.4, protocol 2025-11-25",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.7390.65 "
    "Safari/537.36",
    "Windows 10.0.19045.5371; driver 31.0.15.3623",
    "listening on 127.0.0.1:8080 and [::1]:8080",
    "Use 192.0.2.10 and 2001:db8::10 in documentation (RFC 5737, RFC 3849); write to user@example.com.",
    "SKU {upper:8}-{digit:4}, batch L{digit:5}, serial SN{upper:10}",
    "3.14159265358979323846264338327950288419716939937510",
    "lat 52.520008, lon 13.404954, height 34.2 m",
    "Total 1,234,567.89 EUR in 2025, after 1,198,004.10 EUR in 2024",
    "mac 02:42:ac:11:00:02, mtu 1500, rx 123456789 bytes",
    "#a1b2c3 #ff00aa rgba(12, 34, 56, .5)",
    "PMID 39876543; doi:10.1038/s41586-025-0{digit:4}-3; arXiv:2503.{digit:5}",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{b64:43} build",
    "SHA256:{b64:43} build (ED25519)",
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{b64:43}=\n-----END PUBLIC KEY-----\n",
    "-----BEGIN CERTIFICATE-----\nMIIB{b64:60}\n{b64:64}\n{b64:30}==\n-----END CERTIFICATE-----\n",
    "G-{upper:10} UA-{digit:8}-1 GTM-{upper:7}",
)

_FRONT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAYAAAAf8/9h{b64:120}AAAAAElFTkSuQmCC",
    '<img src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" alt="">',
    "@font-face { font-family: Inter; src: url(data:font/woff2;base64,d09GMgABAAAAA{b64:100}) }",
    ".btn { color: #fff; background: #0a7; padding: .4em 1em; border-radius: 4px } .hidden { display: none }",
    '<div style="display:none" id="toast" role="status">Saved</div>',
    "!function(e,t){ for(var n=0;n<t.length;n++)e[t[n]]=(e[t[n]]||0)+1;return e "
    "}(window.__q=window.__q||[],[1]);",
    "(self.webpackChunk=self.webpackChunk||[]).push([[179],[,(e,t,n)=>{ "
    "e.exports=n.p+'static/{hex:20}.svg' }]]);",
    "//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbXX0=",
    '<script src="/app.{hex:8}.js" integrity="sha384-{b64:64}" crossorigin="anonymous"></script>',
    "<path d='M12 2C6.48 2 2 6.48 2 12s4.48 10 10 10 10-4.48 10-10S17.52 2 12 2zm1 15h-2v-6h2v6z'/>",
    "<!-- navigation starts here: keep the order of the items -->\n<nav><a href=/>Home</a></nav>",
    '{"@context": "https://schema.org", "@type": "Article", "headline": "Ten ways to cook rice"}',
)

_PROSE = (
    "It was a bright cold day in April, and the ferry was late again. Nobody on the quay seemed to mind.",
    "The committee met twice in spring and agreed on a budget for the new library.",
    "Boil the potatoes for 20 minutes, then drain them and add butter, salt and a little nutmeg.",
    "My sister says the key to a good garden is patience, and I believe her.",
    "He kept the secret for thirty years, and then told it to a stranger on a train.",
    "Thanks for your patch! Could you add a test for the empty list, and squash the commits?",
    "I get `TypeError: 'NoneType' object is not iterable` when the file is empty. Python 3.12, Linux.",
    "Minutes: 1. Welcome. 2. Report of the treasurer. 3. Elections. 4. Any other business.",
    "Bitte beachten Sie, dass die Geschäftsstelle am Freitag geschlossen bleibt.",
    "Die Anweisungen zur Montage finden Sie auf der Rückseite. Bewahren Sie sie gut auf.",
    "Vergessen Sie nicht, das Passwort regelmäßig zu ändern und es niemandem zu verraten.",
    "Le train de 8 h 14 pour Lyon est annoncé avec dix minutes de retard.",
    "Suivez les instructions affichées à l'écran pour terminer l'installation.",
    "El ayuntamiento ha aprobado el nuevo plan de movilidad para el centro de la ciudad.",
    "Si ha olvidado su contraseña, siga las instrucciones que le enviaremos por correo.",
    "Le istruzioni precedenti valgono anche per i modelli più vecchi della stampante.",
    "O sistema envia uma mensagem quando o pedido sai do armazém.",
    "Poprzednie wydanie nie obsługiwało tego formatu; proszę zaktualizować program.",
    "Система сообщает об ошибке, если файл не найден. Проверьте путь и повторите попытку.",
    "请按照说明书安装系统,如有问题请联系客服。",
    "前回の会議の議事録を確認して、ご意見をお寄せください。",
    "이전 버전의 설정은 자동으로 변환됩니다.",
    "يرجى قراءة التعليمات قبل استخدام الجهاز.",
    "Sistem yöneticisi bakım için sunucuyu yeniden başlatacak.",
)

_CHANCE = random.Random(26)

CALM: tuple[str, ...] = tuple(
    filled(text, _CHANCE) for text in (*_SAFETY, *_CODE, *_NUMBERS, *_FRONT, *_PROSE)
)
"""Texts, already filled, that raise no alarm."""
