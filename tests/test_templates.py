from markupsafe import Markup

from cellpk.reporting.templates import render, style, text_of


def page(title):
    return {
        "name": "m",
        "title": title,
        "badges": (),
        "observed": "",
        "count": "",
        "spread": "",
        "met": "",
    }


def test_text_is_escaped_and_markup_is_not():
    shared = {"style": style("gallery.css"), "version": "1"}
    text = render("gallery_index.html.j2", models=[page("a < b")], **shared)
    assert "a &lt; b" in text
    bold = render("gallery_index.html.j2", models=[page(Markup("<b>a</b>"))], **shared)
    assert "<b>a</b>" in bold


def test_the_style_of_a_page_stands_inside_it():
    assert text_of("gallery.css") in render(
        "gallery_index.html.j2", models=[], style=style("gallery.css"), version="1"
    )
