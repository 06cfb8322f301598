"""The demo: two counters, a province and a drawer of cards on one page of this machine.

It drives the other programs through their command lines and pages only, as a person would.
"""
