"""The office: roster, decree, keys, cards and terminals."""
