"""Sets of characters as RE2 writes them: what stands for several characters in a regular expression of ECMA 262."""

from __future__ import annotations

from collections.abc import Mapping

SPACES = (
    (0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
    (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
ALL = r"\x{0}-\x{10ffff}"


def char(code: int) -> str:
    """Write one character by its code."""
    return rf"\x{{{code:x}}}"


def ranges(pairs: tuple[tuple[int, int], ...]) -> str:
    """Write ranges of characters, from the first to the last of each."""
    return "".join(char(low) if low == high else f"{char(low)}-{char(high)}" for low, high in pairs)


def others(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Give the ranges of all characters that are in none of these."""
    starts = [0, *(high + 1 for _, high in pairs)]
    return tuple(zip(starts, [*(low - 1 for low, _ in pairs), 0x10FFFF], strict=True))


SETS = {  # escapes that stand for several characters, as they stand in RE2's brackets
    "d": "0-9",
    "D": r"\D",
    "w": "0-9A-Za-z_",
    "W": r"\W",
    "s": ranges(SPACES),
    "S": ranges(others(SPACES)),
}
CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
CATEGORIES: Mapping[str, str] = {  # long names of general categories
    "Letter": "L", "Cased_Letter": "LC", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd",
    "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc",
    "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi",
    "Final_Punctuation": "Pf", "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm", "Currency_Symbol": "Sc",
    "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z", "Space_Separator": "Zs", "Line_Separator": "Zl",
    "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc", "Format": "Cf", "Private_Use": "Co",
}  # fmt: skip
SCRIPTS = (
    "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Ethiopic", "Georgian", "Greek", "Gujarati", "Gurmukhi",
    "Han", "Hangul", "Hebrew", "Hiragana", "Kannada", "Katakana", "Khmer", "Lao", "Latin", "Malayalam", "Mongolian",
    "Myanmar", "Sinhala", "Tamil", "Telugu", "Thai", "Tibetan",
)  # fmt: skip
