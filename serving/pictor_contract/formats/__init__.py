"""One module per file format: what the header says, and the bytes that carry the first frame's pixels.

Each `read_*` walks the file's blocks in bounded time, checks the limits, takes the EXIF orientation and drops
all other metadata. So Pillow never parses EXIF, XMP, ICC, comments, text or later frames: it has nothing to
warn about (a warning is an exception under `-W error`), nothing to inflate, no orientation to apply twice.
"""
