import tomllib

from hypothesis import given
from hypothesis import strategies as st

from cellpk.study.toml_text import toml_inline, toml_lines

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
PLAIN = st.one_of(TEXT, st.booleans(), st.integers(-(2**53), 2**53), st.lists(TEXT))
FLAT = st.dictionaries(TEXT, PLAIN, max_size=3)


@given(st.dictionaries(TEXT, st.one_of(PLAIN, FLAT, st.lists(FLAT, min_size=1))))
def test_what_is_written_as_toml_reads_back(values):
    assert tomllib.loads("\n".join(toml_lines(values))) == values


@given(st.dictionaries(TEXT, TEXT, max_size=3))
def test_so_does_a_table_in_one_line(values):
    assert tomllib.loads(f"a = {toml_inline(values)}") == {"a": values}
