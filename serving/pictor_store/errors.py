"""What the store refuses or fails at: one tree.

::

    StoreError                the store cannot be read or written; what it holds is as before
    ├── StoreLocked           another process is changing it
    ├── VersionMissing        no such model, version or label
    ├── VersionDamaged        a version's files are not those that were published
    ├── ChangeRefused         it would break something: the last version, a served one, nothing to go back to
    ├── RolloutFailed         TensorFlow Serving did not follow; it was told to stay as it was
    └── SamplesError          captured pictures cannot be read or written
"""


class StoreError(Exception):
    """Root of all that this package raises on purpose. The message says what to do."""


class StoreLocked(StoreError):
    """Another process is changing the store."""


class VersionMissing(StoreError):
    """There is no such model, version or label."""


class VersionDamaged(StoreError):
    """A version's files are not those that were published."""


class ChangeRefused(StoreError):
    """The change would break something; nothing was changed."""


class RolloutFailed(StoreError):
    """TensorFlow Serving did not follow; it was told to stay as it was, and the store is as before."""


class SamplesError(StoreError):
    """Captured pictures cannot be read or written."""
