"""The chip of a card: how it is spoken to, what it holds, and how it proves itself."""
