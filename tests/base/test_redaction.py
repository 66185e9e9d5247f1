"""What no record, journal or archive may hold: passwords and tokens of who ran it."""

import pytest

from bench.base.redaction import without_secrets, words_without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:pass@host/x.git", "https://***@host/x.git"),
        ("https://tok3n@host/x", "https://***@host/x"),
        ("ssh://git@host:22/x", "ssh://***@host:22/x"),
        ("git@host:ann/x.git", "git@host:ann/x.git"),
        ("https://host/x?token=abc&n=1", "https://host/x?token=***&n=1"),
        ("HF_TOKEN=abc bench run", "HF_TOKEN=*** bench run"),
        ("api_key: abc", "api_key: ***"),
        (
            "https://h/x?X-Amz-Signature=ab12&X-Amz-Date=3",
            "https://h/x?X-Amz-Signature=***&X-Amz-Date=3",
        ),
        ("https://h/x?sv=2&sig=a%2Fb", "https://h/x?sv=2&sig=***"),
        ("X-Amz-Credential=AB/3", "X-Amz-Credential=***"),
        ("-H 'Authorization: Bearer abcdefgh1'", "-H 'Authorization: *** ***'"),
        ("bearer abcdefgh12", "bearer ***"),
        ("design=3 data.sig=4", "design=3 data.sig=4"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", "***"),
        ("ghp_0123456789abcdefghij", "***"),
        ("data.imagenet.classes=10 tokens=4", "data.imagenet.classes=10 tokens=4"),
    ],
)
def test_secrets_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    """Users of addresses, values of what is called a token, and tokens of known form."""
    assert without_secrets(text) == shown


def test_the_word_after_an_option_is_its_value() -> None:
    """`--token X` hides X, and the next word stands again."""
    words = ["--token", "abc", "run", "--password=b", "s.yaml"]
    assert words_without_secrets(words) == ["--token", "***", "run", "--password=***", "s.yaml"]
