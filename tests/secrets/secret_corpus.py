"""More than 200 shapes of secrets, made anew from a seed: no whole key stands in this file.

Each entry makes a text that holds one secret, and the part of it that nobody may see again.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from typing import NamedTuple

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
ALNUM = LOWER + UPPER + DIGITS
URL = ALNUM + "-_"
HEX = DIGITS + "abcdef"
B64 = ALNUM + "+/"
UP = UPPER + DIGITS
B32 = UPPER + "234567"


class Made(NamedTuple):
    """A text with a secret in it, and the secret part."""

    text: str
    secret: str


class Entry(NamedTuple):
    """One shape of the corpus."""

    name: str
    provider: str
    make: Callable[[random.Random], Made]

    def made(self, seed: int = 0) -> Made:
        """An example, always the same one for a seed."""
        return self.make(random.Random(f"{self.name}/{seed}"))


CORPUS: list[Entry] = []


def add(name: str, provider: str, make: Callable[[random.Random], Made]) -> None:
    CORPUS.append(Entry(name, provider, make))


def some(rng: random.Random, alphabet: str, length: int) -> str:
    """Random characters, of which some are digits and some letters, as in every real key."""
    while True:
        made = "".join(rng.choices(alphabet, k=length))
        digits = sum(char.isdigit() for char in made)
        if length < 8 or set(alphabet) <= set(DIGITS) or 0 < digits < length:
            return made


def uuid(rng: random.Random) -> str:
    return "-".join(some(rng, HEX, n) for n in (8, 4, 4, 4, 12))


def key(name: str, provider: str, prefix: str, alphabet: str, length: int, end: str = "") -> None:
    """A key that says by its prefix whose it is."""

    def make(rng: random.Random) -> Made:
        body = some(rng, alphabet, length) + end
        return Made(prefix + body, body)

    add(name, provider, make)


def within(name: str, provider: str, text: str, alphabet: str, length: int) -> None:
    """A value that only what stands around it tells of."""

    def make(rng: random.Random) -> Made:
        body = some(rng, alphabet, length)
        return Made(text.replace("@@", body), body)

    add(name, provider, make)


def said(name: str, provider: str, text: str, secret: str) -> None:
    """A password that somebody chose."""
    add(name, provider, lambda _: Made(text.replace("@@", secret), secret))


# --- models -------------------------------------------------------------------------------------

key("openai", "OpenAI", "sk" + "-", ALNUM, 48)
key("openai marked", "OpenAI", "sk" + "-", ALNUM, 20, "T3BlbkFJ" + "a9Xc2Lq8Vw7Tz3Rk5Yp1")
key("openai project", "OpenAI", "sk" + "-proj-", URL, 156)
key("openai project, short", "OpenAI", "sk" + "-proj-", ALNUM, 48)
key("openai service account", "OpenAI", "sk" + "-svcacct-", URL, 150)
key("openai service account, old", "OpenAI", "sk" + "-service-", ALNUM, 48)
key("openai admin", "OpenAI", "sk" + "-admin-", URL, 140)
key("openai none", "OpenAI", "sk" + "-None-", ALNUM, 48)
key("openai session", "OpenAI", "sess" + "-", ALNUM, 40)
key("anthropic", "Anthropic", "sk" + "-ant-api03-", URL, 93, "AA")
key("anthropic admin", "Anthropic", "sk" + "-ant-admin01-", URL, 93, "AA")
key("anthropic oauth", "Anthropic", "sk" + "-ant-oat01-", URL, 93, "AA")
key("anthropic refresh", "Anthropic", "sk" + "-ant-ort01-", URL, 93, "AA")
key("anthropic session", "Anthropic", "sk" + "-ant-sid01-", URL, 93, "AA")
key("openrouter", "OpenRouter", "sk" + "-or-v1-", HEX, 64)
key("deepseek", "DeepSeek", "sk" + "-", HEX, 32)
key("moonshot", "Moonshot", "sk" + "-", ALNUM, 48)
key("stability", "Stability", "sk" + "-", ALNUM, 48)
key("dashscope", "DashScope", "sk" + "-", HEX, 32)
key("langfuse", "Langfuse", "sk" + "-lf-", HEX, 8, "-4b1d-4c2e-9f3a-0a1b2c3d4e5f")
key("litellm", "LiteLLM", "sk" + "-", URL.replace("-", "").replace("_", ""), 22)
key("google", "Google", "AI" + "za", URL, 35)
key("google oauth token", "Google", "ya" + "29.", URL, 120)
key("google oauth token with dots", "Google", "ya" + "29.c.", URL, 120)
key("google client secret", "Google", "GOC" + "SPX-", URL, 28)
key("google refresh token", "Google", "1/" + "/0", URL, 60)
key("google express key", "Google", "AQ" + ".Ab8", URL, 46)
key("hugging face", "Hugging Face", "hf" + "_", ALNUM, 34)
key("hugging face organisation", "Hugging Face", "api_" + "org_", ALNUM, 34)
key("replicate", "Replicate", "r8" + "_", ALNUM, 37)
key("groq", "Groq", "gsk" + "_", ALNUM, 52)
key("xai", "xAI", "xai" + "-", ALNUM, 80)
key("perplexity", "Perplexity", "pplx" + "-", ALNUM, 48)
key("fireworks", "Fireworks", "fw" + "_", ALNUM, 24)
key("together", "Together", "tgp" + "_v1_", URL, 43)
key("nvidia", "NVIDIA", "nvapi" + "-", URL, 64)
key("cerebras", "Cerebras", "csk" + "-", LOWER + DIGITS, 48)
key("jina", "Jina", "jina" + "_", ALNUM, 60)
key("tavily", "Tavily", "tvly" + "-", ALNUM, 32)
key("pinecone", "Pinecone", "pcsk" + "_", URL, 70)
key("runpod", "RunPod", "rpa" + "_", UP, 44)
key("e2b", "E2B", "e2b" + "_", HEX, 40)
key("langsmith personal", "LangSmith", "lsv2" + "_pt_", HEX, 32, "_1a2b3c4d5e")
key("langsmith service", "LangSmith", "lsv2" + "_sk_", HEX, 32, "_1a2b3c4d5e")
key("wandb v1", "Weights & Biases", "wandb" + "_v1_", URL, 70)
key("firecrawl", "Firecrawl", "fc" + "-", HEX, 32)
key("vercel gateway", "Vercel", "vck" + "_", ALNUM, 56)
key("bedrock", "AWS", "ABS" + "K", B64.replace("+", "").replace("/", ""), 128)
key("bedrock short", "AWS", "bedrock-api-" + "key-", B64.replace("+", "").replace("/", ""), 200)
for provider, name, alphabet, length in (
    ("Mistral", "MISTRAL_API_KEY", ALNUM, 32),
    ("Cohere", "CO_API_KEY", ALNUM, 40),
    ("Together", "TOGETHER_API_KEY", HEX, 64),
    ("Azure", "AZURE_OPENAI_API_KEY", HEX, 32),
    ("AI21", "AI21_API_KEY", ALNUM, 32),
    ("Voyage", "VOYAGE_API_KEY", URL, 46),
    ("ElevenLabs", "ELEVENLABS_API_KEY", HEX, 32),
    ("AssemblyAI", "ASSEMBLYAI_API_KEY", HEX, 32),
    ("Deepgram", "DEEPGRAM_API_KEY", HEX, 40),
    ("Weights & Biases", "WANDB_API_KEY", HEX, 40),
    ("Comet", "COMET_API_KEY", ALNUM, 25),
    ("Pinecone", "PINECONE_API_KEY", HEX, 36),
    ("Serper", "SERPER_API_KEY", HEX, 40),
    ("Datadog", "DD_API_KEY", HEX, 32),
    ("Datadog", "DD_APP_KEY", HEX, 40),
    ("Cloudflare", "CLOUDFLARE_API_TOKEN", URL, 40),
    ("Heroku", "HEROKU_API_KEY", HEX, 36),
    ("Algolia", "ALGOLIA_API_KEY", HEX, 32),
    ("Twilio", "TWILIO_AUTH_TOKEN", HEX, 32),
    ("Sentry", "SENTRY_AUTH_TOKEN", HEX, 64),
    ("CircleCI", "CIRCLE_TOKEN", HEX, 40),
    ("Fastly", "FASTLY_API_TOKEN", URL, 32),
    ("Supabase", "SUPABASE_SERVICE_KEY", ALNUM, 40),
    ("AWS", "AWS_SECRET_ACCESS_KEY", B64, 40),
    ("AWS", "AWS_SESSION_TOKEN", B64, 200),
    ("Rails", "SECRET_KEY_BASE", HEX, 128),
    ("Django", "DJANGO_SECRET_KEY", ALNUM, 50),
    ("Snowflake", "SNOWFLAKE_PASSWORD", ALNUM, 20),
    ("Netlify", "NETLIFY_AUTH_TOKEN", URL, 43),
    ("Discord", "DISCORD_BOT_TOKEN", ALNUM, 60),
    ("Postgres", "PGPASSWORD", ALNUM, 16),
):
    within(f"{name} in an environment", provider, f"export {name}=@@\nPATH=/bin", alphabet, length)

# --- clouds -------------------------------------------------------------------------------------

key("aws id", "AWS", "AK" + "IA", B32, 16)
key("aws temporary id", "AWS", "AS" + "IA", B32, 16)
within("aws secret in an ini", "AWS", "[default]\naws_secret_access_key = @@\n", B64, 40)
within("aws secret in json", "AWS", '{"SecretAccessKey": "@@", "n": 1}', B64, 40)
within("aws secret in camel case", "AWS", "credentials: {secretAccessKey: '@@'}", B64, 40)
within("aws secret as a flag", "AWS", "aws configure --secret-access-key @@", B64, 40)
within("aws session token", "AWS", "aws_session_token = @@\n", B64, 300)
within(
    "aws presigned url",
    "AWS",
    "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=@@&X-Amz-SignedHeaders=host",
    HEX,
    64,
)
within("aws security token in a url", "AWS", "https://b/k?a=1&X-Amz-Security-Token=@@", ALNUM, 90)
within(
    "aws signature header",
    "AWS",
    "Authorization: AWS4-HMAC-SHA256 Credential=x/y/us-east-1/s3/aws4_request, Signature=@@",
    HEX,
    64,
)
within("cloudfront signature", "AWS", "https://d.cloudfront.net/f?Expires=1&Signature=@@", URL, 80)
within("google signature", "Google", "https://s/b?X-Goog-Date=1&X-Goog-Signature=@@", HEX, 128)
within(
    "google service account",
    "Google",
    r'{"type": "service_account", "private_key": "-----BEGIN PRIVATE '
    r'KEY-----\n@@\n-----END PRIVATE KEY-----\n"}',
    B64,
    64,
)
within("google key in a url", "Google", "https://maps/api?q=1&key=@@", URL, 39)
within(
    "azure storage",
    "Azure",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=@@==;EndpointSuffix=core.net",
    B64,
    86,
)
within("azure sas", "Azure", "https://a.blob.core.net/c?sv=2023-01-03&sp=r&sig=@@%3D", ALNUM, 43)
within("azure service bus", "Azure", "Endpoint=sb://a/;SharedAccessKey=@@=;EntityPath=q", B64, 43)
within("azure openai header", "Azure", "api-key: @@\r\nHost: x", HEX, 32)
within("azure openai header in a dict", "Azure", "{'api-key': '@@', 'n': 1}", HEX, 32)
within("azure subscription", "Azure", "Ocp-Apim-Subscription-Key: @@", HEX, 32)
within("azure cosmos", "Azure", "AccountEndpoint=https://a:443/;AccountKey=@@==;", B64, 86)
within("azure functions", "Azure", "https://a.azurewebsites.net/api/f?code=@@==", URL, 54)


def azure_client_secret(rng: random.Random) -> Made:
    body = some(rng, ALNUM, 34)
    return Made(f"client: {some(rng, ALNUM, 3)}8Q~{body} end", body)


add("azure client secret", "Azure", azure_client_secret)
key("digitalocean", "DigitalOcean", "dop" + "_v1_", HEX, 64)
key("digitalocean oauth", "DigitalOcean", "doo" + "_v1_", HEX, 64)
key("digitalocean refresh", "DigitalOcean", "dor" + "_v1_", HEX, 64)
key("databricks", "Databricks", "dap" + "i", HEX, 32)
key("databricks, second", "Databricks", "dap" + "i", HEX, 32, "-3")
key("cloudflare origin", "Cloudflare", "v1" + ".0-", HEX, 24, "-" + "9f" * 73)
key("heroku", "Heroku", "HRKU" + "-", URL, 60)
key("netlify", "Netlify", "nfp" + "_", ALNUM, 36)
key("vercel", "Vercel", "vcp" + "_", ALNUM, 56)
key("supabase", "Supabase", "sbp" + "_", HEX, 40)
key("supabase secret", "Supabase", "sb_" + "secret_", URL, 36)
key("render", "Render", "rnd" + "_", ALNUM, 28)
key("pulumi", "Pulumi", "pul" + "-", HEX, 40)
key("terraform", "Terraform", "A1b2C3d4E5f6G7" + ".atlasv1.", URL, 67)
key("vault", "Vault", "hv" + "s.", URL, 90)
key("vault batch", "Vault", "hv" + "b.", URL, 140)
key("vault recovery", "Vault", "hv" + "r.", URL, 90)
key("doppler", "Doppler", "dp." + "pt.", ALNUM, 43)
key("doppler service", "Doppler", "dp." + "st.prd.", ALNUM, 43)
key("1password", "1Password", "op" + "s_", ALNUM, 250)
key("age", "age", "AGE-SECRET-" + "KEY-1", UP, 58)
within("snowflake connection", "Snowflake", "account=ab12;user=me;password=@@;db=x", ALNUM, 14)

# --- code and packages --------------------------------------------------------------------------

for kind in "pousr":
    key(f"github gh{kind}", "GitHub", f"gh{kind}" + "_", ALNUM, 36)
key("github fine grained", "GitHub", "github" + "_pat_", ALNUM, 22, "_" + "a1B2c3" * 9)
for kind in ("pat", "dt", "rt", "ptt", "soat", "cbt", "imt", "ft", "agent"):
    key(f"gitlab {kind}", "GitLab", f"gl{kind}" + "-", URL.replace("-", ""), 20)
within("gitlab routable", "GitLab", "glpat" + "-@@.01.0z9y8x7w6", URL.replace("-", ""), 27)
key("npm", "npm", "npm" + "_", ALNUM, 36)
within("npm file", "npm", "//registry.example/:_authToken=@@\n", HEX, 36)
key("pypi", "PyPI", "pypi" + "-AgEIcHlwaS5vcmc", URL, 150)
key("rubygems", "RubyGems", "rubygems" + "_", HEX, 48)
key("docker", "Docker", "dckr" + "_pat_", URL, 27)
key("docker organisation", "Docker", "dckr" + "_oat_", URL, 32)
within("docker config", "Docker", '{"auths": {"r.io": {"auth": "@@=="}}}', ALNUM, 22)
key("postman", "Postman", "PM" + "AK-", HEX, 24, "-" + "0123456789abcdef" * 2)
key("figma", "Figma", "fig" + "d_", URL, 40)
key("linear", "Linear", "lin_" + "api_", ALNUM, 40)
key("linear oauth", "Linear", "lin_" + "oauth_", HEX, 64)
key("notion", "Notion", "nt" + "n_", ALNUM, 46)
key("notion, old", "Notion", "secret" + "_", ALNUM, 43)
key("atlassian", "Atlassian", "ATA" + "TT3", URL, 180)
key("airtable", "Airtable", "pat" + "A1b2C3d4E5f6G7.", HEX, 64)
key("contentful", "Contentful", "CF" + "PAT-", URL, 43)
key("typeform", "Typeform", "tf" + "p_", URL, 44)
key("dropbox", "Dropbox", "sl" + ".", URL, 130)
key("mapbox", "Mapbox", "sk" + ".eyJ1Ijoi", ALNUM, 60, ".a1B2c3D4e5F6g7H8i9J0kL")

# --- what watches, pays and talks ---------------------------------------------------------------

key("sentry user", "Sentry", "sntr" + "yu_", HEX, 64)
key("sentry organisation", "Sentry", "sntr" + "ys_", ALNUM, 120)
within("sentry dsn", "Sentry", "https://@@@o123.ingest.sentry.io/456", HEX, 32)
within("datadog header", "Datadog", "DD-API-KEY: @@", HEX, 32)
within("datadog application", "Datadog", "DD-APPLICATION-KEY: @@", HEX, 40)
key("new relic", "New Relic", "NR" + "AK-", UP, 27)
within("new relic license", "New Relic", "license_key: @@NRAL", HEX, 36)
key("grafana", "Grafana", "gl" + "sa_", ALNUM, 32, "_1a2b3c4d")
key("grafana cloud", "Grafana", "gl" + "c_", ALNUM, 120)
key("posthog", "PostHog", "ph" + "x_", ALNUM, 43)
key("slack bot", "Slack", "xox" + "b-", DIGITS, 12, "-1234567890123-a1B2c3D4e5F6g7H8i9J0k1L2")
key("slack user", "Slack", "xox" + "p-", DIGITS, 12, "-1234567890123-a1B2c3D4e5F6g7H8i9J0k1L2")
key("slack session", "Slack", "xox" + "c-", DIGITS, 12, "-1234567890123-a1B2c3D4e5F6g7H8i9J0k1L2")
key("slack cookie", "Slack", "xox" + "d-", ALNUM, 60)
key("slack refresh", "Slack", "xox" + "e-1-", ALNUM, 140)
key("slack app", "Slack", "xap" + "p-1-A1B2C3D4E5F-", HEX, 64)
within("slack webhook", "Slack", "https://hooks.slack.com/services/T0AB/B0CD/@@", ALNUM, 24)
within("discord webhook", "Discord", f"https://discord.com/api/webhooks/{'12' * 9}/@@", URL, 68)
within("teams webhook", "Teams", "https://a.webhook.office.com/webhookb2/@@", HEX, 80)
within("zapier webhook", "Zapier", "https://hooks.zapier.com/hooks/catch/123456/@@", ALNUM, 12)


def discord(rng: random.Random) -> Made:
    body = some(rng, URL, 38)
    return Made(f"M{some(rng, ALNUM, 23)}.{some(rng, UP, 6)}.{body}", body)


def telegram(rng: random.Random) -> Made:
    body = some(rng, URL, 33)
    return Made(f"https://api.telegram.org/bot{some(rng, DIGITS, 10)}:AA{body}/getMe", body)


add("discord bot", "Discord", discord)
add("telegram bot", "Telegram", telegram)
for live in ("live", "test"):
    key(f"stripe {live}", "Stripe", f"sk_{live}" + "_", ALNUM, 24)
    key(f"stripe restricted {live}", "Stripe", f"rk_{live}" + "_", ALNUM, 99)
key("stripe webhook", "Stripe", "whs" + "ec_", ALNUM, 32)
key("square", "Square", "sq0" + "atp-", URL, 22)
key("square secret", "Square", "sq0" + "csp-", URL, 43)
key("shopify", "Shopify", "shp" + "at_", HEX, 32)
key("shopify custom app", "Shopify", "shp" + "ca_", HEX, 32)
key("shopify private app", "Shopify", "shp" + "pa_", HEX, 32)
key("shopify shared secret", "Shopify", "shp" + "ss_", HEX, 32)
key("twilio", "Twilio", "S" + "K", HEX, 32)
key(
    "sendgrid", "SendGrid", "S" + "G.", URL, 22, "." + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V"
)
key("mailgun", "Mailgun", "ke" + "y-", HEX, 32)
within("mailchimp", "Mailchimp", "mailchimp_api_key: @@-us12", HEX, 32)
key("plaid", "Plaid", "access-" + "production-", HEX, 36)
key("hubspot", "HubSpot", "pat-" + "na1-", HEX, 36)

# --- tokens, keys in files ----------------------------------------------------------------------


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt(rng: random.Random) -> Made:
    head = packed({"alg": "HS256", "typ": "JWT"})
    secret = f"{packed({'sub': some(rng, DIGITS, 12), 'admin': True})}.{some(rng, URL, 43)}"
    return Made(f"{head}.{secret}", secret)


def jwe(rng: random.Random) -> Made:
    head = packed({"alg": "dir", "enc": "A256GCM"})
    secret = f".{some(rng, URL, 16)}.{some(rng, URL, 80)}.{some(rng, URL, 22)}"
    return Made(f"{head}.{secret}", secret[1:])


def wrapped(text: str, of: Callable[[random.Random], Made]) -> Callable[[random.Random], Made]:
    def make(rng: random.Random) -> Made:
        made = of(rng)
        return Made(text.replace("@@", made.text), made.secret)

    return make


add("jwt", "JWT", jwt)
add("jwt, encrypted", "JWT", jwe)
add("jwt in a cookie", "JWT", wrapped("Cookie: session=@@; theme=dark\r\nHost: x", jwt))
add("jwt in a query", "JWT", wrapped("https://x/cb?id_token=@@&state=1", jwt))
add("jwt in a fragment", "JWT", wrapped("https://x/cb#access_token=@@", jwt))
add("jwt as a bearer", "JWT", wrapped("authorization: Bearer @@", jwt))


def block(title: str, escaped: bool = False, lead: str = "", dashes: str = "-----") -> None:
    """A private key of three lines."""

    def make(rng: random.Random) -> Made:
        lines = [some(rng, B64, 64) for _ in range(3)]
        gap = " " if len(dashes) == 4 else ""
        head, tail = (f"{dashes}{gap}{end} {title}{gap}{dashes}" for end in ("BEGIN", "END"))
        text = "\n".join([head, *([lead] if lead else []), *lines, tail])
        text = text.replace("\n", "\\n") if escaped else text
        return Made(text, lines[1])

    add(f"pem {title}{' escaped' if escaped else ''}{' with a head' if lead else ''}", "PEM", make)


PRIVATE = "PRIVATE" + " KEY"
for words in ("", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED ", "ED25519 "):
    block(words + PRIVATE)
block("RSA " + PRIVATE, lead="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A1B2C3D\n")
block(PRIVATE, escaped=True)
block("OPENSSH " + PRIVATE, escaped=True)
block(f"PGP {PRIVATE} BLOCK", lead="Version: GnuPG v2\n")
block("SSH2 ENCRYPTED " + PRIVATE, dashes="----")
block("OpenVPN Static key V1")
PUTTY = "PuTTY-User-Key-File-3: ssh\nPrivate-Lines: 1\n@@\nPrivate-MAC: x"
within("putty", "PuTTY", PUTTY, B64, 64)

# --- connections --------------------------------------------------------------------------------

for scheme in (
    *("postgres", "postgresql", "postgresql+asyncpg", "mysql", "mysql+pymysql", "mongodb"),
    *("mongodb+srv", "redis", "rediss", "amqp", "amqps", "mssql", "mssql+pyodbc", "clickhouse"),
    *("ftp", "sftp", "smtp", "ldap", "nats", "cockroachdb", "snowflake", "http", "https"),
):
    said(f"{scheme} url", "connection", f"{scheme}://ada:@@@db.example:5432/app", "cobalt-Otter")
said("redis without a name", "connection", "redis://:@@@cache:6379/0", "cobaltOtter")
said("percent-encoded password", "connection", "postgres://ada:@@@db/app", "p%40ss%2Fw%3Ard%23")
said("oracle", "connection", "jdbc:oracle:thin:scott/@@@//db:1521/x", "cobaltTiger")
said("jdbc query", "connection", "jdbc:mysql://db/app?user=ada&password=@@&ssl=1", "cobaltOtter")
said("jdbc settings", "connection", "jdbc:sqlserver://db;user=sa;password=@@;x=1", "cobaltOtter")
said("odbc", "connection", "Driver={ODBC};Server=db;Uid=sa;Pwd=@@;Encrypt=yes", "cobaltOtter")
said("ado", "connection", "Server=db;User Id=sa;Password=@@;Encrypt=True", "cobaltOtter")
said("libpq", "connection", "host=db user=ada password=@@ dbname=app", "cobaltotter")
said("netrc", "connection", "machine x.example login ada password @@", "cobaltotter")
within("token as user", "connection", "git clone https://@@@git.example.org/a.git", ALNUM, 40)
said("token as password", "connection", "https://x-access-token:@@@git.example/a", "cobalt0tter")

# --- headers ------------------------------------------------------------------------------------

for scheme in ("Bearer", "Basic", "Token", "ApiKey", "Bot", "Key", "SSWS", "Negotiate", "GenieKey"):
    within(f"header {scheme}", "header", f"Authorization: {scheme} @@\r\nHost: x", ALNUM, 24)
said("short bearer", "header", "authorization: Bearer @@", "otter7")
said("short bearer in json", "header", '{"Authorization": "Bearer @@"}', "otter7")
said("short bearer in a dict", "header", "{'Authorization': 'Bearer @@'}", "otter7")
said("short bearer in pairs", "header", "[(b'authorization', b'Bearer @@')]", "otter7")
within("bearer in prose", "header", "sent with bearer @@ to it", ALNUM, 32)
within("authorization without a scheme", "header", "Authorization: @@", ALNUM, 32)
within("proxy authorization", "header", "Proxy-Authorization: Basic @@", ALNUM, 24)
within("digest", "header", 'Authorization: Digest username="a", response="@@"', HEX, 32)
for name in (
    *("X-API-Key", "x-api-key", "X-Auth-Token", "X-Vault-Token", "PRIVATE-TOKEN", "X-Auth-Key"),
    *("X-Goog-Api-Key", "xi-api-key", "X-Figma-Token", "X-Shopify-Access-Token", "X-Session-Token"),
):
    within(f"header {name}", "header", f"{name}: @@\r\nAccept: */*", ALNUM, 24)
within("cookie", "header", "Cookie: theme=dark; sid=@@; lang=en\r\nHost: x", ALNUM, 26)
within("set-cookie", "header", "Set-Cookie: sid=@@; Path=/; HttpOnly", ALNUM, 26)
within("cookie in a dict", "header", "{'cookie': 'theme=dark; sid=@@'}", ALNUM, 26)
within("cookie of curl", "header", "curl --cookie 'sid=@@' https://x", ALNUM, 26)
within("header of curl", "header", "curl -H 'x-api-key: @@' https://x", HEX, 32)

# --- assignments --------------------------------------------------------------------------------

PASSWORD = "cobalt0tter"
for text in (
    *("password=@@", "password = @@", "password: @@", 'password = "@@"', "password: '@@'"),
    *('{"password": "@@"}', "{'password': '@@'}", '{"db": {"passwd":"@@"}}', "passphrase: @@"),
    *("db_password=@@", "DB_PASSWORD=@@", "dbPassword: @@", "DATABASE_PASSWORD='@@'"),
    *("mysql --password=@@", "mysql --password @@", "tool --api-key @@ run", "x --db-password=@@"),
    *("<password>@@</password>", "'password' => '@@'", 'conf["password"] = "@@"', "pwd=@@"),
    *("api_key=@@", "api-key: @@", "apiKey: '@@'", "APIKEY=@@", "client_secret=@@"),
    *("clientSecret: @@", "secret: @@", "secret_key = '@@'", "access_token=@@", "auth_token: @@"),
    *("https://x/?api_key=@@&a=1", "https://x/?a=1&password=@@", "https://x/#access_token=@@"),
    *("https://x/?next=%2F%3Fapi_key=@@", "signing_key: @@", "encryption_key=@@", "passwd: @@"),
    *('said {\\"password\\": \\"@@\\"} twice', "export API_KEY=@@", "- secret: @@\n  name: x"),
    *("password=@@, user=ada", "f(password='@@', user='ada')", "credentials: @@", "-Dpassword=@@"),
):
    said(f"assignment {text}", "assignment", text, PASSWORD)
said("letters only, quoted", "assignment", 'password = "@@"', "cobaltotter")
said("words, quoted", "assignment", 'passphrase = "@@"', "cobalt otter over amber")
said("letters only, environment", "assignment", "DB_PASSWORD=@@\nX=1", "cobaltotter")
said("letters only, flag", "assignment", "tool --password=@@ run", "cobaltotter")
said("letters only, json", "assignment", '{"password": "@@"}', "cobaltotter")
within("token in a query", "assignment", "https://x/?token=@@&a=1", ALNUM, 32)
within("token in json", "assignment", '{"token": "@@"}', ALNUM, 32)
within("token of a session", "assignment", "session_id=@@; x", ALNUM, 32)
