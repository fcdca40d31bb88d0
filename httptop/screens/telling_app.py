"""What the user is told beside the figures: messages, and that the figures are late."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from textual.timer import Timer

from httptop.config.settings import Ui
from httptop.screens.base import HttptopScreen
from httptop.screens.keyed_app import KeyedApp
from httptop.screens.messages import Said, StartStep
from httptop.view.lateness import Lateness
from httptop.view.notices import Notices
from httptop.widgets.key_bar import KeyBar

#: How long a message is shown.
_SHOWN_S: Final = 6.0
_WRONG_S: Final = 15.0
#: How often to look how old the figures are.
_LOOK_S: Final = 1.0
#: How often to look, until there are any, how long the start takes.
_START_LOOK_S: Final = 0.5


class TellingApp(KeyedApp):
    """Shows one message at a time above the keys of the page, and the age of late figures."""

    def __init__(
        self, ui: Ui, *, no_color: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """See KeyedApp; ``clock`` returns seconds on a monotonic clock, in any thread."""
        super().__init__(ui, no_color=no_color)
        self._notices = Notices()
        self.lateness = Lateness(clock)
        self._telling: Timer | None = None  # ends what is shown
        self._clock = clock
        self._starting: Timer | None = None  # until there are figures
        self._step, self._step_s = "", clock()

    def on_mount(self) -> None:
        """Look at the age of the figures now and then, and at the start until it is over."""
        self.set_interval(_LOOK_S, self.look_at_age)
        self._starting = self.set_interval(_START_LOOK_S, self.look_at_start)

    def on_start_step(self, message: StartStep) -> None:
        """Show the next step of the start."""
        self._step, self._step_s = message.step, self._clock()
        self.look_at_start()

    def look_at_start(self) -> None:
        """Show how long the step of the start takes, until there are figures."""
        if self.newest is None:
            self.refresh_screens()
        elif self._starting is not None:
            self._starting.stop()
            self._starting = None

    @property
    def start_step(self) -> tuple[str, float]:
        """The step of the start, and for how many seconds it has been going on."""
        return self._step, self._clock() - self._step_s

    @property
    def notices(self) -> Notices:
        """The messages, also those that are not shown any more."""
        return self._notices

    @property
    def page(self) -> HttptopScreen | None:
        """The page on top, with or without boxes above it."""
        pages = (screen for screen in reversed(self.screen_stack))
        return next((page for page in pages if isinstance(page, HttptopScreen)), None)

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Tell the user something above the keys; any thread may call it."""
        self.post_message(Said(text, wrong=wrong))

    def on_said(self, message: Said) -> None:
        """Show a message for some seconds, or until the next one or Esc."""
        at = None if self.newest is None else self.newest.taken_at
        self.notices.add(message.text, at, wrong=message.wrong)
        if self._telling is not None:
            self._telling.stop()
        seconds = _WRONG_S if message.wrong else _SHOWN_S
        self._telling = self.set_timer(seconds, self.action_dismiss_notice)
        self.refresh_screens()

    def dismiss_notice(self) -> bool:
        """Show no message any more; return whether one of a fault was shown."""
        if self._telling is not None:
            self._telling.stop()
            self._telling = None
        was_wrong = False
        if (shown := self.notices.shown) is not None:
            self.notices.dismiss()
            self.show_told()
            was_wrong = shown.wrong
        return was_wrong

    def action_dismiss_notice(self) -> None:
        """Show no message any more."""
        self.dismiss_notice()

    def show_told(self) -> None:
        """Draw the message on the page on top, and on no other."""
        page = self.page
        for screen in self.screen_stack:
            for bar in screen.query(KeyBar):
                bar.tell(self.notices.shown if screen is page else None)

    def look_at_age(self) -> None:
        """Show how old the figures of a live run are if they are late; draw nothing otherwise."""
        page = self.page
        if page is not None and page.is_mounted:
            run = self.run_controls
            waits = self.view.paused or run is None or not run.is_live
            page.show_age("" if waits else self.lateness.text(self.newest))
