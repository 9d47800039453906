"""The only room that speaks Slack: requests in, views out as blocks."""
