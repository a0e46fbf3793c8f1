"""How a program fires a trigger by API, in four languages. The key stays a variable: ETP_KEY of the environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LONGEST_PAYLOAD = 2000  # characters; without a body the trigger's own payload is sent, which may be a quarter of a MB
_EXACT_IN_JAVASCRIPT = 2**53


@dataclass(frozen=True, slots=True)
class Call:
    """The same call in one language: all of a file that runs, or of a command."""

    language: str
    slug: str
    code: str


def calls(url: str, payload: dict[str, Any]) -> list[Call]:
    """Return how to fire the trigger at this address; with its payload as the body, where that is not long."""
    text = json.dumps(payload, ensure_ascii=False)
    has_body = len(text) <= LONGEST_PAYLOAD
    return [
        Call("curl", "curl", _curl(url, text if has_body else "")),
        Call("Python", "python", _python(url, payload if has_body else None)),
        Call("JavaScript", "javascript", _javascript(url, payload if has_body else None)),
        Call("Go", "go", _go(url, text if has_body else "")),
    ]


def _curl(url: str, text: str) -> str:
    lines = [f"curl -X POST {url}", '  -H "Authorization: Bearer $ETP_KEY"']
    if text:
        quoted = text.replace("'", "'\\''")
        lines += ['  -H "Content-Type: application/json"', f"  -d '{quoted}'"]
    return " \\\n".join(lines)


def _python(url: str, payload: dict[str, Any] | None) -> str:
    has_body = payload is not None
    return "\n".join(
        [
            "import json",
            "import os",
            "import urllib.request",
            "",
            *([f"payload = {payload!r}"] if has_body else []),
            "request = urllib.request.Request(",
            f'    "{url}",',
            '    method="POST",',
            *(["    data=json.dumps(payload).encode(),"] if has_body else []),
            "    headers={",
            '        "Authorization": f"Bearer {os.environ[\'ETP_KEY\']}",',
            *(['        "Content-Type": "application/json",'] if has_body else []),
            "    },",
            ")",
            "with urllib.request.urlopen(request) as answer:",
            "    print(json.load(answer))",
        ]
    )


def _javascript(url: str, payload: dict[str, Any] | None) -> str:
    has_body = payload is not None
    return "\n".join(
        [
            "// fire.mjs, for Node.js",
            f'const answer = await fetch("{url}", {{',
            '  method: "POST",',
            "  headers: {",
            "    Authorization: `Bearer ${process.env.ETP_KEY}`,",
            *(['    "Content-Type": "application/json",'] if has_body else []),
            "  },",
            *([f"  body: {_javascript_body(payload)},"] if has_body else []),
            "});",
            "console.log(await answer.json());",
        ]
    )


def _javascript_body(payload: Any) -> str:
    """Return the body as an object; as its text where an object of JavaScript would say something else."""
    text = json.dumps(payload, ensure_ascii=False)
    return f"JSON.stringify({text})" if _is_same_in_javascript(payload) else json.dumps(text, ensure_ascii=False)


def _is_same_in_javascript(value: Any) -> bool:
    if isinstance(value, dict):
        return "__proto__" not in value and all(_is_same_in_javascript(each) for each in value.values())
    if isinstance(value, list):
        return all(_is_same_in_javascript(each) for each in value)
    return not isinstance(value, int | float) or abs(value) < _EXACT_IN_JAVASCRIPT


def _go(url: str, text: str) -> str:
    # A raw string takes anything but its own quote and carriage returns, which no JSON text has in clear.
    literal = f"`{text}`" if "`" not in text else json.dumps(text, ensure_ascii=False)
    body = f"strings.NewReader({literal})" if text else "nil"
    return "\n".join(
        [
            "package main",
            "",
            "import (",
            '\t"fmt"',
            '\t"io"',
            '\t"net/http"',
            '\t"os"',
            *(['\t"strings"'] if text else []),
            ")",
            "",
            "func main() {",
            f'\trequest, err := http.NewRequest("POST", "{url}", {body})',
            "\tif err != nil {",
            "\t\tpanic(err)",
            "\t}",
            '\trequest.Header.Set("Authorization", "Bearer "+os.Getenv("ETP_KEY"))',
            *(['\trequest.Header.Set("Content-Type", "application/json")'] if text else []),
            "\tanswer, err := http.DefaultClient.Do(request)",
            "\tif err != nil {",
            "\t\tpanic(err)",
            "\t}",
            "\tdefer answer.Body.Close()",
            "\ttext, err := io.ReadAll(answer.Body)",
            "\tif err != nil {",
            "\t\tpanic(err)",
            "\t}",
            "\tfmt.Println(answer.Status, string(text))",
            "}",
        ]
    )
