"""Noise: what is kept from people, for how long and why; what people do about it.

noise          what becomes of a batch of news
holds          what is held, and how that is written down
company        what is alone waits for company; storming gathers a storm
arming         which ideas of the bot's own act for whom
quieting       silences, arming, why; noise_command is its command
"""
