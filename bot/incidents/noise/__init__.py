"""Which alerts people need not hear of now, each decision with its reason. Pure: time and what is known are arguments.

pattern   regular expressions that always end in linear time
matchers  label conditions, as Alertmanager writes them
windows   when a maintenance window is open
rules     noise.yaml
learning  what a problem's past says: flapping, transients
storm     many problems in a short time
upstream  a failing service explains those that depend on it
verdicts  which of all these applies
"""
