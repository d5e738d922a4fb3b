"""A key is found in its file, wherever and however it is written."""

import pytest

from cellpk.model.places import File, Places

TEXT = (
    """\
# a comment
title = "T"
equations = '''
[parameters]
rho = 1
'''
note = """
    + '"""one line"""'
    + """
solution = "E = 1"
parameters.alpha = { value = 1 }

[ parameters ]  # with a comment
rho = { value = 1 }
"odd name" = { value = 1 }
beta.value = 3

[parameters.cmax]
value = 3

[correlations]
rho . alpha = 0.3
"""
)
PLACES = Places((File("v.toml", 'title = "V"\n'), File("m.toml", TEXT)))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("", "title"), "v.toml, title, line 1"),
        (("", "note"), "m.toml, note, line 7"),
        (("", "solution"), "m.toml, solution, line 8"),
        (("parameters", "rho"), "m.toml, [parameters] rho, line 12"),
        (("parameters", "alpha"), "m.toml, [parameters] alpha, line 9"),
        (("parameters", "odd name"), "m.toml, [parameters] odd name, line 13"),
        (("parameters", "beta"), "m.toml, [parameters] beta, line 14"),
        (("parameters", "cmax"), "m.toml, [parameters] cmax, line 16"),
        (("correlations", "rho", "alpha"), "m.toml, [correlations] rho.alpha, line 20"),
        (("correlations", ""), "m.toml, [correlations], line 19"),
        (("correlations", "x"), "m.toml, [correlations] x, line 19"),
        (("observed", "x"), "v.toml, [observed] x"),
        (("", ""), "v.toml"),
    ],
)
def test_a_key_is_found(path, expected):
    assert PLACES.of(*path) == expected


def test_a_line_of_a_text_is_counted_from_where_the_text_begins():
    assert PLACES.of("", "equations", offset=1) == "m.toml, equations, line 5"
    assert PLACES.of("", "solution", offset=0) == "m.toml, solution, line 8"


def test_a_key_of_a_row_is_found_where_it_has_a_line_of_its_own():
    at = PLACES.of("parameters", "cmax", within="value")
    assert at == "m.toml, [parameters] cmax, line 17"
    at = PLACES.of("parameters", "rho", within="value")
    assert at == "m.toml, [parameters] rho, line 12"
