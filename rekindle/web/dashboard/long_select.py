"""How is a select with hundreds of options drawn? In one go: Django renders a template for each option."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


@cache
def time_zones() -> list[tuple[str, str]]:
    """Every zone as a choice; the machine's folder of them is read once."""
    return [(name, name) for name in sorted(available_timezones())]


class LongSelect(forms.Select):
    """A select without groups; looks to a browser like any other."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """
        >>> str(LongSelect(choices=[("a", "A & B"), ("c", "C")]).render("x", "c", {"id": "i"}))
        '<select id="i" name="x"><option value="a">A &amp; B</option><option value="c" selected>C</option></select>'
        """
        chosen = set(self.format_value(value))
        options = (
            (format_html('<option value="{}"{}>', key, SafeString(" selected" if str(key) in chosen else "")), label)
            for key, label in self.choices
        )
        attributes = flatatt({"name": name, **self.build_attrs(self.attrs, attrs)})
        return format_html("<select{}>{}</select>", attributes, format_html_join("", "{}{}</option>", options))
