"""The counter: hears a presentation, decides, records, then turns green. It has no network client."""
