"""Notifications: links that failed or came up, and VPP's alarms, as soon as somebody takes them."""

from collections.abc import Sequence

from .agentx.connection import Master
from .interfaces.alarms import Alarms
from .interfaces.links import Links
from .interfaces.publisher import Publisher
from .interfaces.rows import LinkChange
from .mibs import vpp_snmp_agent_mib
from .mibs.if_mib import link_notification
from .runtime.loop import log
from .settings.declarations import Settings

IF_TABLE = "1.3.6.1.2.1.2.2"  # whose rows are notified


class Notifier:
    """What is still to be notified."""

    def __init__(self) -> None:
        self.links = Links()
        self._alarms = Alarms()

    def switch(self, link_changes: Sequence[LinkChange] | None) -> None:
        """Other rows are shown.  None: under other ifIndexes, by which links go."""
        if link_changes is None:
            self.links = Links()
        else:
            self.links.changed(link_changes)

    def notify(self, master: Master, publisher: Publisher, settings: Settings, now: float) -> None:
        """Notify what happened, as soon as there is somebody to notify."""
        self._notify_alarms(master, publisher, settings, now)
        self._notify_links(master, publisher, settings, now)

    def _notify_alarms(
        self, master: Master, publisher: Publisher, settings: Settings, now: float
    ) -> None:
        """That VPP hangs or is away, and that it answers again."""
        raised = publisher.system.vpp.alarms
        if settings.vpp_traps == "disabled" or "VPP-SNMP-AGENT-MIB" not in settings.mibs:
            return
        if not master.takes_notifications or not master.holds(vpp_snmp_agent_mib.OBJECTS):
            return
        for alarm, is_raised in self._alarms.due(raised, now):
            name, varbinds = vpp_snmp_agent_mib.notification(publisher, alarm, is_raised)
            log.debug("%s", name)
            master.notify(f"notification {name}", varbinds)
            if not master.takes_notifications:
                return

    def _notify_links(
        self, master: Master, publisher: Publisher, settings: Settings, now: float
    ) -> None:
        """Links that failed or came up."""
        self.links.changed(publisher.link_changes)
        publisher.link_changes.clear()
        if not master.takes_notifications or "IF-MIB" not in settings.mibs:
            return
        if not master.holds(IF_TABLE):  # another agent notifies its own rows
            return
        for row in self.links.due(publisher.rows, now):
            what = "linkDown" if row.is_down else "linkUp"
            log.debug("%s: %s", what, row.facts.name)
            master.notify(f"notification {what}", link_notification(row))
            if not master.takes_notifications:
                return
