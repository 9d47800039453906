"""What tokens cost, by the price table of genai-prices; an unknown model has no price rather than a wrong one."""

from importlib.metadata import version

from genai_prices import Usage, calc_price

from bot.investigation.model.names import Named


def price_table() -> str:
    """Which prices were used."""
    return f"genai-prices {version('genai-prices')}"


def price(named: Named, models: tuple[str, ...], tokens_in: int, tokens_out: int, cached: int) -> float | None:
    """US dollars of one call by the first of these model names that has a price; None if nobody knows."""
    usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=cached)
    for model in filter(None, models):
        try:
            if named.kind == "openai-compatible":
                return float(calc_price(usage, model, provider_api_url=named.url).total_price)
            return float(calc_price(usage, model, provider_id=named.kind).total_price)
        except (LookupError, ValueError):
            continue
    return None
