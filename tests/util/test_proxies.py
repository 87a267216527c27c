"""One rule for proxies: nothing local goes through one, no key is shown to one, and no setting ends in a traceback."""

from __future__ import annotations

import asyncio
import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from safecot_eval.benchmarks.data import download
from safecot_eval.util.chat_client import ChatClient
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.model_lists import served_models
from safecot_eval.util.proxies import applied_to_environment, is_local, proxy_for
from tests.generate.fault_server import FaultServer

KEY = "sk-proxy-test-0123456789"
EVERYWHERE = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in EVERYWHERE:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that notes what it is sent and refuses."""
    seen: list[str] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            seen.append(self.request.recv(65536).decode("latin-1"))
            self.request.sendall(b"HTTP/1.1 502 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "LOCALHOST",
            "a.localhost",
            "127.0.0.1",
            "127.8.8.8",
            "127.1",
            "2130706433",
            "0x7f000001",
        ),
        *(
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "fe80::1%eth0",
            "fd12::3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.9",
        ),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "node7", "node7.", "judge.local"),
        *("judge.internal", "vllm.svc.cluster.local", "host.docker.internal", "nas.lan", "box.home.arpa"),
    ],
)
def test_what_is_local_is_asked_directly(host: str) -> None:
    assert is_local(host)
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    everything = dict.fromkeys(EVERYWHERE[:3], "socks5://127.0.0.1:9")
    if "%" not in host:
        assert proxy_for(f"http://{bracketed}:8000/v1", keyed=True, environment=everything) is None


@pytest.mark.parametrize(
    "host",
    ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:4860:4860::8888", "api.example.com", "local.example"],
)
def test_what_is_not(host: str) -> None:
    assert not is_local(host)


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("*", True),
        ("api.example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        ("example.com:443", True),
        ("EXAMPLE.COM", True),
        ("localhost,127.0.0.1,::1,[::1],example.com", True),
        ("http://api.example.com", True),
        ("a.org  example.com", True),
        ("example.com:8443", False),
        ("ample.com", False),
        ("10.0.0.0/8,[::1],[oops,:::,%%,10.0.0.0/99", False),
        ("", False),
    ],
)
def test_no_proxy(no_proxy: str, direct: bool) -> None:
    environment = {"https_proxy": "http://gate:3128", "no_proxy": no_proxy}
    found = proxy_for("https://api.example.com/v1", keyed=True, environment=environment)
    assert found == (None if direct else "http://gate:3128")


def test_networks_and_addresses_in_no_proxy() -> None:
    environment = {"https_proxy": "http://gate:3128", "no_proxy": "8.8.0.0/16,[2001:db8::1]:443,9.9.9.9"}
    asked = ("https://8.8.8.8", "https://[2001:db8::1]", "https://9.9.9.9", "https://1.1.1.1")
    found = [proxy_for(url, keyed=False, environment=environment) for url in asked]
    assert found == [None, None, None, "http://gate:3128"]


def test_which_variable_counts() -> None:
    def of(url: str, **environment: str) -> str | None:
        return proxy_for(url, keyed=False, environment=environment)

    assert of("https://a.org", HTTPS_PROXY="up:1", https_proxy="low:1") == "http://low:1"
    assert of("https://a.org", HTTPS_PROXY="up:1", https_proxy="") is None
    assert of("https://a.org", HTTPS_PROXY="up:1", ALL_PROXY="socks5://s:1") == "http://up:1"
    assert of("https://a.org", http_proxy="low:1") is None
    assert of("http://a.org", http_proxy="https://u:p@low:1") == "https://u:p@low:1"
    assert of("http://a.org", all_proxy="all:1") == "http://all:1"


@pytest.mark.parametrize(
    ("environment", "url", "sentence"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1080"}, "https://api.example.com/v1", "SOCKS proxy of all_proxy"),
        ({"all_proxy": "socks://127.0.0.1:1080/"}, "https://api.example.com/v1", "which is not supported"),
        ({"https_proxy": "socks5h://me:secret@p:1"}, "https://api.example.com/v1", "SOCKS"),  # not a key
        ({"https_proxy": "http://"}, "https://api.example.com/v1", "not the address of a proxy"),
        ({"https_proxy": "http://p:port"}, "https://api.example.com/v1", "not the address of a proxy"),
        ({"https_proxy": "ftp://p"}, "https://api.example.com/v1", "not the address of a proxy"),
        ({"https_proxy": "http://[oops"}, "https://api.example.com/v1", "not the address of a proxy"),
        (
            {"http_proxy": "http://me:secret@p:1"},  # not a key
            "http://judge.internal.example/v1",
            "would read the key",
        ),
        ({"ALL_PROXY": "p:1"}, "http://8.8.8.8/v1", "plain http"),
    ],
)
def test_what_cannot_be_is_one_sentence(environment: dict[str, str], url: str, sentence: str) -> None:
    with pytest.raises(SafecotError, match=sentence) as caught:
        proxy_for(url, keyed=True, environment=environment)
    assert "secret" not in str(caught.value)
    for name, value in environment.items():
        os.environ[name] = value  # the fixture's monkeypatch takes it away again
    try:
        with pytest.raises(SafecotError, match=sentence):
            served_models(url, KEY, "--url")
        with pytest.raises(SafecotError, match=sentence):
            ChatClient(url, KEY)
    finally:
        for name in environment:
            del os.environ[name]


@pytest.mark.parametrize(
    "settings",
    [
        {"http_proxy": "http://127.0.0.1:9"},
        {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "localhost,127.0.0.1,::1,[::1]"},
        {"ALL_PROXY": "socks5://127.0.0.1:1080"},
        {"all_proxy": "socks://127.0.0.1:1080/"},
    ],
)
def test_loopback_is_reached_whatever_is_set(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with FaultServer() as server:
        assert served_models(server.url, KEY, "--url") == ["served"]

        async def ask() -> str:
            async with ChatClient(server.url, KEY) as client:
                body = {"model": "served", "messages": [{"role": "user", "content": "x"}]}
                return (await client.complete(body)).text

        assert asyncio.run(ask())


def test_https_goes_by_connect_and_the_key_is_hidden(
    proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, seen = proxy
    monkeypatch.setenv("https_proxy", address.replace("://", "://me:pw%40@"))
    with pytest.raises(SafecotError, match="does not answer") as caught:
        served_models("https://api.example.com/v1", KEY, "--url")
    assert "pw" not in str(caught.value)

    async def ask() -> str:
        async with ChatClient("https://api.example.com/v1", KEY, retries=0) as client:
            return (await client.complete({"model": "m", "messages": []})).detail

    told = asyncio.run(ask())
    assert len(seen) == 2
    for request in seen:
        assert request.startswith("CONNECT api.example.com:443 ")
        assert "Proxy-Authorization: Basic bWU6cHdA" in request
        assert KEY not in request
    assert "502" in told
    assert KEY not in told
    assert "pw" not in told


def test_plain_http_without_a_key_goes_through(
    proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address, seen = proxy
    monkeypatch.setenv("http_proxy", address)
    with pytest.raises(SafecotError, match="not reachable after 4 attempts"):
        download.fetch("http://data.example.com/x.zip", tmp_path / "x.zip", pause_s=0.001)
    assert len(seen) == 4
    assert seen[0].startswith("GET http://data.example.com/x.zip ")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(SafecotError, match="SOCKS"):
        download.fetch("https://data.example.com/x.zip", tmp_path / "x.zip")


def test_libraries_with_clients_of_their_own_see_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:1080/")
    before = dict(os.environ)
    with applied_to_environment("http://127.0.0.1:1/hub"):
        assert os.environ["no_proxy"] == "*"
        assert "ALL_PROXY" not in os.environ
    assert dict(os.environ) == before
    with pytest.raises(SafecotError, match="SOCKS"), applied_to_environment("https://huggingface.co"):
        pass
    monkeypatch.setenv("HTTPS_PROXY", "http://gate:1")
    with applied_to_environment("https://huggingface.co"):
        assert os.environ["https_proxy"] == "http://gate:1"
        assert "ALL_PROXY" not in os.environ
    assert "https_proxy" not in os.environ
