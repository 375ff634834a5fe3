"""Who meets the canary: the same answer in every process, and for as long as the share does not fall."""

from hashlib import blake2b

_BYTES = 8
_END = 256.0**_BYTES


def is_within(share: float, model: str, key: str) -> bool:
    """Whether the request or session called `key` belongs to `share` of the model's.

    A larger share holds everybody that a smaller one holds. Two models choose independently of each other.
    """
    # Not Python's hash(): each process salts that anew.
    digest = blake2b(key.encode(), digest_size=_BYTES, key=model.encode()).digest()
    return int.from_bytes(digest) < share * _END
