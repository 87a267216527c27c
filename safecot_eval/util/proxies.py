"""Which requests go through a proxy: one rule for every client, from the usual environment variables.

* Loopback, private and link-local addresses, ``localhost``, names of a single label and names that only exist inside a
  network (``.local``, ``.internal`` …) are asked directly, whatever the environment says. Names are not looked up.
* Other hosts are asked over https through ``https_proxy`` (or ``all_proxy``) by CONNECT, so that the proxy sees neither key
  nor content. ``no_proxy`` is honoured: names, domains, addresses, networks, ports, ``*``.
* Plain http through a proxy is for requests without a key: the proxy would read it.
* SOCKS is not spoken.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import SplitResult, urlsplit

from safecot_eval.util.errors import SafecotError

_LOCAL_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 ::/128 ::1/128 fc00::/7 "
        "fe80::/10".split(),
    )
)
_LOCAL_DOMAINS = (
    *("localhost", "local", "localdomain", "internal", "intranet", "private"),
    *("lan", "home", "corp", "home.arpa"),
)
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(url: str, *, keyed: bool, environment: Mapping[str, str] = os.environ) -> str | None:
    """The proxy of a request.

    Args:
        url: What is asked for, http or https.
        keyed: Whether the request carries a key.
        environment: Where the variables are read; the lower-case spelling wins.

    Returns:
        The proxy's address, its user name and password included; None to ask directly.

    Raises:
        SafecotError: a proxy would read the key, speaks SOCKS, or its address is malformed.

    >>> proxies = {"https_proxy": "http://gate:3128", "no_proxy": ".example.org"}
    >>> proxy_for("https://api.example.com/v1", keyed=True, environment=proxies)
    'http://gate:3128'
    >>> proxy_for("http://localhost:8000/v1", keyed=True, environment=proxies) is None
    True
    """
    parts = urlsplit(url)
    host = host_of(parts)
    if not host or is_local(host):
        return None
    names = (f"{parts.scheme}_proxy", "all_proxy")
    name = next((name for name in names if _value(name, environment)), None)
    if name is None or _excepted(host, parts.port or _port(parts.scheme), _value("no_proxy", environment)):
        return None
    return _checked(_value(name, environment), name, host, secure=parts.scheme == "https", keyed=keyed)


def is_local(host: str) -> bool:
    """Whether a host is on this machine or inside this network, by its spelling alone.

    >>> [is_local(host) for host in ("127.0.0.1", "::1", "10.1.2.3", "gpu-node-7", "judge.internal")]
    [True, True, True, True, True]
    >>> [is_local(host) for host in ("8.8.8.8", "api.example.com", "internal.example")]
    [False, False, False]
    """
    name = host.strip("[]").rstrip(".").lower()
    address = _address(name)
    if address is not None:
        return any(address in network for network in _LOCAL_NETWORKS if network.version == address.version)
    return "." not in name or any(name.endswith(f".{domain}") for domain in _LOCAL_DOMAINS)


def host_of(parts: SplitResult) -> str:
    """Host of an address, lower-case and without brackets; empty if there is none or it is malformed."""
    try:
        return (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


@contextmanager
def applied_to_environment(url: str) -> Iterator[None]:
    """Bring the environment in line with the rule while a library with a client of its own asks an address.

    Raises:
        SafecotError: see :func:`proxy_for`.
    """
    proxy = proxy_for(url, keyed=True)  # such a library sends the user's token along
    chosen = {"no_proxy": "*"} if proxy is None else {"https_proxy": proxy, "http_proxy": proxy}
    spelled = [name for lower in _VARIABLES for name in (lower, lower.upper())]
    before = {name: os.environ.pop(name) for name in spelled if name in os.environ}
    os.environ.update(chosen)
    try:
        yield
    finally:
        for name in chosen:
            os.environ.pop(name, None)
        os.environ.update(before)


def _value(name: str, environment: Mapping[str, str]) -> str:
    return (environment[name] if name in environment else environment.get(name.upper(), "")).strip()


def _checked(proxy: str, name: str, host: str, *, secure: bool, keyed: bool) -> str:
    address = proxy if "://" in proxy else f"http://{proxy}"
    around = f"add {host} to no_proxy if it can be reached without a proxy"
    try:
        parts = urlsplit(address)
        shown = f"{parts.scheme}://{host_of(parts)}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        parts, shown = urlsplit(""), ""
    if parts.scheme.startswith("socks"):
        raise SafecotError(
            f"{host} would be asked through the SOCKS proxy of {name} ({shown}), which is not supported; set "
            f"https_proxy to an http proxy, or {around}."
        )
    if parts.scheme not in ("http", "https") or not host_of(parts) or not shown:
        raise SafecotError(
            f"{name} is not the address of a proxy (http://HOST:PORT); correct or unset it, or {around}."
        )
    if keyed and not secure:
        raise SafecotError(
            f"{host} would be asked over plain http through the proxy of {name} ({shown}), which would read the key; use "
            f"an https:// address, or {around}."
        )
    return address


def _excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``no_proxy`` names the host; entries that say nothing are passed over."""
    own = _address(host)
    for entry in filter(None, re.split(r"[\s,;]+", no_proxy.lower())):
        if entry == "*":
            return True
        entry = entry.rpartition("://")[2]
        if "/" in entry:
            if own is not None and _in_network(own, entry):
                return True
            continue
        name, given_port = _host_and_port(entry)
        name = name.removeprefix("*").strip(".")
        if not name or given_port not in ("", str(port)):
            continue
        if host == name or host.endswith(f".{name}") or (own is not None and own == _address(name)):
            return True
    return False


def _host_and_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    if entry.count(":") == 1:
        host, _, port = entry.partition(":")
        return host, port
    return entry, ""


def _in_network(address: Address, text: str) -> bool:
    try:
        return address in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False


def _address(host: str) -> Address | None:
    """The address that a host spells out, old forms like ``127.1`` included; None for a name."""
    try:
        found = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        if not re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+)){0,3}", host):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
