"""What vendors' formats have in common, so that a connector says only what is its own.

rest       a JSON API asked politely
orders     an order as vendors carry it
programs   a program is run, without a shell
forge      commits by REST
trees      folders and Git repositories; filetree the documents in them
loglines   log lines of any source; logsamples what a log source answers
sigv4, sns Amazon's signatures and topics
"""
