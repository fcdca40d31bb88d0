"""What the bottom line says of losses."""

from __future__ import annotations

from dataclasses import fields, replace

from httptop.model import Health
from httptop.widgets.cost_line import LOSSES, losses


def test_each_counter_of_health_has_words_and_is_serious_where_health_is_not_good() -> None:
    assert {loss.field for loss in LOSSES} == {field.name for field in fields(Health)}
    for loss in LOSSES:
        health = replace(Health(), **{loss.field: 1})
        assert losses(health) == ([(loss, 1)] if loss.fault else [])
        assert health.good is not loss.serious


def test_serious_losses_come_first() -> None:
    serious = [loss.serious for loss in LOSSES]
    assert serious == sorted(serious, reverse=True)
