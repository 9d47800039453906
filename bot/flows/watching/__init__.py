"""What the bot notices before anybody is alerted; all of it are signals of the lowest severity.

reading   golden signals of many services, in bounded batches
rounds    every few minutes: each series meets its memory; what is unusual is told of once
running_out  every hour: what runs out soon
bakes     a deployment begins to settle in, or is overtaken
baking    deployments are looked at until they are clean, suspect or unclear
telling   a warning becomes an alert like any other, and a note in the incidents around it
listing   for the terminal and the digest
"""
