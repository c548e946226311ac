"""Dead properties: what clients attach to files. In memory, and bounded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from wsgidav.dav_error import DAVError
from wsgidav.prop_man.property_manager import PropertyManager

RESOURCES: Final = 10_000
VALUE_LIMIT: Final = 65536
HTTP_FULL: Final = 507


class Properties(PropertyManager):
    """Forgets them when the server ends; clients set them again."""

    def write_property(self, norm_url: str, name: str, property_value: Any, dry_run: bool = False,
                       environ: dict[str, Any] | None = None) -> None:
        known = self._dict or {}
        if (norm_url not in known and len(known) >= RESOURCES) or len(str(property_value)) > VALUE_LIMIT:
            raise DAVError(HTTP_FULL, "no room for further properties")
        super().write_property(norm_url, name, property_value, dry_run, environ)

    def has_any(self, norm_urls: Iterable[str]) -> bool:
        """Has one of these resources a property?"""
        known = self._dict
        return bool(known) and any(known.get(url) for url in norm_urls)
