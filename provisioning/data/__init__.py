"""Packaged data of the demo office: its policy table, names, places and shares."""
