"""The doors that are not Slack: webhooks, the inbox behind them, and the clock."""
