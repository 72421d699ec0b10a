"""The pages say what the schema and the modules say."""

from __future__ import annotations

import pytest

from tools.pages import ROOT, pages


@pytest.mark.parametrize("path", [path.relative_to(ROOT).as_posix() for path in pages()])
def test_a_page_is_what_its_sources_say(path):
    assert (ROOT / path).read_text(encoding="utf-8") == pages()[ROOT / path], "regenerate it: make pages"
