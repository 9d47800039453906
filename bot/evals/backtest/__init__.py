"""What would have happened: the firings that a Prometheus remembers, through the real stories, and advice on the worst rules.

history    samples of ALERTS become firings
reading    asked of Prometheus; deployments from a repository's tags
deliveries firings become what Alertmanager would have sent
figures    what people would have seen of it
chart      the same as a picture
advice     a patch for the noisiest rules, with a test
rulefile   rule files, edited without losing a comment
"""
