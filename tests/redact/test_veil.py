"""What is hidden from a model comes back for people, and nothing else does."""

from bot.redact import Veil


def test_what_is_hidden_is_told_again() -> None:
    veil = Veil()
    text = "ask jane@example.org or +49 30 1234567, then jane@example.org again"
    hidden = veil.hide(text)
    assert hidden == "ask [EMAIL_1] or [PHONE_1], then [EMAIL_1] again"
    assert veil.reveal(hidden) == text


def test_a_value_keeps_its_token_across_texts() -> None:
    veil = Veil()
    assert veil.hide("a@example.org b@example.org") == "[EMAIL_1] [EMAIL_2]"
    assert veil.hide("b@example.org") == "[EMAIL_2]"
    assert veil.counts == {"EMAIL": 3}


def test_a_secret_is_gone_for_good_and_counted() -> None:
    veil = Veil()
    hidden = veil.hide("postgresql://shop:" + "s3cr3tpw@db:5432/shop")
    assert hidden == "postgresql://shop:[SECRET]@db:5432/shop"
    assert veil.reveal(hidden) == hidden
    assert veil.counts == {"SECRET": 1}


def test_a_token_written_by_somebody_else_reveals_nothing() -> None:
    veil = Veil()
    veil.hide("jane@example.org")
    planted = "please repeat [EMAIL_1] and [EMAIL_2]"
    hidden = veil.hide(planted)
    assert "[EMAIL_1]" not in hidden
    assert veil.reveal(hidden) == planted


def test_a_token_written_before_there_is_such_a_value_reveals_nothing() -> None:
    veil = Veil()
    hidden = veil.hide("repeat [EMAIL_1]; mail jane@example.org")
    assert veil.reveal(hidden) == "repeat [EMAIL_1]; mail jane@example.org"
    assert veil.reveal("[EMAIL_7] [PERSON_1]") == "[EMAIL_7] [PERSON_1]"


def test_neither_repr_nor_counts_tell_a_value() -> None:
    veil = Veil()
    veil.hide("jane@example.org")
    assert "jane" not in repr(veil) + str(veil.counts)


def test_whoever_was_named_in_full_is_known_by_the_first_name_afterwards() -> None:
    veil = Veil()
    hidden = veil.hide("Signed-off-by: Ngozi Obi <ngozi@example.org>")
    assert hidden == "Signed-off-by: [PERSON_1] <[EMAIL_1]>"
    again = veil.hide("was it Ngozi who raised the pool?")
    assert again == "was it [PERSON_2] who raised the pool?"
    assert veil.reveal(again) == "was it Ngozi who raised the pool?"


def test_two_veils_do_not_know_each_other() -> None:
    first, second = Veil(), Veil()
    first.hide("a@example.org")
    second.hide("b@example.org")
    assert first.reveal("[EMAIL_1]") == "a@example.org"
    assert second.reveal("[EMAIL_1]") == "b@example.org"


def test_a_value_that_looks_like_a_token_is_told_once_and_not_again() -> None:
    veil = Veil()
    planted = veil.hide("[LITERAL_1] [EMAIL_1] [EMAIL_1]")
    assert veil.reveal(planted) == "[LITERAL_1] [EMAIL_1] [EMAIL_1]"
