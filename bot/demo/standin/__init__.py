"""A stand-in for a language model: an OpenAI-compatible server on loopback whose replies a function decides.

scripted.py has both sides of a brain: Asked, what came in, and Scripted, what is to go out. server.py runs it (`standin`),
wire.py knows the documented shapes, refusals.py what such a server turns down.
"""
