"""`python -m tests.invalid_manifests.regenerate` writes every `expected.txt` anew; review the difference."""

from tests.invalid_manifests.cases import EXPECTED, cases, messages

if __name__ == "__main__":
    for case in cases():
        (case / EXPECTED).write_text(messages(case), encoding="utf-8", newline="\n")
