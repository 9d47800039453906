"""Automation by degrees: what fits an incident is offered, planned beforehand, or started by the bot; people switch it off.

weighing    which steps fit, and how far the bot may go with each now: all of it from what is stored
starting    the plan that is made beforehand, and the start without a person
pressing    somebody pressed a step on a card
switching   /incident automation
telling     who hears of what ran by itself
"""
