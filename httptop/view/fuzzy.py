"""Find texts by a few letters of them."""

from __future__ import annotations


def score(query: str, text: str) -> float:
    """Return how well a text matches the words of a query, in whatever order; 0: not at all.

    A word matches where it stands in the text, best at the beginning of a word there, or where its
    letters do, in their order. Case does not matter. The time is that of reading the text once for
    each word.
    """
    text = text.casefold()
    total = 0.0
    for word in query.casefold().split():
        points = _score(word, text)
        if not points:
            return 0.0
        total += points
    return total


def _score(word: str, text: str) -> float:
    at = text.find(word)
    while at > 0 and text[at - 1].isalnum():
        later = text.find(word, at + 1)
        if later < 0:
            break
        at = later
    if at >= 0:
        begins, ends = at == 0 or not text[at - 1].isalnum(), at + len(word)
        whole = begins and (ends == len(text) or not text[ends].isalnum())
        return len(word) * (4.0 if begins else 3.0) + 0.5 * whole + 0.25 * (at == 0)
    points, last = 0.0, -1
    for letter in word:
        at = text.find(letter, last + 1)
        if at < 0:
            return 0.0
        near = at == last + 1 or not text[at - 1].isalnum()
        points += 1.0 if near else 0.1
        last = at
    return points
