"""Labelled texts that were written without sight of the rules: what a rule finds here, it finds anywhere.

Formats are those that makers document in 2025 and 2026. A value that has no mark of its maker stands where
people put it: beside the name of the setting that its maker's documentation gives.
"""

from __future__ import annotations

import base64
import random

from tests.support.guards.held_out_numbers import PII
from tests.support.guards.held_out_orders import CALM, ORDERS

__all__ = ["CALM", "ORDERS", "PII", "SECRETS"]


def _pem(label: str, first: str, rows: int = 6, width: int = 64, head: str = "") -> str:
    """A private key in armour: ``first`` is how the encoding of such a key begins."""
    body = "\n".join([first + f"{{b64:{width - len(first)}}}", *[f"{{b64:{width}}}"] * rows, "{b64:38}=="])
    return f"-----BEGIN {label}-----\n{head}{body}\n-----END {label}-----"


def _basic(number: int) -> str:
    chance = random.Random(number)
    word = "".join(chance.choices("abcdefghkmnpqrstuvwxyzABCDEFGH23456789!#%", k=14))
    return base64.b64encode(f"deploy-{number}:{word}".encode()).decode()


_CLOUD = (
    ("aws-access-key", "AKIA{base32:16}"),
    ("aws-temporary-key", "ASIA{base32:16}"),
    ("aws-secret", "[default]\naws_access_key_id = AKIA{base32:16}\naws_secret_access_key = «{b64:40}»\n"),
    ("aws-secret", 'provider "aws" {\n  region     = "eu-west-1"\n  secret_key = "«{b64:40}»"\n}\n'),
    ("aws-session", "export AWS_SESSION_TOKEN=«IQoJb3JpZ2luX2Vj{b64:340}==»"),
    ("aws-bedrock", "ABSKQmVkcm9ja0FQSUtleS{b64:110}="),
    ("gcp-api-key", "AIza{url:35}"),
    ("gcp-oauth-secret", "GOCSPX-{url:28}"),
    ("gcp-access-token", "ya29.a0A{url:170}"),
    ("gcp-refresh-token", "'refresh_token': '«1//0{url:100}»'"),
    (
        "gcp-service-account",
        '{"type": "service_account", "project_id": "billing-7", "private_key_id": "{hex:40}", '
        '"private_key": "«-----BEGIN PRIVATE '
        "KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC{b64:32}\\n{b64:64}\\n"
        '{b64:64}\\n{b64:22}==\\n-----END PRIVATE KEY-----\\n»", "client_id": "{digit:21}"}',
    ),
    ("gemini", "GEMINI_API_KEY=«AQ.Ab8RN6{url:44}»"),
    ("azure-client-secret", "AZURE_CLIENT_SECRET=«{alnum:3}8Q~{url:34}»"),
    (
        "azure-storage",
        "DefaultEndpointsProtocol=https;AccountName=bills7;AccountKey=«{b64:76}+ASt{b64:6}==»;"
        "EndpointSuffix=core.windows.net",
    ),
    ("azure-cosmos", "AccountEndpoint=https://shop.documents.azure.com/;AccountKey=«{b64:76}ACDb{b64:6}==»;"),
    (
        "azure-service-bus",
        "Endpoint=sb://jobs.servicebus.windows.net/;SharedAccessKeyName=Root;"
        "SharedAccessKey=«{b64:33}+ASb{b64:6}=»",
    ),
    (
        "azure-sas",
        "https://a.blob.core.windows.net/x/a.csv?sv=2024-11-04&se=2027-01-01&sig=«{alnum:43}%3D»",
    ),
    ("azure-devops", "{alnum:52}JQQJ99BKACAAAAAAAAAAAAASAZDO{alnum:4}"),
    ("azure-openai", "AZURE_OPENAI_API_KEY=«{alnum:52}JQQJ99BKACYeBjFXJ3w3AAABACOG{alnum:4}»"),
    ("cloudflare", "cfut_{alnum:40}{hex:8}"),
    ("cloudflare", "cfat_{alnum:40}{hex:8}"),
    ("cloudflare", "CLOUDFLARE_API_TOKEN: «{url:40}»"),
    ("cloudflare-origin-ca", "v1.0-{hex:24}-{hex:146}"),
    ("digitalocean", "dop_v1_{hex:64}"),
    ("hetzner", "export HCLOUD_TOKEN='«{alnum:64}»'"),
    ("linode", "LINODE_TOKEN=«{hex:64}»"),
    ("vultr", "VULTR_API_KEY=«{upper:36}»"),
    ("scaleway", "SCW_ACCESS_KEY=SCW{upper:17}\nSCW_SECRET_KEY=«{uuid}»\n"),
    ("ovh", "[ovh-eu]\napplication_key={hex:16}\napplication_secret=«{hex:32}»\n"),
    (
        "alibaba",
        "ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5t{alnum:18}\nALIBABA_CLOUD_ACCESS_KEY_SECRET=«{alnum:30}»\n",
    ),
    ("tencent", "TENCENTCLOUD_SECRET_ID=AKID{alnum:32}\nTENCENTCLOUD_SECRET_KEY=«{alnum:32}»\n"),
    ("ibm-cloud", "IBMCLOUD_API_KEY=«{url:44}»"),
    ("yandex-cloud", "AQVN{url:36}"),
    ("heroku", "HRKU-AA{url:58}"),
    ("fly", 'FLY_API_TOKEN="FlyV1 «fm2_{b64:220}==»"'),
    ("render", "rnd_{alnum:32}"),
    ("railway", "RAILWAY_TOKEN=«{uuid}»"),
    ("vercel", "vercel deploy --prod --token «{alnum:24}»"),
    ("netlify", "nfp_{alnum:36}"),
)

_CODE = (
    ("github", "ghp_{alnum:36}"),
    ("github", "gho_{alnum:36}"),
    ("github", "ghs_{alnum:36}"),
    ("github", "github_pat_{alnum:22}_{alnum:59}"),
    ("github", "git remote set-url origin https://x-access-token:«ghu_{alnum:36}»@github.com/acme/site.git"),
    ("gitlab", "glpat-{url:20}"),
    ("gitlab", "glpat-{url:40}.01.{lower:9}"),
    ("gitlab", "gldt-{url:20}"),
    ("gitlab", "glrt-t1_{url:20}"),
    ("gitlab", "glptt-{hex:40}"),
    ("gitlab", "glcbt-64_{url:20}"),
    ("gitlab", "gloas-{hex:64}"),
    ("bitbucket", "ATBB{alnum:32}"),
    ("atlassian", "ATATT3xFfGF0{url:171}={upper:8}"),
    ("gitea", "GITEA_TOKEN=«{hex:40}»"),
    ("sourcegraph", "sgp_{hex:16}_{hex:40}"),
    ("npm", "//npm.acme.io/:_authToken=«npm_{alnum:36}»"),
    ("pypi", "[pypi]\nusername = __token__\npassword = «pypi-AgEIcHlwaS5vcmc{url:150}»\n"),
    ("rubygems", "rubygems_{hex:48}"),
    ("crates", "cio{alnum:32}"),
    ("docker-hub", "dckr_pat_{url:27}"),
    ("docker-hub", "dckr_oat_{url:32}"),
    ("docker-config", '{"auths": {"registry.acme.io": {"auth": "«' + _basic(3) + '»"}}}'),
    ("nuget", "oy2{lower:43}"),
    ("clojars", "CLOJARS_{hex:60}"),
    ("artifactory", "AKCp8{alnum:68}"),
    ("artifactory", "cmVmdGtu{alnum:56}"),
    ("circleci", "CCIPAT_{alnum:22}_{hex:40}"),
    ("buildkite", "bkua_{hex:40}"),
    ("codecov", "CODECOV_TOKEN=«{uuid}»"),
    ("sonarqube", "sqp_{hex:40}"),
    ("sonarqube", "squ_{hex:40}"),
    ("snyk", "SNYK_TOKEN: «{uuid}»"),
    ("jenkins", "curl -u ci-admin:«11{hex:32}» https://jenkins.acme.io/job/site/build"),
    ("octopus", "API-{upper:26}"),
    ("harness", "pat.{url:22}.{hex:24}.{alnum:20}"),
    ("terraform-cloud", "{alnum:14}.atlasv1.{alnum:67}"),
    ("pulumi", "pul-{hex:40}"),
    ("prefect", "pnu_{alnum:36}"),
    ("postman", "PMAK-{hex:24}-{hex:34}"),
)

_MODELS = (
    ("openai", "sk-proj-{url:74}T3BlbkFJ{url:74}"),
    ("openai", "sk-svcacct-{url:74}T3BlbkFJ{url:74}"),
    ("openai", "sk-{alnum:20}T3BlbkFJ{alnum:20}"),
    ("anthropic", "sk-ant-api03-{url:93}AA"),
    ("anthropic", "sk-ant-oat01-{url:93}AA"),
    ("groq", "gsk_{alnum:20}WGdyb3FY{alnum:24}"),
    ("xai", "xai-{alnum:80}"),
    ("perplexity", "pplx-{alnum:48}"),
    ("replicate", "r8_{alnum:37}"),
    ("openrouter", "sk-or-v1-{hex:64}"),
    ("hugging-face", "hf_{letters:34}"),
    ("mistral", "MISTRAL_API_KEY=«{alnum:32}»"),
    ("cohere", "CO_API_KEY=«{alnum:40}»"),
    ("deepseek", "sk-{hex:32}"),
    ("fireworks", "fw_{alnum:22}"),
    ("together", "tgp_v1_{url:43}"),
    ("cerebras", "csk-{lower:48}"),
    ("nvidia", "nvapi-{url:64}"),
    ("langsmith", "lsv2_pt_{hex:32}_{hex:10}"),
    ("langfuse", "sk-lf-{uuid}"),
    ("wandb", "WANDB_API_KEY=«{hex:40}»"),
    ("pinecone", "pcsk_{alnum:5}_{alnum:63}"),
    ("voyage", "pa-{url:43}"),
    ("jina", "jina_{hex:32}{url:28}"),
    ("tavily", "tvly-dev-{alnum:32}"),
    ("elevenlabs", "sk_{hex:48}"),
    ("firecrawl", "fc-{hex:32}"),
    ("deepgram", "Authorization: Token «{hex:40}»"),
    ("apify", "apify_api_{alnum:36}"),
    ("browserbase", "bb_live_{url:27}"),
)

_PEOPLE = (
    ("slack", "xoxb-{digit:12}-{digit:13}-{alnum:24}"),
    ("slack", "xoxp-{digit:12}-{digit:12}-{digit:13}-{hex:32}"),
    ("slack", "xapp-1-A{upper:10}-{digit:13}-{hex:64}"),
    ("slack", "https://hooks.slack.com/services/T{upper:10}/B{upper:10}/{alnum:24}"),
    ("discord", "MT{alnum:24}.G{url:5}.{url:38}"),
    ("discord", "https://discord.com/api/webhooks/{digit:19}/{url:68}"),
    ("telegram", "{digit:10}:AA{url:33}"),
    ("teams", "https://acme.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/{hex:32}/{uuid}"),
    ("sendgrid", "SG.{url:22}.{url:43}"),
    ("mailgun", "MAILGUN_API_KEY=«{hex:32}-{hex:8}-{hex:8}»"),
    ("mailgun", "key-{hex:32}"),
    ("mailchimp", "{hex:32}-us21"),
    ("brevo", "xkeysib-{hex:64}-{alnum:16}"),
    ("postmark", "X-Postmark-Server-Token: «{uuid}»"),
    ("resend", "re_{alnum:8}_{alnum:24}"),
    ("mailersend", "mlsn.{hex:64}"),
    ("klaviyo", "Authorization: Klaviyo-API-Key «pk_{hex:34}»"),
    ("twilio", "TWILIO_ACCOUNT_SID=AC{hex:32}\nTWILIO_AUTH_TOKEN=«{hex:32}»\n"),
    ("notion", "ntn_{digit:11}{alnum:35}"),
    ("linear", "lin_api_{alnum:40}"),
    ("airtable", "pat{alnum:14}.{hex:64}"),
    ("asana", "2/{digit:16}/{digit:16}:{hex:32}"),
    ("figma", "figd_{url:40}"),
    ("clickup", "pk_{digit:8}_{upper:32}"),
    ("hubspot", "pat-eu1-{uuid}"),
    ("contentful", "CFPAT-{url:43}"),
    ("mapbox", "sk.eyJ1Ijoi{alnum:70}.{url:22}"),
    ("typeform", "tfp_{alnum:44}_{alnum:14}"),
    ("dropbox", "sl.u.AF{url:170}"),
    ("salesforce", "00D{alnum:12}!AQ{alnum:94}"),
    ("facebook", "EAA{alnum:180}"),
    ("algolia", 'const client = algoliasearch("{upper:10}", "«{hex:32}»"); // admin API key'),
    ("shippo", "shippo_live_{hex:40}"),
    ("duffel", "duffel_live_{url:43}"),
)

_MONEY = (
    ("stripe", "sk_live_{alnum:99}"),
    ("stripe", "rk_live_{alnum:99}"),
    ("stripe", "whsec_{alnum:32}"),
    ("square", "EAAA{url:60}"),
    ("square", "sq0csp-{url:43}"),
    ("paypal", "access_token$production${lower:16}${hex:32}"),
    ("plaid", "access-production-{uuid}"),
    ("shopify", "shpat_{hex:32}"),
    ("shopify", "shpss_{hex:32}"),
    ("mollie", "live_{alnum:30}"),
    ("razorpay", "RAZORPAY_KEY_ID=rzp_live_{alnum:14}\nRAZORPAY_KEY_SECRET=«{alnum:24}»\n"),
    ("paystack", "sk_live_{hex:40}"),
    ("flutterwave", "FLWSECK-{hex:32}-X"),
    ("paddle", "pdl_live_apikey_01{lower:24}_{alnum:22}_{alnum:3}"),
    ("adyen", "X-API-Key: «AQE{alnum:60}-{b64:43}=-{alnum:16}»"),
)

_WATCHING = (
    ("datadog", "DD_API_KEY=«{hex:32}»"),
    ("datadog", "datadog:\n  appKey: «{hex:40}»\n"),
    ("new-relic", "NRAK-{upper:27}"),
    ("new-relic", "NEW_RELIC_LICENSE_KEY=«{hex:32}FFFFNRAL»"),
    ("grafana", "glsa_{alnum:32}_{hex:8}"),
    ("grafana", "glc_eyJvIjoi{b64:120}="),
    ("sentry", "sntryu_{hex:64}"),
    ("sentry", "sntrys_eyJpYXQiOjE3{alnum:150}_{b64:43}"),
    ("dynatrace", "dt0c01.{base32:24}.{base32:64}"),
    ("honeycomb", "hcaik_01{lower:56}"),
    ("posthog", "phx_{alnum:47}"),
    ("splunk", "Authorization: Splunk «{uuid}»"),
    ("axiom", "xaat-{uuid}"),
    ("logfire", "pylf_v1_eu_{alnum:43}"),
    ("launchdarkly", "sdk-{uuid}"),
    ("pagerduty", "Authorization: Token token=«{url:20}»"),
    ("supabase", "sbp_{hex:40}"),
    ("supabase", "sb_secret_{url:22}_{url:8}"),
    ("neon", "napi_{lower:64}"),
    ("planetscale", "pscale_tkn_{url:43}"),
    ("databricks", "dapi{hex:32}"),
    ("aiven", "AVNS_{url:19}"),
    ("mongodb-atlas", "mdb_sa_sk_{url:40}"),
    ("clickhouse", "4b1d{alnum:38}"),
    ("cockroach", "CCDB1_{alnum:22}_{alnum:40}"),
    ("confluent", "cflt{b64:60}"),
    ("vault", "hvs.CAES{url:92}"),
    ("vault", "hvb.AAAA{url:140}"),
    ("doppler", "dp.pt.{alnum:43}"),
    ("doppler", "dp.st.prd.{alnum:43}"),
    ("infisical", "st.{hex:24}.{hex:32}.{hex:32}"),
    ("1password", "ops_eyJ{b64:340}="),
    ("okta", "Authorization: SSWS «00{url:40}»"),
    ("auth0", "AUTH0_CLIENT_SECRET=«{url:64}»"),
    ("clerk", "CLERK_SECRET_KEY=«sk_live_{alnum:42}»"),
    ("keycloak", '"credentials": {"secret": "«{alnum:32}»"}'),
    ("tailscale", "tskey-auth-{alnum:17}-{alnum:32}"),
    ("ngrok", "authtoken: «2{alnum:26}_{alnum:21}»"),
)

_CONNECTIONS = (
    ("url-postgres", "postgresql://app:«{alnum:18}»@db.acme.io:5432/shop?sslmode=require"),
    ("url-postgres", "DATABASE_URL=postgres://u{lower:6}:«{alnum:12}%40{alnum:5}»@10.4.0.9/app"),
    ("url-mysql", "mysql+pymysql://root:«{alnum:16}»@mysql:3306/wiki"),
    ("url-mongo", "mongodb+srv://svc:«{alnum:20}»@cluster0.{lower:5}.mongodb.net/?retryWrites=true"),
    ("url-redis", "rediss://default:«{alnum:36}»@eu1-fair-cat-3{digit:4}.upstash.io:6379"),
    ("url-redis", "redis://:«{alnum:24}»@cache:6379/0"),
    ("url-amqp", "amqps://jobs:«{url:32}»@hare.rmq.cloudamqp.com/jobs"),
    ("url-clickhouse", "clickhouse://default:«{alnum:14}»@ch.acme.io:9440/events?secure=true"),
    ("url-mssql", "mssql+pyodbc://sa:«{alnum:15}»@sql.acme.io/erp?driver=ODBC+Driver+18"),
    ("url-nats", "nats://worker:«{alnum:22}»@nats-0:4222"),
    ("url-neo4j", "neo4j+s://neo4j:«{url:43}»@{hex:8}.databases.neo4j.io"),
    ("url-elastic", "https://elastic:«{alnum:24}»@es.acme.io:9243"),
    ("url-smtp", "smtp://mailer:«{alnum:19}»@smtp.acme.io:587"),
    ("url-ftp", "ftp://backup:«{alnum:13}»@files.acme.io/nightly"),
    ("ado-net", "Server=tcp:sql1,1433;Database=crm;User Id=crm_app;Password=«{alnum:17}!»;Encrypt=true"),
    ("jdbc", "jdbc:postgresql://db:5432/hr?user=hr&password=«{alnum:16}»&ssl=true"),
    ("jdbc-oracle", "jdbc:oracle:thin:scott/«{alnum:14}»@//ora:1521/XEPDB1"),
    ("libpq", "host=db port=5432 dbname=shop user=shop password=«{alnum:15}» connect_timeout=10"),
    ("pgpass", "# .pgpass\ndb.acme.io:5432:shop:app:«{alnum:16}»\n"),
    ("netrc", "machine git.acme.io login deploy password «{alnum:20}»"),
)

_LOCKED = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{hex:32}\n\n"

_KEYS = (
    ("key-rsa", _pem("RSA PRIVATE KEY", "MIIEpAIBAAKCAQEA", 20)),
    ("key-pkcs8", _pem("PRIVATE KEY", "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQ", 20)),
    (
        "key-pkcs8-ed25519",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI{b64:43}\n-----END PRIVATE KEY-----",
    ),
    ("key-encrypted", _pem("ENCRYPTED PRIVATE KEY", "MIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkqhkiG9w0BBQwwHAQI", 22)),
    ("key-ec", _pem("EC PRIVATE KEY", "MHcCAQEEI", 1)),
    ("key-dsa", _pem("DSA PRIVATE KEY", "MIIBuwIBAAKBgQ", 7)),
    ("key-old-encrypted", _pem("RSA PRIVATE KEY", "", 9, 64, _LOCKED)),
    (
        "key-openssh",
        _pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB", 6, 70),
    ),
    ("key-pgp", _pem("PGP PRIVATE KEY BLOCK", "lQOYBG", 18, 64, "\n")),
    (
        "key-putty",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n"
        "Private-Lines: 1\n«{b64:48}»\nPrivate-MAC: {hex:64}\n",
    ),
    ("key-age", "AGE-SECRET-KEY-1{bech32:58}"),
    ("key-wireguard", "[Interface]\nPrivateKey = «{b64:43}=»\nAddress = 10.8.0.2/32\n"),
    ("key-jwk", '{"kty": "EC", "crv": "P-256", "x": "{url:43}", "y": "{url:43}", "d": "«{url:43}»"}'),
    ("key-cosign", _pem("ENCRYPTED SIGSTORE PRIVATE KEY", "eyJrZGYiOnsibmFtZSI6InNjcnlwdCIs", 8)),
    (
        "key-one-line",
        'TLS_KEY="«-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEI{b64:55}\\n{b64:64}\\n'
        '-----END EC PRIVATE KEY-----»"',
    ),
    ("jwt", "{jwthead}.{jwtpart}.{url:342}"),
    ("jwt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{jwtpart}.{url:43}"),
    ("jwt", "set-cookie: session=«{jwthead}.{jwtpart}.{url:86}»; HttpOnly"),
    ("jwe", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.{url:342}.{url:16}.{url:120}.{url:22}"),
    ("header-bearer", "Authorization: Bearer «{url:48}»"),
    ("header-bearer", "curl -s -H 'authorization: bearer «{alnum:40}»' https://api.acme.io/v1/orders"),
    ("header-basic", f"Authorization: Basic «{_basic(1)}»"),
    ("header-basic", f'headers = {{"Authorization": "Basic «{_basic(2)}»"}}'),
    ("header-api-key", "GET /v2/users HTTP/1.1\r\nHost: api.acme.io\r\nX-Api-Key: «{alnum:36}»\r\n\r\n"),
    ("header-cookie", "Cookie: theme=dark; sessionid=«{lower:32}»; lang=en"),
    ("otp-seed", "otpauth://totp/Acme:ops?secret=«{base32:32}»&issuer=Acme"),
    ("signed-url", "https://acme.s3.amazonaws.com/a.zip?X-Amz-Expires=900&X-Amz-Signature=«{hex:64}»"),
)

_FILES = (
    ("env", "# production\nDEBUG=0\nSECRET_KEY=«{url:50}»\nPORT=8000\n"),
    ("env", 'JWT_SECRET="«{b64:43}=»"\n'),
    ("env", "SMTP_PASSWORD='«{alnum:12}$x»'\n"),
    ("yaml", "database:\n  host: db\n  user: app\n  password: «{alnum:16}»\n"),
    ("yaml", 'auth:\n  clientId: portal\n  clientSecret: "«{url:40}»"\n'),
    ("json", '{"smtp": {"user": "noreply", "pass": "«{alnum:18}»"}}'),
    ("json", '{"apiKey": "«{alnum:32}»", "baseUrl": "https://api.acme.io"}'),
    ("toml", '[server]\nport = 80\nsecret_key = "«{url:44}»"\n'),
    ("ini", "[client]\nuser=root\npassword=«{alnum:14}»\n"),
    ("python", 'DB_PASSWORD = "«{alnum:20}»"\n'),
    ("python", 'conn = connect(host="db", user="app", password="«{alnum:15}»")\n'),
    ("python", "app.config['SECRET_KEY'] = '«{hex:48}»'\n"),
    ("shell", "export API_TOKEN=«{alnum:40}»\n"),
    ("shell", "mysql -u root -p'«{alnum:13}»' shop < dump.sql\n"),
    ("shell", "PGPASSWORD=«{alnum:16}» psql -h db -U app\n"),
    ("shell", "sshpass -p «{alnum:14}» ssh root@10.0.4.2\n"),
    (
        "terraform",
        'resource "aws_db_instance" "main" {\n  username = "app"\n  password = "«{alnum:22}»"\n}\n',
    ),
    ("tfvars", 'db_admin_password = "«{alnum:19}»"\n'),
    ("kubernetes", "kind: Secret\ntype: Opaque\nstringData:\n  db-password: «{alnum:18}»\n"),
    ("kubernetes", "apiVersion: v1\nkind: Secret\ndata:\n  api-key: «{b64:42}==»\n"),
    ("kubernetes", '        env:\n        - name: ADMIN_PASSWORD\n          value: "«{alnum:16}»"\n'),
    ("kubeconfig", "users:\n- name: admin\n  user:\n    client-key-data: «LS0tLS1CRUdJTi{b64:180}=»\n"),
    ("compose", "services:\n  db:\n    environment:\n      - POSTGRES_PASSWORD=«{alnum:17}»\n"),
    ("compose", "services:\n  app:\n    environment:\n      MINIO_ROOT_PASSWORD: «{alnum:24}»\n"),
    ("dockerfile", "FROM alpine\nENV ADMIN_TOKEN «{alnum:32}»\n"),
    ("properties", "spring.datasource.password=«{alnum:16}»\n"),
    ("xml", "<server><id>nexus</id><username>ci</username><password>«{alnum:18}»</password></server>"),
    ("php", "define('AUTH_KEY', '«{url:64}»');\n"),
    ("javascript", 'const config = { clientSecret: "«{alnum:36}»", scope: "read" };\n'),
    ("go", 'const apiSecret = "«{alnum:32}»"\n'),
    ("prose", "The new admin password is «{alnum:14}», please change it after you sign in."),
    ("prose", "login: j.berg / password: «{alnum:11}!»"),
    ("prose-german", "Das Passwort für den Testserver lautet: «{alnum:13}»"),
    ("prose-spanish", "La contraseña del servidor es «{alnum:13}», no la compartas."),
)

SECRETS: tuple[tuple[str, str], ...] = (
    *_CLOUD, *_CODE, *_MODELS, *_PEOPLE, *_MONEY, *_WATCHING, *_CONNECTIONS, *_KEYS, *_FILES
)  # fmt: skip
"""(Kind, template); ``«…»`` marks the smallest part that must not get out."""
