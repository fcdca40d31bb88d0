"""The user's templates over the kernel's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.collect.path_rules import PathRules


@pytest.mark.parametrize(
    ("templates", "path", "shown"),
    [
        (["/users/*"], "/users/alice", "/users/{id}"),
        (["/users/*"], "/users/{id}", "/users/{id}"),
        (["/users/{name}"], "/users/{id}", "/users/{name}"),
        (["/users/{name}"], "/users/{id}.json", "/users/{name}"),
        (["/users/*/posts/{post}"], "/users/a/posts/b", "/users/{id}/posts/{post}"),
        (["/users/*"], "/users/alice/posts", "/users/alice/posts"),
        (["/users/*"], "/users", "/users"),
        (["/users/*"], "/people/alice", "/people/alice"),
        (["/users/me", "/users/{name}"], "/users/me", "/users/me"),
        (["/users/{name}", "/users/me"], "/users/me", "/users/{name}"),
        (["/*/*"], "/users/alice…", "/users/alice…"),
        (["/*"], "*", "*"),
        (["/*"], "host:443", "host:443"),
        (["/*"], "~other", "~other"),
        ([], "/users/alice", "/users/alice"),
    ],
)
def test_apply(templates: list[str], path: str, shown: str) -> None:
    assert PathRules(templates).apply(path) == shown


WORDS = st.sampled_from(["users", "posts", "alice", "1", ""])
PATHS = st.lists(WORDS, min_size=1, max_size=4).map(lambda words: "/" + "/".join(words))
PATTERNS = st.lists(
    st.one_of(WORDS, st.sampled_from(["*", "{id}", "{name}"])), min_size=1, max_size=4
).map(lambda words: "/" + "/".join(words))


@given(st.lists(PATTERNS, max_size=5), PATHS)
def test_a_path_that_rules_made_stays(patterns: list[str], path: str) -> None:
    rules = PathRules(patterns)
    assert rules.apply(rules.apply(path)) == rules.apply(path)
    assert rules.apply(path).count("/") == path.count("/")


@given(st.lists(PATTERNS, max_size=5), st.text())
def test_any_text_is_safe(patterns: list[str], path: str) -> None:
    PathRules(patterns).apply(path)
