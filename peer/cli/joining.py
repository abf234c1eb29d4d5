"""What a peer says of itself when it is up: who it is, where its page is, and the command that the next one needs."""

import ipaddress
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path

from tanist.config import PeerConfig
from tanist.election.settings import PACES, Safety
from tanist.peer.cli.output import paint
from tanist.peer.status import Status
from tanist.transport.address import format_address, parse_address

ELSEWHERE = ("192.0.2.1", 9)
"""An address of the documentation's network (RFC 5737): which own address would leads to it, nothing is sent."""


def introduction(
    config: PeerConfig, status: Status, http_address: str, gateways: Mapping[str, str] | None = None
) -> str:
    """The lines that `tanist up` prints on stdout; `gateways` are addresses by `APP=PROTOCOL`."""
    host, port = parse_address(config.advertise or status.address)
    rows = [
        ("peers", status.address),
        ("page", f"http://{_browsable(http_address)}/"),
        *(("also", f"{gateway} at {address}") for gateway, address in (gateways or {}).items()),
        ("data", str(config.data_directory)),
        *_next_rows(config, host, port),
    ]
    apps = ", ".join(status.apps) or "no applications"
    head = paint(f"{status.name} is up", "good") + f" in cluster {status.cluster} ({status.safety}), with {apps}"
    return "\n".join([head, *(f"  {name:<6} {text}" for name, text in rows)])


def _next_rows(config: PeerConfig, host: str, port: int) -> list[tuple[str, str]]:
    if _is_loopback(host):
        near = [("next", f"on this machine:  {join_command(config, format_address(host, port))}")]
        if config.advertise:
            return near
        # Who listens to every interface and has none but this has no way out at the moment.
        listens_to_all = _is_unspecified(parse_address(config.listen)[0])
        wanted = f"--advertise ADDRESS:{port}" if listens_to_all else f"--listen 0.0.0.0:{port}"
        return [*near, ("", f"other laptops cannot reach {host}; for them start this one with {wanted}")]
    if _is_unspecified(host):
        host = own_address() or socket.gethostname()
    # A peer that others cannot dial could never serve them: on another machine it must listen to more than itself.
    return [("next", f"on another laptop:  {join_command(config, format_address(host, port), listen='0.0.0.0:7400')}")]


def join_command(config: PeerConfig, address: str, listen: str = "") -> str:
    """The command that starts a further peer of this cluster, which is found at `address`."""
    words = ["tanist", "up"]
    for app in config.apps:
        place, colon, name = app.spec.rpartition(":")
        words += ["--app", f"{Path(place).name}:{name}" if colon and place.endswith(".py") else app.spec]
    if config.cluster != "default":
        words += ["--cluster", config.cluster]
    if config.safety is not Safety.SURVIVOR:
        words += ["--safety", str(config.safety)]
        if config.expect:
            words += ["--expect", str(config.expect)]
    pace = next((name for name, pace in PACES.items() if pace == config.pace), "classic")
    if pace != "classic":
        words += ["--pace", pace]
    if listen:
        words += ["--listen", listen]
    return shlex.join([*words, "--peer", address])


def own_address() -> str:
    """This machine's address on its network, "" when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _browsable(address: str) -> str:
    """An address as a browser on this machine can open it: one that means every interface it cannot."""
    host, port = parse_address(address)
    return format_address("127.0.0.1", port) if _is_unspecified(host) else address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
