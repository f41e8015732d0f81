"""Ordinary text that looks a little like secrets; no byte of it may change.

Written for this purpose, or generated from a seed.
"""

from __future__ import annotations

import base64
import hashlib
import random
import struct
import uuid
import zlib

RANDOM = random.Random(20)


def png(width: int = 24, height: int = 24) -> bytes:
    """A real picture of noise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    rows = b"".join(b"\0" + RANDOM.randbytes(3 * width) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def jpeg() -> bytes:
    """What a JPEG file begins like, and noise."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + RANDOM.randbytes(1500) + b"\xff\xd9"


def letters(alphabet: str, length: int) -> str:
    return "".join(RANDOM.choices(alphabet, k=length))


GENERATED = [
    *(str(uuid.UUID(bytes=RANDOM.randbytes(16))) for _ in range(10)),
    *(uuid.UUID(bytes=RANDOM.randbytes(16)).hex for _ in range(3)),
    *(hashlib.sha1(RANDOM.randbytes(9)).hexdigest() for _ in range(6)),
    *(hashlib.sha256(RANDOM.randbytes(9)).hexdigest() for _ in range(6)),
    *(hashlib.md5(RANDOM.randbytes(9)).hexdigest() for _ in range(6)),
    *(hashlib.sha512(RANDOM.randbytes(9)).hexdigest() for _ in range(2)),
    *(f"commit {hashlib.sha1(RANDOM.randbytes(9)).hexdigest()[:n]}" for n in (7, 8, 12, 40)),
    f"sha256:{hashlib.sha256(b'x').hexdigest()}",
    f"integrity sha512-{base64.b64encode(hashlib.sha512(b'y').digest()).decode()}",
    f"etag: W/{hashlib.md5(b'z').hexdigest()}",
    *("data:image/png;base64," + base64.b64encode(png()).decode() for _ in range(6)),
    *("data:image/jpeg;base64," + base64.b64encode(jpeg()).decode() for _ in range(4)),
    *(base64.b64encode(RANDOM.randbytes(n)).decode() for n in (12, 30, 60, 300, 3000)),
    *(base64.urlsafe_b64encode(RANDOM.randbytes(n)).decode() for n in (12, 30, 60, 300)),
    base64.b64encode(b"The quick brown fox jumps over the lazy dog, 7 times.").decode(),
    base64.b64encode("Grüße aus dem Süden".encode()).decode(),
    base64.b64encode(b'{"kind": "plain JSON", "n": 1}').decode(),
    "eyJ" + base64.b64encode(b'"name": "plain JSON", "n": 1').decode(),
    *(letters("ACGT", n) for n in (20, 60, 200)),
    *(letters("ACDEFGHIKLMNPQRSTVWY", n) for n in (25, 80, 160)),
    *(str(RANDOM.randrange(10**n)) for n in (4, 8, 12, 16, 24)),
    *(f"{RANDOM.random():.12f}" for _ in range(2)),
    f"chatcmpl-{letters('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 29)}",
    f"msg_{letters('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 24)}",
    f"call_{letters('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 24)}",
    f"resp_{letters('0123456789abcdef', 48)}",
    f"toolu_{letters('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 24)}",
    f"req_{letters('0123456789abcdef', 32)}",
    f"traceparent: 00-{letters('0123456789abcdef', 32)}-{letters('0123456789abcdef', 16)}-01",
]

WRITTEN = [
    # dates, numbers, versions
    "2026-11-21T17:34:00Z",
    "2026-11-21 17:34:00.123456+00:00",
    "Sat, 21 Nov 2026 17:34:00 GMT",
    "DE89 3704 0044 0532 0130 00",
    "GB29NWBK60161331926819",
    "4.2.1-rc.3+build.20261121.sha.5114f85",
    "v1.0-alpha, v1.0-beta, v1.0",
    "numpy==1.26.4; python_version >= '3.11'",
    "12:30:45 it failed @ line 3, ratio 3:4",
    "3.14159265358979323846",
    "192.168.10.254:8080 fe80::1ff:fe23:4567:890a",
    "00:1A:2B:3C:4D:5E",
    # words and names
    "A task-force of risk-averse people, ask-me-anything at the desk-side kiosk-like booth.",
    "sk-learn sk-learn-contrib-imbalanced-classification-methods whisky-sk-whisky",
    "task-1234567890abcdefghij desk-a1b2c3d4e5f6g7h8i9j0k1l2",
    "the key-value store, key-signing parties and a monkey-patch",
    "The secret of her success: patience.",
    "The secret: patience. The key: practice.",
    "password: ",
    "Enter your password:",
    "Password: required. Token: optional.",
    "Your password: it must have at least twelve characters.",
    "Passwords must be 8-64 characters.",
    "Forgot your password? Reset it under Settings > Password.",
    "The API key is missing; set it with api_key= or in the environment.",
    "Incorrect API key provided. You can find your API key in the console.",
    "api_key: str | None = None",
    "an auth token, an access token: both expire",
    "token limit: 4096, tokens: 12, max_tokens=1024, token_count=5",
    "The bearer of bad news; Bearer token; bearer authentication scheme",
    "Bearer YOUR_TOKEN",
    "Authorization: required for all calls",
    "Authorization is the second half of authentication.",
    "Cookie: a small piece of data; cookie policy, cookie consent",
    "basic authentication, digest authentication",
    "a credential: something you know",
    "AKIMBO ASIATIC ghosts gh-pages xoxo AIz eyJ. sk- ://:@",
    "xoxo-hugs-and-kisses-forever",
    "hf_hub_download npm_config_registry ops_per_second secret_santa_list fw_version r8_unorm",
    "jina_embeddings_v2_base_en pypi-mirror-of-the-university lin_reg_model_coefficients",
    "key-features-of-the-new-release-2026 sess-ion xai-explainability-methods-survey",
    "whsec_ sk_live_ rk_test_ glpat- npm_ dckr_pat_",
    "NotificationServiceClient.models.configuration_of_the_service",
    "MainActivityLifecycleCallbacks.onStop.withConfigurationAndState",
    "org.springframework.beans.factory.support.DefaultListableBeanFactory",
    "kubernetes.io/ingress.class: nginx",
    "com.example.app.MainActivityViewModelFactory2",
    "SKU12345 SKILLS SKYLINE SK8TER",
    "dapifer adaptive dapibus",
    "sl.no. 15, Sg. 3, dp.to",
    "internationalization counterrevolutionaries",
    "AccountName PrimaryKey ForeignKey access-control allow-credentials",
    "monkeys: 12345678, turkey=ankara2026",
    "design: modern2026, assigned: 12345678, hockey: 12345678",
    "keyword: machine-learning-2026",
    # models
    "gpt-4o-mini-2024-07-18 claude-sonnet-4-20250514 gemini-1.5-pro-002 o3-mini-2025-01-31",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo mistral-large-2411 deepseek-r1-distill-qwen-32b",
    "text-embedding-3-large ft:gpt-4o-mini-2024-07-18:acme::A1b2C3d4",
    "accounts/fireworks/models/llama-v3p1-405b-instruct",
    # web
    "https://example.org/path/to/page?token_count=5&max_tokens=10&key=value#section-2",
    "https://example.org/?page=2&sort=asc&tokenizer=bpe&keyword=a",
    "https://example.org/?key=color&code=200&signature=none",
    "http://localhost:8080/path?x=1#y and https://example.org/a:b@c",
    "https://en.wikipedia.org/wiki/Token_(disambiguation)?action=edit&section=2",
    "https://files.example.org/2026/11/21/5f2a9c1e-77d0-4b57-9c64-0e8a3a1b2c3d/report.pdf?v=12",
    "https://api.example.org/v1/chat/completions: 401 Unauthorized",
    "see https://example.org, then ask me@example.org: now",
    "git@github.com:owner/project.git ssh://git@host:22/x",
    "mailto:ada@example.org?subject=Your%20password%20policy",
    "https://hooks.example.org/services/overview https://discord.com/api/webhooks",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=42s",
    "s3://bucket/key/2026/part-00000-5f2a9c1e.snappy.parquet",
    "postgres://localhost:5432/app redis://cache:6379/0",
    '{"a": "http://x:8080", "b": "c@d"}',
    # places
    "/usr/local/lib/python3.11/site-packages/sklearn/ensemble/_hist_gradient_boosting/x.py:123",
    r"C:\Users\ada\AppData\Local\Programs\Python\Python311\python.exe",
    "~/.ssh/id_ed25519.pub ./keys/public.pem",
    "private_key=/etc/ssl/private/server1.key, PWD=/home/ada/work2",
    "node_modules/@babel/plugin-proposal-private-property-in-object",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx7kq2VtZ5 ada@host",
    "----------------------------------------",
    # code
    "password = input()",
    "password = getpass.getpass('Password: ')",
    "connect(user=user, password=password, host=host)",
    "connect(\n    user=user,\n    password=password,\n    host=host,\n)",
    "api_key = os.environ['OPENAI_API_KEY']",
    'api_key=os.environ.get("KEY2"), secret=settings.SECRET_2',
    "const apiKey = process.env.API_KEY_2;",
    "api_key: ${{ secrets.API_KEY_2 }}",
    "password: ${DB_PASSWORD_1}",
    "password: {{ vault_password_1 }}",
    "api_key=$API_KEY",
    'client = Client(api_key="YOUR_API_KEY")',
    'api_key="<your key>", token="..."',
    "password: Optional[str] = None, secret: SecretStr | None",
    "def check(password: str, token: Token) -> bool: ...",
    "if token == tokens[0] or key in keys: pass",
    "for key, value in items: total[key] += value1",
    "self.token = token; self.key: bytes = key",
    "tokens = tokenizer.encode(text); pad_token='<pad>', eos_token_id=50256",
    "primary_key=True, foreign_key=user_id2",
    "signature: (a: int, b: str) -> None",
    '<input type="password" name="pw" placeholder="Password">',
    ".btn-primary--sk-active:hover { color: #a1b2c3d4; } .task-sk-item-123 { margin: 0 }",
    "btn btn-outline-secondary-2 col-xs-12 sk-fading-circle sk-cube-grid sk-chase-dot",
    "!function(e,t){'object'==typeof exports?t(exports):t(e.K={})}(this,function(e){var t=1e3})",
    "function a(b){return c[b]||(c[b]=d(b,{key:b,auth:!0,token:null}))}",
    "SELECT id, password_hash, token_type FROM users WHERE key = 'color'",
    "kubectl get secret -n prod; docker login --username ada --password-stdin",
    "usage: tool [--password PASSWORD] [--token TOKEN] [--api-key=KEY]",
    "use the --password option or --api-key flag, not --token",
    '{"type": "object", "properties": {"token": {"type": "string"}, "key": {"type": "integer"}}}',
    '{"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}',
    "git log --format=%H | head -1; export PATH=$PATH:/opt/bin2",
    "ENV KEY_ID=12 MAX_TOKEN=4096 TOKEN_LIMIT=200000",
    "assert token_count == 12345678 and key_size >= 2048",
    "AES-256-GCM SHA-512 RSA-4096 ed25519 HMAC-SHA256",
    # formulas, languages, pictures
    r"$\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}$ \label{eq:key-2}",
    r"\begin{align} a_{sk} &= b^{-1} \\ \alpha &= \sum_{k=1}^{n} k^2 \end{align}",
    "密码：请输入您的密码。令牌数量为12。",
    "パスワードを入力してください: トークン",
    "비밀번호: 여덟 자 이상",
    "Пароль: не менее 12 символов. Ключ: value",
    "Contraseña: mínimo ocho caracteres; clave: única",
    "🔑 key 🔒 secret 🎉: 1️⃣2️⃣3️⃣ 👩‍👩‍👧‍👦",
    "┌──────┬──────┐\n│ key  │ value│\n└──────┴──────┘",
    "| token | count |\n| --- | --- |\n| the | 12345678 |",
    "naïve café Straße ſecret: ok",
    "a\u0301e\u0301 \u200b\ufeff\u202etxet",
    "",
    " ",
    "\n\n\t",
]

ORDINARY = [*GENERATED, *WRITTEN]
