"""Sums that customers would complain about first."""

import unittest

PRICES = {"sku-1": 637, "sku-2": 774}


def total(lines: list[tuple[str, int]], percent: int = 0) -> int:
    full = sum(PRICES[sku] * quantity for sku, quantity in lines)
    return full - full * percent // 100


class Totals(unittest.TestCase):
    def test_two_lines_add_up(self) -> None:
        self.assertEqual(total([("sku-1", 1), ("sku-2", 2)]), 2185)

    def test_a_coupon_takes_its_percentage(self) -> None:
        self.assertEqual(total([("sku-1", 2)], percent=10), 1147)
