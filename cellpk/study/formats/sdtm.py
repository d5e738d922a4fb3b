"""SDTM: the data sets of a trial as they are tabulated for submission.

What the domains mean stands in :mod:`cellpk.study.sdtm`.
"""

from cellpk.study.exchange import Format, register
from cellpk.study.sdtm.reading import read
from cellpk.study.sdtm.recognising import recognise
from cellpk.study.sdtm.writing import write

ENDINGS = (".csv", ".xpt", ".json", ".ndjson", ".dsjc", ".parquet")

register(Format("sdtm", "SDTM data sets", write, read, ENDINGS, recognise))
