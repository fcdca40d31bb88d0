"""No picture is left over of a test that is gone."""

from __future__ import annotations

import importlib
from pathlib import Path

_PICTURES = Path(__file__).with_name("__snapshots__")


def test_every_picture_is_one_of_a_test() -> None:
    pictures = list(_PICTURES.glob("*/*.svg"))
    assert pictures
    for picture in pictures:
        module = importlib.import_module(f"{__package__}.{picture.parent.name}")
        assert hasattr(module, picture.stem.partition("[")[0]), picture
