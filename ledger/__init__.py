"""What is owed (signed rights) and what was given (the journal), and the union that joins them."""
