"""Reads the text of a setting from the environment, from `.env`, or from the file in `NAME_FILE`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from .parsers import InvalidValue
from .problems import Problem

OWN_PREFIXES = ("CONNECTOR_", "TIKTOK_", "SUPABASE_")


@dataclass(frozen=True)
class Setting:
    name: str
    parse: Callable[[str], object]
    description: str
    default: str | None = None
    """Text that is parsed like a configured text. If it is None, the value is None."""

    secret: bool = False
    alias: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every environment variable that sets this setting."""
        file = f"{self.name}_FILE" if self.secret else None
        return tuple(filter(None, (self.name, self.alias, file)))


class SettingsSource:
    """Reads one environment once and collects the problems."""

    def __init__(
        self, table: Iterable[Setting], environ: Mapping[str, str], dotenv: Path | None
    ) -> None:
        self.problems: list[Problem] = []
        self._table = tuple(table)
        self._raw = self._merge(environ, self._read_dotenv(dotenv))
        self._parsed_text: dict[str, str] = {}

    def is_set(self, name: str) -> bool:
        return any(
            variable in self._raw
            for setting in self._table
            if setting.name == name
            for variable in setting.names
        )

    def value(self, setting: Setting) -> object:
        """Call this in the table's order: a default may contain the value of an earlier setting."""
        text = self._text(setting) if self.is_set(setting.name) else None
        uses_default = text is None
        if text is None and setting.default is not None:
            text = setting.default.format_map(self._parsed_text)
        if text is None:
            return None
        try:
            value = setting.parse(text)
        except InvalidValue as error:
            if not uses_default:
                self.problems.append(Problem(setting.name, error.message, error.remedy))
            value = None
        self._parsed_text[setting.name] = str(value)
        return value

    def unknown_names(self) -> Iterator[Problem]:
        """Reports variables that look like settings but are unknown; most of them are misspelt."""
        known = {name for setting in self._table for name in setting.names}
        missing = [
            name
            for setting in self._table
            if not self.is_set(setting.name)
            for name in setting.names
        ]
        for name in sorted(self._raw.keys() - known):
            if not name.startswith(OWN_PREFIXES):
                continue
            if similar := get_close_matches(name, missing, n=1, cutoff=0.85):
                yield Problem(name, "There is no such setting.", f"Did you mean {similar[0]}?")
            elif name.startswith("CONNECTOR_"):
                yield Problem(name, "There is no such setting.", "Remove the variable.")

    def _merge(self, environ: Mapping[str, str], dotenv: Mapping[str, str]) -> dict[str, str]:
        """A setting that the environment sets by any of its names is not looked up in .env."""
        in_environ = {
            name
            for setting in self._table
            if not environ.keys().isdisjoint(setting.names)
            for name in setting.names
        }
        merged = {name: text for name, text in dotenv.items() if name not in in_environ}
        merged |= environ
        return {name: text.strip() for name, text in merged.items() if text.strip()}

    def _read_dotenv(self, path: Path | None) -> dict[str, str]:
        if path is None:
            return {}
        try:
            variables = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            self.problems.append(
                Problem(str(path), "The file cannot be read.", "Make it a readable file in UTF-8.")
            )
            return {}
        return {name: text or "" for name, text in variables.items()}

    def _text(self, setting: Setting) -> str | None:
        names = [name for name in setting.names if name in self._raw]
        texts = {
            name: self._file_contents(name) if _is_file(name, setting) else self._raw[name]
            for name in names
        }
        if len(names) > 1 and (_is_file(names[-1], setting) or len(set(texts.values())) > 1):
            self.problems.append(
                Problem(
                    setting.name,
                    f"The value is set twice, by {' and '.join(names)}.",
                    "Keep one of them.",
                )
            )
        return texts[names[0]]

    def _file_contents(self, name: str) -> str | None:
        try:
            text = Path(self._raw[name]).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            text = ""
        if not text:
            self.problems.append(
                Problem(
                    name,
                    "The file is empty or cannot be read.",
                    "Check the path and the file's permissions.",
                )
            )
        return text or None


def _is_file(name: str, setting: Setting) -> bool:
    return name == f"{setting.name}_FILE"
