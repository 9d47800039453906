"""Links count for their problem, for its neighbours once two say so, and two who found a page useless make it step back."""

from datetime import timedelta

from bot.domain.interaction import Opinion
from bot.domain.suggestion import Judgement, Subject, confirmed, unwanted
from bot.knowledge.kinship import family
from tests.fakes import NOON

HERE = Subject("higherrorrate", "payments", "HighErrorRate")
PAGE = "runbook:payments.md"


def said(
    by: str, *, subject: Subject = HERE, opinion: Opinion = Opinion.LINKED, incident: str = "i1", page: str = PAGE
) -> Judgement:
    return Judgement(subject, page, opinion, by, NOON, incident)


def test_one_person_is_enough_for_the_very_problem() -> None:
    assert confirmed([said("U1")], {HERE}, family) == (PAGE,)


def test_neighbours_inherit_a_link_from_two_people_or_from_two_incidents() -> None:
    elsewhere = Subject("higherrorrate", "search", "HighErrorRate")
    assert confirmed([said("U1")], {elsewhere}, family) == ()
    assert confirmed([said("U1"), said("U2")], {elsewhere}, family) == (PAGE,)
    assert confirmed([said("U1"), said("U1", incident="i2")], {elsewhere}, family) == (PAGE,)


def test_an_alert_of_the_same_family_on_the_same_service_is_a_neighbour_and_another_is_none() -> None:
    twice = [said("U1"), said("U2")]
    assert confirmed(twice, {Subject("paymentshigherrorrate", "payments", "PaymentsHighErrorRate")}, family) == (PAGE,)
    assert confirmed(twice, {Subject("diskfull", "payments", "DiskFull")}, family) == ()


def test_a_question_has_no_neighbours() -> None:
    asked = Subject("question: retries", "", "retries?")
    twice = [said("U1", subject=asked), said("U2", subject=asked)]
    assert confirmed(twice, {asked}, family) == (PAGE,)
    assert confirmed(twice, {HERE}, family) == ()


def test_own_links_come_before_inherited_ones_and_more_people_before_fewer() -> None:
    elsewhere = Subject("higherrorrate", "search", "HighErrorRate")
    links = [said(u, subject=elsewhere, page="runbook:far.md") for u in ("U1", "U2", "U3")]
    links += [said("U1", page="runbook:one.md"), said("U1", page=PAGE), said("U2", page=PAGE)]
    assert confirmed(links, {HERE}, family) == (PAGE, "runbook:one.md", "runbook:far.md")


def test_two_people_make_a_page_step_back_one_does_not_and_those_who_speak_for_it_count() -> None:
    no = Opinion.NOT_USEFUL
    assert unwanted([said("U1", opinion=no)], {HERE}) == frozenset()
    two = [said("U1", opinion=no), said("U2", opinion=no)]
    assert unwanted(two, {HERE}) == {PAGE}
    assert unwanted([*two, said("U3", opinion=Opinion.USEFUL), said("U4")], {HERE}) == frozenset()
    assert unwanted(two, {Subject("higherrorrate", "search")}) == frozenset()


def test_the_same_word_has_the_same_key_whenever_it_is_said() -> None:
    later = Judgement(HERE, PAGE, Opinion.USEFUL, "U1", NOON + timedelta(days=1), "i2")
    assert said("U1", opinion=Opinion.USEFUL).key == later.key
    assert said("U1").key != said("U1", incident="i2").key
