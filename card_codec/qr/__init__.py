"""The QR side of a card: the text that is printed, and the picture of it."""
