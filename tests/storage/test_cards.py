"""Cards: which message shows what."""

from dataclasses import replace

from bot.domain.view import Place
from bot.ports import Card, Transaction
from bot.storage.cards import SqlCardStore
from bot.storage.database import SqlDatabase

STORE = SqlCardStore()
CARD = Card("card:i1", Place("C0PAYMENTS", "1767362940.000100"), shown="digest", pending="r1", posts=1)


async def test_a_card_comes_back_whole_by_its_key_and_by_its_place(database: SqlDatabase) -> None:
    await database.write(lambda tx: STORE.put(tx, CARD))
    assert await database.read(lambda tx: STORE.get(tx, "card:i1")) == CARD
    assert await database.read(lambda tx: STORE.at(tx, "C0PAYMENTS", "1767362940.000100")) == CARD


async def test_what_is_not_there_is_none(database: SqlDatabase) -> None:
    await database.write(lambda tx: STORE.put(tx, replace(CARD, place=Place("C0PAYMENTS"))))
    assert await database.read(lambda tx: STORE.get(tx, "card:i2")) is None
    assert await database.read(lambda tx: STORE.at(tx, "C0PAYMENTS", "")) is None
    assert await database.read(lambda tx: STORE.at(tx, "C0ALERTS", "1767362940.000100")) is None


async def test_a_later_put_replaces_the_card(database: SqlDatabase) -> None:
    later = replace(CARD, place=Place("C0PAYMENTS", "1767362999.000200", "1767362940.000100"), pending="", posts=2)

    def twice(tx: Transaction) -> None:
        STORE.put(tx, CARD)
        STORE.put(tx, later)

    await database.write(twice)
    assert await database.read(lambda tx: STORE.like(tx, "card:")) == (later,)


async def test_cards_are_found_by_how_their_key_begins_and_signs_in_it_mean_nothing(database: SqlDatabase) -> None:
    keys = ("pointer:i1:C2", "pointer:i1:C1", "pointer:i2:C1", "pointer_i1:C9")

    def fill(tx: Transaction) -> None:
        for key in keys:
            STORE.put(tx, Card(key, Place("C1")))

    await database.write(fill)
    found = await database.read(lambda tx: STORE.like(tx, "pointer:i1:"))
    assert [card.key for card in found] == ["pointer:i1:C1", "pointer:i1:C2"]
    assert await database.read(lambda tx: STORE.like(tx, "pointer%")) == ()
    underscored = await database.read(lambda tx: STORE.like(tx, "pointer_"))
    assert [card.key for card in underscored] == ["pointer_i1:C9"]
