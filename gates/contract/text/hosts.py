"""Host names in any script (IDNA 2008), for which no regular expression is enough."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

LONGEST = 1_000  # characters, above which nobody looks
_DOTS = ".\u3002\uff0e\uff61"
_FROM_RIGHT = ("R", "AL", "AN")


@lru_cache(maxsize=2**16)
def is_idn_hostname(text: str) -> bool:
    """Tell whether each label is of letters, digits and hyphens, or one that RFC 5890 to 5893 allow, in either form."""
    import idna

    if not text or len(text) > LONGEST or text[-1] in _DOTS:
        return False
    try:
        encoded = idna.encode(text)
        labels = [idna.ulabel(label) for label in encoded.split(b".")]
        if any(unicodedata.bidirectional(char) in _FROM_RIGHT for label in labels for char in label):
            for label in labels:  # one label that is read from the right asks something of all
                idna.check_bidi(label, check_ltr=True)
    except (UnicodeError, ValueError, IndexError):
        return False
    return len(encoded) <= 253  # RFC 1035, without the root
