"""Doors for browsers and probes: pages, their stylesheet, health, and the middleware that every route shares.

There is no judgement here. ``pages`` turns views of the authorization server into HTML, ``health`` asks parts
that were handed in, ``middleware`` compares a Host header with a list. ``app`` puts them together. The pages
work without JavaScript, so that there is none to attack.
"""
