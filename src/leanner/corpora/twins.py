"""Bio-ID articles that are also in SourceData, counted once.

Bio-ID's captions are a subset of SourceData (766 articles, same captions, same
curators). The Bio-ID side stays and the SourceData documents are left out:

- Bio-ID has true character offsets. One gene mention in six is glued to other letters
  ("siGli1"), which SourceData's token rows cannot show.
- Bio-ID says which article a caption belongs to: the unit of sampling and of the
  bootstrap. SourceData's token rows do not.
- A row that does not name its article is left out exactly when its own text is there
  already. A document with a DOI is left out with its whole article: panels of one article
  on both sides would count it twice.

What it costs: SourceData's DISEASE mentions of these captions. They become unknown
there, not absent, as `Document.labels` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final

from leanner.corpora.fingerprints import FingerprintSet
from leanner.corpora.fingerprints import fingerprint


if TYPE_CHECKING:
    from leanner.corpora.native import NativeDocument


#: The corpus that stays, and the one that gives way. Corpora are read by name, so the first comes first.
KEPT: Final = "bioid"
LEFT_OUT: Final = "sourcedata"


class Twins:
    """Recognises SourceData documents that Bio-ID has given already.

    By DOI where both sides give one, and by caption text without its white space
    (the token rows of SourceData set their own).
    """

    __slots__ = ("_dois", "_texts")

    def __init__(self) -> None:
        self._texts = FingerprintSet()
        self._dois = FingerprintSet()

    def left_out(self, corpus: str, native: NativeDocument) -> bool:
        """Remember a document of Bio-ID, or say whether one of SourceData is its twin."""
        if corpus not in (KEPT, LEFT_OUT):
            return False
        text = "".join(native.text.split())
        doi = None if native.doi is None else native.doi.casefold()
        if corpus == LEFT_OUT:
            known_text = bool(text) and fingerprint(text) in self._texts
            return known_text or (doi is not None and fingerprint(doi) in self._dois)
        if text:
            self._texts.add(fingerprint(text))
        if doi is not None:
            self._dois.add(fingerprint(doi))
        return False
