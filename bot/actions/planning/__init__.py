"""The parts of a plan; `bot.actions.plan.make_plan` is the whole.

choosing    which version it is about
asking      what the world outside is asked: all at once, each for a bounded time
around      what else goes on at the service and its neighbours
judging     the risk with its reasons, and warnings
matter      what an approval is bound to, and its hash
telling     the plan as lines for a terminal
"""
