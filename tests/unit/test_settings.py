from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from providers.errors import ConfigError
from providers.types import Policy
from sync.settings import History, Settings, load_settings
from sync.settings.reference import rewrite

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
HISTORY = '[[history]]\nname = "app"\nconfig = "alembic.ini"\n'
TARGET = HISTORY + '[[target]]\nname = "eu"\nhistory = "app"\n'
FULL = """
[control]
url = "postgresql://levelhead:${CONTROL}@db/levelhead"
token_file = "keys/first"
lease = "500ms"
[schedule]
cron = "*/5 * * * mon-fri"
concurrency = 3
[api]
port = 9000
allowed_hosts = ["levelhead.internal"]
[[history]]
name = "app"
config = "alembic.ini"
section = "other"
env = { MODE = "prod" }
attributes = { tenants = ["a", "b"], deep = { n = 1 } }
hook = "our.hooks:prepare"
driver = "psycopg"
version_table = "versions"
version_table_schema = "meta"
[[target]]
name = "eu"
history = "app"
url = "postgresql://u:p@db/eu"
labels = { region = "eu" }
policy = "observe"
schema = "tenant"
statement_timeout = "2d"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an ini file that histories may name."""
    (tmp_path / "alembic.ini").write_text("[alembic]\n")
    return tmp_path


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    """Write *text* into the folder's configuration file and load it."""
    (folder / "levelhead.toml").write_text(text)
    return load_settings(None, environ or {}, folder)


def mistakes(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines of the error, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    start = f"{folder / 'levelhead.toml'}: "
    lines = str(caught.value).splitlines()
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start) for line in lines]


def test_defaults(folder: Path) -> None:
    """An empty file is a whole configuration, with paths beside the file."""
    settings = load(folder, "")
    assert settings.control.url.get_secret_value() == f"sqlite:///{folder}/levelhead.db"
    assert settings.control.token_file == folder / "levelhead.token"
    assert settings.schedule.every == timedelta(seconds=60)
    assert settings.schedule.cron is None
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8414)
    assert (dict(settings.histories), dict(settings.targets)) == ({}, {})


def test_everything(folder: Path) -> None:
    """Each key of the file reaches the settings."""
    settings = load(folder, FULL, {"CONTROL": "pw"})
    assert settings.control.token_file == folder / "keys" / "first"
    assert settings.control.lease == timedelta(milliseconds=500)
    assert (settings.schedule.cron, settings.schedule.every) == ("*/5 * * * mon-fri", None)
    assert (settings.api.port, settings.api.allowed_hosts) == (9000, ("levelhead.internal",))
    assert settings.histories["app"] == History(
        name="app",
        config=folder / "alembic.ini",
        section="other",
        env={"MODE": "prod"},
        attributes={"tenants": ["a", "b"], "deep": {"n": 1}},
        hook="our.hooks:prepare",
        driver="psycopg",
        version_table="versions",
        version_table_schema="meta",
    )
    target = settings.targets["eu"]
    assert (target.dialect, target.schema, target.policy) == (
        "postgresql",
        "tenant",
        Policy.OBSERVE,
    )
    assert (target.version_table, target.version_table_schema) == ("versions", "meta")
    assert (target.statement_timeout, target.lock_wait) == (
        timedelta(days=2),
        timedelta(seconds=30),
    )
    assert target.labels == {"region": "eu"}


def test_file_is_found_in_order(folder: Path, tmp_path: Path) -> None:
    """The option wins over the variable, which wins over the working directory."""
    for name in ("levelhead.toml", "b.toml", "c.toml"):
        (tmp_path / name).touch()
    environ = {"LEVELHEAD_CONFIG": "b.toml"}
    assert load_settings(Path("c.toml"), environ, folder).path == folder / "c.toml"
    assert load_settings(None, environ, folder).path == folder / "b.toml"
    assert load_settings(None, {}, folder).path == folder / "levelhead.toml"


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    """Without a file the message says where it was looked for and how to name another."""
    with pytest.raises(ConfigError, match=r"^there is no .*levelhead\.toml; .*--config") as caught:
        load_settings(None, {}, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[api\n", "is not TOML: .*at line 1, column 5"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_bad_toml_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    """What is not TOML gives one line with the file and the place."""
    (tmp_path / "levelhead.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^\S*levelhead\.toml: {words}") as caught:
        load_settings(None, {}, tmp_path)
    assert "\n" not in str(caught.value)


def test_every_mistake_in_one_go(folder: Path) -> None:
    """Mistakes of all kinds and tables stand side by side, each with its key."""
    text = """
    top = 1
    [api]
    prot = 1
    [[history]]
    name = "app"
    config = "nowhere.ini"
    [[target]]
    name = "eu"
    history = "ap"
    url = "postgresql://u:${MISSING}@db/eu"
    policy = "maybe"
    [[target]]
    history = "app"
    url = "mysql://db/eu"
    """
    assert mistakes(folder, text) == [
        'target "eu".url: environment variable MISSING is not set',
        "top: unknown table or key",
        'api.prot: unknown key (did you mean "port"?)',
        f'history "app".config: there is no file {folder / "nowhere.ini"}',
        'target "eu".history: there is no history "ap" (did you mean "app"?)',
        "target \"eu\".policy: must be 'apply', 'approve', 'observe' or 'off'",
        "target[2].name: is missing",
        (
            'target[2].url: no provider for dialect "mysql"; known are databricks, lakebase, '
            "memory, postgresql"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[schedule]\nevery = "60"', "schedule.every: must be a duration such as"),
        ("[schedule]\nevery = 60", "schedule.every: must be a duration such as"),
        ('[schedule]\nevery = "0s"', "schedule.every: must be longer than nothing"),
        ('[schedule]\ngrace = "25d"', "schedule.grace: must be at most 24d"),
        ('[schedule]\ncron = "* * *"', "schedule.cron: must be five cron fields"),
        ('[schedule]\ncron = "* * * * 0"', "schedule.cron: days of the week are written as names"),
        ('[schedule]\ncron = "* * * * *"\nevery = "1s"', "schedule: every and cron exclude"),
        ('[schedule]\nretry_min = "1h"', "schedule: retry_min is longer than retry_max"),
        ("[schedule]\nruns = true", "schedule.runs: must be a number"),
        ("[schedule]\nruns = 0", "schedule.runs: must be greater than or equal to 1"),
        ('[api]\nport = "x"', "api.port: must be a valid integer"),
        ("api = 1", "api: is a table: write [api]"),
        ('[control]\nurl = "mysql://db/x"', "control.url: the control database is"),
        ('[control]\nurl = "sqlite://"', "control.url: the control database must be a file"),
        ("[history]", "history: is a list of tables: write [[history]]"),
        ('[[history]]\nname = "a b"\nconfig = "alembic.ini"', "history[1].name: must start"),
        (f'{HISTORY}python = "no/python"', 'history "app".python: there is no file'),
        (f'{HISTORY}python = "alembic.ini"', 'history "app".python: '),
        (f'{HISTORY}hook = "prepare"', 'history "app".hook: must be "module:function"'),
        (f'{HISTORY}driver = "pg"', "history \"app\".driver: must be 'psycopg'"),
        (f"{HISTORY}attributes = {{ d = 2020-01-01 }}", 'history "app".attributes.d: must be text'),
        (f"{HISTORY}canary = 1", 'history "app".canary: must be true, false or the name of'),
        (f'{HISTORY}canary = "a b"', 'history "app".canary: must start with a letter'),
        (f'{HISTORY}canary = "us"', 'history "app".canary: no target "us" follows this history'),
        (f'{HISTORY}canary = true\nshadow = "none"', 'history "app".canary: needs shadows'),
        (HISTORY * 2, 'history "app": 2 tables have this name'),
        (f'{TARGET}url = "postgresql//db"', 'target "eu".url: is not a database URL'),
        (f'{TARGET}url = "postgresql://db:x/n"', 'target "eu".url: is not a database URL'),
        (f'{TARGET}url = "${{}}"', 'target "eu".url: ${ must be followed by a variable'),
        (f'{TARGET}url = "${{A"', 'target "eu".url: ${ must be followed by a variable'),
        (f'{TARGET}url = "file:none"', 'target "eu".url: cannot read '),
    ],
)
def test_mistake(folder: Path, text: str, line: str) -> None:
    """A mistake is one line that begins with its key and says what is wrong."""
    found = mistakes(folder, text)
    assert len(found) == 1
    assert found[0].startswith(line)


@pytest.mark.parametrize(
    "other",
    [
        "postgresql://localhost/orders",
        "postgresql://somebody@127.0.0.1:5432/orders",
        "postgresql+asyncpg://[::1]/orders",
    ],
)
def test_same_database_twice_is_refused(folder: Path, other: str) -> None:
    """Two targets may not share a version table, however their URLs are spelled."""
    first = f'{TARGET}url = "postgresql://localhost/orders"\n'
    second = f'[[target]]\nname = "us"\nhistory = "app"\nurl = "{other}"\n'
    assert mistakes(folder, first + second) == [
        'target "us": has the same database and version table as target "eu"'
    ]


@pytest.mark.parametrize(
    "other",
    [
        'url = "postgresql://localhost/orders"\nschema = "us"',
        'url = "postgresql://localhost:5433/orders"',
        'url = "postgresql://localhost/orders?host=other"',
        'url = "postgresql://localhost/us"',
    ],
)
def test_neighbours_are_allowed(folder: Path, other: str) -> None:
    """Another schema, port, host or database is another target."""
    first = f'{TARGET}url = "postgresql://localhost/orders"\n'
    settings = load(folder, f'{first}[[target]]\nname = "us"\nhistory = "app"\n{other}\n')
    assert list(settings.targets) == ["eu", "us"]


WAREHOUSE = "databricks://token:t@h?http_path=/sql/1.0/warehouses"


def two_on_a_warehouse(one: str, other: str) -> str:
    """Return two targets on a host: what follows WAREHOUSE in their URLs."""
    second = f'[[target]]\nname = "us"\nhistory = "app"\nurl = "{WAREHOUSE}/{other}"\n'
    return f'{TARGET}url = "{WAREHOUSE}/{one}"\n{second}'


@pytest.mark.parametrize("other", ["a&catalog=main&schema=us", "a&catalog=dev&schema=eu"])
def test_neighbours_on_a_warehouse_are_allowed(folder: Path, other: str) -> None:
    """Another catalog or schema in the URL is another target."""
    settings = load(folder, two_on_a_warehouse("a&catalog=main&schema=eu", other))
    assert list(settings.targets) == ["eu", "us"]


def test_two_warehouses_of_one_schema_are_refused(folder: Path) -> None:
    """A schema is the same by whichever warehouse it is reached, and however it is written."""
    text = two_on_a_warehouse("a&catalog=main&schema=eu", "b&schema=EU&catalog=Main")
    assert mistakes(folder, text) == [
        'target "us": has the same database and version table as target "eu"'
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{WAREHOUSE}/a&schema=eu", f"{WAREHOUSE}/a&schema=eu".replace("token:t@", "ab:s@")),
        (f"{WAREHOUSE}/a&schema=eu", f"{WAREHOUSE}/a&schema=eu".replace("token:t@", "")),
        (f"{WAREHOUSE}/a&schema=eu", f"{WAREHOUSE}/a&schema=eu".replace("@h?", "@h:443?")),
        (f"{WAREHOUSE}/a&schema=eu", f'{WAREHOUSE}/a"\nschema = "EU'),
        ("lakebase://token:t@h?instance=a", "lakebase://ab:s@h/databricks_postgres?instance=a"),
    ],
)
def test_who_signs_in_makes_no_other_database(folder: Path, one: str, other: str) -> None:
    """One schema is one target, whoever is signed in, and whatever is left out or respelled."""
    second = f'[[target]]\nname = "us"\nhistory = "app"\nurl = "{other}"\n'
    assert mistakes(folder, f'{TARGET}url = "{one}"\n{second}') == [
        'target "us": has the same database and version table as target "eu"'
    ]


def test_references(folder: Path) -> None:
    """Variables, the escape and files are replaced anywhere in the document."""
    (folder / "word").write_text(" from a file\n")
    labels = '{ a = "x${A}y", b = "$${A}", c = "file:word", d = "file:${NAME}" }'
    text = f'{TARGET}url = "${{URL}}"\nlabels = {labels}'
    environ = {"A": "${B}", "NAME": "word", "URL": "memory://eu"}
    target = load(folder, text, environ).targets["eu"]
    assert target.url == "memory://eu"
    assert target.labels == {
        "a": "x${B}y",
        "b": "${A}",
        "c": "from a file",
        "d": "from a file",
    }


def test_a_secret_is_hidden_without_the_end_of_its_line_too(folder: Path) -> None:
    """A variable that was filled from a file may end in a line end, which others take off."""
    text = f'{TARGET}url = "postgresql://me:${{PW}}@h/orders"'
    assert "geheim" in load(folder, text, {"PW": "geheim\n"}).hidden


def test_password_variable_is_taken_as_it_is(folder: Path) -> None:
    """A variable that stands for a URL's password may hold any character."""
    text = f'{TARGET}url = "postgresql://${{USER}}:${{PW}}@${{HOST}}/orders"'
    settings = load(folder, text, {"USER": "a@b", "PW": "p@:/%s", "HOST": "db:5433"})
    assert settings.targets["eu"].url == "postgresql://a%40b:p%40%3A%2F%25s@db:5433/orders"


def test_environment_overrides(folder: Path) -> None:
    """LEVELHEAD_ variables win over the file, and mistakes in them are named as such."""
    environ = {"LEVELHEAD_API__PORT": "9001", "LEVELHEAD_API__ALLOWED_HOSTS": "a, b"}
    settings = load(folder, "[api]\nport = 1", environ)
    assert (settings.api.port, settings.api.allowed_hosts) == (9001, ("a", "b"))
    assert mistakes(folder, "", {"LEVELHEAD_API__PROT": "1", "LEVELHEAD_CONTROL": "x"}) == [
        "LEVELHEAD_CONTROL: is a table: write [control]",
        'LEVELHEAD_API__PROT: unknown key (did you mean "port"?)',
    ]


def test_secrets_are_known_and_hidden(folder: Path) -> None:
    """Every secret is in secrets(), in each spelling, and in no repr."""
    (folder / "key").write_text("file-secret\n and more\n")
    text = f"""
    [control]
    url = "postgresql://u:${{CONTROL}}@db/control"
    {HISTORY}
    env = {{ MODE = "prod", KEY = "file:key", URL = "${{URL}}" }}
    attributes = {{ token = "${{ATTRIBUTE}}" }}
    [[target]]
    name = "eu"
    history = "app"
    url = "postgresql://levelhead:writ%2Dten@db/orders?sslpassword=query%20secret"
    """
    environ = {
        "CONTROL": "con tr/ol",
        "ATTRIBUTE": "attribute-secret",
        "URL": "postgresql://u:nested@db/x",
    }
    settings = load(folder, text, environ)
    expected = {
        "con tr/ol",
        "con%20tr%2Fol",
        "con tr%2Fol",
        "con+tr%2Fol",
        "file-secret\n and more",
        "file-secret",
        "and more",
        "attribute-secret",
        "postgresql://u:nested@db/x",
        "nested",
        "writ%2Dten",
        "writ-ten",
        "query secret",
        "query%20secret",
        "query+secret",
    }
    assert settings.secrets() == expected
    assert not [secret for secret in expected if secret in repr(settings)]


def test_mistakes_show_no_secret(folder: Path) -> None:
    """An error repeats no value, wherever a secret was put by mistake."""
    text = f"""
    [control]
    url = "hunter2"
    lease = "hunter2"
    {HISTORY}
    hook = "hunter2"
    driver = "hunter2"
    env = {{ A = ["hunter2"] }}
    [[target]]
    name = "eu"
    history = "app"
    url = "postgresql://u:${{PW}}@db:${{PW}}/x"
    policy = "hunter2"
    """
    found = mistakes(folder, text, {"PW": "hunter2", "LEVELHEAD_API__PORT": "hunter2"})
    assert len(found) == 8
    assert "hunter2" not in "\n".join(found)


def test_interpreter_link_is_kept(folder: Path) -> None:
    """A virtual environment's interpreter is not replaced by the one it links to."""
    link = folder / "python"
    link.symlink_to("/bin/sh")
    settings = load(folder, f'{HISTORY}python = "python"')
    assert settings.histories["app"].python == link


def test_reference_page_matches_the_models() -> None:
    """The page's tables are those of the code; the page says how to write them anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert rewrite(page) == page
