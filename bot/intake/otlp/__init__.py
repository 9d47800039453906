"""Spans received by OTLP over HTTP, of which only edges are kept, counted per minute.

reading  a request's bytes as the spans at the border of a service
peers    whom a caller's span says it called
web      the port: who may send, how much, and what is answered
"""
