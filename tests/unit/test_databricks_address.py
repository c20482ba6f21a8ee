from __future__ import annotations

import pytest

from providers.databricks.address import (
    Address,
    AddressError,
    address,
    connect_arguments,
    need_catalog,
)
from providers.workspace.login import Login

PATH = "http_path=%2Fsql%2F1.0%2Fwarehouses%2Fab12"
URL = f"databricks://token:dapi%2F1@dbc.example.com?{PATH}"


def test_address() -> None:
    """A URL says where the warehouse and its workspace's REST API are."""
    assert address(f"{URL}&catalog=main&schema=eu") == Address(
        server="dbc.example.com",
        http_path="/sql/1.0/warehouses/ab12",
        login=Login(origin="https://dbc.example.com", token="dapi/1"),  # noqa: S106 - made up
        catalog="main",
        schema="eu",
    )
    assert address(URL).warehouse == "ab12"
    assert address(URL.replace("warehouses", "protocolv1")).warehouse is None


@pytest.mark.parametrize(
    ("url", "server", "origin"),
    [
        (
            URL.replace(".com?", ".com:8443?"),
            "dbc.example.com:8443",
            "https://dbc.example.com:8443",
        ),
        (URL.replace("dbc.example.com", "[::1]:8443"), "[::1]:8443", "https://[::1]:8443"),
        (URL.replace("dbc.example.com", "[2001:DB8::1]"), "[2001:db8::1]", "https://[2001:db8::1]"),
        (f"{URL}&_port=8443", "dbc.example.com:8443", "https://dbc.example.com:8443"),
        (
            f"{URL}&_connection_uri=http://127.0.0.1:80/sql/1.0/x",
            "127.0.0.1:80",
            "http://127.0.0.1:80",
        ),
    ],
)
def test_other_ports(url: str, server: str, origin: str) -> None:
    """A port counts wherever it is given, for statements and for the REST API alike."""
    assert (address(url).server, address(url).origin) == (server, origin)


def test_arguments() -> None:
    """The connector gets the URL's parts, the options read as what they are, and our own."""
    given = "&catalog=main&_socket_timeout=1.5&_tls_trusted_ca_file=ca.pem&enable_telemetry=False"
    assert connect_arguments(URL.replace(".com?", ".com:8443?") + given) == {
        "server_hostname": "dbc.example.com",
        "access_token": "dapi/1",
        "http_path": "/sql/1.0/warehouses/ab12",
        "catalog": "main",
        "_port": 8443,
        "_socket_timeout": 1.5,
        "_tls_trusted_ca_file": "ca.pem",
        "_enable_v3_retries": False,
        "_retry_stop_after_attempts_count": 1,
        "enable_telemetry": False,
        "use_inline_params": False,
        "user_agent_entry": "levelhead",
    }


def test_options_of_the_dialect() -> None:
    """An option that only databricks-sqlalchemy reads is no argument of the connector."""
    assert connect_arguments(f"{URL}&enable_multirow_insert_casts=0") == connect_arguments(URL)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("databricks://token:geheim@h", "lacks http_path"),
        (f"databricks://token@h?{PATH}", "must begin with databricks://token:TOKEN@HOST"),
        (f"databricks://token:geheim@?{PATH}", "must begin with databricks://token:TOKEN@HOST"),
        (f"databricks://token:geheim/x@h?{PATH}", "percent-encoded"),
        (f"databricks://token:geheim@h:geheim?{PATH}", "cannot be read"),
        (f"{URL}#geheim", "percent-encoded"),
        (f"{URL}&_tls_no_verify=true", "_tls_no_verify cannot be given: certificates are verified"),
        (f"{URL}&_tls_verify_hostname=false", "certificates are verified"),
        (f"{URL}&_retry_stop_after_attempts_count=9", "cannot be given: no request is sent twice"),
        (f"{URL}&_enable_v3_retries=true", "cannot be given: no request is sent twice"),
        (f"{URL}&enable_telemetry=true", "telemetry stays off"),
        (f"{URL}&use_sea=true", "option 'use_sea' is not known; choose from _connection_uri, "),
        (f"{URL}&_port=geheim", "_port must be a number up to 65535"),
        (f"{URL}&_port=0", "_port must be a number up to 65535"),
        (f"{URL}&_port=65536", "_port must be a number up to 65535"),
        (f"{URL}&_socket_timeout=geheim", "the value of _socket_timeout makes no sense"),
        (f"{URL}&_socket_timeout=nan", "_socket_timeout must be a number of seconds"),
        (f"{URL}&_socket_timeout=-1", "_socket_timeout must be a number of seconds"),
        (f"{URL}&_socket_timeout=inf", "_socket_timeout must be a number of seconds"),
        (f"databricks://token:geheim%0A@h?{PATH}", "token must be printable ASCII without blanks"),
        (f"databricks://token:geheim%20x@h?{PATH}", "token must be printable ASCII without blanks"),
        (f"databricks://token:geheim%FF@h?{PATH}", "token must be printable ASCII without blanks"),
        (f"databricks://ab:geheim%0A@h?{PATH}", "a character that cannot be printed"),
        (f"databricks://token:geheim@h h?{PATH}", "is no name of a host"),
        (f"databricks://token:geheim@a..b?{PATH}", "is no name of a host"),
        (f"databricks://token:geheim@{'a' * 64}.com?{PATH}", "is no name of a host"),
        (f"databricks://token:geheim@h/main?{PATH}", "write &catalog=...&schema=..."),
        ("databricks://token:geheim@h?http_path=https://token:geheim@h/sql", "must be a path such"),
        (f"{URL}&catalog=hive_metastore", "catalog hive_metastore is outside of Unity Catalog"),
        (f"{URL}&catalog=Spark_Catalog", "catalog spark_catalog is outside of Unity Catalog"),
        (f"{URL}&_connection_uri=http://example.com/geheim", "must begin with https"),
        (f"{URL}&_connection_uri=ftp://127.0.0.1/geheim", "must be an address"),
        (f"{URL}&_connection_uri=https://me:geheim@h/", "must be an address"),
    ],
)
def test_refused(url: str, words: str) -> None:
    """A URL that cannot be used says why, and shows nothing that could be the token."""
    for read in (address, connect_arguments):
        with pytest.raises(AddressError, match=words) as caught:
            read(url)
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("default", ["hive_metastore", "spark_catalog"])
def test_a_workspace_without_unity_catalog(default: str) -> None:
    """Whatever a session calls the catalog of before, it is told."""
    with pytest.raises(AddressError, match=f"the workspace's own is {default}, outside of Unity"):
        need_catalog(default)


def test_ipv6() -> None:
    """The connector puts the host into an address as it is, so it gets one with brackets."""
    assert connect_arguments(URL.replace("dbc.example.com", "[::1]"))["server_hostname"] == "[::1]"


def test_hides_the_token() -> None:
    """What may be printed shows no token."""
    assert "dapi" not in repr(address(URL))
