"""Text of SQL within a directive, as written for Postgres: what does not mean the same here.

A warehouse would refuse most of it, but in mid-revision, where nothing rolls back; and it takes
a name in double quotes for a text.
"""

from __future__ import annotations

import re

from sqlalchemy.exc import CompileError

_TEXTS = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`]|``)*`", re.DOTALL)

#: Types that may stand behind ``::``; those with a length need one.
_TYPES = (
    r"(?:(?:boolean|tinyint|smallint|int|integer|bigint|float|real|double|decimal|numeric|string|"
    r"binary|date|timestamp|timestamp_ntz|variant)\b(?!\s*\[|\s+(?:precision|with|without)\b)|"
    r"(?:var)?char\s*\(|(?:array|map|struct)\s*<)"
)

#: What only Postgres understands -> what to do instead.
_FOREIGN = {
    r'"': "double quotes are around texts here; name a column by sa.column(), or bare",
    rf"::(?!\s*{_TYPES})\s*[\w ]*\w": "there is no such type; leave the cast out, or name one here",
    r"(?<=[\w)'`])\s*!?~\*?": "there is no such operator; rlike is the usual choice",
    r"\bsimilar\s+to\b": "there is no such operator; rlike is the usual choice",
    r"=\s*any\s*\(": "there is no such operator; IN (...) is the usual choice",
    r"\barray\s*\[": "array(...) is the form here",
    r"->>|@>|<@|#>": "there is no such operator",
    r"\b(?:current_timestamp|localtimestamp)\s*\(\s*\d+\s*\)": "it takes no precision here",
    r"\b(?:gen_random_uuid|uuid_generate_v\d|nextval|clock_timestamp|statement_timestamp|"
    r"transaction_timestamp|timezone|to_tsvector|jsonb_\w+)\s*\(": "there is no such function",
}


def portable(sql: str) -> str:
    """Return *sql* as it is.

    Raises:
        CompileError: Something in it is known to Postgres alone, or means something else here.
    """
    bare = _TEXTS.sub("''", sql)
    for pattern, advice in _FOREIGN.items():
        if found := re.search(pattern, bare, re.IGNORECASE):
            raise CompileError(f"{found[0].strip()} in {sql}: {advice}")
    return sql
