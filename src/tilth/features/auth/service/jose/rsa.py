"""RSA numbers that parse and yet must not be trusted."""

LEAST_BITS = 2048
MOST_BITS = 8192
"""Verifying costs with the square of the size, and whoever sends a key chooses it."""

# FIPS 186-5 section 5.4.
LEAST_EXPONENT = 2**16
MOST_EXPONENT = 2**256

_GENERATOR = 65537
_PRIMES = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89),
    *(97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)


def rsa_weakness(modulus: int, exponent: int) -> str | None:
    """What is wrong with the key, as a sentence; None when nothing is."""
    if not LEAST_BITS <= modulus.bit_length() <= MOST_BITS:
        return f"RSA keys must have {LEAST_BITS:,} to {MOST_BITS:,} bits (RFC 7518 section 3.3)."
    if not LEAST_EXPONENT < exponent < MOST_EXPONENT or exponent % 2 == 0:
        return "The public exponent of an RSA key must be odd and at least 65,537."
    if _is_factorable(modulus):
        return "This RSA key can be factored (ROCA, CVE-2017-15361). Replace it."
    return None


def _is_factorable(modulus: int) -> bool:
    """Whether modulus has the mark of the Infineon generator: a power of 65537 modulo small primes.

    A sound key has it by chance once in 2^27 or more.
    Source: Nemec and others, The Return of Coppersmith's Attack, ACM CCS 2017, section 2.
    """
    return all(modulus % prime in _powers(prime) for prime in _PRIMES)


def _powers(prime: int) -> frozenset[int]:
    return frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime - 1))
