"""What keys do whatever is shown: who gets them, in which order, and which there are."""

from __future__ import annotations

from typing import cast

from textual.actions import SkipAction
from textual.events import Event, Key
from textual.widgets import Input

from httptop.config.settings import BY_KEY, Ui
from httptop.config.value_types import Choice
from httptop.screens.base import HttptopScreen
from httptop.screens.box import Box
from httptop.screens.commands import Command, commands, letters
from httptop.screens.dashboard import Dashboard
from httptop.screens.pages import help_page
from httptop.screens.palette import Palette
from httptop.screens.terminal_app import TerminalApp
from httptop.view.keys import Action, behind_escape, effective, shown
from httptop.widgets.bindings import keymap


class KeyedApp(TerminalApp):
    """Gives keys to who wants them, and shows which ones there are."""

    def __init__(self, ui: Ui, *, no_color: bool) -> None:
        """``no_color``: see TerminalApp; raise :class:`ValueError` if ``ui.keys`` is invalid."""
        super().__init__(ui.symbols, no_color=no_color)
        self.ui = ui
        self._actions: tuple[Action, ...] = ()
        self._take_keys()

    def _take_keys(self) -> None:
        self._actions = effective(self.ui.keys)
        self.set_keymap(keymap(self.ui.keys))

    def key_of(self, name: str) -> str:
        """Return the name of an action's key on the screen."""
        return next(shown(action.keys[0]) for action in self._actions if action.name == name)

    async def on_event(self, event: Event) -> None:
        """Let the screen have a key first; do what keys do at once, so in their order.

        Else those that go by way of the focused widget would be behind the others.
        Esc and a letter right behind it come as one key with Alt: they are two, if it does nothing.
        """
        if isinstance(event, Key) and not event.is_forwarded:
            letter = behind_escape(event.key)
            if letter is not None and event.key not in self.screen.active_bindings:
                await self._escape()
                await self.on_event(Key(letter, letter))
                return
            if await self._taken(event.key):
                return
            if isinstance(self.screen, HttptopScreen) and not isinstance(self.focused, Input):
                self.app_focus = True
                if not await self._check_bindings(event.key, priority=True):
                    await self.on_key(event)
                return
        await super().on_event(event)

    async def on_key(self, event: Key) -> None:
        """Do what a key does that no widget has taken, or say that it does nothing."""
        event.prevent_default()
        if not await self._check_bindings(event.key):
            name = shown(event.key)
            if event.character is not None and event.character.isprintable():
                name = event.character
            screen = self.screen
            if isinstance(screen, HttptopScreen | Box):
                screen.no_such_key(name)

    async def _taken(self, key: str) -> bool:
        """Return whether the screen takes a key before anything else does."""
        screen = self.screen
        return isinstance(screen, HttptopScreen) and await screen.take_key(key)

    async def _escape(self) -> None:
        """Do at once what Esc does, before the next key is looked at."""
        if not await self._taken("escape") and not await self._check_bindings("escape", True):
            await self._check_bindings("escape")

    def action_help(self) -> None:
        """Show the keys of the screen, columns and terms."""
        screen = self.screen
        if isinstance(screen, HttptopScreen):
            found = commands(screen, self._actions)
            self.push_screen(help_page(found, columns=isinstance(screen, Dashboard)))

    def action_palette(self) -> None:
        """Show all that can be done on the screen, to search in."""
        screen = self.screen
        if not isinstance(screen, HttptopScreen):
            raise SkipAction
        found = commands(screen, self._actions)
        for name, menu in screen.menus().items():
            found += letters(menu, self.key_of(name), screen)
        found += [
            Command("themes", (), f"theme {name}", f"app.use_theme({name!r})", self)
            for name in cast(Choice, BY_KEY["ui.theme"].kind).words
            if name != self.theme
        ]
        self.push_screen(Palette(found), self._run)

    def _run(self, command: Command | None) -> None:
        if command is not None:
            self.call_later(self.run_action, command.does, command.node)

    def action_use_theme(self, name: str) -> None:
        """Draw in the colours of a theme; saving keeps it."""
        self.theme = name
