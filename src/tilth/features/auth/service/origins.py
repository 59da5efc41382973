"""A request → where it comes from, as it is kept with sessions and in the history."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from uuid import UUID

from starlette.requests import HTTPConnection

from tilth.features.auth.models.audit import Origin
from tilth.kernel.policy.actor import Actor
from tilth.runtime.web.problem import request_id_of

AGENT_CHARACTERS = 256


def origin_of(connection: HTTPConnection, actor: Actor | None = None) -> Origin:
    """The address is the peer's: that of a client behind a proxy only if the proxy is trusted."""
    agent = connection.headers.get("user-agent")
    signed_in = actor is not None and actor.is_signed_in
    return Origin(
        address=address_of(connection),
        agent=agent[:AGENT_CHARACTERS] if agent else None,
        request_id=request_id_of(connection.scope),
        actor_id=_id(actor.impersonator or actor.id) if signed_in and actor else None,
        impersonator_id=_id(actor.impersonator) if signed_in and actor else None,
        credential=actor.credential if signed_in and actor else None,
    )


def address_of(connection: HTTPConnection) -> str | None:
    """None when it is not an IP address, as over a Unix socket."""
    client = connection.client
    try:
        return str(ip_address(client.host.partition("%")[0])) if client else None
    except ValueError:
        return None


def neighbourhood_of(address: str | None) -> str:
    """IPv4 /24, IPv6 /64: what one customer of a provider is given, or can choose from freely."""
    if address is None:
        return "unknown"
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return neighbourhood_of(str(parsed.ipv4_mapped))
        return str(ip_network((parsed, 64), strict=False))
    return str(ip_network((parsed, 24), strict=False))


def is_within(address: str | None, networks: str | None) -> bool:
    """networks: separated by spaces; None lets every address in."""
    if networks is None:
        return True
    if address is None:
        return False
    parsed = ip_address(address)
    return any(parsed in ip_network(each, strict=False) for each in networks.split())


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None
