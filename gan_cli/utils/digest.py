"""Short hashes, by which the contents of data sets are told apart."""

import hashlib


def short_hash(text: str) -> str:
    """Returns 16 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
