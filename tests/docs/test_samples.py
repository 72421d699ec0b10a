"""The samples of docs/migrations.md are what the commands print."""

from __future__ import annotations

from tools.samples import PAGE, page, samples


def test_the_samples_are_real():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, samples()) == text, "regenerate it: make samples"
