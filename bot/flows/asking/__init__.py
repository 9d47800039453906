"""Somebody asks: what a question means, evidence looked up, an answer with citations; what models may do and cost.

question     evidence is looked up and the answer appears in the thread
answering    a model answers from numbered evidence while people watch
meaning      topic, services and span of a question, also of one that goes on
suggestions  what is worth asking now
engine       which model, switched by whom
spending     switch, budgets, and the words about them
"""
