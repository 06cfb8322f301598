"""The counter: hears a presentation, decides, records, then turns green. It knows no network."""
