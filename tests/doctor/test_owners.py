"""CODEOWNERS, by the examples of GitHub's documentation."""

from __future__ import annotations

import pytest

from gates.doctor.codeowners import owners_of

TABLE = [
    ("*", "a/b.yaml", True),
    ("*.yaml", "gates.yaml", True),
    ("*.yaml", "models/churn/gates.yaml", True),
    ("*.yaml", "gates.yml", False),
    ("/gates.yaml", "gates.yaml", True),
    ("/gates.yaml", "models/gates.yaml", False),
    ("gates.yaml", "models/gates.yaml", True),
    ("models/gates.yaml", "models/gates.yaml", True),
    ("models/gates.yaml", "x/models/gates.yaml", False),
    ("docs/*", "docs/getting-started.md", True),
    ("docs/*", "docs/build-app/troubleshooting.md", False),
    ("apps/", "apps/a/b.c", True),
    ("apps/", "x/apps/a", True),
    ("/apps/", "x/apps/a", False),
    ("/build/logs/", "build/logs/x", True),
    ("**/logs", "build/logs/x", True),
    ("**/logs", "deeply/nested/logs/x", True),
    ("**/logs", "logs/x", True),
    ("/.github/", ".github/workflows/gates.yml", True),
    ("/.github/workflows/**", ".github/workflows/gates.yml", True),
    ("/.github/workflows/gates*.yml", ".github/workflows/gates-promote.yml", True),
    (".github", ".github/CODEOWNERS", True),
    ("models/**/gates.yaml", "models/gates.yaml", True),
    ("models/**/gates.yaml", "models/a/b/gates.yaml", True),
    ("gate?.yaml", "gates.yaml", True),
    ("gate?.yaml", "gate/.yaml", False),
    ("a.b", "axb", False),
    (r"my\ file", "my file", True),
    ("/*", "gates.yaml", True),
    ("/*", "models/gates.yaml", False),
    ("**/docs/*", "a/docs/b", True),
    ("**/docs/*", "docs/a/docs/b", True),
    ("**/docs/*", "a/docs/b/c", False),
    ("models/**/*", "models/a/b/c", True),
    ("**/*", "a/b", True),
    ("**", "a/b", True),
    ("docs/**", "docs/a/b", True),
    ("docs/**", "docs", False),
    ("gates*", "gates.yaml/a", True),
    ("GATES.yaml", "gates.yaml", False),
    ("/", "gates.yaml", False),
    ("gates.yaml\\", "gates.yaml", False),
    (r"\#a", "#a", False),
    ("!gates.yaml", "gates.yaml", False),
    ("[g]ates.yaml", "gates.yaml", False),
]


@pytest.mark.parametrize(("pattern", "path", "owned"), TABLE)
def test_a_pattern_matches(pattern, path, owned):
    assert bool(owners_of(path, f"{pattern} @acme/ml\n")) == owned


def test_the_last_match_counts_and_may_take_the_owners_away():
    text = "# everything\n* @acme/all\n\n/models/ @dana lee@example.org # a comment\n/models/free.yaml\n"
    assert owners_of("a", text) == ("@acme/all",)
    assert owners_of("models/a", text) == ("@dana", "lee@example.org")
    assert owners_of("models/free.yaml", text) == ()
    assert owners_of("a", "") == owners_of("a", "#* @x\n") == ()


def test_a_line_that_github_skips_takes_nobodys_place():
    for skipped in ("/models/ dana", "/models/ @dana @", "!/models/ @dana", "/models/[ab] @dana", "/models/a\\ @dana"):
        assert owners_of("models/a", f"* @acme/all\n{skipped}\n") == ("@acme/all",), skipped
