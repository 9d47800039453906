"""Tocsin: a Slack bot that turns alerts and deployments into explained incidents.

cli         the command line, thin           slack          the only room that speaks Slack
wiring      everything is assembled here     storage        SQLAlchemy behind the ports
settings    the only reader of environment   durable        work that survives a crash
ports       the outside world on one page    investigation  evidence, ranking, the journal
domain      pure values and rules            knowledge      runbooks and past incidents
flows       the stories, one function each   topology       services and who depends on whom
intake      webhooks, inbox, the clock       signals        numbers and logs
door        the webhooks' own process        commands       the command line, by groups
incidents   from signals to incidents        actions        changing production, carefully
evals       how good are we                  workspace      a local Slack-compatible workspace
demo        a sample estate that really runs redact         secrets and personal data out of text
"""

__version__ = "0.1.0"
