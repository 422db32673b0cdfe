"""Synthetic tasks, each with its chance level: what must a model remember, count or look up?"""
