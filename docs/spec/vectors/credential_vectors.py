"""The vectors of the credential."""

from collections.abc import Iterator
from typing import Any

from docs.spec.vectors.vector_parts import (
    CLAIMS,
    DAY,
    HOUSEHOLD,
    HSM,
    ISSUED,
    ISSUER,
    REVOKED,
    STRANGER,
    TERMINAL,
    TRUST,
    Case,
    Key,
    cose,
    kid,
    pack,
    seed,
)


def credential_cases() -> Iterator[tuple[str, Case]]:
    """Place and content of each vector of the credential."""
    for name, description, claims, key, change in valid_credentials():
        yield (
            f"credential/valid/{name}",
            {
                "description": description,
                "input": {"data": cose(pack(claims), key, **change).hex(), "trust": TRUST.hex()},
                "expected": said_by(claims) | {"issuer_kid": kid(key).hex()},
            },
        )
    for name, description, data, code in invalid_credentials():
        yield (
            f"credential/invalid/{name}",
            {
                "description": description,
                "input": {"data": data.hex(), "trust": TRUST.hex()},
                "expected_error": code,
            },
        )


def said_by(claims: dict[int, Any]) -> dict[str, Any]:
    """What a verifier shall give for these claims."""
    cti = claims[7]
    return {
        "household": cti[:8].hex(),
        "issue": cti[8],
        "kind": claims[-65537],
        "issuer": claims[1],
        "audience": claims[3],
        "issued_at": claims[6],
        "expires_at": claims[4],
        "name": claims[169][4] if 169 in claims else None,
        "chip_uid": claims[-65538].hex() if -65538 in claims else None,
        "photo": claims[-65539].hex() if -65539 in claims else None,
    }


def valid_credentials() -> Iterator[tuple[str, str, dict[int, Any], Key, dict[str, Any]]]:
    """Name, description, claims, key and what is unusual in the envelope."""
    named = CLAIMS | {169: {4: "SITI AMINAH"}}
    photo = seed("a photo")[:16]
    full = CLAIMS | {169: {4: "D" * 60}, -65538: bytes(range(7)), -65539: photo}
    late = CLAIMS | {7: HOUSEHOLD + b"\xff", 4: 2**63 - 1}
    yield "card", "The smallest card: as printed in a QR.", CLAIMS, ISSUER, {}
    yield "card-es256", "Signed with P-256, lower s.", CLAIMS, HSM, {}
    yield "algorithm-19", "Ed25519 by its number of RFC 9864.", CLAIMS, ISSUER, {"algorithm": -19}
    yield "algorithm-9", "ESP256 by its number of RFC 9864.", CLAIMS, HSM, {"algorithm": -9}
    yield (
        "sample",
        "Verifies; the counter refuses it as a sample.",
        CLAIMS | {-65537: 2},
        ISSUER,
        {},
    )
    yield "training", "Verifies; served in training only.", CLAIMS | {-65537: 3}, ISSUER, {}
    yield "name", "With the name to compare with the KTP.", named, ISSUER, {}
    yield "chip", "As on a chip of 7 bytes UID.", CLAIMS | {-65538: bytes(range(7))}, ISSUER, {}
    yield "all-claims", "Every optional claim, the longest name.", full, ISSUER, {}
    yield "bounds", "Issue 255 and the latest date there is.", late, ISSUER, {}


def invalid_credentials() -> Iterator[tuple[str, str, bytes, str]]:
    """Name, description, bytes and error code."""
    good = cose(pack(CLAIMS))
    yield "empty", "No bytes at all.", b"", "malformed"
    yield "cut-off", "The last byte is missing.", good[:-1], "malformed"
    yield "trailing-byte", "One byte follows.", good + b"\x00", "malformed"
    yield "untagged", "Tag 18 is missing.", good[1:], "malformed"
    yield "tag-61", "Wrapped in the CWT tag.", b"\xd8\x3d" + good, "malformed"
    yield "too-long", "More than 1,000 bytes.", cose(b"\x00" * 900), "malformed"
    yield (
        "unprotected-stuffed",
        "The unprotected header is not empty.",
        cose(pack(CLAIMS), unprotected={4: kid(ISSUER)}),
        "malformed",
    )
    yield (
        "indefinite-array",
        "An array of indefinite length.",
        (b"\xd2\x9f" + good[2:] + b"\xff"),
        "malformed",
    )
    yield (
        "long-head",
        "A length not in its shortest form.",
        (good[:2] + b"\x58" + bytes([good[2] & 0x1F]) + good[3:]),
        "malformed",
    )
    yield (
        "header-without-kid",
        "The protected header is only the algorithm.",
        cose(pack(CLAIMS), protected=pack({1: -8})),
        "malformed",
    )
    yield (
        "header-with-more",
        "The protected header says more.",
        cose(pack(CLAIMS), protected=pack({1: -8, 3: 61, 4: kid(ISSUER)})),
        "malformed",
    )
    yield "kid-of-8", "The kid has 8 bytes.", cose(pack(CLAIMS), kid=bytes(8)), "malformed"
    yield from distrusted_credentials(good)
    for name, description, claims in invalid_claims():
        payload = claims if isinstance(claims, bytes) else pack(claims)
        yield f"claims-{name}", description, cose(payload), "malformed"


def distrusted_credentials(good: bytes) -> Iterator[tuple[str, str, bytes, str]]:
    """Well formed, but not signed by whom it should be."""
    claims = pack(CLAIMS)
    early = pack(CLAIMS | {6: ISSUED - 31 * DAY})
    late = pack(CLAIMS | {6: ISSUED + 400 * DAY})
    yield "stranger", "No trusted key has the kid.", cose(claims, STRANGER), "unknown_issuer"
    yield "terminal-key", "Signed by a terminal.", cose(claims, TERMINAL), "unknown_issuer"
    yield "revoked-key", "The issuer's key is revoked.", cose(claims, REVOKED), "unknown_issuer"
    yield "before-key", "Dated before its key was valid.", cose(early), "unknown_issuer"
    yield "after-key", "Dated when its key was over.", cose(late, HSM), "unknown_issuer"
    yield (
        "signature-changed",
        "One bit of the signature.",
        (good[:-1] + bytes([good[-1] ^ 1])),
        "bad_signature",
    )
    yield (
        "claims-changed",
        "The issue number after signing.",
        good.replace(HOUSEHOLD + b"\x01", HOUSEHOLD + b"\x02"),
        "bad_signature",
    )
    yield (
        "kid-of-another",
        "A stranger's signature under the issuer's kid.",
        cose(claims, STRANGER, kid=kid(ISSUER)),
        "bad_signature",
    )
    yield (
        "high-s",
        "The other form of an ES256 signature.",
        cose(claims, HSM, high_s=True),
        "bad_signature",
    )
    yield (
        "other-algorithm",
        "ES256 named under an Ed25519 key.",
        cose(claims, algorithm=-7),
        "bad_signature",
    )
    yield (
        "signature-before-claims",
        "Both wrong: the signature is told.",
        cose(pack({}), STRANGER, kid=kid(ISSUER)),
        "bad_signature",
    )


def invalid_claims() -> Iterator[tuple[str, str, dict[int, Any] | bytes]]:
    """Name, description, and claims that a good signature does not save."""
    without = {key: value for key, value in CLAIMS.items() if key != 4}
    doubled = b"\xa7\x01\x65ID-KT" + pack(CLAIMS)[1:]
    unordered = b"\xa6" + pack({-65537: 1})[1:] + pack({k: CLAIMS[k] for k in (1, 3, 4, 6, 7)})[1:]
    yield "not-a-map", "An array.", pack(list(CLAIMS))
    yield "missing", "Without exp.", without
    yield "unknown", "A claim this version does not know.", CLAIMS | {-65540: 1}
    yield "doubled", "iss stands there twice.", doubled
    yield "unordered", "Not in canonical order.", unordered
    yield "float", "exp is a float.", CLAIMS | {4: 1.5}
    yield "kind-0", "There is no kind 0.", CLAIMS | {-65537: 0}
    yield "kind-true", "true is not 1.", CLAIMS | {-65537: True}
    yield "issue-0", "There is no issue 0.", CLAIMS | {7: HOUSEHOLD + b"\x00"}
    yield "cti-8", "No issue number.", CLAIMS | {7: HOUSEHOLD}
    yield "exp-is-iat", "Ends when it begins.", CLAIMS | {4: ISSUED}
    yield "iss-lower", "iss in lower case.", CLAIMS | {1: "id-kt"}
    yield "aud-empty", "aud without a character.", CLAIMS | {3: ""}
    yield "name-empty", "A name without a letter.", CLAIMS | {169: {4: ""}}
    yield "name-61", "A name of 61 characters.", CLAIMS | {169: {4: "D" * 61}}
    yield "name-control", "A name with a line end.", CLAIMS | {169: {4: "SITI\nAMINAH"}}
    yield "name-turned", "A name that turns the writing.", CLAIMS | {169: {4: "SITI\u202eHANIMA"}}
    yield "169-with-more", "Claim 169 with a birth date.", CLAIMS | {169: {4: "S", 8: "19900101"}}
    yield "uid-5", "A chip UID of 5 bytes.", CLAIMS | {-65538: bytes(5)}
    yield "photo-32", "A photo hash of 32 bytes.", CLAIMS | {-65539: bytes(32)}
