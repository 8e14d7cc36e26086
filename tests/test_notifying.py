"""notifying.py: what is notified, and to whom."""

from dataclasses import replace
from pathlib import Path

import pytest

from .agents import ETHERNET, started


def test_an_agent_whose_iftable_another_one_holds_notifies_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(tmp_path, "eth0", vppcfg=None) as stage:
        stage.rest()
        notified: list[str] = []
        master = stage.agent._master
        monkeypatch.setattr(master, "notify", lambda what, varbinds: notified.append(what))
        master._is_registered, master.refused = True, ("subtree 1.3.6.1.2.1.2.2",)
        stage.report(replace(ETHERNET, link_up=False))
        stage.rest()
        stage.agent._notify(1.0)
        assert notified == []
        master.refused = ("subtree 1.3.6.1.2.1.31.1.1",)
        stage.agent._notify(2.0)
        assert notified == ["notification linkDown"]
        master._is_registered, master.refused = False, ()
