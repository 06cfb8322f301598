"""What a card says, and how to hear it: credential, QR text, pictures, readers. No clock; I/O only in readers."""
