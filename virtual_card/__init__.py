"""A DESFire chip in software, for tests, the demo and benches. Never shipped, never imported by us.

Written from public documents alone (docs/spec/chip-profile.md names them) and without a line of
card_codec, so that what the two agree on is not one mistake made twice. It is a double, not proof:
docs/operating/card-acceptance.md says what only a real chip can show.
"""
