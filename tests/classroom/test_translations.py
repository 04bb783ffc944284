"""The compiled translations are those of the .po, and every text of the pages has one. No gettext needed."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation

from classroom.texts import page_texts

CATALOGUE = settings.BASE_DIR / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
KEYWORDS = re.compile(r'^(msgid|msgid_plural|msgstr|msgstr\[\d\])? ?(".*")$')
TRANSLATED = re.compile(r"""{% translate (["'])(.*?)\1 %}""")


def read_po(path: Path) -> dict[str | tuple[str, int], str]:
    """The entries of a .po as `gettext` holds those of a .mo: msgid, or (msgid, form) with a plural."""
    entries: dict[str | tuple[str, int], str] = {}
    for block in path.read_text().split("\n\n"):
        fields: dict[str, str] = {}
        field = ""
        for line in block.splitlines():
            if match := KEYWORDS.match(line):
                field = match[1] or field
                fields[field] = fields.get(field, "") + ast.literal_eval(match[2])
        if "msgid_plural" in fields:
            entries |= {
                (fields["msgid"], form): fields[f"msgstr[{form}]"] for form in range(10) if f"msgstr[{form}]" in fields
            }
        elif fields:
            entries[fields["msgid"]] = fields["msgstr"]
    return entries


def read_mo(path: Path) -> dict[str | tuple[str, int], str]:
    with path.open("rb") as file:
        catalogue: dict[str | tuple[str, int], str] = vars(gettext.GNUTranslations(file))["_catalog"]
    return catalogue


def test_the_compiled_catalogue_is_up_to_date() -> None:
    compiled = read_mo(CATALOGUE.with_suffix(".mo"))
    assert compiled == read_po(CATALOGUE), "run manage.py compilemessages"


def test_nothing_is_left_untranslated() -> None:
    assert all(read_po(CATALOGUE).values())


@pytest.mark.parametrize("path", sorted((settings.BASE_DIR / "templates").rglob("*.html")), ids=str)
def test_every_text_of_the_templates_is_in_the_catalogue(path: Path) -> None:
    entries = read_po(CATALOGUE)
    assert [text for _, text in TRANSLATED.findall(path.read_text()) if text not in entries] == []


def test_every_text_of_the_scripts_is_translated_and_keeps_its_places() -> None:
    with translation.override("en"):
        english = page_texts()
    with translation.override("zh-hans"):
        chinese = page_texts()
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        form = text if isinstance(text, str) else text["other"]
        other = chinese[key]
        translated = other if isinstance(other, str) else other["other"]
        assert translated != form, key
        assert set(re.findall(r"{\w+}", translated)) == set(re.findall(r"{\w+}", form)), key


def test_the_scripts_ask_only_for_texts_that_exist() -> None:
    scripts = "\n".join(path.read_text() for path in (settings.BASE_DIR / "static" / "classroom").glob("*.js"))
    asked = set(re.findall(r'\.say\(\s*"(\w+)"', scripts))
    assert asked
    assert asked <= page_texts().keys()
    assert {key for key in page_texts() if f'"{key}"' not in scripts and f"{key}:" not in scripts} == {
        "elsewhere_text",  # made of "elsewhere" and "removed"
        "removed_text",
    }
