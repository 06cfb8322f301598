"""What a card says, and how to hear it. No clock anywhere; devices only in `readers`."""
