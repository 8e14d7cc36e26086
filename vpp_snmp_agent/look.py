"""One look at VPP and at what is known of it, for the sub-commands that only read.

The rules this module keeps:

- Nothing is changed: no file is written or moved, and snmpd hears nothing of it.
- VPP is asked once, by the agent's own feed, whose child has ended when `ask` returns.
- What cannot be had is told in words, never raised: an operator sees the rest.
"""

import errno
import os
import select
import time
from dataclasses import dataclass

from . import config, sockets
from .config import BadSettings, Descriptions, Settings
from .interfaces.naming import DOWN, UNKNOWN
from .interfaces.store import Store, StoreError
from .interfaces.table import InterfaceTable, Row
from .vpp import feed
from .vpp.inventory import Identity, Inventory
from .vpp.stats import Segment, SegmentUnavailable

PATIENCE = 10.0  # seconds that VPP has to tell all


@dataclass
class Asked:
    """What one VPP told, and why it did not tell more."""

    identity: Identity | None = None
    inventory: Inventory | None = None
    segment: Segment | None = None
    away: bool = False  # nobody is there who could have told
    no_inventory: str = ""
    no_addresses: str = ""  # not all of them, at least
    no_segment: str = ""


def ask(settings: Settings, everything: bool = False) -> Asked:
    """Ask VPP, for at most PATIENCE seconds; for `everything`, addresses and neighbours too."""
    asked = Asked()
    addresses = settings.addresses if everything else 0.0
    neighbors = settings.neighbors if everything else 0.0
    until = time.monotonic() + PATIENCE
    source = feed.Feed(
        feed.Settings(
            *(settings.api_socket, settings.stats_socket, settings.api_dir, settings.period),
            *(addresses, neighbors),
        )
    )
    try:
        for _ in source.check(time.monotonic()):
            pass  # it starts, and has nothing to tell yet
        while not (asked.no_inventory or _told(asked.inventory, addresses, neighbors)):
            left = max(0.0, until - time.monotonic())
            if not select.select([source], [], [], left)[0] or not left:
                if asked.inventory:
                    asked.no_addresses = f"VPP did not tell all addresses within {PATIENCE:g} s"
                    break
                asked.no_inventory = (
                    f"{settings.api_socket}: no answer from VPP within {PATIENCE:g} s:"
                    " it hangs, or is very busy; restart it if that stays so"
                )
                break
            for news in source.receive(time.monotonic()):
                _take(news, asked, settings)
    finally:
        source.close()
    return asked


def _told(inventory: Inventory | None, addresses: float, neighbors: float) -> bool:
    """Whether there is nothing left to wait for."""
    if inventory is None:
        return False
    addresses_told = inventory.addresses is not None or not addresses
    return addresses_told and (inventory.neighbors is not None or not neighbors)


def _take(news: feed.News, asked: Asked, settings: Settings) -> None:
    match news:
        case feed.Present(identity):
            asked.identity = identity
        case feed.Segment(descriptor):
            try:
                asked.segment = Segment(descriptor)
            except SegmentUnavailable as error:
                asked.no_segment = f"{settings.stats_socket}: {error}"
            finally:
                os.close(descriptor)
        case feed.NoSegment(reason, number):
            why = _explain(settings.stats_socket, number, "statseg") if number else reason
            asked.no_segment = why
        case Inventory():
            asked.inventory = news
        case feed.Away(number):
            asked.away = True
            ended = f"{settings.api_socket}: VPP ended while it was asked"
            why = _explain(settings.api_socket, number, "socksvr") if number else ended
            asked.no_inventory = why
        case feed.Failed(reason):
            asked.no_inventory = f"{settings.api_socket}: {reason}"


def _explain(path: str, number: int, section: str) -> str:
    advice = {
        errno.ENOENT: f"; start VPP, with `{section} {{ default }}` in its startup.conf",
        errno.ECONNREFUSED: "; start VPP",
    }
    return sockets.explain(path, number) + advice.get(number, "")


def open_store(settings: Settings) -> tuple[Store, str]:
    """What is known from before, and what is wrong with its file, which stays as it is."""
    if settings.ifindex == "stateless":
        return Store(), ""
    store = Store(settings.state_dir)
    try:
        store.load()
    except StoreError as error:
        return Store(), str(error)
    return store, ""


def load_descriptions(settings: Settings) -> tuple[Descriptions, str]:
    """The operator's descriptions, and what is wrong with their file."""
    if settings.vppcfg is None:
        return Descriptions(), ""
    try:
        return config.load_descriptions(settings.vppcfg), ""
    except FileNotFoundError:
        return Descriptions(), f"{settings.vppcfg}: there is no such file"
    except BadSettings as error:
        return Descriptions(), str(error)


def rows_of(
    asked: Asked, store: Store, descriptions: Descriptions, settings: Settings
) -> InterfaceTable:
    """The rows as the agent would show them; those of the store where VPP did not tell."""
    table = InterfaceTable(store, settings)
    if asked.inventory is None:
        table.restore(DOWN if asked.away else UNKNOWN)
        return table
    settled = asked.segment is not None and asked.segment.uptime >= settings.settle
    for _ in table.update(asked.inventory, asked.segment, descriptions, settled):
        pass
    table.commit()
    return table


def in_order(table: InterfaceTable) -> list[Row]:
    """The rows by ifIndex."""
    return [table.rows.by_index[index] for index in table.rows.indexes]
